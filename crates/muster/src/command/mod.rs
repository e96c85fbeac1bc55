//! Commands: each does its work through the API and returns data. Drawing is the view's.

use std::path::PathBuf;

use muster_api::Client;

use crate::ask::{Ask, Terminal};
use crate::cli::{Cli, Command};
use crate::connect::{Connection, connect};
use crate::exit::{Exit, Failure};
use crate::view::{Screen, View};

pub mod account;
pub mod completions;
pub mod doctor;
pub mod find;
pub mod first_run;
pub mod follow;
pub mod gather;
pub mod infra;
pub mod machine;
pub mod offers;
pub mod register;
pub mod report;
pub mod run_command;
mod schema;
pub mod secret;
pub mod server;
pub mod sim;
pub mod stats;
pub mod validate;
pub mod vars;

pub use report::Report;

/// What a command is given.
pub struct Context<'a> {
    /// The API.
    pub client: Client,
    /// `MUSTER_HOME`.
    pub home: PathBuf,
    /// The working directory.
    pub here: PathBuf,
    /// The person.
    pub ask: &'a dyn Ask,
    /// What is shown while the command works.
    pub screen: &'a dyn Screen,
}

/// What a command gives back.
pub struct Answer {
    /// The exit code.
    pub exit: Exit,
    /// What to draw.
    pub report: Report,
}

impl Answer {
    /// Done, with this to draw.
    pub fn done(report: Report) -> Result<Answer, Failure> {
        Ok(Answer { exit: Exit::Done, report })
    }
}

/// Runs the command line to its exit code.
pub async fn run(cli: Cli) -> Exit {
    let view = View::new(&cli.global);
    match answer(cli, &view).await {
        Ok(answer) => match view.report(&answer.report) {
            Ok(()) => answer.exit,
            // A reader that went away (`| head`) is no failure of the command.
            Err(_) => answer.exit,
        },
        Err(failure) => {
            view.failure(&failure);
            failure.exit
        }
    }
}

async fn answer(cli: Cli, view: &View) -> Result<Answer, Failure> {
    let quiet = cli.global.quiet;
    match cli.command {
        Command::Validate(arguments) => validate::validate(&arguments, &here()?, &crate::home::directory()?),
        Command::Schema { of } => schema::schema(of),
        Command::Sim(crate::cli::Sim::Onecloud(arguments)) => {
            sim::onecloud(arguments, &crate::home::directory()?, quiet).await
        }
        Command::Completions { shell } => completions::completions(shell),
        Command::Server(crate::cli::Server { listen, command: None }) => {
            crate::serve::serve(&crate::home::directory()?, listen, quiet).await?;
            Answer::done(Report::Nothing)
        }
        Command::Doctor => doctor::doctor(&crate::home::directory()?).await,
        command => {
            let home = crate::home::directory()?;
            let connection = connect(&home).await?;
            let answer = spoken(command, &connection, home, view).await;
            let closed = connection.close().await;
            let answer = answer?;
            closed?;
            Ok(answer)
        }
    }
}

/// The commands that speak the API.
async fn spoken(command: Command, to: &Connection, home: PathBuf, view: &View) -> Result<Answer, Failure> {
    let context =
        Context { client: to.client.clone(), home, here: here()?, ask: &Terminal, screen: view.screen() };
    match command {
        Command::Infra(command) => infra::infra(command, &context).await,
        Command::Register(arguments) => register::register(&arguments, &context).await,
        Command::Account(command) => account::account(&command, &context).await,
        Command::Server(server) => match server.command {
            Some(command) => server::server(command, &context).await,
            None => Answer::done(Report::Nothing),
        },
        Command::Secret(command) => secret::secret(&command, &context).await,
        Command::Run(command) => run_command::run(command, &context).await,
        Command::Stats { name } => stats::stats(&name, &context).await,
        Command::Schema { .. }
        | Command::Validate(_)
        | Command::Sim(_)
        | Command::Doctor
        | Command::Completions { .. } => Answer::done(Report::Nothing),
    }
}

fn here() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::usage(format!("the working directory cannot be read: {error}")))
}
