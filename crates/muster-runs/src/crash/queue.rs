//! The queue of a fated store.

use async_trait::async_trait;
use muster_model::id::PlanId;
use muster_model::plan::{LockKey, LockMode};
use muster_store::*;

use super::FatedStore;

#[async_trait]
impl Queue for FatedStore {
    async fn enqueue(&self, row: QueuedRow) -> StoreResult<QueuedRow> {
        self.commit(self.store.enqueue(row)).await
    }
    async fn queued(&self, plan: PlanId) -> StoreResult<Option<QueuedRow>> {
        self.store.queued(plan).await
    }
    async fn queue(&self, only_waiting: bool) -> StoreResult<Vec<QueuedRow>> {
        self.store.queue(only_waiting).await
    }
    async fn leave_queue(&self, plan: PlanId, left: Left) -> StoreResult<bool> {
        self.commit(self.store.leave_queue(plan, left)).await
    }
    async fn in_the_way(&self, locks: Vec<(LockKey, LockMode)>) -> StoreResult<Option<String>> {
        self.store.in_the_way(locks).await
    }
}
