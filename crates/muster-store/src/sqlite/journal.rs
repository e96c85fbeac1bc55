//! The journal: appended under a fence, numbered without gaps, facts changed in the same transaction.

use muster_model::id::{Fence, LaneNumber, RunId, Sequence, StepNumber};
use muster_model::run::{Entry, EntryKind, RunState};
use rusqlite::{Connection, OptionalExtension, params};

use super::{facts, row};
use crate::error::StoreError;
use crate::form::{FORM, decode, encode};
use crate::store::{Claim, Record, StepTally};

pub(super) fn append(tx: &Connection, claim: &Claim, records: &[Record]) -> Result<Sequence, StoreError> {
    let run = claim.run.to_string();
    let fence: Option<i64> = tx
        .prepare_cached("select fence from lane where run = ?1 and no = ?2")?
        .query_row(params![run, claim.lane.0], |found| found.get(0))
        .optional()?;
    if fence != Some(claim.fence.0 as i64) {
        return Err(StoreError::Fenced);
    }
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
            step_of(&record.kind).map(|step| step.0),
            word(&record.kind),
            record.at.to_string(),
            FORM,
            encode("journal entry", &record.kind)?
        ])?;
        for fact in &record.facts {
            facts::apply(tx, claim.run, fact)?;
        }
        if let EntryKind::Run { state, message } = &record.kind {
            set_state(tx, claim.run, *state, message.as_deref(), record)?;
        }
    }
    Ok(Sequence(seq as u64))
}

fn set_state(
    tx: &Connection,
    run: RunId,
    state: RunState,
    message: Option<&str>,
    record: &Record,
) -> Result<(), StoreError> {
    let id = run.to_string();
    let before: String =
        tx.prepare_cached("select state from run where id = ?1")?.query_row([&id], |found| found.get(0))?;
    let before = row::state_of(&before)?;
    if !before.may_become(state) {
        return Err(StoreError::Conflict(format!(
            "run {run} is {} and cannot become {}",
            before.word(),
            state.word()
        )));
    }
    let ended = state.is_final().then(|| record.at.to_string());
    tx.prepare_cached("update run set state = ?2, message = ?3, ended_at = ?4 where id = ?1")?
        .execute(params![id, state.word(), message, ended])?;
    if !state.holds_locks() {
        tx.prepare_cached("delete from lock where run = ?1")?.execute([&id])?;
        let lane = if state.is_final() { "done" } else { "ready" };
        tx.prepare_cached("update lane set state = ?2, node = null where run = ?1")?
            .execute([id.as_str(), lane])?;
    }
    Ok(())
}

fn word(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::Run { .. } => "run",
        EntryKind::Started { .. } => "started",
        EntryKind::Succeeded { .. } => "succeeded",
        EntryKind::Failed { .. } => "failed",
        EntryKind::Skipped { .. } => "skipped",
        EntryKind::Progress { .. } => "progress",
        EntryKind::Task { .. } => "task",
    }
}

fn step_of(kind: &EntryKind) -> Option<StepNumber> {
    match kind {
        EntryKind::Run { .. } => None,
        EntryKind::Progress { step, .. } => *step,
        EntryKind::Started { step, .. }
        | EntryKind::Succeeded { step, .. }
        | EntryKind::Failed { step, .. }
        | EntryKind::Skipped { step, .. }
        | EntryKind::Task { step, .. } => Some(*step),
    }
}

pub(super) fn entries(
    db: &Connection,
    run: RunId,
    after: Sequence,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let mut statement = db.prepare_cached(
        "select lane, seq, fence, at, form, body from journal
         where run = ?1 and lane = 0 and seq > ?2 order by seq limit ?3",
    )?;
    let mut rows = statement.query(params![run.to_string(), after.0 as i64, limit])?;
    let mut entries = Vec::new();
    while let Some(found) = rows.next()? {
        entries.push(Entry {
            run,
            lane: LaneNumber(found.get(0)?),
            seq: Sequence(found.get::<_, i64>(1)? as u64),
            fence: Fence(found.get::<_, i64>(2)? as u64),
            at: row::time_of(&found.get::<_, String>(3)?)?,
            kind: decode("journal entry", found.get(4)?, &found.get::<_, String>(5)?)?,
        });
    }
    Ok(entries)
}

/// Counts each step by its last telling entry.
pub(super) fn tally(db: &Connection, run: RunId) -> Result<StepTally, StoreError> {
    let total: Option<u32> = db
        .prepare_cached("select steps_total from run where id = ?1")?
        .query_row([run.to_string()], |found| found.get(0))
        .optional()?;
    let mut tally = StepTally { total: total.unwrap_or(0), ..StepTally::default() };
    let mut statement = db.prepare_cached(
        "select kind, count(*) from (
           select kind, max(seq) from journal
           where run = ?1 and step is not null and kind in ('started', 'succeeded', 'failed', 'skipped')
           group by lane, step)
         group by kind",
    )?;
    let mut rows = statement.query([run.to_string()])?;
    while let Some(found) = rows.next()? {
        let count: u32 = found.get(1)?;
        match found.get::<_, String>(0)?.as_str() {
            "succeeded" => tally.succeeded = count,
            "failed" => tally.failed = count,
            "skipped" => tally.skipped = count,
            _ => tally.running = count,
        }
    }
    Ok(tally)
}
