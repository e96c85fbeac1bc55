//! What a server does, and how a process writes its log.

use clap::ValueEnum;

use super::{Cli, Command, Server};

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

impl Cli {
    /// How this process writes its log.
    pub fn log_format(&self) -> LogFormat {
        match &self.command {
            Command::Server(server) => server.log_format,
            _ => LogFormat::Text,
        }
    }

    /// Whether it serves others.
    pub fn serves(&self) -> bool {
        matches!(&self.command, Command::Server(Server { command: None, .. }) | Command::Engine { .. })
    }
}

/// What a node of the control plane does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ServerRole {
    /// Answers requests
    Api,
    /// Carries runs out
    Worker,
    /// Looks after what nobody asks for: retention of ended runs
    Scheduler,
}
