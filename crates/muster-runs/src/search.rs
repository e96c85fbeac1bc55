//! Searching what runs did: the words of basic events, indexed behind the journal.
//!
//! No step waits for the index. Whoever searches first brings it up to date, within a bound; on a server the scheduler
//! does it for ended runs meanwhile, in small batches with rests, so that the store's writer belongs to the runs.

use std::sync::Weak;
use std::time::Duration;

use jiff::Timestamp;
use muster_model::id::{RunId, Sequence, SpaceName};
use muster_model::plan::{Plan, text};
use muster_model::run::{Entry, EntryKind};
use muster_store::{EventQuery, EventWords, INDEX_EVENTS_MAX, Phrase, Unindexed};

use crate::engine::Inner;
use crate::error::EngineError;
use crate::reads::{ReadResult, Reads};

/// Events that one search indexes before it answers; what is left is said.
pub const SEARCH_INDEXES_MAX: u32 = 20_000;
/// Most events that one search gives.
pub const FOUND_MAX: u32 = 1_000;
/// Most words of one search.
const PHRASES_MAX: usize = 32;
/// Lanes looked for at once.
const LANES_AT_ONCE: u32 = 64;
/// How often a scheduler looks for ended runs that are not indexed, and its rest between two batches.
const KEEP_EVERY: Duration = Duration::from_secs(10);
const KEEP_REST: Duration = Duration::from_millis(50);

/// What is looked for.
#[derive(Clone, Debug)]
pub struct SearchWish {
    /// In runs of this Space.
    pub space: SpaceName,
    /// Words that all occur: `web-1`, `timeout`, `connect*`.
    pub words: Vec<String>,
    /// Not older.
    pub since: Option<Timestamp>,
    /// About this host or target.
    pub target: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct SearchFound {
    /// The entries, newest first.
    pub entries: Vec<Entry>,
    /// Whether there are more of them.
    pub more: bool,
    /// Whether some events could not be indexed yet and may be missing.
    pub behind: bool,
}

impl Reads {
    /// Looks for basic events of all runs by their words, newest first.
    ///
    /// # Errors
    /// There is no word to look for.
    pub async fn search(&self, wish: SearchWish) -> ReadResult<SearchFound> {
        let phrases = phrases(&wish.words)?;
        let inner = &self.engine.inner;
        let behind = inner.index(false, SEARCH_INDEXES_MAX, Duration::ZERO).await?;
        let limit = wish.limit.min(FOUND_MAX);
        let query = EventQuery {
            space: wish.space,
            phrases,
            since: wish.since,
            target: wish.target,
            limit: limit + 1,
        };
        let mut found = inner.store.search(query).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let mut entries = Vec::with_capacity(found.len());
        for event in found {
            let before = Sequence(event.seq.0.saturating_sub(1));
            // Retention may have come between.
            entries.extend(inner.store.entries_of(event.run, event.lane, before, 1).await?);
        }
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.seq)));
        Ok(SearchFound { entries, more, behind })
    }
}

fn phrases(words: &[String]) -> Result<Vec<Phrase>, EngineError> {
    let phrases: Vec<Phrase> = words.iter().filter_map(|word| Phrase::of(word)).collect();
    if phrases.is_empty() {
        return Err(EngineError::Invalid(format!(
            "`{}` has no word to look for; give words of letters or digits, e.g. `web-1 timeout`",
            words.join(" ")
        )));
    }
    if phrases.len() > PHRASES_MAX {
        return Err(EngineError::Invalid(format!(
            "a search has at most {PHRASES_MAX} words, this one {}",
            phrases.len()
        )));
    }
    Ok(phrases)
}

/// Keeps the index of ended runs up to date. Ends with the engine.
pub(crate) async fn keep(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(KEEP_EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.index(true, SEARCH_INDEXES_MAX, KEEP_REST).await {
            tracing::warn!(%error, "events of ended runs could not be indexed; it is tried again later");
        }
    }
}

impl Inner {
    /// Indexes up to about so many events; says whether any are left.
    async fn index(&self, ended_only: bool, limit: u32, rest: Duration) -> Result<bool, EngineError> {
        let mut left = limit;
        // Lanes come run by run: one plan at a time is enough.
        let mut known: Option<(RunId, Option<Plan>)> = None;
        loop {
            let lanes = self.store.unindexed(ended_only, LANES_AT_ONCE).await?;
            if lanes.is_empty() {
                return Ok(false);
            }
            for lane in lanes {
                if left == 0 {
                    return Ok(true);
                }
                if known.as_ref().is_none_or(|(run, _)| *run != lane.run) {
                    known = Some((lane.run, self.plan_of(lane.run).await?));
                }
                let plan = known.as_ref().and_then(|(_, plan)| plan.as_ref());
                left = left.saturating_sub(self.index_lane(lane, plan).await?);
                tokio::time::sleep(rest).await;
            }
        }
    }

    async fn plan_of(&self, run: RunId) -> Result<Option<Plan>, EngineError> {
        let Some(row) = self.store.run(run).await? else { return Ok(None) };
        Ok(self.store.plan(row.plan).await?.and_then(|row| row.plan))
    }

    /// Indexes the next events of a lane; gives how many.
    async fn index_lane(&self, lane: Unindexed, plan: Option<&Plan>) -> Result<u32, EngineError> {
        let entries = self.store.entries_of(lane.run, lane.lane, lane.after, INDEX_EVENTS_MAX).await?;
        let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(0) };
        let events = entries.iter().filter_map(|entry| words_of(entry, plan)).collect();
        self.store.index(lane, events, last).await?;
        Ok(entries.len() as u32)
    }
}

/// What is found of an entry. That a step was begun is not: its outcome says the same names.
fn words_of(entry: &Entry, plan: Option<&Plan>) -> Option<EventWords> {
    let of_step = |number| plan.and_then(|plan| plan.draft.step(number));
    let (step, host, words) = match &entry.kind {
        EntryKind::Started { .. } => return None,
        EntryKind::Run { state, message } => {
            (None, None, vec![state.word(), message.as_deref().unwrap_or_default()])
        }
        EntryKind::Succeeded { step, already, .. } => {
            (of_step(*step), None, vec![if *already { "already" } else { "succeeded" }])
        }
        EntryKind::Failed { step, message, .. } => (of_step(*step), None, vec!["failed", message.as_str()]),
        EntryKind::Skipped { step, message } => (of_step(*step), None, vec!["skipped", message.as_str()]),
        EntryKind::Progress { step, message } => (step.and_then(of_step), None, vec![message.as_str()]),
        EntryKind::Task { step, host, task, outcome, message } => {
            (of_step(*step), Some(host.as_str()), vec![task.as_str(), outcome.as_str(), message.as_str()])
        }
    };
    let target = host.or(step.map(|step| step.target.as_str()));
    let action = step.map(|step| text::describe(&step.action)).unwrap_or_default();
    let text = [&[target.unwrap_or_default(), action.as_str()], &words[..]].concat().join(" ");
    Some(EventWords { seq: entry.seq, at: entry.at, target: target.map(str::to_owned), text })
}
