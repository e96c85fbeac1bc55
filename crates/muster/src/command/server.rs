//! `muster server list|show|ssh|exec`.

use muster_api::cursor::Cursor;
use muster_api::exec::{ExecRequest, PasswordRequest};
use muster_api::listing::{Order, value_of};
use muster_api::log::{LogFilter, OutputFrom};
use muster_api::plan::{PurposeSaid, default_space};
use muster_api::server::ServerAttributes;

use super::first_run::ensure_account;
use super::infra::change::{Manner, deal};
use super::infra::propose::finished;
use super::report::{Row, rows};
use super::{Answer, Context, Report};
use crate::cli::begin::Begin;
use crate::cli::{ServerCommand, ServerList};
use crate::exit::{Exit, Failure};

/// Servers of an account.
pub async fn server(command: ServerCommand, context: &Context<'_>) -> Result<Answer, Failure> {
    match command {
        ServerCommand::List(which) => Answer::done(Report::Servers(list(&which, context).await?)),
        ServerCommand::Show { name, account } => show(&name, account, context).await,
        ServerCommand::Ssh { name, command } => ssh(&name, &command, context).await,
        ServerCommand::Rebuild(asked) => super::object::rebuild(asked, context).await,
        ServerCommand::Password { names, rotate, begin } => password(names, rotate, &begin, context).await,
        ServerCommand::Actions { name, seek } => super::object::actions(&name, &seek, context).await,
        ServerCommand::Copy(asked) => super::object::copy(asked, context).await,
        ServerCommand::Exec { names, begin, command } => exec(names, command, &begin, context).await,
    }
}

async fn list(which: &ServerList, context: &Context<'_>) -> Result<Vec<Row<ServerAttributes>>, Failure> {
    ensure_account(context, which.account.as_deref()).await?;
    let accounts = match &which.account {
        Some(name) => vec![name.clone()],
        None => context.client.accounts().await?.into_iter().map(|account| account.id).collect(),
    };
    let mut query = super::object::query(&which.filters, which.sort.as_deref())?;
    for (field, value) in [("infrastructure", &which.infra), ("state", &which.state), ("power", &which.power)]
    {
        if let Some(value) = value {
            query.insert(format!("filter[{field}]"), value.clone());
        }
    }
    let several = accounts.len() > 1;
    let mut servers = Vec::new();
    for account in accounts {
        servers.extend(context.client.servers(&account, &query).await?);
    }
    if several {
        let order = which.sort.as_deref().map_or_else(Order::by_name, Order::read);
        order.sort(&mut servers, value_of);
    }
    Ok(rows(servers))
}

async fn show(name: &str, account: Option<String>, context: &Context<'_>) -> Result<Answer, Failure> {
    let all = list(&ServerList { account, ..ServerList::default() }, context).await?;
    let mut named: Vec<_> = all.into_iter().filter(|row| row.said.name == name || row.id == name).collect();
    match (named.pop(), named.len()) {
        (None, _) => Err(Failure::usage(format!("there is no server {name}"))),
        (Some(server), 0) => Answer::done(Report::Server(Box::new(server))),
        (Some(last), _) => {
            let ids: Vec<String> = named.into_iter().chain([last]).map(|row| row.id).collect();
            Err(Failure::usage(format!(
                "several servers are called {name}; name one by its id: {}",
                ids.join(", ")
            )))
        }
    }
}

/// Hands the terminal to the system's `ssh`; its exit code is ours.
async fn ssh(name: &str, command: &[String], context: &Context<'_>) -> Result<Answer, Failure> {
    let access = context.client.ssh_access(name).await?.attributes;
    let Some((program, arguments)) = access.argv.split_first() else {
        return Err(Failure::new(Exit::Failed, format!("no way to log in to {name} is known")));
    };
    let mut child = tokio::process::Command::new(program);
    child.args(arguments).args(command).envs(&access.env).kill_on_drop(true);
    let status = child.status().await.map_err(|error| {
        Failure::new(Exit::Failed, format!("{program} cannot be started: {error}; install an OpenSSH client"))
    })?;
    let exit = match status.code() {
        Some(0) => Exit::Done,
        Some(code) => Exit::Of(u8::try_from(code).unwrap_or(255)),
        None => Exit::Failed,
    };
    Ok(Answer { exit, report: Report::Nothing })
}

async fn password(
    servers: Vec<String>,
    rotate: bool,
    begin: &Begin,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    if rotate {
        let request = PasswordRequest { space: default_space(), servers };
        let plan = finished(context.client.change_passwords(request).await?, context).await?;
        // It was asked for by its name; there is nothing left to ask.
        return deal(PurposeSaid::Deploy, plan, Manner::Yes, begin, context).await;
    }
    let mut text = String::new();
    for server in &servers {
        for found in context.client.server_password(server).await? {
            if found.id == "next" {
                context.screen.say(&format!(
                    "{server} has one of two passwords: the answer to the last change was lost; `muster server password \
                     {server} --rotate` makes it one"
                ));
            }
            let name = if servers.len() > 1 { format!("{server} ") } else { String::new() };
            text.push_str(&format!("{name}{}\n", found.attributes.password));
        }
    }
    Answer::done(Report::Text(text))
}

async fn exec(
    servers: Vec<String>,
    argv: Vec<String>,
    begin: &Begin,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let request = ExecRequest { space: default_space(), servers, argv };
    let plan = finished(context.client.exec(request).await?, context).await?;
    // The command was typed out; there is nothing left to ask.
    let mut answer = deal(PurposeSaid::Deploy, plan, Manner::Yes, begin, context).await?;
    if begin.detach {
        return Ok(answer);
    }
    if let Report::Planned(planned) = &answer.report
        && let Some(run) = &planned.run
    {
        let run = super::follow::run_id(&run.id)?;
        let lines = context
            .client
            .output(run, &OutputFrom::Cursor(Cursor::start()), &LogFilter::default(), EXEC_LINES_MAX)
            .await?;
        answer.report = Report::Output(lines.data.into_iter().map(|line| line.attributes).collect());
        if lines.meta.more {
            context.screen.say(&format!("There is more: muster run log {run} --level detail"));
        }
    }
    Ok(answer)
}

/// Lines of output drawn after `server exec`; the rest is in the run's log.
const EXEC_LINES_MAX: u32 = 10_000;
