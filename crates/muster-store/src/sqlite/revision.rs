//! Revisions.

use async_trait::async_trait;
use muster_model::id::{AccountName, InfrastructureName, PlanId, RevisionNumber, RunId, SpaceName};
use muster_model::ownership::Ownership;
use muster_model::revision::{Applied, Revision};
use muster_model::run::Run;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use crate::error::StoreError;
use crate::form::{FORM, decode, decode_packed, encode, encode_packed};
use crate::revision::{NewRevision, REVISIONS_MAX, Revisions, RevisionsOf};
use crate::store::StoreResult;
use crate::word;

const COLUMNS: &str = "v.number, v.form, v.body, r.id, r.subject, r.plan, r.state, r.message, r.actor,
  r.started_at, r.ended_at, r.pruned_at is null";

fn row_of(of: &RevisionsOf, found: &rusqlite::Row<'_>) -> Result<Revision, StoreError> {
    Ok(Revision {
        space: of.space.clone(),
        infrastructure: of.infrastructure.clone(),
        account: of.account.clone(),
        number: RevisionNumber(found.get(0)?),
        approved: decode("revision", found.get(1)?, &found.get::<_, String>(2)?)?,
        run: Run {
            id: RunId(word::uuid_of(&found.get::<_, String>(3)?)?),
            space: of.space.clone(),
            subject: word::subject_of(&found.get::<_, String>(4)?)?,
            plan: PlanId(word::uuid_of(&found.get::<_, String>(5)?)?),
            state: word::state_of(&found.get::<_, String>(6)?)?,
            message: found.get(7)?,
            actor: found.get(8)?,
            started_at: word::time_of(&found.get::<_, String>(9)?)?,
            ended_at: found.get::<_, Option<String>>(10)?.map(|text| word::time_of(&text)).transpose()?,
        },
        is_kept: found.get(11)?,
    })
}

/// A revision of an approved run, under the next number.
pub(super) fn insert(tx: &Connection, run: RunId, new: &NewRevision) -> Result<(), StoreError> {
    tx.prepare_cached(
        "insert into revision (space, infrastructure, account, number, run, form, body)
         values (?1, ?2, ?3, (select coalesce(max(number), 0) + 1 from revision
           where space = ?1 and infrastructure = ?2 and account = ?3), ?4, ?5, ?6)",
    )?
    .execute(params![
        new.of.space.as_str(),
        new.of.infrastructure.as_str(),
        new.of.account.as_str(),
        run.to_string(),
        FORM,
        encode("revision", &new.approved)?
    ])?;
    Ok(())
}

/// What the run of a revision left behind.
pub(super) fn put_applied(tx: &Connection, run: RunId, applied: &Applied) -> Result<(), StoreError> {
    tx.prepare_cached("update revision set applied = ?2 where run = ?1")?
        .execute(params![run.to_string(), encode_packed("what a revision left behind", applied)?])?;
    Ok(())
}

fn list(
    db: &Connection,
    of: &RevisionsOf,
    below: Option<RevisionNumber>,
    limit: u32,
) -> Result<Vec<Revision>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "select {COLUMNS} from revision v join run r on r.id = v.run
         where v.space = ?1 and v.infrastructure = ?2 and v.account = ?3 and v.number < ?4
         order by v.number desc limit ?5"
    ))?;
    let below = below.map_or(i64::MAX, |number| i64::from(number.0));
    let mut rows = statement.query(params![
        of.space.as_str(),
        of.infrastructure.as_str(),
        of.account.as_str(),
        below,
        limit.min(REVISIONS_MAX)
    ])?;
    let mut revisions = Vec::new();
    while let Some(found) = rows.next()? {
        revisions.push(row_of(of, found)?);
    }
    Ok(revisions)
}

fn one(db: &Connection, of: &RevisionsOf, number: RevisionNumber) -> Result<Option<Revision>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "select {COLUMNS} from revision v join run r on r.id = v.run
         where v.space = ?1 and v.infrastructure = ?2 and v.account = ?3 and v.number = ?4"
    ))?;
    let mut rows = statement.query(params![
        of.space.as_str(),
        of.infrastructure.as_str(),
        of.account.as_str(),
        number.0
    ])?;
    rows.next()?.map(|found| row_of(of, found)).transpose()
}

fn applied(db: &Connection, run: RunId) -> Result<Option<Applied>, StoreError> {
    let found: Option<(u16, Option<Vec<u8>>)> = db
        .prepare_cached("select form, applied from revision where run = ?1")?
        .query_row([run.to_string()], |found| Ok((found.get(0)?, found.get(1)?)))
        .optional()?;
    match found {
        Some((form, Some(packed))) => decode_packed("what a revision left behind", form, &packed).map(Some),
        Some((_, None)) | None => Ok(None),
    }
}

fn accounts(
    db: &Connection,
    space: &SpaceName,
    infrastructure: &InfrastructureName,
) -> Result<Vec<AccountName>, StoreError> {
    let mut statement = db.prepare_cached(
        "select distinct account from revision where space = ?1 and infrastructure = ?2 order by account",
    )?;
    let rows = statement.query_map([space.as_str(), infrastructure.as_str()], |found| {
        Ok(AccountName(found.get::<_, String>(0)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn owned_by(
    db: &Connection,
    space: &SpaceName,
    infrastructure: &InfrastructureName,
) -> Result<Vec<Ownership>, StoreError> {
    let mut statement = db.prepare_cached(
        "select form, body from ownership where space = ?1 and infrastructure = ?2
         order by kind, length(name), name",
    )?;
    let mut rows = statement.query([space.as_str(), infrastructure.as_str()])?;
    let mut records = Vec::new();
    while let Some(found) = rows.next()? {
        records.push(decode("ownership record", found.get(0)?, &found.get::<_, String>(1)?)?);
    }
    Ok(records)
}

#[async_trait]
impl Revisions for SqliteStore {
    async fn revision_accounts(
        &self,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
    ) -> StoreResult<Vec<AccountName>> {
        self.read(|db| accounts(db, space, infrastructure))
    }
    async fn revisions(
        &self,
        of: &RevisionsOf,
        below: Option<RevisionNumber>,
        limit: u32,
    ) -> StoreResult<Vec<Revision>> {
        self.read(|db| list(db, of, below, limit))
    }
    async fn revision(&self, of: &RevisionsOf, number: RevisionNumber) -> StoreResult<Option<Revision>> {
        self.read(|db| one(db, of, number))
    }
    async fn applied(&self, run: RunId) -> StoreResult<Option<Applied>> {
        self.read(|db| applied(db, run))
    }
    async fn owned_by(
        &self,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
    ) -> StoreResult<Vec<Ownership>> {
        self.read(|db| owned_by(db, space, infrastructure))
    }
}
