//! The revisions of a fated store.

use async_trait::async_trait;
use muster_model::id::{AccountName, InfrastructureName, RevisionNumber, RunId, SpaceName};
use muster_model::ownership::Ownership;
use muster_model::revision::{Applied, Revision};
use muster_store::*;

use super::FatedStore;

#[async_trait]
impl Revisions for FatedStore {
    async fn revision_accounts(
        &self,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
    ) -> StoreResult<Vec<AccountName>> {
        self.store.revision_accounts(space, infrastructure).await
    }
    async fn revisions(
        &self,
        of: &RevisionsOf,
        below: Option<RevisionNumber>,
        limit: u32,
    ) -> StoreResult<Vec<Revision>> {
        self.store.revisions(of, below, limit).await
    }
    async fn revision(&self, of: &RevisionsOf, number: RevisionNumber) -> StoreResult<Option<Revision>> {
        self.store.revision(of, number).await
    }
    async fn applied(&self, run: RunId) -> StoreResult<Option<Applied>> {
        self.store.applied(run).await
    }
    async fn owned_by(
        &self,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
    ) -> StoreResult<Vec<Ownership>> {
        self.store.owned_by(space, infrastructure).await
    }
}
