//! The queue of busy requests.

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use muster_model::id::{PlanId, RunId};
use muster_model::plan::{LockKey, LockMode};
use tokio_postgres::Row;
use uuid::Uuid;

use super::ask::{change, column, execute, read, row, rows};
use super::{PostgresStore, form_of, settings};
use crate::error::StoreError;
use crate::form::{FORM, decode, encode};
use crate::queue::{Left, QUEUE_MAX, Queue, QueueState, QueuedRow};
use crate::store::StoreResult;
use crate::{refusal, word};

const ONE: &str = "select plan, space, subject, digest, form, body, asked_at, give_up_at, state, message, run
  from queue where plan = $1";
const SAME: &str =
    "select plan, space, subject, digest, form, body, asked_at, give_up_at, state, message, run
  from queue where plan = $1 or (space = $2 and subject = $3 and digest = $4 and state = 'waiting') limit 1";
const NEWEST: &str =
    "select plan, space, subject, digest, form, body, asked_at, give_up_at, state, message, run
  from queue where state = 'waiting' or not $2 order by (state = 'waiting') desc, number desc limit $1";

fn row_of(found: &Row) -> Result<QueuedRow, StoreError> {
    Ok(QueuedRow {
        plan: PlanId(column(found, 0)?),
        space: column::<String>(found, 1)?.into(),
        subject: word::subject_of(&column::<String>(found, 2)?)?,
        digest: column(found, 3)?,
        how: decode("queued request", form_of(found, 4)?, &column::<String>(found, 5)?)?,
        asked_at: column(found, 6)?,
        give_up_at: column(found, 7)?,
        state: word::queue_state_of(&column::<String>(found, 8)?)?,
        message: column(found, 9)?,
        run: column::<Option<Uuid>>(found, 10)?.map(RunId),
    })
}

pub(super) async fn enqueue<C: GenericClient>(tx: &C, new: &QueuedRow) -> Result<QueuedRow, StoreError> {
    let subject = word::subject_text(&new.subject);
    // Two at once meet at the index: the second one is tried again and finds the first.
    if let Some(found) = row(tx, SAME, &[&new.plan.0, &new.space.as_str(), &subject, &new.digest]).await? {
        return row_of(&found);
    }
    execute(
        tx,
        "insert into queue (plan, space, subject, digest, form, body, asked_at, give_up_at, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting')",
        &[
            &new.plan.0,
            &new.space.as_str(),
            &subject,
            &new.digest,
            &i32::from(FORM),
            &encode("queued request", &new.how)?,
            &new.asked_at,
            &new.give_up_at,
        ],
    )
    .await?;
    execute(
        tx,
        "delete from queue where state <> 'waiting' and number < (select max(number) - $1 from queue)",
        &[&i64::from(QUEUE_MAX)],
    )
    .await?;
    settings::write_audit(tx, &refusal::queued(new, QueueState::Waiting, None, new.asked_at)).await?;
    Ok(new.clone())
}

pub(super) async fn one<C: GenericClient>(db: &C, plan: PlanId) -> Result<Option<QueuedRow>, StoreError> {
    row(db, ONE, &[&plan.0]).await?.map(|found| row_of(&found)).transpose()
}

pub(super) async fn all<C: GenericClient>(db: &C, only_waiting: bool) -> Result<Vec<QueuedRow>, StoreError> {
    rows(db, NEWEST, &[&i64::from(QUEUE_MAX), &only_waiting]).await?.iter().map(row_of).collect()
}

pub(super) async fn leave<C: GenericClient>(tx: &C, plan: PlanId, left: &Left) -> Result<bool, StoreError> {
    let Some(found) = one(tx, plan).await? else { return Ok(false) };
    let changed = execute(
        tx,
        "update queue set state = $2, message = $3, run = $4 where plan = $1 and state = 'waiting'",
        &[&plan.0, &word::queue_state(left.state), &left.message, &left.run.map(|run| run.0)],
    )
    .await?;
    if changed > 0 {
        let audit = refusal::queued(&found, left.state, left.message.as_deref(), left.at);
        settings::write_audit(tx, &audit).await?;
    }
    Ok(changed > 0)
}

pub(super) async fn in_the_way<C: GenericClient>(
    db: &C,
    locks: &[(LockKey, LockMode)],
) -> Result<Option<String>, StoreError> {
    for (key, mode) in locks {
        let key = key.to_string();
        let held = row(
            db,
            "select lock.run, run.subject, run.actor from lock join run on run.id = lock.run
             where lock.key = $1 and (lock.mode = 'exclusive' or $2 = 'exclusive') limit 1",
            &[&key, &word::mode(*mode)],
        )
        .await?;
        if let Some(held) = held {
            let (holder, subject): (Uuid, String) = (column(&held, 0)?, column(&held, 1)?);
            let actor: String = column(&held, 2)?;
            return Ok(Some(refusal::busy(holder, &subject, &actor, &key).to_string()));
        }
    }
    Ok(None)
}

#[async_trait]
impl Queue for PostgresStore {
    async fn enqueue(&self, row: QueuedRow) -> StoreResult<QueuedRow> {
        change!(self, tell, tx => enqueue(&tx, &row).await)
    }
    async fn queued(&self, plan: PlanId) -> StoreResult<Option<QueuedRow>> {
        read!(self, db => one(&db, plan).await)
    }
    async fn queue(&self, only_waiting: bool) -> StoreResult<Vec<QueuedRow>> {
        read!(self, db => all(&db, only_waiting).await)
    }
    async fn leave_queue(&self, plan: PlanId, left: Left) -> StoreResult<bool> {
        change!(self, tell, tx => leave(&tx, plan, &left).await)
    }
    async fn in_the_way(&self, locks: Vec<(LockKey, LockMode)>) -> StoreResult<Option<String>> {
        read!(self, db => in_the_way(&db, &locks).await)
    }
}
