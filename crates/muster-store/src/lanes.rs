//! How several nodes share the work: leases, lanes, signals, quotas, retention. The words and their meaning; the
//! two databases stand in `sqlite/` and `postgres/`.
//!
//! A lane is the unit of claim. Whoever holds it is the only writer of its journal; its fence rises whenever it
//! changes hands, and a write with an older one is refused. A waiting lane belongs to nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_model::id::{Fence, LaneNumber, NodeId, PlanId, RunId, Sequence, StepNumber};
use muster_model::plan::{LockKey, LockMode};
use muster_model::run::Entry;
use tokio::sync::broadcast;

use crate::revision::Keep;
use crate::store::{Audit, Claim, NodeRow, StoreResult, Want};

/// The most runs that one call of [`Lanes::prune`] empties.
pub const PRUNE_RUNS_MAX: u32 = 200;
/// Hints that a slow listener may lag behind before it is told to look at everything.
pub const HINTS_MAX: usize = 1_024;
/// The most nodes that one takeover ends; the next one takes the rest.
pub const TAKE_OVER_NODES_MAX: u32 = 16;
/// How much wider each look of [`windows`] is than the one before.
const WINDOW_GROWS: u32 = 8;
/// How long the row of a node that was taken over is kept, so that its late heartbeat is refused by name.
pub const GONE_KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// The name of the signal that a finished lane sends.
pub const LANE_DONE: &str = "lane-done";
/// The name of the signal that a retry sends: failures that were told before it count no more.
pub const RETRIED: &str = "lanes-retried";

/// What a heartbeat found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Lease {
    /// The lease is renewed.
    Held,
    /// It lapsed or the node was taken over: stop, write nothing, start nothing.
    Lost,
}

/// Who asks: a node, the epoch of its lease, and what time it is (SQLite has no clock of its own; PostgreSQL's
/// counts where there is one).
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// The node.
    pub node: NodeId,
    /// The epoch it joined with.
    pub epoch: u64,
    /// The time, from `World`.
    pub now: Timestamp,
}

/// Steps from one number to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRange {
    /// The first.
    pub first: StepNumber,
    /// The last.
    pub last: StepNumber,
}

/// A further lane of a run, from 1; lane 0 coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanePlan {
    /// Its steps.
    pub steps: StepRange,
    /// Whether it waits until lane 0 wakes it (a later wave).
    pub waits: bool,
}

/// How a lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneState {
    /// Can be claimed.
    Ready,
    /// A node executes it.
    Held,
    /// For a time, a signal or another lane; nobody holds it.
    Waiting,
    /// Nothing follows.
    Done,
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneRow {
    /// Its number.
    pub lane: LaneNumber,
    /// How it stands.
    pub state: LaneState,
    /// Who holds it, or for whom it is kept while it is ready.
    pub node: Option<NodeId>,
    /// Its fence.
    pub fence: Fence,
    /// Its steps; none means all of them.
    pub steps: Option<StepRange>,
    /// When it becomes ready by itself.
    pub wake_at: Option<Timestamp>,
    /// The last sequence number in its journal.
    pub last: Sequence,
}

/// What a node asks for when it has room.
#[derive(Clone, Debug)]
pub struct ClaimNext {
    /// Who asks.
    pub holder: Holder,
    /// The most lanes it takes.
    pub limit: u32,
    /// The forms of runs that it can carry out: an old node never takes a newer run.
    pub forms: Vec<u16>,
    /// Only lanes of these runs; empty means any.
    pub only: Vec<RunId>,
}

/// What a lane waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// A time.
    pub until: Option<Timestamp>,
    /// The number of the last signal that the lane has read: a further one makes it ready, also one that came
    /// before it began to wait.
    pub signals_seen: u32,
}

/// Something told to a run from outside: a call-back, an approval of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its number in the run, from 1 without gaps.
    pub number: u32,
    /// What it is.
    pub name: String,
    /// The same name and key twice is the same signal.
    pub key: String,
    /// What it says.
    pub body: String,
    /// When.
    pub at: Timestamp,
}

/// What a takeover did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Nodes whose lease had lapsed.
    pub nodes: Vec<NodeId>,
    /// Lanes of workers that are ready again.
    pub ready: Vec<(RunId, LaneNumber)>,
    /// Runs of foreground nodes.
    pub interrupted: Vec<RunId>,
    /// Plans that were being made.
    pub refused: Vec<PlanId>,
}

/// How often a step was under way when its node died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deaths {
    /// The lane.
    pub lane: LaneNumber,
    /// The step.
    pub step: StepNumber,
    /// How often.
    pub times: u32,
}

/// A limit across nodes, and how much of it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaRow {
    /// What is limited.
    pub key: String,
    /// The most; none means no limit.
    pub cap: Option<u32>,
    /// Taken now, by all nodes.
    pub held: u32,
}

/// What a node wants to hold of a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaWish {
    /// What is limited.
    pub key: String,
    /// The key whose limit counts where this one has none of its own.
    pub or_else: Option<String>,
    /// How much to hold, all in all.
    pub number: u32,
}

/// "Something was committed." Only a hint: it may be lost, so whoever waits also looks by himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// In this lane.
    Lane(RunId, LaneNumber),
    /// Somewhere.
    Any,
}

/// How many entries of each lane a page of a followed run looks at: first each lane's share of it, then more, until the
/// page is full or every lane was looked at far enough. A run of many lanes would else be sorted anew for each page.
pub(crate) fn windows(lanes: usize, limit: u32) -> impl Iterator<Item = u32> {
    let share = limit.div_ceil(lanes.max(1) as u32).max(1);
    let wider = std::iter::successors(Some(share), move |window| {
        (*window < limit).then(|| window.saturating_mul(WINDOW_GROWS).min(limit))
    });
    wider.take_while(move |_| limit > 0)
}

/// Leases, lanes, signals, quotas, retention: one transaction a verb.
#[async_trait]
pub trait Lanes: Send + Sync {
    /// Renews a node's lease, if it has one.
    async fn heartbeat(&self, holder: Holder, ttl: Duration) -> StoreResult<Lease>;
    /// Ends nodes whose lease has lapsed: their epoch rises and their quotas are free; lanes of a worker become
    /// ready under a higher fence, and steps that were under way are counted ([`Lanes::deaths`]); runs of a
    /// foreground node become *interrupted* and their locks are free; plans they were making are refused.
    async fn take_over(&self, now: Timestamp, why: String) -> StoreResult<TakenOver>;
    /// Claims ready lanes (and waiting ones whose time has come), by priority and age. Paused runs, runs of unknown
    /// forms and lanes kept for another node are left alone. Refused ([`crate::StoreError::Lapsed`]) without a lease.
    async fn claim_next(&self, wish: ClaimNext) -> StoreResult<Vec<Claim>>;
    /// Hands a lane over and ends this claim: it is ready for anybody, or kept for one node.
    async fn release(&self, claim: Claim, to: Option<NodeId>) -> StoreResult<()>;
    /// Lets a lane wait, executed by nobody, and ends this claim. Gives *ready* if what it waits for is there
    /// already. A node that is no worker goes on being the one that it is kept for.
    async fn park(&self, claim: Claim, wait: Wait) -> StoreResult<LaneState>;
    /// A lane has nothing left to do. Its run is told so by a signal ([`LANE_DONE`]) in the same transaction, so that
    /// lane 0 hears of it whether it waits already or is about to.
    async fn finish_lane(&self, claim: Claim, at: Timestamp) -> StoreResult<()>;
    /// Makes waiting lanes of the claim's run ready: the next wave.
    async fn wake_lanes(&self, claim: Claim, lanes: Vec<LaneNumber>) -> StoreResult<()>;
    /// Tells a run something and makes its waiting lanes ready. False if it was told before.
    async fn signal(
        &self,
        run: RunId,
        name: String,
        key: String,
        body: String,
        at: Timestamp,
    ) -> StoreResult<bool>;
    /// Signals of a run after a number, in order.
    async fn signals(&self, run: RunId, after: u32) -> StoreResult<Vec<Signal>>;
    /// The lanes of a run.
    async fn lanes(&self, run: RunId) -> StoreResult<Vec<LaneRow>>;
    /// How often steps of a run were under way when their node died.
    async fn deaths(&self, run: RunId) -> StoreResult<Vec<Deaths>>;
    /// What is wanted of each run in which this node holds a lane.
    async fn wants(&self, node: NodeId) -> StoreResult<Vec<(RunId, Want)>>;
    /// Takes an interrupted run up again without holding it: its locks are taken, and any worker may claim it.
    async fn requeue(
        &self,
        run: RunId,
        locks: Vec<(LockKey, LockMode)>,
        actor: String,
        at: Timestamp,
    ) -> StoreResult<()>;
    /// Takes a *failed* run up again: its locks are taken anew, nothing came after it on its subject, and its lanes are
    /// ready, for anybody or kept for one node. What was counted against steps that took their nodes with them is
    /// forgotten: a person has looked.
    async fn retry(
        &self,
        run: RunId,
        node: Option<NodeId>,
        locks: Vec<(LockKey, LockMode)>,
        actor: String,
        at: Timestamp,
    ) -> StoreResult<()>;
    /// Entries of one lane after a sequence number, in order.
    async fn entries_of(
        &self,
        run: RunId,
        lane: LaneNumber,
        after: Sequence,
        limit: u32,
    ) -> StoreResult<Vec<Entry>>;
    /// Entries of all lanes after a cursor: in order within each lane, lanes side by side. A lane that the cursor
    /// does not name begins at its beginning.
    async fn follow(
        &self,
        run: RunId,
        cursor: BTreeMap<LaneNumber, Sequence>,
        limit: u32,
    ) -> StoreResult<Vec<Entry>>;
    /// Sets a limit across nodes, or removes it, with its audit line; whether there was one. What is held stays held.
    async fn set_quota(&self, key: String, cap: Option<u32>, audit: Audit) -> StoreResult<bool>;
    /// Makes what a node holds of a quota `wish.number`, as far as the limit goes, and says what it holds then.
    /// Less is always given; without a limit all is. A repeat changes nothing, so whoever got no answer asks again.
    async fn hold_quota(&self, holder: Holder, wish: QuotaWish) -> StoreResult<u32>;
    /// Every limit, and every key of which something is held.
    async fn quotas(&self) -> StoreResult<Vec<QuotaRow>>;
    /// Ended runs older than a time, except the newest ones that are to be kept, and those of the newest revisions; at
    /// most [`PRUNE_RUNS_MAX`], oldest first.
    async fn prunable(&self, before: Timestamp, keep: Keep) -> StoreResult<Vec<RunId>>;
    /// Empties these runs, as far as they have ended: their journal, their plans' inputs and what their revisions left
    /// behind go; the run, its counts, the revision's row and the audit stay.
    async fn prune(&self, runs: Vec<RunId>, at: Timestamp) -> StoreResult<()>;
    /// Manifests of plans that may still be carried out or taken up, with the plan's number, after a number and in
    /// order: neither of plans whose run was emptied, nor of plans that a newer one of the same subject replaced
    /// before they were approved, unless they wait in the queue.
    async fn manifests(&self, after: u64, limit: u32) -> StoreResult<Vec<(u64, String)>>;
    /// Listens. May lag, and then says [`Hint::Any`] by an error of the channel: look at everything.
    fn hints(&self) -> broadcast::Receiver<Hint>;
}

impl NodeRow {
    /// Whether its lanes pass on to other nodes when it dies. Others (`foreground`, `engine`) execute only runs
    /// that were given to them; theirs become *interrupted*.
    pub fn is_worker(&self) -> bool {
        is_worker(&self.kind)
    }
}

/// How much of a quota a node holds after it wished for `number`, where all nodes hold `all` and it holds `own`.
pub(crate) fn granted(cap: Option<u32>, all: u32, own: u32, number: u32) -> u32 {
    let more = number.saturating_sub(own);
    let more = cap.map_or(more, |cap| more.min(cap.saturating_sub(all)));
    number.min(own) + more
}

/// Whether a kind of node is a worker.
pub(crate) fn is_worker(kind: &str) -> bool {
    matches!(kind, "worker" | "server")
}
