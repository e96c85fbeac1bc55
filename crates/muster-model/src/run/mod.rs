//! Runs: the durable execution of one plan, and the table of legal transitions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{PlanId, RunId, SpaceName};
use crate::plan::Subject;

pub mod journal;

pub use journal::*;

/// A run as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id; the correlation id of every event.
    pub id: RunId,
    /// The Space it belongs to.
    pub space: SpaceName,
    /// What it is about.
    pub subject: Subject,
    /// The plan it carries out.
    pub plan: PlanId,
    /// How it stands.
    pub state: RunState,
    /// Why it ended so, in words, where there is more to say.
    pub message: Option<String>,
    /// Who started it.
    pub actor: String,
    /// When it was approved.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Approved; nobody executes it yet.
    Ready,
    /// Executed by a node; holds its locks.
    Running,
    /// Nobody executes it; holds no locks; can be resumed.
    Interrupted,
    /// Every step succeeded.
    Succeeded,
    /// Ended well, and something the file wants was not possible.
    Partly,
    /// A step failed; the rest was not done.
    Failed,
    /// A person stopped it between steps.
    Cancelled,
    /// The world had moved since the plan; nothing was touched.
    Stale,
    /// Was interrupted, and a later run took its subject over; cannot be resumed.
    Superseded,
}

impl RunState {
    /// Every state, for tables and tests.
    pub const ALL: [RunState; 9] = [
        RunState::Ready,
        RunState::Running,
        RunState::Interrupted,
        RunState::Succeeded,
        RunState::Partly,
        RunState::Failed,
        RunState::Cancelled,
        RunState::Stale,
        RunState::Superseded,
    ];

    /// Whether nothing follows by itself.
    pub fn is_final(self) -> bool {
        match self {
            RunState::Ready | RunState::Running | RunState::Interrupted => false,
            RunState::Succeeded
            | RunState::Partly
            | RunState::Failed
            | RunState::Cancelled
            | RunState::Stale
            | RunState::Superseded => true,
        }
    }

    /// Whether its locks are held.
    pub fn holds_locks(self) -> bool {
        matches!(self, RunState::Ready | RunState::Running)
    }

    /// The table of legal transitions; everything else is an error.
    pub fn may_become(self, next: RunState) -> bool {
        use RunState::*;
        matches!(
            (self, next),
            (Ready, Running | Interrupted | Cancelled)
                | (Running, Interrupted | Succeeded | Partly | Failed | Cancelled | Stale)
                | (Interrupted, Running | Superseded | Cancelled)
                // Only because a person asks that what failed is tried again.
                | (Failed, Running)
        )
    }

    /// The word for people and documents.
    pub fn word(self) -> &'static str {
        match self {
            RunState::Ready => "ready",
            RunState::Running => "running",
            RunState::Interrupted => "interrupted",
            RunState::Succeeded => "succeeded",
            RunState::Partly => "partly",
            RunState::Failed => "failed",
            RunState::Cancelled => "cancelled",
            RunState::Stale => "stale",
            RunState::Superseded => "superseded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_a_final_state_but_another_try_at_what_failed() {
        for from in RunState::ALL {
            let next: Vec<_> = RunState::ALL.into_iter().filter(|to| from.may_become(*to)).collect();
            match from {
                RunState::Failed => assert_eq!(next, [RunState::Running]),
                _ => assert_eq!(next.is_empty(), from.is_final(), "{from:?}"),
            }
            assert!(!from.may_become(from), "{from:?} to itself");
        }
    }
}
