//! Which words the command line has. No behaviour here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;

pub mod begin;
pub mod dns;
pub mod infra;
pub mod limit;
pub mod object;
pub mod prices;
pub mod run_log;
pub mod server;
pub mod serving;
pub mod sim;

pub use run_log::{Level, RunLog, RunSearch};
pub use server::{Server, ServerCommand, ServerList};
pub use serving::{LogFormat, ServerRole};
pub use sim::{Machines, Sim, SimOnecloud};

/// What clap's own words leave out: the word for the field `priority` of a record is taken by runs.
pub fn hint(error: &clap::Error) -> Option<&'static str> {
    use clap::error::{ContextKind, ContextValue};
    let said = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let is_priority = said(ContextKind::InvalidArg).is_some_and(|name| name.starts_with("--priority"));
    let is_number = said(ContextKind::InvalidValue).is_some_and(|value| value.parse::<u16>().is_ok());
    (is_priority && is_number).then_some("The priority of MX and SRV records is given by --preference.")
}

/// Turns files into running servers.
#[derive(Debug, Parser)]
#[command(name = "muster", version, about, arg_required_else_help = true, propagate_version = false)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// How the answer is drawn
    #[arg(long, global = true, value_enum, default_value_t = Format::Pretty, help_heading = "Global options")]
    pub format: Format,
    /// Say only what was asked for, and problems
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Where the command is carried out: `local`, or a name of `muster context list`
    #[arg(long, global = true, value_name = "NAME", env = crate::connect::contexts::CONTEXT, hide_env = true, help_heading = "Global options")]
    pub context: Option<String>,
    /// No colours
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
    /// Say more in the log on stderr; twice for still more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
}

/// How an answer is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Pretty,
    /// One JSON document
    Json,
    /// One YAML document
    Yaml,
    /// Columns
    Table,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Servers and networks of an infrastructure file
    #[command(subcommand)]
    Infra(infra::Infra),
    /// Register an account at a provider; asks for the API key or reads it from stdin
    Register(Register),
    /// Accounts at providers
    #[command(subcommand)]
    Account(Account),
    /// Servers of an account; without a subcommand: serve the control plane
    Server(Server),
    /// Images that servers are made from
    #[command(subcommand)]
    Image(object::Image),
    /// Private and public networks of an account
    #[command(subcommand)]
    Network(object::Network),
    /// Public keys that an account keeps
    #[command(subcommand)]
    Key(object::Key),
    /// Domains and their records
    #[command(subcommand)]
    Dns(dns::Dns),
    /// Object storage and its users
    #[command(subcommand)]
    Storage(object::Storage),
    /// Sealed secrets, used as ${secret:name}
    #[command(subcommand)]
    Secret(SecretCommand),
    /// How many steps may be under way at once
    #[command(subcommand)]
    Limit(limit::Limit),
    /// Runs: what was and is being done
    #[command(subcommand)]
    Run(Run),
    /// Load of the servers of a file, scraped once through SSH
    Stats {
        /// The file's name without extension
        name: String,
    },
    /// Print the JSON Schema of a kind of document
    Schema {
        /// Of which
        #[arg(value_enum, default_value_t = SchemaOf::Infrastructure)]
        of: SchemaOf,
    },
    /// Check an infrastructure file without asking anybody
    Validate(Validate),
    /// Simulated worlds for tests and demonstrations
    #[command(subcommand)]
    Sim(Sim),
    /// Control planes that commands can be sent to
    #[command(subcommand)]
    Context(ContextCommand),
    /// Carry runs out in the background of this machine; `--detach` starts it by itself
    Engine {
        /// End after so many seconds without a run
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        idle: u64,
        /// End the one that runs; steps under way are finished, and its runs become *interrupted*
        #[arg(long)]
        stop: bool,
    },
    /// Look whether everything Muster needs is here
    Doctor,
    /// Print the completion script for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// Register an account.
#[derive(Debug, Args)]
pub struct Register {
    /// Its name
    #[arg(default_value = crate::home::ACCOUNT_DEFAULT)]
    pub name: String,
    /// The base address of the provider's API
    #[arg(long, env = crate::home::URL, default_value = crate::home::URL_DEFAULT)]
    pub url: String,
    /// How long a create without an answer may stay invisible, in ms; 0 = the default
    #[arg(long, env = crate::home::SETTLE_MS, default_value_t = 0)]
    pub settle_ms: u64,
}

/// Accounts.
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Registered accounts, and the one from the environment
    List,
    /// One account
    Show {
        /// Its name
        #[arg(default_value = crate::home::ACCOUNT_DEFAULT)]
        name: String,
    },
    /// Ask the provider who the account is and what it has left
    Test {
        /// Its name
        #[arg(default_value = crate::home::ACCOUNT_DEFAULT)]
        name: String,
    },
    /// The account's money
    Balance {
        /// Its name
        #[arg(default_value = crate::home::ACCOUNT_DEFAULT)]
        name: String,
    },
    /// The customer, the project and what is left in it
    Project {
        /// Its name
        #[arg(default_value = crate::home::ACCOUNT_DEFAULT)]
        name: String,
    },
    /// Locations and images that can be written into a file; kept with their date for a day
    Offers {
        /// The account's name
        #[arg(default_value = crate::home::ACCOUNT_DEFAULT)]
        name: String,
        /// Only what is offered at this location
        #[arg(long, add = ArgValueCandidates::new(crate::command::offers::locations))]
        location: Option<String>,
    },
    /// Ask the provider for its locations and images now, and keep them
    Refresh {
        /// The account's name
        #[arg(default_value = crate::home::ACCOUNT_DEFAULT)]
        name: String,
    },
    /// What the account's servers cost, and how long its balance lasts
    Cost {
        /// The account's name
        #[arg(default_value = crate::home::ACCOUNT_DEFAULT)]
        name: String,
    },
    /// Prices that costs are reckoned with
    #[command(subcommand)]
    Prices(prices::Prices),
}

/// Contexts.
#[derive(Debug, Subcommand)]
pub enum ContextCommand {
    /// Remember a control plane; its token is sealed
    Add {
        /// A name for it
        name: String,
        /// Its address
        url: String,
        /// The token; `-` reads it from stdin, and without this it is asked for
        #[arg(long, value_name = "TOKEN")]
        token: Option<String>,
    },
    /// Send commands there from now on; `local` is this machine
    Use {
        /// The context's name
        name: String,
    },
    /// Contexts, and which one is used
    List,
    /// Forget a control plane
    Remove {
        /// The context's name
        name: String,
    },
}

/// Secrets.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Seal a value; it is asked for, or read from stdin, never an argument
    Set {
        /// The secret's name
        name: String,
    },
    /// Names of secrets
    List,
    /// Forget a secret
    Unset {
        /// The secret's name
        name: String,
    },
}

/// Runs.
#[derive(Debug, Subcommand)]
pub enum Run {
    /// The newest runs
    List {
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One run
    Show {
        /// Its id
        id: String,
    },
    /// Follow a run: what was missed, then live; with --format json one event a line
    Attach {
        /// Its id
        id: String,
        /// Only what came after this cursor, e.g. 0:17
        #[arg(long, value_name = "CURSOR")]
        from: Option<String>,
    },
    /// Why each step is there, what it waits for, and who carries the run out
    Explain {
        /// Its id
        id: String,
    },
    /// Let steps under way finish and begin nothing further until `resume`; the run keeps its locks
    Pause {
        /// Its id
        id: String,
    },
    /// Take up an interrupted or paused run
    Resume {
        /// Its id
        id: String,
    },
    /// Take up a failed run: what failed begins again in the same journal, also a command whose outcome is not known
    Retry {
        /// Its id
        id: String,
    },
    /// Take back what a run did to objects of an account, as far as anything can be taken back
    Undo {
        /// Its id
        id: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Only show what would be done
        #[arg(long)]
        dry_run: bool,
        /// How its run begins.
        #[command(flatten)]
        begin: begin::Begin,
    },
    /// Requests that wait because something was busy, and what became of them
    Queue {
        /// Take this request out of the queue
        #[arg(long, value_name = "ID")]
        withdraw: Option<String>,
    },
    /// Stop a run between steps
    Cancel {
        /// Its id
        id: String,
    },
    /// What a run wrote: its events, or every line of its commands and playbooks; what is asked for is searched
    Log(RunLog),
    /// Events of all runs by their words, newest first
    Search(RunSearch),
}

/// Check a file.
#[derive(Debug, Args)]
pub struct Validate {
    /// The file, or its name without extension
    pub file: String,
    /// A variable: name=value
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// A file of variables
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<PathBuf>,
}

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Infrastructure files
    Infrastructure,
    /// `muster.yaml` and `config.yaml`
    Settings,
}
