//! The journal: appended under a fence, numbered without gaps, facts changed in the same transaction. The group
//! commit itself is `writer.rs`; here are single entries and reading.

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use muster_model::id::{Fence, LaneNumber, RunId, Sequence};
use muster_model::run::{Entry, EntryKind, RunState};
use tokio_postgres::Row;

use super::ask::{column, execute, row, rows};
use super::form_of;
use crate::error::StoreError;
use crate::form::{FORM, decode, encode};
use crate::lanes::windows;
use crate::store::{Claim, StepTally};
use crate::{refusal, word};

/// Appends one entry to a lane that the caller has locked and claimed in this very transaction.
pub(super) async fn append_one<C: GenericClient>(
    tx: &C,
    claim: &Claim,
    at: Timestamp,
    kind: &EntryKind,
) -> Result<(), StoreError> {
    execute(
        tx,
        "with numbered as (update lane set last = last + 1 where run = $1 and no = $2 returning last, fence)
         insert into journal (run, lane, seq, fence, step, kind, at, form, body)
         select $1, $2, last, fence, $3, $4, $5, $6, $7 from numbered",
        &[
            &claim.run.0,
            &i32::from(claim.lane.0),
            &word::step_of(kind).map(|step| step.0 as i32),
            &word::entry(kind),
            &at,
            &i32::from(FORM),
            &encode("journal entry", kind)?,
        ],
    )
    .await?;
    if let EntryKind::Run { state, message } = kind {
        set_state(tx, claim, *state, message.as_deref(), at).await?;
    }
    Ok(())
}

/// The run's state follows its entry. The caller has locked the lanes that this changes.
pub(super) async fn set_state<C: GenericClient>(
    tx: &C,
    claim: &Claim,
    state: RunState,
    message: Option<&str>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let before = super::runs::locked(tx, claim.run).await?.state;
    if !before.may_become(state) {
        return Err(refusal::illegal(claim.run, before, state));
    }
    execute(
        tx,
        "update run set state = $2, message = $3, ended_at = $4 where id = $1",
        &[&claim.run.0, &state.word(), &message, &state.is_final().then_some(at)],
    )
    .await?;
    if !state.holds_locks() {
        execute(tx, "delete from lock where run = $1", &[&claim.run.0]).await?;
        let after = if state.is_final() { "done" } else { "ready" };
        // The other lanes' owners hear of it by their next write: it is refused.
        execute(
            tx,
            "update lane set state = $2, node = null, waits_for = null, wake_at = null,
               fence = fence + (case when no = $3 then 0 else 1 end)
             where run = $1 and state <> 'done'",
            &[&claim.run.0, &after, &i32::from(claim.lane.0)],
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn entries<C: GenericClient>(
    db: &C,
    run: RunId,
    lane: LaneNumber,
    after: Sequence,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let found = rows(
        db,
        "select lane, seq, fence, at, form, body from journal
         where run = $1 and lane = $2 and seq > $3 order by seq limit $4",
        &[&run.0, &i32::from(lane.0), &(after.0 as i64), &i64::from(limit)],
    )
    .await?;
    found.iter().map(|row| entry_of(run, row)).collect()
}

/// Lanes side by side: the n-th new entry of each before the next one of any, so that a page leaves no gap in a lane.
pub(super) async fn follow<C: GenericClient>(
    db: &C,
    run: RunId,
    cursor: &BTreeMap<LaneNumber, Sequence>,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let lanes: Vec<i32> = cursor.keys().map(|lane| i32::from(lane.0)).collect();
    let seen: Vec<i64> = cursor.values().map(|seq| seq.0 as i64).collect();
    let count = row(db, "select count(*) from lane where run = $1", &[&run.0]).await?;
    let count: i64 = count.map_or(Ok(0), |count| column(&count, 0))?;
    let mut found = Vec::new();
    for window in windows(count as usize, limit) {
        let sql = "select j.lane, j.seq, j.fence, j.at, j.form, j.body
         from (select lane.no, coalesce(c.seen, 0) as seen
                 from lane left join unnest($2::int4[], $3::int8[]) c (no, seen) on c.no = lane.no
                where lane.run = $1) l
         join journal j on j.run = $1 and j.lane = l.no and j.seq > l.seen and j.seq <= l.seen + $5
         order by j.seq - l.seen, j.lane limit $4";
        found = rows(db, sql, &[&run.0, &lanes, &seen, &i64::from(limit), &i64::from(window)]).await?;
        if found.len() >= limit as usize {
            break;
        }
    }
    found.iter().map(|row| entry_of(run, row)).collect()
}

fn entry_of(run: RunId, row: &Row) -> Result<Entry, StoreError> {
    let body: String = column(row, 5)?;
    Ok(Entry {
        run,
        lane: LaneNumber(column::<i32>(row, 0)? as u16),
        seq: Sequence(column::<i64>(row, 1)? as u64),
        fence: Fence(column::<i64>(row, 2)? as u64),
        at: column(row, 3)?,
        kind: decode("journal entry", form_of(row, 4)?, &body)?,
    })
}

/// Counts each step by its last telling entry.
pub(super) async fn tally<C: GenericClient>(db: &C, run: RunId) -> Result<StepTally, StoreError> {
    let Some(found) = row(db, "select steps_total, tally from run where id = $1", &[&run.0]).await? else {
        return Ok(StepTally::default());
    };
    if let Some(kept) = column::<Option<String>>(&found, 1)? {
        // Its journal was emptied; the counts were kept.
        return decode("tally", FORM, &kept);
    }
    let mut tally = StepTally { total: column::<i32>(&found, 0)? as u32, ..StepTally::default() };
    let counts = rows(
        db,
        "select kind, count(*) from (
           select distinct on (lane, step) kind from journal
           where run = $1 and step is not null and kind in ('started', 'succeeded', 'failed', 'skipped')
           order by lane, step, seq desc) steps
         group by kind",
        &[&run.0],
    )
    .await?;
    for row in &counts {
        refusal::count(&mut tally, &column::<String>(row, 0)?, column::<i64>(row, 1)? as u32);
    }
    Ok(tally)
}
