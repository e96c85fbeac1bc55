//! Why the store says no, in words: one place, so that both databases say the same.

use std::fmt::Display;

use jiff::Timestamp;
use muster_model::id::{NodeId, PlanId, RunId};
use muster_model::plan::{LockKey, LockMode, Plan, Subject};
use muster_model::run::RunState;

use crate::error::StoreError;
use crate::queue::{QueueState, QueuedRow};
use crate::store::{Audit, StepTally};

pub(crate) fn no_run(run: RunId) -> StoreError {
    StoreError::NotFound(format!("there is no run {run}"))
}

pub(crate) fn no_plan(plan: PlanId) -> StoreError {
    StoreError::NotFound(format!("there is no plan {plan}"))
}

pub(crate) fn not_ready(plan: PlanId, state: &str) -> StoreError {
    StoreError::Conflict(format!("plan {plan} is {state}, not ready"))
}

pub(crate) fn not_newest(plan: PlanId, subject: &Subject, newer: impl Display) -> StoreError {
    StoreError::Conflict(format!(
        "plan {plan} is not the newest one of {subject}: {newer} is; look at that one"
    ))
}

/// Whether only locks decide what is in each other's way. All objects of an account are one subject, and two people who
/// care for different ones have nothing to do with each other.
pub(crate) fn goes_by_locks(subject: &Subject) -> bool {
    matches!(subject, Subject::Account(_))
}

/// Whether a newer plan of the same subject takes the place of the one that is being approved.
pub(crate) fn is_overtaken(
    subject: &Subject,
    locks: &[(LockKey, LockMode)],
    newer_form: u16,
    newer: Option<Vec<u8>>,
) -> Result<bool, StoreError> {
    if !goes_by_locks(subject) {
        return Ok(true);
    }
    // One that is still being made, or could not be, is about nothing yet.
    let Some(packed) = newer else { return Ok(false) };
    let plan: Plan = crate::form::decode_packed("plan", newer_form, &packed)?;
    Ok(plan.draft.locks.iter().any(|(key, _)| locks.iter().any(|(held, _)| held == key)))
}

pub(crate) fn carried_out(plan: PlanId, by: impl Display) -> StoreError {
    StoreError::Conflict(format!("plan {plan} was carried out by run {by}"))
}

pub(crate) fn not_observing(plan: PlanId) -> StoreError {
    StoreError::Conflict(format!("plan {plan} is not being observed any more"))
}

pub(crate) fn busy(holder: impl Display, subject: &str, actor: &str, key: &str) -> StoreError {
    StoreError::Conflict(format!(
        "busy: run {holder} ({subject}, started by {actor}) holds {key}; \
         follow it with `muster run attach {holder}` or try again when it has ended"
    ))
}

pub(crate) fn held(run: RunId, node: impl Display) -> StoreError {
    StoreError::Conflict(format!("run {run} is held by node {node}"))
}

pub(crate) fn overtaken(run: RunId, newer: impl Display) -> StoreError {
    StoreError::Conflict(format!("run {run} cannot be taken up again: run {newer} came after it; plan again"))
}

pub(crate) fn not_failed(run: RunId, state: RunState) -> StoreError {
    let instead = match state {
        RunState::Interrupted => format!("take it up with `muster run resume {run}`"),
        RunState::Ready | RunState::Running => format!("follow it with `muster run attach {run}`"),
        RunState::Succeeded
        | RunState::Partly
        | RunState::Failed
        | RunState::Cancelled
        | RunState::Stale
        | RunState::Superseded => "plan again".to_owned(),
    };
    StoreError::Conflict(format!("run {run} is {}; only what failed is tried again: {instead}", state.word()))
}

pub(crate) fn emptied(run: RunId) -> StoreError {
    StoreError::Conflict(format!(
        "run {run} is so old that its journal was emptied, and nobody knows any more what it did; plan again"
    ))
}

pub(crate) fn run_is(run: RunId, state: RunState) -> StoreError {
    StoreError::Conflict(format!("run {run} is {}", state.word()))
}

pub(crate) fn has_ended(run: RunId, state: RunState) -> StoreError {
    StoreError::Conflict(format!("run {run} has ended: it is {}", state.word()))
}

pub(crate) fn illegal(run: RunId, before: RunState, after: RunState) -> StoreError {
    StoreError::Conflict(format!("run {run} is {} and cannot become {}", before.word(), after.word()))
}

pub(crate) fn unsettled(name: impl Display, account: impl Display, sent_at: impl Display) -> StoreError {
    StoreError::Conflict(format!("a create of {name} at {account}, sent at {sent_at}, is not settled yet"))
}

pub(crate) fn no_lease(node: NodeId) -> StoreError {
    StoreError::Lapsed(format!("node {node} has no lease any more; it must stop"))
}

/// What the audit says of a queued request.
pub(crate) fn queued(row: &QueuedRow, state: QueueState, message: Option<&str>, at: Timestamp) -> Audit {
    let what = match state {
        QueueState::Waiting => "request.queued",
        QueueState::Begun => "request.begun",
        QueueState::Needless => "request.needless",
        QueueState::Dropped => "request.dropped",
    };
    let why = message.map(|message| format!(": {message}")).unwrap_or_default();
    Audit {
        space: row.space.clone(),
        at,
        actor: row.how.authority.actor.clone(),
        what: what.into(),
        about: format!("plan {} for {}{why}", row.plan, row.subject),
    }
}

/// What a run says that is begun again.
pub(crate) fn tried_again(actor: &str) -> String {
    format!("tried again for {actor}: what failed begins once more, what succeeded stays")
}

/// Why plans of a dead node are refused.
pub(crate) const LOOKER_DIED: &str = "interrupted: the process that looked at the world ended";

/// Puts one count of steps into its place.
pub(crate) fn count(tally: &mut StepTally, kind: &str, number: u32) {
    match kind {
        "succeeded" => tally.succeeded = number,
        "failed" => tally.failed = number,
        "skipped" => tally.skipped = number,
        _ => tally.running = number,
    }
}
