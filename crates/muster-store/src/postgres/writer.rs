//! Group commit: one writer per process; what arrived during a commit is the next commit.
//!
//! A commit is three round trips: lock the lanes in order and read their fences; everything else at once; commit. The
//! fence is compared after the lock, so an append that races a takeover waits for it and then writes nothing.
//!
//! When the connection is lost nobody knows whether the last commit took effect, so the writer looks: under the
//! lane's lock, an entry with the number and fence that it was about to write can only be its own. Thus an append
//! is idempotent by (run, lane, number, fence), and a waiter hears *kept*, *fenced*, or that it must look itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use deadpool_postgres::{GenericClient, Object, Pool};
use muster_model::id::Sequence;
use muster_model::run::EntryKind;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::ask::{self, Trouble, column, execute, row, rows, trouble};
use super::batch::Batch;
use super::{connect, facts, journal};
use crate::commits::{CommitCounts, Commits};
use crate::error::StoreError;
use crate::form::encode;
use crate::store::{Claim, Record};

/// The most appends in one commit.
const BATCH_MAX: usize = 4_096;
/// Appends that may wait for the writer before callers wait for room.
const QUEUE_MAX: usize = 16_384;
/// How often one commit is tried.
const TRIES_MAX: u32 = 6;

/// One append on its way.
struct Append {
    claim: Claim,
    records: Vec<Record>,
    /// The records' kinds as they are stored.
    bodies: Vec<String>,
    /// The last number it was given by a commit whose outcome is not known.
    tried_as: Option<i64>,
    answer: oneshot::Sender<Result<Sequence, StoreError>>,
}

impl Append {
    fn lane(&self) -> LaneKey {
        (self.claim.run.0, i32::from(self.claim.lane.0))
    }

    /// Whether it changes more than the journal.
    fn is_special(&self) -> bool {
        self.records
            .iter()
            .any(|record| !record.facts.is_empty() || matches!(record.kind, EntryKind::Run { .. }))
    }
}

pub(super) type LaneKey = (Uuid, i32);

/// A lane under lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneNow {
    fence: i64,
    pub(super) last: i64,
}

/// A fence that no claim has.
const NOBODY: i64 = -1;

type Outcome = Result<Sequence, StoreError>;

/// The way to the writer.
pub(super) struct Writer {
    queue: mpsc::Sender<Append>,
    commits: Arc<Commits>,
}

impl Writer {
    /// Starts the writer over a pool of one connection.
    pub(super) fn start(pool: Pool) -> Writer {
        let (queue, mut waiting) = mpsc::channel(QUEUE_MAX);
        let commits = Arc::new(Commits::default());
        let counted = commits.clone();
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
                counted.observe(batch.len());
                settle(&pool, std::mem::take(&mut batch)).await;
            }
        });
        Writer { queue, commits }
    }

    /// How large the commits were.
    pub(super) fn commits(&self) -> CommitCounts {
        self.commits.counts()
    }

    /// Appends in the next commit and waits until that commit is durable.
    pub(super) async fn append(&self, claim: Claim, records: Vec<Record>) -> Outcome {
        let bodies = records.iter().map(|record| encode("journal entry", &record.kind));
        let bodies = bodies.collect::<Result<_, _>>()?;
        let (answer, outcome) = oneshot::channel();
        let append = Append { claim, records, bodies, tried_as: None, answer };
        self.queue.send(append).await.map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }
}

/// Commits a batch, however often that takes, and answers everybody in it.
async fn settle(pool: &Pool, mut batch: Vec<Append>) {
    match persist(pool, &mut batch).await {
        Ok(outcomes) => {
            for (append, outcome) in batch.into_iter().zip(outcomes) {
                // The asker may be gone (its task was dropped); the change is durable all the same.
                let _ = append.answer.send(outcome);
            }
        }
        // One that the database refuses must not take its neighbours along: each goes alone.
        Err(error) if batch.len() > 1 && trouble(&error) == Trouble::Final && is_refusal(&error) => {
            for append in batch {
                Box::pin(settle(pool, vec![append])).await;
            }
        }
        Err(error) => {
            let message = error.to_string();
            for append in batch {
                let told = match (&error, append.tried_as) {
                    (_, Some(_)) => ask::unclear(&error),
                    (StoreError::Unreachable(_), None) => StoreError::Unreachable(message.clone()),
                    (_, None) => StoreError::Unusable(format!("the journal cannot be written: {message}")),
                };
                let _ = append.answer.send(Err(told));
            }
        }
    }
}

fn is_refusal(error: &StoreError) -> bool {
    matches!(error, StoreError::Postgres(_) | StoreError::Form { .. })
}

/// Tries until the batch is committed, or until trying does not help.
async fn persist(pool: &Pool, batch: &mut [Append]) -> Result<Vec<Outcome>, StoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let client = connect::client(pool).await?;
        let error = match write(&client, batch).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(error) => error,
        };
        // In an unknown state it must not go back to the pool: its end undoes what was not committed.
        drop(Object::take(client));
        if trouble(&error) == Trouble::Final || tries >= TRIES_MAX {
            return Err(error);
        }
    }
}

/// One transaction over the batch.
async fn write(client: &Object, batch: &mut [Append]) -> Result<Vec<Outcome>, StoreError> {
    let (began, locked) = futures::join!(client.batch_execute("begin"), lock(client, batch));
    began?;
    let mut lanes = locked?;
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut pending = Batch::default();
    let mut given = Vec::with_capacity(batch.len());
    for append in batch.iter() {
        let outcome = one(client, append, &mut lanes, &mut pending).await?;
        given.push(outcome.as_ref().ok().map(|seq| seq.0 as i64));
        outcomes.push(outcome);
    }
    pending.finish(client, &lanes).await?;
    // From here on the answer may be lost although the commit took effect.
    for (append, given) in batch.iter_mut().zip(given) {
        append.tried_as = given.or(append.tried_as);
    }
    client.batch_execute("commit").await?;
    Ok(outcomes)
}

/// Locks the batch's lanes in order; of a run that lets its lanes go, all of them.
async fn lock(client: &Object, batch: &[Append]) -> Result<BTreeMap<LaneKey, LaneNow>, StoreError> {
    let mut keys: Vec<LaneKey> = batch.iter().map(Append::lane).collect();
    keys.sort_unstable();
    keys.dedup();
    let (runs, numbers): (Vec<Uuid>, Vec<i32>) = keys.into_iter().unzip();
    let ending: Vec<Uuid> =
        batch.iter().filter(|append| lets_go(append)).map(|append| append.claim.run.0).collect();
    let found = rows(
        client,
        "select run, no, fence, last from lane
         where (run, no) in (select * from unnest($1::uuid[], $2::int4[])) or run = any($3)
         order by run, no for no key update",
        &[&runs, &numbers, &ending],
    )
    .await?;
    let mut lanes = BTreeMap::new();
    for row in &found {
        let now = LaneNow { fence: column(row, 2)?, last: column(row, 3)? };
        lanes.insert((column(row, 0)?, column(row, 1)?), now);
    }
    Ok(lanes)
}

fn lets_go(append: &Append) -> bool {
    append
        .records
        .iter()
        .any(|record| matches!(&record.kind, EntryKind::Run { state, .. } if !state.holds_locks()))
}

/// One append of the batch. An error inside the answer concerns it alone; it has then written nothing.
async fn one(
    client: &Object,
    append: &Append,
    lanes: &mut BTreeMap<LaneKey, LaneNow>,
    pending: &mut Batch,
) -> Result<Outcome, StoreError> {
    let fence = append.claim.fence.0 as i64;
    if let Some(seq) = append.tried_as
        && was_kept(client, append.lane(), seq, fence).await?
    {
        return Ok(Ok(Sequence(seq as u64)));
    }
    let Some(lane) = lanes.get_mut(&append.lane()).filter(|lane| lane.fence == fence) else {
        return Ok(Err(StoreError::Fenced));
    };
    if !append.is_special() {
        pending.add(append.lane(), lane, fence, &append.records, &append.bodies);
        return Ok(Ok(Sequence(lane.last as u64)));
    }
    // What it changes beside the journal may be refused, and then it must leave nothing behind.
    pending.flush(client).await?;
    client.batch_execute("savepoint one").await?;
    let before = *lane;
    pending.add(append.lane(), lane, fence, &append.records, &append.bodies);
    let last = lane.last;
    match special(client, append, lanes, pending).await {
        Ok(()) => {
            client.batch_execute("release one").await?;
            Ok(Ok(Sequence(last as u64)))
        }
        Err(error) if matches!(error, StoreError::Conflict(_) | StoreError::NotFound(_)) => {
            client.batch_execute("rollback to one; release one").await?;
            pending.forget();
            lanes.insert(append.lane(), before);
            Ok(Err(error))
        }
        Err(error) => Err(error),
    }
}

async fn special(
    client: &Object,
    append: &Append,
    lanes: &mut BTreeMap<LaneKey, LaneNow>,
    pending: &mut Batch,
) -> Result<(), StoreError> {
    pending.flush(client).await?;
    for record in &append.records {
        for fact in &record.facts {
            facts::apply(client, append.claim.run, fact).await?;
        }
        if let EntryKind::Run { state, message } = &record.kind {
            journal::set_state(client, &append.claim, *state, message.as_deref(), record.at).await?;
            if !state.holds_locks() {
                let own = append.lane();
                // Their fences have risen; what this commit gave them before stands.
                for (_, lane) in lanes.iter_mut().filter(|(lane, _)| lane.0 == own.0 && **lane != own) {
                    lane.fence = NOBODY;
                }
            }
        }
    }
    Ok(())
}

/// Whether an entry of this number and fence is there: then the commit whose answer was lost took effect.
async fn was_kept<C: GenericClient>(
    client: &C,
    (run, lane): LaneKey,
    seq: i64,
    fence: i64,
) -> Result<bool, StoreError> {
    let sql = "select 1 from journal where run = $1 and lane = $2 and seq = $3 and fence = $4";
    Ok(row(client, sql, &[&run, &lane, &seq, &fence]).await?.is_some())
}

/// Writes the new last numbers of these lanes, and tells listeners once.
pub(super) async fn number_and_tell(
    client: &Object,
    touched: &[LaneKey],
    lanes: &BTreeMap<LaneKey, LaneNow>,
) -> Result<(), StoreError> {
    let mut runs = Vec::new();
    let mut numbers = Vec::new();
    let mut lasts = Vec::new();
    for key in touched {
        let Some(lane) = lanes.get(key) else { continue };
        runs.push(key.0);
        numbers.push(key.1);
        lasts.push(lane.last);
    }
    let sql = "update lane set last = now.last
               from unnest($1::uuid[], $2::int4[], $3::int8[]) now (run, no, last)
               where lane.run = now.run and lane.no = now.no";
    let payload = super::listen::payload(touched.iter().copied());
    let numbering: super::ask::Params<'_> = &[&runs, &numbers, &lasts];
    let telling: super::ask::Params<'_> = &[&super::listen::CHANNEL, &payload];
    let (numbered, told) =
        futures::join!(execute(client, sql, numbering), execute(client, "select pg_notify($1, $2)", telling));
    numbered?;
    told?;
    Ok(())
}
