//! Revisions.

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use muster_model::id::{AccountName, InfrastructureName, PlanId, RevisionNumber, RunId, SpaceName};
use muster_model::ownership::Ownership;
use muster_model::revision::{Applied, Revision};
use muster_model::run::Run;
use tokio_postgres::Row;

use super::ask::{column, execute, read, row, rows};
use super::{PostgresStore, form_of};
use crate::error::StoreError;
use crate::form::{FORM, decode, decode_packed, encode, encode_packed};
use crate::revision::{NewRevision, REVISIONS_MAX, Revisions, RevisionsOf};
use crate::store::StoreResult;
use crate::word;

const NEWEST: &str = "select v.number, v.form, v.body, r.id, r.subject, r.plan, r.state, r.message, r.actor,
    r.started_at, r.ended_at, r.pruned_at is null
  from revision v join run r on r.id = v.run
  where v.space = $1 and v.infrastructure = $2 and v.account = $3 and v.number < $4
  order by v.number desc limit $5";
const ONE: &str = "select v.number, v.form, v.body, r.id, r.subject, r.plan, r.state, r.message, r.actor,
    r.started_at, r.ended_at, r.pruned_at is null
  from revision v join run r on r.id = v.run
  where v.space = $1 and v.infrastructure = $2 and v.account = $3 and v.number = $4";

fn row_of(of: &RevisionsOf, found: &Row) -> Result<Revision, StoreError> {
    let text = |index| column::<String>(found, index);
    Ok(Revision {
        space: of.space.clone(),
        infrastructure: of.infrastructure.clone(),
        account: of.account.clone(),
        number: RevisionNumber(column::<i32>(found, 0)? as u32),
        approved: decode("revision", form_of(found, 1)?, &text(2)?)?,
        run: Run {
            id: RunId(column(found, 3)?),
            space: of.space.clone(),
            subject: word::subject_of(&text(4)?)?,
            plan: PlanId(column(found, 5)?),
            state: word::state_of(&text(6)?)?,
            message: column(found, 7)?,
            actor: text(8)?,
            started_at: column(found, 9)?,
            ended_at: column(found, 10)?,
        },
        is_kept: column(found, 11)?,
    })
}

/// A revision of an approved run, under the next number. Approvals of one file meet at its lock; two that did not
/// would meet at the key, and the later one is tried again.
pub(super) async fn insert<C: GenericClient>(
    tx: &C,
    run: RunId,
    new: &NewRevision,
) -> Result<(), StoreError> {
    execute(
        tx,
        "insert into revision (space, infrastructure, account, number, run, form, body)
         values ($1, $2, $3, (select coalesce(max(number), 0) + 1 from revision
           where space = $1 and infrastructure = $2 and account = $3), $4, $5, $6)",
        &[
            &new.of.space.as_str(),
            &new.of.infrastructure.as_str(),
            &new.of.account.as_str(),
            &run.0,
            &i32::from(FORM),
            &encode("revision", &new.approved)?,
        ],
    )
    .await?;
    Ok(())
}

/// What the run of a revision left behind.
pub(super) async fn put_applied<C: GenericClient>(
    tx: &C,
    run: RunId,
    applied: &Applied,
) -> Result<(), StoreError> {
    let packed = encode_packed("what a revision left behind", applied)?;
    execute(tx, "update revision set applied = $2 where run = $1", &[&run.0, &packed]).await?;
    Ok(())
}

async fn list<C: GenericClient>(
    db: &C,
    of: &RevisionsOf,
    below: Option<RevisionNumber>,
    limit: u32,
) -> Result<Vec<Revision>, StoreError> {
    let below = below.map_or(i32::MAX, |number| i32::try_from(number.0).unwrap_or(i32::MAX));
    let found = rows(
        db,
        NEWEST,
        &[
            &of.space.as_str(),
            &of.infrastructure.as_str(),
            &of.account.as_str(),
            &below,
            &i64::from(limit.min(REVISIONS_MAX)),
        ],
    )
    .await?;
    found.iter().map(|found| row_of(of, found)).collect()
}

async fn one<C: GenericClient>(
    db: &C,
    of: &RevisionsOf,
    number: RevisionNumber,
) -> Result<Option<Revision>, StoreError> {
    let Ok(number) = i32::try_from(number.0) else { return Ok(None) };
    let params = (of.space.as_str(), of.infrastructure.as_str(), of.account.as_str());
    let found = row(db, ONE, &[&params.0, &params.1, &params.2, &number]).await?;
    found.map(|found| row_of(of, &found)).transpose()
}

async fn applied<C: GenericClient>(db: &C, run: RunId) -> Result<Option<Applied>, StoreError> {
    let Some(found) = row(db, "select form, applied from revision where run = $1", &[&run.0]).await? else {
        return Ok(None);
    };
    let packed: Option<Vec<u8>> = column(&found, 1)?;
    packed
        .map(|packed| decode_packed("what a revision left behind", form_of(&found, 0)?, &packed))
        .transpose()
}

async fn accounts<C: GenericClient>(
    db: &C,
    space: &SpaceName,
    infrastructure: &InfrastructureName,
) -> Result<Vec<AccountName>, StoreError> {
    let found = rows(
        db,
        "select account from revision where space = $1 and infrastructure = $2
         group by account order by account collate \"C\"",
        &[&space.as_str(), &infrastructure.as_str()],
    )
    .await?;
    found.iter().map(|found| Ok(AccountName(column(found, 0)?))).collect()
}

async fn owned_by<C: GenericClient>(
    db: &C,
    space: &SpaceName,
    infrastructure: &InfrastructureName,
) -> Result<Vec<Ownership>, StoreError> {
    let found = rows(
        db,
        "select form, body from ownership where space = $1 and infrastructure = $2
         order by kind, length(name), name collate \"C\"",
        &[&space.as_str(), &infrastructure.as_str()],
    )
    .await?;
    found
        .iter()
        .map(|found| decode("ownership record", form_of(found, 0)?, &column::<String>(found, 1)?))
        .collect()
}

#[async_trait]
impl Revisions for PostgresStore {
    async fn revision_accounts(
        &self,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
    ) -> StoreResult<Vec<AccountName>> {
        read!(self, db => accounts(&db, space, infrastructure).await)
    }
    async fn revisions(
        &self,
        of: &RevisionsOf,
        below: Option<RevisionNumber>,
        limit: u32,
    ) -> StoreResult<Vec<Revision>> {
        read!(self, db => list(&db, of, below, limit).await)
    }
    async fn revision(&self, of: &RevisionsOf, number: RevisionNumber) -> StoreResult<Option<Revision>> {
        read!(self, db => one(&db, of, number).await)
    }
    async fn applied(&self, run: RunId) -> StoreResult<Option<Applied>> {
        read!(self, db => applied(&db, run).await)
    }
    async fn owned_by(
        &self,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
    ) -> StoreResult<Vec<Ownership>> {
        read!(self, db => owned_by(&db, space, infrastructure).await)
    }
}
