//! Requests that found their locks held and may wait: unapproved plans that hold no lock, proposed again until their
//! limit. The words and their meaning; the two databases stand in `sqlite/` and `postgres/`.

use async_trait::async_trait;
use jiff::Timestamp;
use muster_model::id::{PlanId, RunId, SpaceName};
use muster_model::plan::{LockKey, LockMode, Subject};
use muster_model::rights::Authority;
use serde::{Deserialize, Serialize};

use crate::store::StoreResult;

/// The most requests that are looked at, and about as many are kept: those that wait, then the newest.
pub const QUEUE_MAX: u32 = 1_000;

/// How a queued request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueState {
    /// It is proposed again as soon as nothing is in its way.
    Waiting,
    /// Its run began.
    Begun,
    /// When its turn came, nothing was left to do.
    Needless,
    /// It was not begun and will not be; the message says why.
    Dropped,
}

/// On whose behalf it begins, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedHow {
    /// Who asked; judged anew when its turn comes.
    pub authority: Authority,
    /// Seconds that its run waits before it begins.
    pub countdown_seconds: Option<u64>,
    /// Higher is claimed sooner; 0 is usual.
    pub priority: i16,
}

/// A queued request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedRow {
    /// The plan that could not be approved; also the request's id.
    pub plan: PlanId,
    /// The Space.
    pub space: SpaceName,
    /// What it is about.
    pub subject: Subject,
    /// The same for identical documents and wishes.
    pub digest: String,
    /// On whose behalf, and how.
    pub how: QueuedHow,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it is dropped.
    pub give_up_at: Timestamp,
    /// How it stands.
    pub state: QueueState,
    /// Why it stands so, in words.
    pub message: Option<String>,
    /// Its run, once it began.
    pub run: Option<RunId>,
}

/// What ends a request's waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// How it stands from now on.
    pub state: QueueState,
    /// Why.
    pub message: Option<String>,
    /// Its run.
    pub run: Option<RunId>,
    /// When, for the audit.
    pub at: Timestamp,
}

/// The queue of busy requests: one transaction a verb.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Queues a request. One that waits already with the same subject and digest is given instead.
    async fn enqueue(&self, row: QueuedRow) -> StoreResult<QueuedRow>;
    /// One request.
    async fn queued(&self, plan: PlanId) -> StoreResult<Option<QueuedRow>>;
    /// Requests of all Spaces, [`QUEUE_MAX`] at most: those that wait, then, unless only these are asked for, the
    /// others, the newest first.
    async fn queue(&self, only_waiting: bool) -> StoreResult<Vec<QueuedRow>>;
    /// Ends the waiting of a request, with an audit line; false if it does not wait any more.
    async fn leave_queue(&self, plan: PlanId, left: Left) -> StoreResult<bool>;
    /// Why these locks cannot be taken now, in words; none if they are free. Nothing is taken.
    async fn in_the_way(&self, locks: Vec<(LockKey, LockMode)>) -> StoreResult<Option<String>>;
}
