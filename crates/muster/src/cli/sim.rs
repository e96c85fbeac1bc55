//! The words of `muster sim`.

use std::net::SocketAddr;

use clap::{Args, Subcommand, ValueEnum};

/// Simulated worlds.
#[derive(Debug, Subcommand)]
pub enum Sim {
    /// A simulated 1cloud over HTTP
    Onecloud(SimOnecloud),
}

/// A simulated 1cloud.
#[derive(Clone, Debug, Args)]
pub struct SimOnecloud {
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// An API key that it accepts (64 hexadecimal digits); one project each
    #[arg(long = "key", value_name = "HEX64", required = true)]
    pub keys: Vec<String>,
    /// What stands behind an active server
    #[arg(long, value_enum, default_value_t = Machines::None)]
    pub machines: Machines,
    /// How long things take: `instant`, `real`, or a file
    #[arg(long, default_value = "instant", value_name = "instant|real|FILE")]
    pub durations: String,
}

/// What stands behind an active server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Machines {
    /// Nothing
    None,
    /// A real local machine with sshd
    Local,
}
