//! The store's words: what can be remembered and asked, one transaction a verb.

use async_trait::async_trait;
use jiff::Timestamp;
use muster_model::account::{Account, AccountIdentity};
use muster_model::id::{
    AccountName, Fence, Generation, InfrastructureName, LaneNumber, NodeId, PlanId, ProviderId, RunId,
    SecretName, Sequence, SpaceName,
};
use muster_model::infrastructure::Infrastructure;
use muster_model::intent::CreationIntent;
use muster_model::inventory::Inventory;
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::{LockKey, LockMode, Plan, Subject};
use muster_model::policy::Policy;
use muster_model::revision::Source;
use muster_model::run::{Entry, EntryKind, Fact, Run, RunState};
use serde::{Deserialize, Serialize};

use crate::commits::CommitCounts;
use crate::error::StoreError;
use crate::lanes::{LanePlan, Lanes};
use crate::queue::Queue;
use crate::revision::{NewRevision, Revisions};
use crate::search::Search;

/// The result of a store's verb.
pub type StoreResult<T> = Result<T, StoreError>;

/// How a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanState {
    /// The world is being looked at.
    Observing,
    /// It can be approved, or has nothing to do.
    Ready,
    /// It may not be carried out.
    Refused,
}

/// Everything a plan was decided from; kept for *why*, replay and bug reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanInputs {
    /// What was wanted.
    pub wanted: Infrastructure,
    /// What was seen.
    pub seen: Inventory,
    /// What was allowed.
    pub policy: Policy,
    /// What the bundle holds for the planner.
    pub bundle: serde_json::Value,
    /// When it was decided.
    pub now: Timestamp,
}

/// A plan row when it is first saved.
#[derive(Clone, Debug)]
pub struct NewPlan {
    /// Its id.
    pub id: PlanId,
    /// The Space.
    pub space: SpaceName,
    /// What it is about.
    pub subject: Subject,
    /// The account.
    pub account: AccountName,
    /// `update`, `deploy`, ….
    pub purpose: String,
    /// The bundle's manifest, as JSON.
    pub bundle: String,
    /// Warnings of the document.
    pub warnings: Vec<String>,
    /// Who proposed it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// The node that observes.
    pub node: NodeId,
    /// The same key twice is the same request.
    pub idempotency_key: Option<String>,
    /// What it was asked with; none for what is about no file.
    pub source: Option<Source>,
}

/// A plan row.
#[derive(Clone, Debug)]
pub struct PlanRow {
    /// What it was saved with.
    pub new: NewPlan,
    /// How it stands.
    pub state: PlanState,
    /// Why it was refused, when that is not in the plan.
    pub message: Option<String>,
    /// The plan, once made.
    pub plan: Option<Plan>,
}

/// What ends the observing of a plan.
#[derive(Clone, Debug)]
pub struct PlannedAs {
    /// How it stands from now on.
    pub state: PlanState,
    /// Why it was refused, when that is not in the plan.
    pub message: Option<String>,
    /// The plan and its inputs, unless observing failed.
    pub plan: Option<(Plan, PlanInputs)>,
}

/// What an approval inserts.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The run, in state *ready*.
    pub run: Run,
    /// The node that will execute it, where that is decided already: if it dies before it claims the lane, the run
    /// becomes *interrupted* like any other of its runs, and its locks are free.
    pub node: Option<NodeId>,
    /// How many steps its plan has.
    pub steps_total: u32,
    /// Further lanes, numbered from 1; an ordinary run has none, and lane 0 has all its steps.
    pub lanes: Vec<LanePlan>,
    /// Until when lane 0 waits for whoever may have second thoughts; the run holds its locks meanwhile.
    pub begins_at: Option<Timestamp>,
    /// Higher is claimed sooner; 0 is usual.
    pub priority: i16,
    /// The locks it needs: all or none.
    pub locks: Vec<(LockKey, LockMode)>,
    /// The same key twice is the same request.
    pub idempotency_key: Option<String>,
    /// The revision that it makes, where its plan applies a file.
    pub revision: Option<NewRevision>,
}

/// A claimed lane: whoever holds it is the only writer of its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The run.
    pub run: RunId,
    /// The lane.
    pub lane: LaneNumber,
    /// The fence of this claim.
    pub fence: Fence,
    /// The last sequence number in its journal.
    pub last: Sequence,
}

/// One thing to append: an entry's content with the facts that change together with it.
#[derive(Clone, Debug)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EntryKind,
    /// What changes with it.
    pub facts: Vec<Fact>,
}

/// What a person wants of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// That it runs.
    Run,
    /// That nothing further of it is begun for now.
    Pause,
    /// That it stops between steps and ends.
    Cancel,
}

/// A node: one process that executes lanes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Its id.
    pub id: NodeId,
    /// Rises when it is taken over.
    pub epoch: u64,
    /// Until when it may act.
    pub lease_until: Timestamp,
    /// `foreground`, `engine`, `server`.
    pub kind: String,
    /// Its process.
    pub pid: u32,
    /// Its host.
    pub host: String,
    /// Its version of Muster.
    pub version: String,
    /// Since when.
    pub started_at: Timestamp,
}

/// What we know about one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Records, of all files.
    pub owned: Vec<Ownership>,
    /// Open and given-up intents.
    pub intents: Vec<CreationIntent>,
}

/// Which facts of an account are asked for: those of one object, however large the account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The kind of object.
    pub kind: ObjectKind,
    /// Records and intents of this name in a file.
    pub name: Option<String>,
    /// Records of these ids.
    pub ids: Vec<ProviderId>,
}

impl About {
    /// What is known of a name.
    pub fn name(kind: ObjectKind, name: &str) -> About {
        About { kind, name: Some(name.to_owned()), ids: Vec::new() }
    }

    /// What is known of some ids.
    pub fn ids(kind: ObjectKind, ids: Vec<ProviderId>) -> About {
        About { kind, name: None, ids }
    }
}

/// One line of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// The Space.
    pub space: SpaceName,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What was done, in one stable word: `account.registered`, `secret.set`, ….
    pub what: String,
    /// To which thing, and from where. Never a secret.
    pub about: String,
}

/// Counts of a run's steps, from its journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTally {
    /// In the plan.
    pub total: u32,
    /// Succeeded.
    pub succeeded: u32,
    /// Failed for good.
    pub failed: u32,
    /// Begun, no outcome.
    pub running: u32,
    /// Left out.
    pub skipped: u32,
}

/// Everything Muster remembers. How several nodes share the work is [`Lanes`], how events are found [`Search`], which
/// files were applied [`Revisions`].
#[async_trait]
pub trait Store: Lanes + Queue + Search + Revisions {
    /// A node begins: its row appears. Its lease is as long as `lease_until` is after `started_at`; where the
    /// database has a clock, it counts from the database's time.
    async fn join(&self, node: NodeRow) -> StoreResult<()>;
    /// Every node's row, those apart that were taken over.
    async fn nodes(&self) -> StoreResult<Vec<NodeRow>>;
    /// A node is proven dead or leaves: its row goes, its runs become *interrupted* (their locks are freed and
    /// their fences rise), its observing plans become *refused*. Gives the runs. The lanes of a worker become ready
    /// instead, as in [`Lanes::take_over`].
    async fn bury(&self, node: NodeId, at: Timestamp, why: String) -> StoreResult<Vec<RunId>>;

    /// Saves or replaces an account with its sealed key.
    async fn put_account(
        &self,
        space: SpaceName,
        account: Account,
        sealed_key: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<()>;
    /// Accounts of a Space, with their sealed keys.
    async fn accounts(&self, space: &SpaceName) -> StoreResult<Vec<(Account, Vec<u8>)>>;
    /// Saves or replaces a sealed secret.
    async fn put_secret(
        &self,
        space: SpaceName,
        name: SecretName,
        sealed: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<()>;
    /// Keeps a secret unless there is one, and gives the one that stands: of several who make it at once, all use the
    /// same.
    async fn keep_secret(
        &self,
        space: SpaceName,
        name: SecretName,
        sealed: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<Vec<u8>>;
    /// One sealed secret.
    async fn secret(&self, space: &SpaceName, name: &SecretName) -> StoreResult<Option<Vec<u8>>>;
    /// Names of secrets.
    async fn secrets(&self, space: &SpaceName) -> StoreResult<Vec<SecretName>>;
    /// Forgets a secret; false if there was none.
    async fn delete_secret(&self, space: SpaceName, name: SecretName, audit: Audit) -> StoreResult<bool>;
    /// An audit line of its own, for what changes nothing.
    async fn write_audit(&self, audit: Audit) -> StoreResult<()>;
    /// The newest audit lines first.
    async fn audits(&self, space: &SpaceName, limit: u32) -> StoreResult<Vec<Audit>>;

    /// Saves a plan that is *observing*. With a known idempotency key: gives the earlier plan's id.
    async fn insert_plan(&self, plan: NewPlan) -> StoreResult<PlanId>;
    /// Ends the observing of a plan.
    async fn finish_plan(&self, id: PlanId, planned: PlannedAs) -> StoreResult<()>;
    /// One plan.
    async fn plan(&self, id: PlanId) -> StoreResult<Option<PlanRow>>;
    /// What a plan was decided from.
    async fn plan_inputs(&self, id: PlanId) -> StoreResult<Option<PlanInputs>>;
    /// The next generation of a subject's observations.
    async fn next_generation(&self, subject: &Subject) -> StoreResult<Generation>;

    /// Approves: the plan is *ready* and the newest of its subject, the locks are free, interrupted runs on them
    /// become *superseded*, the run and its lane are inserted. With a known idempotency key: the earlier run.
    async fn approve(&self, approval: Approval) -> StoreResult<RunId>;
    /// Claims lane 0 of a *ready* or *interrupted* run for a node (locks are taken anew for the latter). Unless the
    /// node is a worker, the run's other lanes are kept for it too.
    async fn claim(&self, run: RunId, node: NodeId, locks: Vec<(LockKey, LockMode)>) -> StoreResult<Claim>;
    /// Appends to a claimed lane, in order, facts included. The run's state follows its `Run` entries.
    async fn append(&self, claim: Claim, records: Vec<Record>) -> StoreResult<Sequence>;
    /// One run.
    async fn run(&self, id: RunId) -> StoreResult<Option<Run>>;
    /// The newest runs first.
    async fn runs(&self, space: &SpaceName, limit: u32) -> StoreResult<Vec<Run>>;
    /// How many runs there are in each state, of all Spaces.
    async fn count_runs(&self) -> StoreResult<Vec<(RunState, u64)>>;
    /// How large the commits of this process were.
    fn commits(&self) -> CommitCounts;
    /// Counts of a run's steps.
    async fn tally(&self, run: RunId) -> StoreResult<StepTally>;
    /// Entries of lane 0 after a sequence number, in order.
    async fn entries(&self, run: RunId, after: Sequence, limit: u32) -> StoreResult<Vec<Entry>> {
        self.entries_of(run, LaneNumber(0), after, limit).await
    }
    /// Says what is wanted of a run. An interrupted run that is cancelled ends at once; waiting lanes become ready,
    /// so that somebody hears of it, unless it is *pause*. A run in its countdown hears of *cancel* only.
    async fn set_want(&self, run: RunId, want: Want, actor: String, at: Timestamp) -> StoreResult<()>;
    /// What is wanted of a run.
    async fn want(&self, run: RunId) -> StoreResult<Want>;

    /// What we know about an account.
    async fn facts(&self, account: &AccountIdentity) -> StoreResult<Facts>;
    /// What we know about one object of an account, without reading the rest: a step of a run over thousands asks
    /// for its own only.
    async fn facts_about(&self, account: &AccountIdentity, about: &About) -> StoreResult<Facts>;
    /// Every record of a Space's files, with their names.
    async fn owned(&self, space: &SpaceName) -> StoreResult<Vec<Ownership>>;
    /// The newest run of a file.
    async fn last_run(&self, space: &SpaceName, name: &InfrastructureName) -> StoreResult<Option<Run>>;
}
