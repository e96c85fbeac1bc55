//! The index of basic events: word vectors under a GIN index. The words are cut by us, so no text-search
//! configuration of the database takes part.

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use muster_model::id::{LaneNumber, RunId, Sequence};

use super::PostgresStore;
use super::ask::{change, column, execute, read, rows};
use crate::error::StoreError;
use crate::search::{EventQuery, EventWords, FoundEvent, Phrase, Search, Unindexed, words_of};
use crate::store::StoreResult;

#[async_trait]
impl Search for PostgresStore {
    async fn unindexed(&self, ended_only: bool, limit: u32) -> StoreResult<Vec<Unindexed>> {
        read!(self, db => unindexed(&db, ended_only, limit).await)
    }
    async fn index(&self, lane: Unindexed, events: Vec<EventWords>, last: Sequence) -> StoreResult<()> {
        change!(self, tx => index(&tx, lane, &events, last).await)
    }
    async fn search(&self, query: EventQuery) -> StoreResult<Vec<FoundEvent>> {
        read!(self, db => search(&db, &query).await)
    }
}

async fn unindexed<C: GenericClient>(
    db: &C,
    ended_only: bool,
    limit: u32,
) -> Result<Vec<Unindexed>, StoreError> {
    let found = rows(
        db,
        "select l.run, l.no, l.indexed from run r join lane l on l.run = r.id
         where not r.indexed and (r.ended_at is not null or not $1) and l.last > l.indexed
         order by r.number, l.no limit $2",
        &[&ended_only, &i64::from(limit)],
    )
    .await?;
    let lane = |row: &_| {
        Ok(Unindexed {
            run: RunId(column(row, 0)?),
            lane: LaneNumber(column::<i32>(row, 1)? as u16),
            after: Sequence(column::<i64>(row, 2)? as u64),
        })
    };
    found.iter().map(lane).collect()
}

async fn index<C: GenericClient>(
    tx: &C,
    lane: Unindexed,
    events: &[EventWords],
    last: Sequence,
) -> Result<(), StoreError> {
    let seqs: Vec<i64> = events.iter().map(|event| event.seq.0 as i64).collect();
    let ats: Vec<Timestamp> = events.iter().map(|event| event.at).collect();
    let targets: Vec<Option<&str>> = events.iter().map(|event| event.target.as_deref()).collect();
    let words: Vec<String> = events.iter().map(|event| vector(&event.text)).collect();
    // The rows first and the lane last: its lock is what appends wait for.
    execute(
        tx,
        "insert into event_words (run, lane, seq, at, target, words)
         select $1, $2, seq, at, target, words::tsvector
         from unnest($3::int8[], $4::timestamptz[], $5::text[], $6::text[]) e (seq, at, target, words)
         on conflict (run, lane, seq) do nothing",
        &[&lane.run.0, &i32::from(lane.lane.0), &seqs, &ats, &targets, &words],
    )
    .await?;
    execute(
        tx,
        "update lane set indexed = $3 where run = $1 and no = $2 and indexed < $3",
        &[&lane.run.0, &i32::from(lane.lane.0), &(last.0 as i64)],
    )
    .await?;
    execute(
        tx,
        "update run set indexed = true where id = $1 and ended_at is not null and not indexed
           and not exists (select 1 from lane where run = $1 and last > indexed)",
        &[&lane.run.0],
    )
    .await?;
    Ok(())
}

async fn search<C: GenericClient>(db: &C, query: &EventQuery) -> Result<Vec<FoundEvent>, StoreError> {
    let phrases: Vec<String> = query.phrases.iter().map(phrase).collect();
    let found = rows(
        db,
        "select e.run, e.lane, e.seq from event_words e join run r on r.id = e.run
         where e.words @@ $1::text::tsquery and r.space = $2 and ($3::timestamptz is null or e.at >= $3)
           and ($4::text is null or e.target = $4)
         order by e.at desc, e.number desc limit $5",
        &[&phrases.join(" & "), &query.space.as_str(), &query.since, &query.target, &i64::from(query.limit)],
    )
    .await?;
    let event = |row: &_| {
        Ok(FoundEvent {
            run: RunId(column(row, 0)?),
            lane: LaneNumber(column::<i32>(row, 1)? as u16),
            seq: Sequence(column::<i64>(row, 2)? as u64),
        })
    };
    found.iter().map(event).collect()
}

/// A text as a vector of its words with their places. Words are letters and digits only, so that quotes hold.
fn vector(text: &str) -> String {
    let words = words_of(text).enumerate().map(|(place, word)| format!("'{word}':{}", place + 1));
    words.collect::<Vec<_>>().join(" ")
}

fn phrase(phrase: &Phrase) -> String {
    let quoted: Vec<String> = phrase.words.iter().map(|word| format!("'{word}'")).collect();
    format!("({}{})", quoted.join(" <-> "), if phrase.begun { ":*" } else { "" })
}

/// Forgets the events of a run.
pub(super) async fn forget<C: GenericClient>(tx: &C, run: RunId) -> Result<(), StoreError> {
    execute(tx, "delete from event_words where run = $1", &[&run.0]).await?;
    execute(tx, "update run set indexed = true where id = $1", &[&run.0]).await?;
    Ok(())
}
