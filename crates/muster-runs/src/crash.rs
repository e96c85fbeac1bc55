//! Crash points: commits are counted, and a test decides which one the process does not survive.
//!
//! Behind the cargo feature `crash-points`, which release builds lack. In-process tests bring a [`Fate`] of their
//! own; a real process dies by `MUSTER_CRASH_AT=before:N` or `after:N`, with a real SIGKILL; with `started:N` it dies
//! whenever it has begun step N, as by a step that takes its node with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_model::account::{Account, AccountIdentity};
use muster_model::id::*;
use muster_model::ownership::Ownership;
use muster_model::plan::{LockKey, LockMode, Subject};
use muster_model::run::{EntryKind, Run, RunState};
use muster_store::commits::CommitCounts;
use muster_store::*;

mod lanes;
mod queue;
mod revision;

/// Decides what a process survives. Not returning is dying.
#[async_trait]
pub trait Fate: Send + Sync {
    /// Called before the commit of this number (from 1).
    async fn before(&self, commit: u64);
    /// Called after the commit of this number, before anybody hears of it.
    async fn after(&self, commit: u64);
    /// Called when a step was begun and its entry is durable.
    async fn started(&self, _step: StepNumber) {}
}

/// A store whose commits are counted and shown to a fate.
pub fn fated(store: Arc<dyn Store>, fate: Arc<dyn Fate>) -> Arc<dyn Store> {
    Arc::new(FatedStore { store, fate, commits: AtomicU64::new(0) })
}

/// The fate that the environment names, if it names one.
pub(crate) fn from_environment() -> Option<Arc<dyn Fate>> {
    let point = std::env::var("MUSTER_CRASH_AT").ok()?;
    let (when, number) = point.split_once(':')?;
    Some(Arc::new(Kill { when: When::of(when)?, number: number.parse().ok()? }))
}

#[derive(PartialEq, Eq)]
enum When {
    Before,
    After,
    Started,
}

impl When {
    fn of(word: &str) -> Option<When> {
        match word {
            "before" => Some(When::Before),
            "after" => Some(When::After),
            "started" => Some(When::Started),
            _ => None,
        }
    }
}

struct Kill {
    when: When,
    number: u64,
}

impl Kill {
    fn at(&self, when: When, number: u64) {
        if self.when == when && self.number == number {
            let me = rustix::process::getpid();
            let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
        }
    }
}

#[async_trait]
impl Fate for Kill {
    async fn before(&self, commit: u64) {
        self.at(When::Before, commit);
    }

    async fn after(&self, commit: u64) {
        self.at(When::After, commit);
    }

    async fn started(&self, step: StepNumber) {
        self.at(When::Started, step.0.into());
    }
}

struct FatedStore {
    store: Arc<dyn Store>,
    fate: Arc<dyn Fate>,
    commits: AtomicU64,
}

impl FatedStore {
    async fn commit<T>(&self, work: impl Future<Output = T>) -> T {
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        self.fate.before(number).await;
        let result = work.await;
        self.fate.after(number).await;
        result
    }
}

#[async_trait]
impl Store for FatedStore {
    async fn join(&self, node: NodeRow) -> StoreResult<()> {
        self.store.join(node).await
    }
    async fn nodes(&self) -> StoreResult<Vec<NodeRow>> {
        self.store.nodes().await
    }
    async fn bury(&self, node: NodeId, at: Timestamp, why: String) -> StoreResult<Vec<RunId>> {
        self.commit(self.store.bury(node, at, why)).await
    }
    async fn put_account(
        &self,
        space: SpaceName,
        account: Account,
        sealed_key: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<()> {
        self.commit(self.store.put_account(space, account, sealed_key, audit)).await
    }
    async fn accounts(&self, space: &SpaceName) -> StoreResult<Vec<(Account, Vec<u8>)>> {
        self.store.accounts(space).await
    }
    async fn put_secret(
        &self,
        space: SpaceName,
        name: SecretName,
        sealed: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<()> {
        self.commit(self.store.put_secret(space, name, sealed, audit)).await
    }
    async fn keep_secret(
        &self,
        space: SpaceName,
        name: SecretName,
        sealed: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<Vec<u8>> {
        self.commit(self.store.keep_secret(space, name, sealed, audit)).await
    }
    async fn secret(&self, space: &SpaceName, name: &SecretName) -> StoreResult<Option<Vec<u8>>> {
        self.store.secret(space, name).await
    }
    async fn secrets(&self, space: &SpaceName) -> StoreResult<Vec<SecretName>> {
        self.store.secrets(space).await
    }
    async fn delete_secret(&self, space: SpaceName, name: SecretName, audit: Audit) -> StoreResult<bool> {
        self.commit(self.store.delete_secret(space, name, audit)).await
    }
    async fn write_audit(&self, audit: Audit) -> StoreResult<()> {
        self.commit(self.store.write_audit(audit)).await
    }
    async fn audits(&self, space: &SpaceName, limit: u32) -> StoreResult<Vec<Audit>> {
        self.store.audits(space, limit).await
    }
    async fn insert_plan(&self, plan: NewPlan) -> StoreResult<PlanId> {
        self.commit(self.store.insert_plan(plan)).await
    }
    async fn finish_plan(&self, id: PlanId, planned: PlannedAs) -> StoreResult<()> {
        self.commit(self.store.finish_plan(id, planned)).await
    }
    async fn plan(&self, id: PlanId) -> StoreResult<Option<PlanRow>> {
        self.store.plan(id).await
    }
    async fn plan_inputs(&self, id: PlanId) -> StoreResult<Option<PlanInputs>> {
        self.store.plan_inputs(id).await
    }
    async fn next_generation(&self, subject: &Subject) -> StoreResult<Generation> {
        self.commit(self.store.next_generation(subject)).await
    }
    async fn approve(&self, approval: Approval) -> StoreResult<RunId> {
        self.commit(self.store.approve(approval)).await
    }
    async fn claim(&self, run: RunId, node: NodeId, locks: Vec<(LockKey, LockMode)>) -> StoreResult<Claim> {
        self.commit(self.store.claim(run, node, locks)).await
    }
    async fn append(&self, claim: Claim, records: Vec<Record>) -> StoreResult<Sequence> {
        let started = |record: &Record| match record.kind {
            EntryKind::Started { step, .. } => Some(step),
            _ => None,
        };
        let started: Vec<StepNumber> = records.iter().filter_map(started).collect();
        let done = self.commit(self.store.append(claim, records)).await;
        if done.is_ok() {
            for step in started {
                self.fate.started(step).await;
            }
        }
        done
    }
    async fn run(&self, id: RunId) -> StoreResult<Option<Run>> {
        self.store.run(id).await
    }
    async fn runs(&self, space: &SpaceName, limit: u32) -> StoreResult<Vec<Run>> {
        self.store.runs(space, limit).await
    }
    async fn count_runs(&self) -> StoreResult<Vec<(RunState, u64)>> {
        self.store.count_runs().await
    }
    fn commits(&self) -> CommitCounts {
        self.store.commits()
    }
    async fn tally(&self, run: RunId) -> StoreResult<StepTally> {
        self.store.tally(run).await
    }
    async fn set_want(&self, run: RunId, want: Want, actor: String, at: Timestamp) -> StoreResult<()> {
        self.commit(self.store.set_want(run, want, actor, at)).await
    }
    async fn want(&self, run: RunId) -> StoreResult<Want> {
        self.store.want(run).await
    }
    async fn facts(&self, account: &AccountIdentity) -> StoreResult<Facts> {
        self.store.facts(account).await
    }
    async fn facts_about(&self, account: &AccountIdentity, about: &About) -> StoreResult<Facts> {
        self.store.facts_about(account, about).await
    }
    async fn owned(&self, space: &SpaceName) -> StoreResult<Vec<Ownership>> {
        self.store.owned(space).await
    }
    async fn last_run(&self, space: &SpaceName, name: &InfrastructureName) -> StoreResult<Option<Run>> {
        self.store.last_run(space, name).await
    }
}
