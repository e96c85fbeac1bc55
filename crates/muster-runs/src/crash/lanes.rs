//! The shared work of a fated store. A heartbeat is no commit of interest: it comes by the clock, and would make
//! the numbers of the others a matter of chance.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_model::id::*;
use muster_model::plan::{LockKey, LockMode};
use muster_model::run::Entry;
use muster_store::*;
use tokio::sync::broadcast;

use super::FatedStore;

#[async_trait]
impl Lanes for FatedStore {
    async fn heartbeat(&self, holder: Holder, ttl: Duration) -> StoreResult<Lease> {
        self.store.heartbeat(holder, ttl).await
    }
    async fn take_over(&self, now: Timestamp, why: String) -> StoreResult<TakenOver> {
        self.commit(self.store.take_over(now, why)).await
    }
    async fn claim_next(&self, wish: ClaimNext) -> StoreResult<Vec<Claim>> {
        self.commit(self.store.claim_next(wish)).await
    }
    async fn release(&self, claim: Claim, to: Option<NodeId>) -> StoreResult<()> {
        self.commit(self.store.release(claim, to)).await
    }
    async fn park(&self, claim: Claim, wait: Wait) -> StoreResult<LaneState> {
        self.commit(self.store.park(claim, wait)).await
    }
    async fn finish_lane(&self, claim: Claim, at: Timestamp) -> StoreResult<()> {
        self.commit(self.store.finish_lane(claim, at)).await
    }
    async fn wake_lanes(&self, claim: Claim, lanes: Vec<LaneNumber>) -> StoreResult<()> {
        self.commit(self.store.wake_lanes(claim, lanes)).await
    }
    async fn signal(
        &self,
        run: RunId,
        name: String,
        key: String,
        body: String,
        at: Timestamp,
    ) -> StoreResult<bool> {
        self.commit(self.store.signal(run, name, key, body, at)).await
    }
    async fn signals(&self, run: RunId, after: u32) -> StoreResult<Vec<Signal>> {
        self.store.signals(run, after).await
    }
    async fn lanes(&self, run: RunId) -> StoreResult<Vec<LaneRow>> {
        self.store.lanes(run).await
    }
    async fn deaths(&self, run: RunId) -> StoreResult<Vec<Deaths>> {
        self.store.deaths(run).await
    }
    async fn wants(&self, node: NodeId) -> StoreResult<Vec<(RunId, Want)>> {
        self.store.wants(node).await
    }
    async fn requeue(
        &self,
        run: RunId,
        locks: Vec<(LockKey, LockMode)>,
        actor: String,
        at: Timestamp,
    ) -> StoreResult<()> {
        self.commit(self.store.requeue(run, locks, actor, at)).await
    }
    async fn retry(
        &self,
        run: RunId,
        node: Option<NodeId>,
        locks: Vec<(LockKey, LockMode)>,
        actor: String,
        at: Timestamp,
    ) -> StoreResult<()> {
        self.commit(self.store.retry(run, node, locks, actor, at)).await
    }
    async fn entries_of(
        &self,
        run: RunId,
        lane: LaneNumber,
        after: Sequence,
        limit: u32,
    ) -> StoreResult<Vec<Entry>> {
        self.store.entries_of(run, lane, after, limit).await
    }
    async fn follow(
        &self,
        run: RunId,
        cursor: BTreeMap<LaneNumber, Sequence>,
        limit: u32,
    ) -> StoreResult<Vec<Entry>> {
        self.store.follow(run, cursor, limit).await
    }
    async fn set_quota(&self, key: String, cap: Option<u32>, audit: Audit) -> StoreResult<bool> {
        self.commit(self.store.set_quota(key, cap, audit)).await
    }
    async fn hold_quota(&self, holder: Holder, wish: QuotaWish) -> StoreResult<u32> {
        self.commit(self.store.hold_quota(holder, wish)).await
    }
    async fn quotas(&self) -> StoreResult<Vec<QuotaRow>> {
        self.store.quotas().await
    }
    async fn prunable(&self, before: Timestamp, keep: Keep) -> StoreResult<Vec<RunId>> {
        self.store.prunable(before, keep).await
    }
    async fn prune(&self, runs: Vec<RunId>, at: Timestamp) -> StoreResult<()> {
        self.commit(self.store.prune(runs, at)).await
    }
    async fn manifests(&self, after: u64, limit: u32) -> StoreResult<Vec<(u64, String)>> {
        self.store.manifests(after, limit).await
    }
    fn hints(&self) -> broadcast::Receiver<Hint> {
        self.store.hints()
    }
}

/// The index is behind the journal, and no step waits for it: its commits are none of interest either.
#[async_trait]
impl Search for FatedStore {
    async fn unindexed(&self, ended_only: bool, limit: u32) -> StoreResult<Vec<Unindexed>> {
        self.store.unindexed(ended_only, limit).await
    }
    async fn index(&self, lane: Unindexed, events: Vec<EventWords>, last: Sequence) -> StoreResult<()> {
        self.store.index(lane, events, last).await
    }
    async fn search(&self, query: EventQuery) -> StoreResult<Vec<FoundEvent>> {
        self.store.search(query).await
    }
}
