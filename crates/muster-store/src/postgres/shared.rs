//! The verbs by which several nodes share the work, over PostgreSQL.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_model::id::{LaneNumber, NodeId, RunId, Sequence};
use muster_model::plan::{LockKey, LockMode};
use muster_model::run::Entry;
use tokio::sync::broadcast;

use super::ask::{change, read};
use super::{Heart, PostgresStore, claim, journal, lanes, nodes, quota, retention};
use crate::lanes::*;
use crate::revision::Keep;
use crate::store::{Audit, Claim, StoreResult, Want};

#[async_trait]
impl Lanes for PostgresStore {
    async fn heartbeat(&self, holder: Holder, ttl: Duration) -> StoreResult<Lease> {
        let heart = Heart(&self.heart);
        read!(heart, db => nodes::heartbeat(&db, &holder, ttl).await)
    }
    async fn take_over(&self, now: Timestamp, why: String) -> StoreResult<TakenOver> {
        change!(self, tell, tx => nodes::take_over(&tx, now, &why).await)
    }
    async fn claim_next(&self, wish: ClaimNext) -> StoreResult<Vec<Claim>> {
        change!(self, tx => lanes::claim_next(&tx, &wish).await)
    }
    async fn release(&self, claim: Claim, to: Option<NodeId>) -> StoreResult<()> {
        change!(self, tell, tx => lanes::release(&tx, &claim, to).await)
    }
    async fn park(&self, claim: Claim, wait: Wait) -> StoreResult<LaneState> {
        change!(self, tell, tx => lanes::park(&tx, &claim, &wait).await)
    }
    async fn finish_lane(&self, claim: Claim, at: Timestamp) -> StoreResult<()> {
        change!(self, tell, tx => lanes::finish(&tx, &claim, at).await)
    }
    async fn wake_lanes(&self, claim: Claim, lanes: Vec<LaneNumber>) -> StoreResult<()> {
        change!(self, tell, tx => lanes::wake_all(&tx, &claim, &lanes).await)
    }
    async fn signal(
        &self,
        run: RunId,
        name: String,
        key: String,
        body: String,
        at: Timestamp,
    ) -> StoreResult<bool> {
        change!(self, tell, tx => lanes::signal(&tx, run, &name, &key, &body, at).await)
    }
    async fn signals(&self, run: RunId, after: u32) -> StoreResult<Vec<Signal>> {
        read!(self, db => lanes::signals(&db, run, after).await)
    }
    async fn lanes(&self, run: RunId) -> StoreResult<Vec<LaneRow>> {
        read!(self, db => lanes::of(&db, run).await)
    }
    async fn deaths(&self, run: RunId) -> StoreResult<Vec<Deaths>> {
        read!(self, db => lanes::deaths(&db, run).await)
    }
    async fn wants(&self, node: NodeId) -> StoreResult<Vec<(RunId, Want)>> {
        read!(self, db => lanes::wants(&db, node).await)
    }
    async fn requeue(
        &self,
        run: RunId,
        locks: Vec<(LockKey, LockMode)>,
        actor: String,
        at: Timestamp,
    ) -> StoreResult<()> {
        change!(self, tell, tx => claim::requeue(&tx, run, &locks, &actor, at).await)
    }
    async fn retry(
        &self,
        run: RunId,
        node: Option<NodeId>,
        locks: Vec<(LockKey, LockMode)>,
        actor: String,
        at: Timestamp,
    ) -> StoreResult<()> {
        change!(self, tell, tx => claim::retry(&tx, run, node, &locks, &actor, at).await)
    }
    async fn entries_of(
        &self,
        run: RunId,
        lane: LaneNumber,
        after: Sequence,
        limit: u32,
    ) -> StoreResult<Vec<Entry>> {
        read!(self, db => journal::entries(&db, run, lane, after, limit).await)
    }
    async fn follow(
        &self,
        run: RunId,
        cursor: BTreeMap<LaneNumber, Sequence>,
        limit: u32,
    ) -> StoreResult<Vec<Entry>> {
        read!(self, db => journal::follow(&db, run, &cursor, limit).await)
    }
    async fn set_quota(&self, key: String, cap: Option<u32>, audit: Audit) -> StoreResult<bool> {
        change!(self, tx => quota::set(&tx, &key, cap, &audit).await)
    }
    async fn hold_quota(&self, holder: Holder, wish: QuotaWish) -> StoreResult<u32> {
        change!(self, tx => quota::hold(&tx, &holder, &wish).await)
    }
    async fn quotas(&self) -> StoreResult<Vec<QuotaRow>> {
        read!(self, db => quota::all(&db).await)
    }
    async fn prunable(&self, before: Timestamp, keep: Keep) -> StoreResult<Vec<RunId>> {
        read!(self, db => retention::prunable(&db, before, keep).await)
    }
    async fn prune(&self, runs: Vec<RunId>, at: Timestamp) -> StoreResult<()> {
        change!(self, tx => retention::prune(&tx, &runs, at).await)
    }
    async fn manifests(&self, after: u64, limit: u32) -> StoreResult<Vec<(u64, String)>> {
        read!(self, db => retention::manifests(&db, after, limit).await)
    }
    fn hints(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }
}
