//! The journal: appended under a fence, numbered without gaps, facts changed in the same transaction.

use std::collections::BTreeMap;

use muster_model::id::{Fence, LaneNumber, RunId, Sequence};
use muster_model::run::{Entry, EntryKind, RunState};
use rusqlite::{Connection, OptionalExtension, params};

use super::facts;
use crate::error::StoreError;
use crate::form::{FORM, decode, encode};
use crate::lanes::windows;
use crate::store::{Claim, Record, StepTally};
use crate::{refusal, word};

pub(super) fn append(tx: &Connection, claim: &Claim, records: &[Record]) -> Result<Sequence, StoreError> {
    let run = claim.run.to_string();
    super::claim::must_hold(tx, claim)?;
    let mut seq: i64 = tx
        .prepare_cached("select coalesce(max(seq), 0) from journal where run = ?1 and lane = ?2")?
        .query_row(params![run, claim.lane.0], |found| found.get(0))?;
    for record in records {
        seq += 1;
        tx.prepare_cached(
            "insert into journal (run, lane, seq, fence, step, kind, at, form, body)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            run,
            claim.lane.0,
            seq,
            claim.fence.0 as i64,
            word::step_of(&record.kind).map(|step| step.0),
            word::entry(&record.kind),
            record.at.to_string(),
            FORM,
            encode("journal entry", &record.kind)?
        ])?;
        for fact in &record.facts {
            facts::apply(tx, claim.run, fact)?;
        }
        if let EntryKind::Run { state, message } = &record.kind {
            set_state(tx, claim, *state, message.as_deref(), record)?;
        }
    }
    Ok(Sequence(seq as u64))
}

fn set_state(
    tx: &Connection,
    claim: &Claim,
    state: RunState,
    message: Option<&str>,
    record: &Record,
) -> Result<(), StoreError> {
    let id = claim.run.to_string();
    let before: String =
        tx.prepare_cached("select state from run where id = ?1")?.query_row([&id], |found| found.get(0))?;
    let before = word::state_of(&before)?;
    if !before.may_become(state) {
        return Err(refusal::illegal(claim.run, before, state));
    }
    let ended = state.is_final().then(|| record.at.to_string());
    tx.prepare_cached("update run set state = ?2, message = ?3, ended_at = ?4 where id = ?1")?
        .execute(params![id, state.word(), message, ended])?;
    if !state.holds_locks() {
        tx.prepare_cached("delete from lock where run = ?1")?.execute([&id])?;
        // The other lanes' owners hear of it by their next write: it is refused.
        tx.prepare_cached(
            "update lane set state = ?2, node = null, waits_for = null, wake_at = null,
               fence = fence + (case when no = ?3 then 0 else 1 end)
             where run = ?1 and state <> 'done'",
        )?
        .execute(params![id, if state.is_final() { "done" } else { "ready" }, claim.lane.0])?;
    }
    Ok(())
}

pub(super) fn entries(
    db: &Connection,
    run: RunId,
    lane: LaneNumber,
    after: Sequence,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let mut statement = db.prepare_cached(
        "select lane, seq, fence, at, form, body from journal
         where run = ?1 and lane = ?2 and seq > ?3 order by seq limit ?4",
    )?;
    collect(run, statement.query(params![run.to_string(), lane.0, after.0 as i64, limit])?)
}

/// Lanes side by side: the n-th new entry of each before the next one of any, so that a page leaves no gap in a lane.
pub(super) fn follow(
    db: &Connection,
    run: RunId,
    cursor: &BTreeMap<LaneNumber, Sequence>,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let cursor: BTreeMap<String, u64> = cursor.iter().map(|(lane, seq)| (lane.to_string(), seq.0)).collect();
    let cursor = encode("cursor", &cursor)?;
    let lanes: i64 = db
        .prepare_cached("select count(*) from lane where run = ?1")?
        .query_row([run.to_string()], |found| found.get(0))?;
    let mut statement = db.prepare_cached(
        "select j.lane, j.seq, j.fence, j.at, j.form, j.body
         from (select lane.no, coalesce(seen.value, 0) as seen
                 from lane left join json_each(?2) seen on cast(seen.key as integer) = lane.no
                where lane.run = ?1) l
         join journal j on j.run = ?1 and j.lane = l.no and j.seq > l.seen and j.seq <= l.seen + ?4
         order by j.seq - l.seen, j.lane limit ?3",
    )?;
    let mut entries = Vec::new();
    for window in windows(lanes as usize, limit) {
        entries = collect(run, statement.query(params![run.to_string(), cursor, limit, window])?)?;
        if entries.len() >= limit as usize {
            break;
        }
    }
    Ok(entries)
}

fn collect(run: RunId, mut rows: rusqlite::Rows<'_>) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    while let Some(found) = rows.next()? {
        entries.push(Entry {
            run,
            lane: LaneNumber(found.get(0)?),
            seq: Sequence(found.get::<_, i64>(1)? as u64),
            fence: Fence(found.get::<_, i64>(2)? as u64),
            at: word::time_of(&found.get::<_, String>(3)?)?,
            kind: decode("journal entry", found.get(4)?, &found.get::<_, String>(5)?)?,
        });
    }
    Ok(entries)
}

/// Steps of a lane that its owner has begun and that have no outcome.
pub(super) fn under_way(tx: &Connection, run: RunId, lane: LaneNumber) -> Result<Vec<u32>, StoreError> {
    let mut statement = tx.prepare_cached(
        "select step from (
           select step, kind, fence, max(seq) from journal
           where run = ?1 and lane = ?2 and step is not null
             and kind in ('started', 'succeeded', 'failed', 'skipped')
           group by step)
         where kind = 'started' and fence = (select fence from lane where run = ?1 and no = ?2) order by step",
    )?;
    let steps = statement.query_map(params![run.to_string(), lane.0], |found| found.get(0))?;
    Ok(steps.collect::<Result<_, _>>()?)
}

/// Counts each step by its last telling entry.
pub(super) fn tally(db: &Connection, run: RunId) -> Result<StepTally, StoreError> {
    let row: Option<(u32, Option<String>)> = db
        .prepare_cached("select steps_total, tally from run where id = ?1")?
        .query_row([run.to_string()], |found| Ok((found.get(0)?, found.get(1)?)))
        .optional()?;
    let total = match row {
        // Its journal was emptied; the counts were kept.
        Some((_, Some(kept))) => return decode("tally", FORM, &kept),
        Some((total, None)) => total,
        None => 0,
    };
    let mut tally = StepTally { total, ..StepTally::default() };
    let mut statement = db.prepare_cached(
        "select kind, count(*) from (
           select kind, max(seq) from journal
           where run = ?1 and step is not null and kind in ('started', 'succeeded', 'failed', 'skipped')
           group by lane, step)
         group by kind",
    )?;
    let mut rows = statement.query([run.to_string()])?;
    while let Some(found) = rows.next()? {
        refusal::count(&mut tally, &found.get::<_, String>(0)?, found.get(1)?);
    }
    Ok(tally)
}
