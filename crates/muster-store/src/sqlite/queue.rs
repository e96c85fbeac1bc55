//! The queue of busy requests.

use async_trait::async_trait;
use muster_model::id::{PlanId, RunId};
use muster_model::plan::{LockKey, LockMode};
use rusqlite::{Connection, OptionalExtension, params};

use super::{SqliteStore, settings};
use crate::error::StoreError;
use crate::form::{FORM, decode, encode};
use crate::queue::{Left, QUEUE_MAX, Queue, QueueState, QueuedRow};
use crate::store::StoreResult;
use crate::{refusal, word};

const COLUMNS: &str = "plan, space, subject, digest, form, body, asked_at, give_up_at, state, message, run";

fn row_of(found: &rusqlite::Row<'_>) -> Result<QueuedRow, StoreError> {
    Ok(QueuedRow {
        plan: PlanId(word::uuid_of(&found.get::<_, String>(0)?)?),
        space: found.get::<_, String>(1)?.into(),
        subject: word::subject_of(&found.get::<_, String>(2)?)?,
        digest: found.get(3)?,
        how: decode("queued request", found.get(4)?, &found.get::<_, String>(5)?)?,
        asked_at: word::time_of(&found.get::<_, String>(6)?)?,
        give_up_at: word::time_of(&found.get::<_, String>(7)?)?,
        state: word::queue_state_of(&found.get::<_, String>(8)?)?,
        message: found.get(9)?,
        run: found.get::<_, Option<String>>(10)?.map(|text| word::uuid_of(&text).map(RunId)).transpose()?,
    })
}

pub(super) fn enqueue(tx: &Connection, row: &QueuedRow) -> Result<QueuedRow, StoreError> {
    let subject = word::subject_text(&row.subject);
    {
        let mut statement = tx.prepare_cached(&format!(
            "select {COLUMNS} from queue
             where plan = ?1 or (space = ?2 and subject = ?3 and digest = ?4 and state = 'waiting')"
        ))?;
        let mut rows =
            statement.query(params![row.plan.to_string(), row.space.as_str(), subject, row.digest])?;
        if let Some(found) = rows.next()? {
            return row_of(found);
        }
    }
    tx.prepare_cached(
        "insert into queue (number, plan, space, subject, digest, form, body, asked_at, give_up_at, state)
         values ((select coalesce(max(number), 0) + 1 from queue), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'waiting')",
    )?
    .execute(params![
        row.plan.to_string(),
        row.space.as_str(),
        subject,
        row.digest,
        FORM,
        encode("queued request", &row.how)?,
        row.asked_at.to_string(),
        row.give_up_at.to_string()
    ])?;
    tx.prepare_cached(
        "delete from queue where state <> 'waiting' and number < (select max(number) - ?1 from queue)",
    )?
    .execute([QUEUE_MAX])?;
    settings::write_audit(tx, &refusal::queued(row, QueueState::Waiting, None, row.asked_at))?;
    Ok(row.clone())
}

pub(super) fn one(db: &Connection, plan: PlanId) -> Result<Option<QueuedRow>, StoreError> {
    let mut statement = db.prepare_cached(&format!("select {COLUMNS} from queue where plan = ?1"))?;
    let mut rows = statement.query([plan.to_string()])?;
    rows.next()?.map(row_of).transpose()
}

pub(super) fn all(db: &Connection, only_waiting: bool) -> Result<Vec<QueuedRow>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "select {COLUMNS} from queue where state = 'waiting' or not ?2 order by (state = 'waiting') desc, number desc limit ?1"
    ))?;
    let mut rows = statement.query(params![QUEUE_MAX, only_waiting])?;
    let mut all = Vec::new();
    while let Some(found) = rows.next()? {
        all.push(row_of(found)?);
    }
    Ok(all)
}

pub(super) fn leave(tx: &Connection, plan: PlanId, left: &Left) -> Result<bool, StoreError> {
    let Some(row) = one(tx, plan)? else { return Ok(false) };
    let changed = tx
        .prepare_cached(
            "update queue set state = ?2, message = ?3, run = ?4 where plan = ?1 and state = 'waiting'",
        )?
        .execute(params![
            plan.to_string(),
            word::queue_state(left.state),
            left.message,
            left.run.map(|run| run.to_string())
        ])?;
    if changed > 0 {
        settings::write_audit(tx, &refusal::queued(&row, left.state, left.message.as_deref(), left.at))?;
    }
    Ok(changed > 0)
}

pub(super) fn in_the_way(
    db: &Connection,
    locks: &[(LockKey, LockMode)],
) -> Result<Option<String>, StoreError> {
    for (key, mode) in locks {
        let key = key.to_string();
        let held: Option<(String, String, String)> = db
            .prepare_cached(
                "select lock.run, run.subject, run.actor from lock join run on run.id = lock.run
                 where lock.key = ?1 and (lock.mode = 'exclusive' or ?2 = 'exclusive') limit 1",
            )?
            .query_row(params![key, word::mode(*mode)], |found| {
                Ok((found.get(0)?, found.get(1)?, found.get(2)?))
            })
            .optional()?;
        if let Some((holder, subject, actor)) = held {
            return Ok(Some(refusal::busy(holder, &subject, &actor, &key).to_string()));
        }
    }
    Ok(None)
}

#[async_trait]
impl Queue for SqliteStore {
    async fn enqueue(&self, row: QueuedRow) -> StoreResult<QueuedRow> {
        self.write(move |tx| enqueue(tx, &row)).await
    }
    async fn queued(&self, plan: PlanId) -> StoreResult<Option<QueuedRow>> {
        self.read(|db| one(db, plan))
    }
    async fn queue(&self, only_waiting: bool) -> StoreResult<Vec<QueuedRow>> {
        self.read(|db| all(db, only_waiting))
    }
    async fn leave_queue(&self, plan: PlanId, left: Left) -> StoreResult<bool> {
        self.write(move |tx| leave(tx, plan, &left)).await
    }
    async fn in_the_way(&self, locks: Vec<(LockKey, LockMode)>) -> StoreResult<Option<String>> {
        self.read(|db| in_the_way(db, &locks))
    }
}
