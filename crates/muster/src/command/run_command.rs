//! `muster run`.

use super::follow::{follow, run_id};
use super::infra::propose::{finished, plan_id};
use super::report::rows;
use super::{Answer, Context, Report};
use crate::cli::Run;
use crate::cli::object::{Make, Of};
use crate::exit::{Exit, Failure};
use muster_api::cursor::Cursor;
use muster_api::plan::PlanAttributes;
use muster_api::run::RunAttributes;

/// Runs: what was and is being done.
pub async fn run(command: Run, context: &Context<'_>) -> Result<Answer, Failure> {
    match command {
        Run::List { limit } => Answer::done(Report::Runs(rows(context.client.runs(limit).await?))),
        Run::Show { id } => {
            let run = context.client.run(run_id(&id)?).await?;
            super::explain::say_limits(&run, context).await?;
            Answer::done(Report::Run(Box::new(run.into())))
        }
        Run::Attach { id, from } => {
            let from = match from {
                None => Cursor::start(),
                Some(text) => text.parse().map_err(Failure::usage)?,
            };
            super::explain::say_if_stranded(&id, context).await?;
            match context.stream {
                true => streamed(&id, from, context).await,
                false => followed(&id, from, context).await,
            }
        }
        Run::Explain { id } => super::explain::explain(&id, context).await,
        Run::Pause { id } => {
            let run = context.client.pause(run_id(&id)?).await?;
            context.screen.say(&format!(
                "Steps under way are finished, then it waits, and keeps its locks. Go on: muster run resume {id}"
            ));
            Answer::done(Report::Run(Box::new(run.into())))
        }
        Run::Resume { id } => {
            context.client.resume(run_id(&id)?).await?;
            followed(&id, Cursor::start(), context).await
        }
        Run::Retry { id } => {
            // Only what comes from here on: the failure before would be drawn as if it were this one's.
            let before = end_of(&id, context).await?;
            context.client.retry(run_id(&id)?).await?;
            followed(&id, before, context).await
        }
        Run::Undo { id, yes, dry_run, begin } => {
            let plan = finished(context.client.undo(run_id(&id)?).await?, context).await?;
            let of = Of { account: plan.attributes.account.clone().unwrap_or_default() };
            super::object::carry_out(plan, &Make { of, yes, dry_run, begin }, context).await
        }
        Run::Queue { withdraw: None } => Answer::done(Report::Queue(rows(context.client.queue().await?))),
        Run::Queue { withdraw: Some(id) } => {
            let request = context.client.withdraw(plan_id(&id)?).await?;
            Answer::done(Report::Queue(rows(vec![request])))
        }
        Run::Cancel { id } => {
            let run = context.client.cancel(run_id(&id)?).await?;
            if !run.attributes.is_final {
                context.screen.say("It stops after the steps under way.");
            }
            Answer::done(Report::Run(Box::new(run.into())))
        }
        Run::Search(search) => super::run_log::search(search, context).await,
        Run::Log(log) => super::run_log::log(log, context).await,
    }
}

async fn plan_of(run: &RunAttributes, context: &Context<'_>) -> Result<PlanAttributes, Failure> {
    Ok(context.client.plan(plan_id(&run.plan)?, 0).await?.attributes)
}

/// Every event as one line of JSON, at once.
async fn streamed(id: &str, from: Cursor, context: &Context<'_>) -> Result<Answer, Failure> {
    let run = run_id(id)?;
    let mut events = context.client.events(run, from);
    while let Some(event) = events.next().await? {
        if context.screen.line(&event).is_err() {
            // The reader has gone (`| head`); the run goes on without it.
            return Answer::done(Report::Nothing);
        }
    }
    let run = context.client.run(run).await?;
    let plan = plan_of(&run.attributes, context).await?;
    let exit = Exit::of_run(&run.attributes.state, super::infra::consent::waits(&plan));
    Ok(Answer { exit, report: Report::Nothing })
}

async fn followed(id: &str, from: Cursor, context: &Context<'_>) -> Result<Answer, Failure> {
    let run = context.client.run(run_id(id)?).await?;
    let plan = plan_of(&run.attributes, context).await?;
    let followed = follow(id, from, Some(&plan), context).await?;
    let exit = followed.exit(super::infra::consent::waits(&plan));
    Ok(Answer { exit, report: Report::Run(Box::new(followed.run.into())) })
}

/// The cursor behind everything that a run wrote so far.
async fn end_of(id: &str, context: &Context<'_>) -> Result<Cursor, Failure> {
    let mut cursor = Cursor::start();
    loop {
        let page = context.client.history(run_id(id)?, &cursor).await?;
        for event in &page.data {
            cursor.saw(event.attributes.lane, event.attributes.seq);
        }
        if !page.meta.more {
            return Ok(cursor);
        }
    }
}
