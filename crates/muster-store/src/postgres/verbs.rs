//! What can be remembered and asked, over PostgreSQL: one transaction a verb.

use async_trait::async_trait;
use jiff::Timestamp;
use muster_model::account::{Account, AccountIdentity};
use muster_model::id::{
    Generation, InfrastructureName, NodeId, PlanId, RunId, SecretName, Sequence, SpaceName,
};
use muster_model::ownership::Ownership;
use muster_model::plan::{LockKey, LockMode, Subject};
use muster_model::run::{Run, RunState};

use super::ask::{change, read};
use super::{PostgresStore, approve, claim, facts, journal, nodes, plans, runs, settings};
use crate::commits::CommitCounts;
use crate::store::*;
use crate::word;

#[async_trait]
impl Store for PostgresStore {
    async fn join(&self, node: NodeRow) -> StoreResult<()> {
        change!(self, tx => nodes::join(&tx, &node).await)
    }
    async fn nodes(&self) -> StoreResult<Vec<NodeRow>> {
        read!(self, db => nodes::all(&db).await)
    }
    async fn bury(&self, node: NodeId, at: Timestamp, why: String) -> StoreResult<Vec<RunId>> {
        change!(self, tell, tx => nodes::bury(&tx, node, at, &why).await)
    }
    async fn put_account(
        &self,
        space: SpaceName,
        account: Account,
        sealed_key: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<()> {
        change!(self, tx => settings::put_account(&tx, &space, &account, &sealed_key, &audit).await)
    }
    async fn accounts(&self, space: &SpaceName) -> StoreResult<Vec<(Account, Vec<u8>)>> {
        read!(self, db => settings::accounts(&db, space).await)
    }
    async fn put_secret(
        &self,
        space: SpaceName,
        name: SecretName,
        sealed: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<()> {
        change!(self, tx => settings::put_secret(&tx, &space, &name, &sealed, &audit).await)
    }
    async fn keep_secret(
        &self,
        space: SpaceName,
        name: SecretName,
        sealed: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<Vec<u8>> {
        change!(self, tx => settings::keep_secret(&tx, &space, &name, &sealed, &audit).await)
    }
    async fn secret(&self, space: &SpaceName, name: &SecretName) -> StoreResult<Option<Vec<u8>>> {
        read!(self, db => settings::secret(&db, space, name).await)
    }
    async fn secrets(&self, space: &SpaceName) -> StoreResult<Vec<SecretName>> {
        read!(self, db => settings::secrets(&db, space).await)
    }
    async fn delete_secret(&self, space: SpaceName, name: SecretName, audit: Audit) -> StoreResult<bool> {
        change!(self, tx => settings::delete_secret(&tx, &space, &name, &audit).await)
    }
    async fn write_audit(&self, audit: Audit) -> StoreResult<()> {
        change!(self, tx => settings::write_audit(&tx, &audit).await)
    }
    async fn audits(&self, space: &SpaceName, limit: u32) -> StoreResult<Vec<Audit>> {
        read!(self, db => settings::audits(&db, space, limit).await)
    }
    async fn insert_plan(&self, plan: NewPlan) -> StoreResult<PlanId> {
        change!(self, tx => plans::insert(&tx, &plan).await)
    }
    async fn finish_plan(&self, id: PlanId, planned: PlannedAs) -> StoreResult<()> {
        change!(self, tell, tx => plans::finish(&tx, id, &planned).await)
    }
    async fn plan(&self, id: PlanId) -> StoreResult<Option<PlanRow>> {
        read!(self, db => plans::one(&db, id).await)
    }
    async fn plan_inputs(&self, id: PlanId) -> StoreResult<Option<PlanInputs>> {
        read!(self, db => plans::inputs(&db, id).await)
    }
    async fn next_generation(&self, subject: &Subject) -> StoreResult<Generation> {
        let subject = word::subject_text(subject);
        change!(self, tx => plans::next_generation(&tx, &subject).await)
    }
    async fn approve(&self, approval: Approval) -> StoreResult<RunId> {
        change!(self, tell, tx => approve::approve(&tx, &approval).await)
    }
    async fn claim(&self, run: RunId, node: NodeId, locks: Vec<(LockKey, LockMode)>) -> StoreResult<Claim> {
        change!(self, tx => claim::claim(&tx, run, node, &locks).await)
    }
    async fn append(&self, claim: Claim, records: Vec<Record>) -> StoreResult<Sequence> {
        self.writer.append(claim, records).await
    }
    async fn run(&self, id: RunId) -> StoreResult<Option<Run>> {
        read!(self, db => runs::one(&db, id).await)
    }
    async fn runs(&self, space: &SpaceName, limit: u32) -> StoreResult<Vec<Run>> {
        read!(self, db => runs::newest(&db, space, limit).await)
    }
    async fn count_runs(&self) -> StoreResult<Vec<(RunState, u64)>> {
        read!(self, db => runs::count(&db).await)
    }
    fn commits(&self) -> CommitCounts {
        self.writer.commits()
    }
    async fn tally(&self, run: RunId) -> StoreResult<StepTally> {
        read!(self, db => journal::tally(&db, run).await)
    }
    async fn set_want(&self, run: RunId, want: Want, actor: String, at: Timestamp) -> StoreResult<()> {
        change!(self, tell, tx => runs::set_want(&tx, run, want, &actor, at).await)
    }
    async fn want(&self, run: RunId) -> StoreResult<Want> {
        read!(self, db => runs::want(&db, run).await)
    }
    async fn facts(&self, account: &AccountIdentity) -> StoreResult<Facts> {
        read!(self, db => facts::of(&db, account).await)
    }
    async fn facts_about(&self, account: &AccountIdentity, about: &About) -> StoreResult<Facts> {
        read!(self, db => facts::about(&db, account, about).await)
    }
    async fn owned(&self, space: &SpaceName) -> StoreResult<Vec<Ownership>> {
        read!(self, db => facts::owned(&db, space).await)
    }
    async fn last_run(&self, space: &SpaceName, name: &InfrastructureName) -> StoreResult<Option<Run>> {
        read!(self, db => runs::last_of(&db, space, &Subject::Infrastructure(name.clone())).await)
    }
}
