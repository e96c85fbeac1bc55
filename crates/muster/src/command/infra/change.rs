//! Changing things: propose, show, ask once, approve, follow. The same for every purpose.

use std::path::PathBuf;

use muster_api::Resource;
use muster_api::cursor::Cursor;
use muster_api::plan::{PlanAttributes, PurposeSaid};
use muster_api::run::{RunAttributes, RunRequest};
use muster_model::code::ReleaseWish;

use super::super::follow::follow;
use super::super::report::{Outcome, Planned};
use super::super::{Answer, Context, Report};
use super::consent::{differs, nothing_to_do, question, waits};
use super::propose;
use crate::cli::begin::Begin;
use crate::cli::infra::{Change, Named};
use crate::exit::{Exit, Failure};

/// What is asked for, whichever word of the command line asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The file's name.
    pub name: String,
    /// A plan made before.
    pub plan: Option<String>,
    /// Servers and networks that `adopt` and `disown` are about.
    pub names: Vec<String>,
    /// The release that a deploy goes back to.
    pub to_release: Option<ReleaseWish>,
    /// The other options.
    pub options: Change,
}

impl From<&Change> for Asked {
    fn from(change: &Change) -> Asked {
        Asked {
            name: change.name.clone(),
            plan: change.plan.clone(),
            names: Vec::new(),
            to_release: None,
            options: change.clone(),
        }
    }
}

impl From<&Named> for Asked {
    fn from(named: &Named) -> Asked {
        let options = Change {
            name: named.name.clone(),
            account: named.account.clone(),
            vars: named.vars.clone(),
            var_files: named.var_files.iter().map(PathBuf::from).collect(),
            ..Change::default()
        };
        Asked { name: named.name.clone(), plan: None, names: named.names.clone(), to_release: None, options }
    }
}

/// What is done with the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Asked about, then carried out.
    Ask,
    /// Carried out.
    Yes,
    /// Only shown.
    Show,
    /// Only shown; differences are an exit code.
    Check,
}

impl Manner {
    /// What the options say.
    pub fn of(change: &Change) -> Manner {
        match (change.check, change.dry_run, change.yes) {
            (true, _, _) => Manner::Check,
            (_, true, _) => Manner::Show,
            (_, _, true) => Manner::Yes,
            _ => Manner::Ask,
        }
    }

    /// What the options say.
    pub fn of_named(named: &Named) -> Manner {
        match (named.dry_run, named.yes) {
            (true, _) => Manner::Show,
            (_, true) => Manner::Yes,
            _ => Manner::Ask,
        }
    }
}

/// Proposes, or fetches, a plan and deals with it.
pub async fn change(
    purpose: PurposeSaid,
    asked: &Asked,
    manner: Manner,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let plan = match &asked.plan {
        Some(id) => propose::fetched(id, asked, context).await?,
        None => propose::proposed(purpose, asked, context).await?,
    };
    deal(purpose, plan, manner, &asked.options.begin, context).await
}

/// Shows a finished plan, asks where that is due, and carries it out.
pub async fn deal(
    purpose: PurposeSaid,
    plan: Resource<PlanAttributes>,
    manner: Manner,
    begin: &Begin,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let said = &plan.attributes;
    let refused = said.state == "refused";
    let shown = |outcome, exit| {
        let planned = Planned { outcome, plan: plan.clone().into(), run: None };
        Ok(Answer { exit, report: Report::Planned(Box::new(planned)) })
    };
    match manner {
        Manner::Show => {
            let outcome = if refused { Outcome::Refused } else { Outcome::Shown };
            return shown(outcome, Exit::Done);
        }
        Manner::Check if differs(purpose, said) => return shown(Outcome::Differences, Exit::Differences),
        Manner::Check if refused => return shown(Outcome::Refused, Exit::Usage),
        Manner::Check => return shown(Outcome::NothingToDo, Exit::Done),
        Manner::Ask | Manner::Yes => {}
    }
    if refused {
        return shown(Outcome::Refused, Exit::Usage);
    }
    if said.steps.is_empty() {
        return shown(Outcome::NothingToDo, nothing_to_do(said));
    }
    // From here on the plan is shown before the answer: a person reads it while being asked.
    context.screen.plan(&plan);
    if manner == Manner::Ask && begin.queue.is_some() {
        return Err(Failure::usage(
            "--queue needs --yes: what begins later is planned anew, and nobody is asked then".to_owned(),
        ));
    }
    if let (Manner::Ask, Some(question)) = (manner, question(purpose, said)) {
        if !context.ask.present() {
            // What is asked for one by one is looked at by each step again; there is no older plan to insist on.
            let exactly = match said.infrastructure {
                Some(_) => format!(", or for exactly this plan: --yes --plan {}", plan.id),
                None => String::new(),
            };
            return Err(Failure::usage(format!(
                "{question} There is no terminal to ask at; nothing was changed. Give --yes{exactly}"
            )));
        }
        if !crate::ask::consent(context.ask, &question)? {
            return shown(Outcome::Declined, Exit::Declined);
        }
    }
    run(plan, begin, context).await
}

/// Approves a plan and follows its run to the end, or leaves it to itself.
pub async fn run(
    plan: Resource<PlanAttributes>,
    begin: &Begin,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let id = propose::plan_id(&plan.id)?;
    let request = RunRequest {
        plan: id.to_string(),
        countdown_seconds: begin.countdown.map(|countdown| countdown.as_secs()),
        priority: begin.priority.into(),
    };
    let run = match (context.client.approve(request, None).await, begin.queue) {
        (Ok(run), _) => run,
        (Err(busy), Some(limit)) if busy.exit() == 6 && busy.to_string().contains("busy: run") => {
            context.screen.say(&busy.to_string());
            return super::queue::queue(plan, begin, limit, context).await;
        }
        (Err(error), _) => return Err(error.into()),
    };
    follow_begun(plan, run, begin, context).await
}

/// Follows the run of a plan, or leaves it to itself.
pub(super) async fn follow_begun(
    plan: Resource<PlanAttributes>,
    run: Resource<RunAttributes>,
    begin: &Begin,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let waiting = waits(&plan.attributes);
    if let Some(at) = run.attributes.begins_at {
        let id = &run.id;
        let here = if begin.detach { "" } else { ", or Ctrl-C" };
        context.screen.say(&format!(
            "Run {id} begins at {at}. Until then it can be revoked with nothing done: muster run cancel {id}{here}"
        ));
    }
    if begin.detach {
        let planned = Planned { outcome: Outcome::Detached, plan: plan.into(), run: Some(run.into()) };
        return Ok(Answer { exit: Exit::Done, report: Report::Planned(Box::new(planned)) });
    }
    let followed = follow(&run.id, Cursor::start(), Some(&plan.attributes), context).await?;
    let exit = followed.exit(waiting);
    let outcome = if followed.left { Outcome::Detached } else { Outcome::Ran };
    let planned = Planned { outcome, plan: plan.into(), run: Some(followed.run.into()) };
    Ok(Answer { exit, report: Report::Planned(Box::new(planned)) })
}
