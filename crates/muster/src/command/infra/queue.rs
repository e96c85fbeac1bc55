//! Waiting for one's turn where something is busy (`--queue`).

use std::time::Duration;

use muster_api::Resource;
use muster_api::plan::PlanAttributes;
use muster_api::queue::QueueRequest;

use super::super::follow::run_id;
use super::super::report::{Outcome, Planned};
use super::super::{Answer, Context, Report};
use super::change::follow_begun;
use super::propose::plan_id;
use crate::cli::begin::Begin;
use crate::exit::{Exit, Failure};

/// How often it is asked whether it is its turn.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Queues a plan that found something in its way, and waits for its turn unless nobody wants to.
pub async fn queue(
    plan: Resource<PlanAttributes>,
    begin: &Begin,
    limit: Duration,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let request = QueueRequest {
        plan: plan.id.clone(),
        limit_seconds: limit.as_secs(),
        countdown_seconds: begin.countdown.map(|countdown| countdown.as_secs()),
        priority: begin.priority.into(),
    };
    let queued = context.client.enqueue(request).await?;
    let id = plan_id(&queued.id)?;
    let once = if queued.id == plan.id { "It waits" } else { "The same request waits already" };
    context.screen.say(&format!(
        "{once} for its turn as {id} until {}, and holds nothing meanwhile. Take it back: muster run queue --withdraw {id}",
        queued.attributes.give_up_at
    ));
    if begin.detach {
        let planned = Planned { outcome: Outcome::Queued, plan: plan.into(), run: None };
        return Ok(Answer { exit: Exit::Done, report: Report::Planned(Box::new(planned)) });
    }
    loop {
        let now = context.client.queued(id).await?.attributes;
        match (now.state.as_str(), now.run) {
            ("begun", Some(run)) => {
                let run = context.client.run(run_id(&run)?).await?;
                let plan = context.client.plan(plan_id(&run.attributes.plan)?, 0).await?;
                context.screen.say("Its turn has come; this is what it does now.");
                context.screen.plan(&plan);
                return follow_begun(plan, run, begin, context).await;
            }
            ("needless", _) => {
                let planned = Planned { outcome: Outcome::NothingToDo, plan: plan.into(), run: None };
                return Ok(Answer { exit: Exit::Done, report: Report::Planned(Box::new(planned)) });
            }
            ("waiting", _) => {}
            (state, _) => {
                let why = now.message.unwrap_or_else(|| format!("the request is {state}"));
                return Err(Failure::new(Exit::Busy, why));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            _ = tokio::signal::ctrl_c() => {
                context.client.withdraw(id).await?;
                return Err(Failure::new(Exit::Interrupted, "The request was taken back; nothing was begun.".to_owned()));
            }
        }
    }
}
