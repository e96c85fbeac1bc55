//! The verbs by which several nodes share the work, over SQLite's one writer.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_model::id::{LaneNumber, NodeId, RunId, Sequence};
use muster_model::plan::{LockKey, LockMode};
use muster_model::run::Entry;
use tokio::sync::broadcast;

use super::{SqliteStore, claim, journal, lanes, nodes, quota, retention};
use crate::lanes::*;
use crate::revision::Keep;
use crate::store::{Audit, Claim, StoreResult, Want};

#[async_trait]
impl Lanes for SqliteStore {
    async fn heartbeat(&self, holder: Holder, ttl: Duration) -> StoreResult<Lease> {
        self.writer.write(move |tx| nodes::heartbeat(tx, &holder, ttl)).await
    }
    async fn take_over(&self, now: Timestamp, why: String) -> StoreResult<TakenOver> {
        self.write(move |tx| nodes::take_over(tx, now, &why)).await
    }
    async fn claim_next(&self, wish: ClaimNext) -> StoreResult<Vec<Claim>> {
        self.writer.write(move |tx| lanes::claim_next(tx, &wish)).await
    }
    async fn release(&self, claim: Claim, to: Option<NodeId>) -> StoreResult<()> {
        self.write(move |tx| lanes::release(tx, &claim, to)).await
    }
    async fn park(&self, claim: Claim, wait: Wait) -> StoreResult<LaneState> {
        self.write(move |tx| lanes::park(tx, &claim, &wait)).await
    }
    async fn finish_lane(&self, claim: Claim, at: Timestamp) -> StoreResult<()> {
        self.write(move |tx| lanes::finish(tx, &claim, at)).await
    }
    async fn wake_lanes(&self, claim: Claim, lanes: Vec<LaneNumber>) -> StoreResult<()> {
        self.write(move |tx| lanes::wake_all(tx, &claim, &lanes)).await
    }
    async fn signal(
        &self,
        run: RunId,
        name: String,
        key: String,
        body: String,
        at: Timestamp,
    ) -> StoreResult<bool> {
        self.write(move |tx| lanes::signal(tx, run, &name, &key, &body, at)).await
    }
    async fn signals(&self, run: RunId, after: u32) -> StoreResult<Vec<Signal>> {
        self.read(|db| lanes::signals(db, run, after))
    }
    async fn lanes(&self, run: RunId) -> StoreResult<Vec<LaneRow>> {
        self.read(|db| lanes::of(db, run))
    }
    async fn deaths(&self, run: RunId) -> StoreResult<Vec<Deaths>> {
        self.read(|db| lanes::deaths(db, run))
    }
    async fn wants(&self, node: NodeId) -> StoreResult<Vec<(RunId, Want)>> {
        self.read(|db| lanes::wants(db, node))
    }
    async fn requeue(
        &self,
        run: RunId,
        locks: Vec<(LockKey, LockMode)>,
        actor: String,
        at: Timestamp,
    ) -> StoreResult<()> {
        self.write(move |tx| claim::requeue(tx, run, &locks, &actor, at)).await
    }
    async fn retry(
        &self,
        run: RunId,
        node: Option<NodeId>,
        locks: Vec<(LockKey, LockMode)>,
        actor: String,
        at: Timestamp,
    ) -> StoreResult<()> {
        self.write(move |tx| claim::retry(tx, run, node, &locks, &actor, at)).await
    }
    async fn entries_of(
        &self,
        run: RunId,
        lane: LaneNumber,
        after: Sequence,
        limit: u32,
    ) -> StoreResult<Vec<Entry>> {
        self.read(|db| journal::entries(db, run, lane, after, limit))
    }
    async fn follow(
        &self,
        run: RunId,
        cursor: BTreeMap<LaneNumber, Sequence>,
        limit: u32,
    ) -> StoreResult<Vec<Entry>> {
        self.read(|db| journal::follow(db, run, &cursor, limit))
    }
    async fn set_quota(&self, key: String, cap: Option<u32>, audit: Audit) -> StoreResult<bool> {
        self.write(move |tx| quota::set(tx, &key, cap, &audit)).await
    }
    async fn hold_quota(&self, holder: Holder, wish: QuotaWish) -> StoreResult<u32> {
        self.writer.write(move |tx| quota::hold(tx, &holder, &wish)).await
    }
    async fn quotas(&self) -> StoreResult<Vec<QuotaRow>> {
        self.read(quota::all)
    }
    async fn prunable(&self, before: Timestamp, keep: Keep) -> StoreResult<Vec<RunId>> {
        self.read(|db| retention::prunable(db, before, keep))
    }
    async fn prune(&self, runs: Vec<RunId>, at: Timestamp) -> StoreResult<()> {
        self.write(move |tx| retention::prune(tx, &runs, at)).await
    }
    async fn manifests(&self, after: u64, limit: u32) -> StoreResult<Vec<(u64, String)>> {
        self.read(|db| retention::manifests(db, after, limit))
    }
    fn hints(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }
}
