//! How nouns look in columns, the same in both databases: words of states, kinds and keys, and back.

use std::str::FromStr;

use jiff::Timestamp;
use muster_model::id::StepNumber;
use muster_model::intent::{Created, IntentState};
use muster_model::ownership::ObjectKind;
use muster_model::plan::{LockMode, Subject};
use muster_model::run::{EntryKind, RunState};
use uuid::Uuid;

use crate::error::StoreError;
use crate::lanes::LaneState;
use crate::queue::QueueState;
use crate::store::{PlanState, Want};

/// A subject as a column.
pub(crate) fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::Infrastructure(name) => format!("infrastructure:{name}"),
        Subject::Account(name) => format!("account:{name}"),
    }
}

/// A subject from a column.
pub(crate) fn subject_of(text: &str) -> Result<Subject, StoreError> {
    match text.split_once(':') {
        Some(("infrastructure", name)) => Ok(Subject::Infrastructure(name.into())),
        Some(("account", name)) => Ok(Subject::Account(name.into())),
        _ => Err(unreadable("subject", text)),
    }
}

/// A time from a text column.
pub(crate) fn time_of(text: &str) -> Result<Timestamp, StoreError> {
    Timestamp::from_str(text).map_err(|_| unreadable("time", text))
}

/// An id from a text column.
pub(crate) fn uuid_of(text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| unreadable("id", text))
}

/// A run's state from a column.
pub(crate) fn state_of(text: &str) -> Result<RunState, StoreError> {
    RunState::ALL.into_iter().find(|state| state.word() == text).ok_or_else(|| unreadable("run state", text))
}

/// A value that this version cannot read.
pub(crate) fn unreadable(noun: &'static str, text: &str) -> StoreError {
    StoreError::Form { noun, message: format!("`{text}` is not one that this version of Muster knows") }
}

/// A plan's state as a column.
pub(crate) fn plan_state(state: PlanState) -> &'static str {
    match state {
        PlanState::Observing => "observing",
        PlanState::Ready => "ready",
        PlanState::Refused => "refused",
    }
}

/// A plan's state from a column.
pub(crate) fn plan_state_of(text: &str) -> Result<PlanState, StoreError> {
    match text {
        "observing" => Ok(PlanState::Observing),
        "ready" => Ok(PlanState::Ready),
        "refused" => Ok(PlanState::Refused),
        other => Err(unreadable("plan state", other)),
    }
}

/// A lane's state as a column.
pub(crate) fn lane_state(state: LaneState) -> &'static str {
    match state {
        LaneState::Ready => "ready",
        LaneState::Held => "held",
        LaneState::Waiting => "waiting",
        LaneState::Done => "done",
    }
}

/// A lane's state from a column.
pub(crate) fn lane_state_of(text: &str) -> Result<LaneState, StoreError> {
    match text {
        "ready" => Ok(LaneState::Ready),
        "held" => Ok(LaneState::Held),
        "waiting" => Ok(LaneState::Waiting),
        "done" => Ok(LaneState::Done),
        other => Err(unreadable("lane state", other)),
    }
}

/// What is wanted of a run, as a column.
pub(crate) fn want(want: Want) -> &'static str {
    match want {
        Want::Run => "run",
        Want::Pause => "pause",
        Want::Cancel => "cancel",
    }
}

/// What is wanted of a run, from a column.
pub(crate) fn want_of(text: &str) -> Result<Want, StoreError> {
    match text {
        "run" => Ok(Want::Run),
        "pause" => Ok(Want::Pause),
        "cancel" => Ok(Want::Cancel),
        other => Err(unreadable("wish for a run", other)),
    }
}

/// The audit's word for a wish.
pub(crate) fn wish(want: Want) -> &'static str {
    match want {
        Want::Run => "run.continued",
        Want::Pause => "run.paused",
        Want::Cancel => "run.cancelled",
    }
}

/// A lock's mode as a column.
pub(crate) fn queue_state(state: QueueState) -> &'static str {
    match state {
        QueueState::Waiting => "waiting",
        QueueState::Begun => "begun",
        QueueState::Needless => "needless",
        QueueState::Dropped => "dropped",
    }
}

pub(crate) fn queue_state_of(text: &str) -> Result<QueueState, StoreError> {
    match text {
        "waiting" => Ok(QueueState::Waiting),
        "begun" => Ok(QueueState::Begun),
        "needless" => Ok(QueueState::Needless),
        "dropped" => Ok(QueueState::Dropped),
        other => Err(unreadable("state of a queued request", other)),
    }
}

pub(crate) fn mode(mode: LockMode) -> &'static str {
    match mode {
        LockMode::Shared => "shared",
        LockMode::Exclusive => "exclusive",
    }
}

/// An object's kind as a column.
pub(crate) fn kind(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Server => "server",
        ObjectKind::Network => "network",
        ObjectKind::Object => "object",
        ObjectKind::PublicNetwork => "public-network",
        ObjectKind::Record => "record",
    }
}

/// What an intent makes, as a column.
pub(crate) fn made(made: &Created) -> &'static str {
    match made {
        Created::Server(_) => "server",
        Created::Network(_) => "network",
        Created::Object(_) | Created::Copy(_) => "object",
        Created::PublicNetwork(_) => "public-network",
        Created::Record { .. } => "record",
    }
}

/// An intent's state as a column.
pub(crate) fn intent_state(state: &IntentState) -> &'static str {
    match state {
        IntentState::Open => "open",
        IntentState::Made(_) => "made",
        IntentState::Refused => "refused",
        IntentState::GivenUp => "given-up",
    }
}

/// An entry's kind as a column.
pub(crate) fn entry(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::Run { .. } => "run",
        EntryKind::Started { .. } => "started",
        EntryKind::Succeeded { .. } => "succeeded",
        EntryKind::Failed { .. } => "failed",
        EntryKind::Skipped { .. } => "skipped",
        EntryKind::Progress { .. } => "progress",
        EntryKind::Task { .. } => "task",
    }
}

/// The step that an entry is about.
pub(crate) fn step_of(kind: &EntryKind) -> Option<StepNumber> {
    match kind {
        EntryKind::Run { .. } => None,
        EntryKind::Progress { step, .. } => *step,
        EntryKind::Started { step, .. }
        | EntryKind::Succeeded { step, .. }
        | EntryKind::Failed { step, .. }
        | EntryKind::Skipped { step, .. }
        | EntryKind::Task { step, .. } => Some(*step),
    }
}
