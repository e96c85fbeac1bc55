//! Commands: each does its work through the API and returns data. Drawing is the view's.

use std::path::PathBuf;

use muster_api::Client;

use crate::ask::{Ask, Terminal};
use crate::cli::infra::Infra;
use crate::cli::{Cli, Command, Server, ServerCommand};
use crate::connect::{Connection, Wish, connect};
use crate::exit::{Exit, Failure};
use crate::view::{Screen, View};

pub mod account;
pub mod child;
pub mod code;
pub mod completions;
pub mod context;
pub mod doctor;
pub mod explain;
pub mod find;
pub mod first_run;
pub mod follow;
pub mod gather;
pub mod infra;
pub mod limit;
pub mod machine;
pub mod object;
pub mod offers;
pub mod prices;
pub mod register;
pub mod report;
pub mod run_command;
pub mod run_log;
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
    /// Whether runs that are started here end with this process.
    pub in_process: bool,
    /// Whether events are printed as they come, one line of JSON each.
    pub stream: bool,
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
    let log = crate::connect::log::begin(cli.global.verbose, cli.log_format(), cli.serves());
    let exit = drawn(cli).await;
    log.end().await;
    exit
}

async fn drawn(cli: Cli) -> Exit {
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
        Command::Infra(Infra::Convert(arguments)) => {
            infra::convert::convert(&arguments, &here()?, &crate::home::directory()?, view.screen())
        }
        Command::Schema { of } => schema::schema(of),
        Command::Sim(crate::cli::Sim::Onecloud(arguments)) => {
            sim::onecloud(arguments, &crate::home::directory()?, quiet).await
        }
        Command::Completions { shell } => completions::completions(shell),
        Command::Server(crate::cli::Server { listen, roles, database, command: None, .. }) => {
            let node = crate::serve::Node { address: listen, roles, database, quiet };
            crate::serve::serve(&crate::home::directory()?, node).await?;
            Answer::done(Report::Nothing)
        }
        Command::Engine { stop: true, .. } => {
            let did = crate::connect::background::stop(&crate::home::directory()?).await?;
            Answer::done(Report::Did(did))
        }
        Command::Engine { idle, stop: false } => {
            let idle = std::time::Duration::from_secs(idle);
            crate::serve::engine(&crate::home::directory()?, idle, quiet).await?;
            Answer::done(Report::Nothing)
        }
        Command::Context(command) => context::context(&command, &crate::home::directory()?, &Terminal).await,
        Command::Doctor => doctor::doctor(&crate::home::directory()?).await,
        command => {
            let home = crate::home::directory()?;
            let wish = Wish { context: cli.global.context, outlives: outlives(&command) };
            let connection = connect(&home, &wish).await?;
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
    let stream = view.is_json();
    let context = Context {
        client: to.client.clone(),
        home,
        here: here()?,
        ask: &Terminal,
        screen: view.screen(),
        stream,
        in_process: to.is_own(),
    };
    match command {
        Command::Infra(command) => infra::infra(command, &context).await,
        Command::Register(arguments) => register::register(&arguments, &context).await,
        Command::Account(command) => account::account(&command, &context).await,
        Command::Server(server) => match server.command {
            Some(command) => server::server(command, &context).await,
            None => Answer::done(Report::Nothing),
        },
        Command::Image(command) => object::image(command, &context).await,
        Command::Network(command) => object::network(command, &context).await,
        Command::Key(command) => object::key(command, &context).await,
        Command::Dns(command) => object::dns::dns(command, &context).await,
        Command::Storage(command) => object::storage(command, &context).await,
        Command::Secret(command) => secret::secret(&command, &context).await,
        Command::Limit(command) => limit::limit(&command, &context).await,
        Command::Run(command) => run_command::run(command, &context).await,
        Command::Stats { name } => stats::stats(&name, &context).await,
        Command::Schema { .. }
        | Command::Validate(_)
        | Command::Sim(_)
        | Command::Doctor
        | Command::Context(_)
        | Command::Engine { .. }
        | Command::Completions { .. } => Answer::done(Report::Nothing),
    }
}

/// Whether the runs of a command must go on without it.
fn outlives(command: &Command) -> bool {
    match command {
        Command::Infra(Infra::Update(change) | Infra::Destroy(change)) => change.begin.detach,
        Command::Infra(Infra::Deploy(deploy)) => deploy.change.begin.detach,
        Command::Infra(Infra::Rollback(asked)) => asked.begin.detach,
        Command::Server(Server { command: Some(ServerCommand::Exec { begin, .. }), .. }) => begin.detach,
        _ => false,
    }
}

fn here() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::usage(format!("the working directory cannot be read: {error}")))
}
