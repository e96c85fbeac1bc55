//! The words of `muster server`: servers of an account, or the control plane.

use std::net::SocketAddr;

use clap::{Args, Subcommand};

use super::begin::Begin;
use super::object::{Copy, Rebuild, Seek};
use super::serving::{LogFormat, ServerRole};

/// Servers, or the server.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Server {
    /// Serve the control plane at this address (loopback only)
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:7474")]
    pub listen: SocketAddr,
    /// What this node does
    #[arg(
        long = "role",
        value_enum,
        value_delimiter = ',',
        value_name = "ROLE",
        default_value = "api,worker,scheduler"
    )]
    pub roles: Vec<ServerRole>,
    /// The database that all nodes share: sqlite:PATH or postgres://USER@HOST/NAME
    #[arg(long, value_name = "URL", env = crate::connect::DATABASE_URL, hide_env_values = true)]
    pub database: Option<String>,
    /// How the log on stderr is written
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "MUSTER_LOG_FORMAT", hide_env_values = true)]
    pub log_format: LogFormat,
    /// Or do something with servers.
    #[command(subcommand)]
    pub command: Option<ServerCommand>,
}

/// Something with servers.
#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    /// The servers of an account as the provider shows them now
    List(ServerList),
    /// One server
    Show {
        /// Its name
        name: String,
        /// The account
        #[arg(long)]
        account: Option<String>,
    },
    /// Log in with the system's ssh
    Ssh {
        /// The server's name
        name: String,
        /// A command for ssh to run there
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Write a server's disk anew from an image; it keeps its id and address, and nothing else
    Rebuild(Rebuild),
    /// What the provider does, or did, to a server
    Actions {
        /// The server, by its name or id
        name: String,
        /// Which.
        #[command(flatten)]
        seek: Seek,
    },
    /// The login user's password: the one it was given here, or, with --rotate, another one
    Password {
        /// Names of servers
        #[arg(required = true)]
        names: Vec<String>,
        /// Give each another one, made and sealed here
        #[arg(long)]
        rotate: bool,
        /// How its run begins.
        #[command(flatten)]
        begin: Begin,
    },
    /// Make a server that is a copy of another
    Copy(Copy),
    /// Run one command on servers, as a run with a journal
    Exec {
        /// Names of servers
        #[arg(required = true)]
        names: Vec<String>,
        /// How its run begins.
        #[command(flatten)]
        begin: Begin,
        /// The command and its arguments, after `--`; no shell reads them
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

/// Which servers.
#[derive(Debug, Default, Args)]
pub struct ServerList {
    /// The account; all of them when left out
    #[arg(long)]
    pub account: Option<String>,
    /// Only those that this file owns
    #[arg(long, value_name = "NAME")]
    pub infra: Option<String>,
    /// Only those in this state of the provider
    #[arg(long)]
    pub state: Option<String>,
    /// Only `running` or `stopped` ones
    #[arg(long)]
    pub power: Option<String>,
    /// Only those with this value, e.g. location=SdnSpb; may be given several times
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub filters: Vec<String>,
    /// In the order of this field; `-` before it turns the order
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    pub sort: Option<String>,
}
