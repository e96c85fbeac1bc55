//! The index of basic events: FTS5 without a content of its own, beside a table of places.

use async_trait::async_trait;
use jiff::Timestamp;
use muster_model::id::{LaneNumber, RunId, Sequence};
use rusqlite::{Connection, params};

use super::SqliteStore;
use crate::error::StoreError;
use crate::search::{EventQuery, EventWords, FoundEvent, Phrase, Search, Unindexed, words_of};
use crate::store::StoreResult;
use crate::word;

#[async_trait]
impl Search for SqliteStore {
    async fn unindexed(&self, ended_only: bool, limit: u32) -> StoreResult<Vec<Unindexed>> {
        self.read(|db| unindexed(db, ended_only, limit))
    }
    async fn index(&self, lane: Unindexed, events: Vec<EventWords>, last: Sequence) -> StoreResult<()> {
        self.writer.write(move |tx| index(tx, lane, &events, last)).await
    }
    async fn search(&self, query: EventQuery) -> StoreResult<Vec<FoundEvent>> {
        self.read(|db| search(db, &query))
    }
}

fn unindexed(db: &Connection, ended_only: bool, limit: u32) -> Result<Vec<Unindexed>, StoreError> {
    let mut statement = db.prepare_cached(
        "select l.run, l.no, l.indexed from run r join lane l on l.run = r.id
         where r.indexed = 0 and (r.ended_at is not null or not ?1)
           and exists (select 1 from journal j where j.run = l.run and j.lane = l.no and j.seq > l.indexed)
         order by r.number, l.no limit ?2",
    )?;
    let mut rows = statement.query(params![ended_only, limit])?;
    let mut lanes = Vec::new();
    while let Some(found) = rows.next()? {
        lanes.push(Unindexed {
            run: RunId(word::uuid_of(&found.get::<_, String>(0)?)?),
            lane: LaneNumber(found.get(1)?),
            after: Sequence(found.get::<_, i64>(2)? as u64),
        });
    }
    Ok(lanes)
}

fn index(tx: &Connection, lane: Unindexed, events: &[EventWords], last: Sequence) -> Result<(), StoreError> {
    let (run, number) = (lane.run.to_string(), lane.lane.0);
    let moved = tx
        .prepare_cached("update lane set indexed = ?4 where run = ?1 and no = ?2 and indexed = ?3")?
        .execute(params![run, number, lane.after.0 as i64, last.0 as i64])?;
    if moved == 0 {
        // Somebody else did it meanwhile.
        return Ok(());
    }
    for event in events {
        tx.prepare_cached(
            "insert into event_place (run, lane, seq, at_ms, target) values (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            run,
            number,
            event.seq.0 as i64,
            event.at.as_millisecond(),
            event.target
        ])?;
        let words: Vec<String> = words_of(&event.text).collect();
        tx.prepare_cached("insert into event_words (rowid, words) values (?1, ?2)")?
            .execute(params![tx.last_insert_rowid(), words.join(" ")])?;
    }
    tx.prepare_cached(
        "update run set indexed = 1 where id = ?1 and ended_at is not null and not exists (
           select 1 from lane l join journal j on j.run = l.run and j.lane = l.no and j.seq > l.indexed
           where l.run = ?1)",
    )?
    .execute([&run])?;
    Ok(())
}

fn search(db: &Connection, query: &EventQuery) -> Result<Vec<FoundEvent>, StoreError> {
    let phrases: Vec<String> = query.phrases.iter().map(phrase).collect();
    let mut statement = db.prepare_cached(
        "select p.run, p.lane, p.seq from event_words
           join event_place p on p.number = event_words.rowid join run r on r.id = p.run
         where event_words match ?1 and r.space = ?2 and (?3 is null or p.at_ms >= ?3)
           and (?4 is null or p.target = ?4)
         order by p.at_ms desc, event_words.rowid desc limit ?5",
    )?;
    let since = query.since.map(Timestamp::as_millisecond);
    let mut rows = statement.query(params![
        phrases.join(" AND "),
        query.space.as_str(),
        since,
        query.target,
        query.limit
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(FoundEvent {
            run: RunId(word::uuid_of(&row.get::<_, String>(0)?)?),
            lane: LaneNumber(row.get(1)?),
            seq: Sequence(row.get::<_, i64>(2)? as u64),
        });
    }
    Ok(found)
}

/// Words are letters and digits only, so that quotes around them hold.
fn phrase(phrase: &Phrase) -> String {
    format!("\"{}\"{}", phrase.words.join(" "), if phrase.begun { " *" } else { "" })
}

/// Forgets the events of a run.
pub(super) fn forget(tx: &Connection, run: &str) -> Result<(), StoreError> {
    for table in [
        "delete from event_words where rowid in (select number from event_place where run = ?1)",
        "delete from event_place where run = ?1",
        "update run set indexed = 1 where id = ?1",
    ] {
        tx.prepare_cached(table)?.execute([run])?;
    }
    Ok(())
}
