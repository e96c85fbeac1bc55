//! Following: batches of events, history first, then live, until the run has ended or nobody executes it.

use std::time::Duration;

use futures::{Stream, stream};
use muster_api::cursor::Cursor;
use muster_api::event::Event;
use muster_api::plan::PlanAttributes;
use muster_model::id::{LaneNumber, RunId, Sequence};
use muster_model::run::{Run, RunState};
use muster_runs::EngineError;
use muster_runs::reads::EventPositions;
use tokio::time::Instant;

use super::filter::EventFilter;
use crate::app::App;

/// Entries read at once.
pub const BATCH: u32 = 500;
/// Longest silence of a stream; then it says that it lives.
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Reads the events of a run, all its lanes, from a cursor on.
pub struct Follower {
    app: App,
    run: RunId,
    plan: Option<PlanAttributes>,
    filter: EventFilter,
    cursor: EventPositions,
}

/// Events that were read at once.
pub struct EventPage {
    /// Those that are wanted.
    pub events: Vec<Event>,
    /// How many there were.
    pub read: usize,
}

/// Whether nobody executes the run, so that nothing will follow.
fn at_rest(run: &Run) -> bool {
    match run.state {
        RunState::Ready | RunState::Running => false,
        RunState::Interrupted
        | RunState::Succeeded
        | RunState::Partly
        | RunState::Failed
        | RunState::Cancelled
        | RunState::Stale
        | RunState::Superseded => true,
    }
}

impl Follower {
    /// Begins behind a cursor; the plan, where it is at hand, gives names to steps.
    pub fn new(
        app: App,
        run: RunId,
        plan: Option<PlanAttributes>,
        after: Cursor,
        filter: EventFilter,
    ) -> Follower {
        let cursor = after.lanes().map(|(lane, seq)| (LaneNumber(lane), Sequence(seq))).collect();
        Follower { app, run, plan, filter, cursor }
    }

    /// How far it has read.
    pub fn cursor(&self) -> Cursor {
        self.cursor.iter().map(|(lane, seq)| (lane.0, seq.0)).collect()
    }

    /// Batches of events. An empty batch is a sign of life; an error is the last item.
    pub fn batches(self) -> impl Stream<Item = Result<Vec<Event>, EngineError>> + Send {
        stream::unfold(Some(self), |follower| async move {
            let mut follower = follower?;
            match follower.batch().await {
                Ok(Some(events)) => Some((Ok(events), Some(follower))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn batch(&mut self) -> Result<Option<Vec<Event>>, EngineError> {
        let silent_since = Instant::now();
        loop {
            // The state is read *before* the entries: an entry written in between is then not missed, because
            // a run at rest gets no further ones.
            let rest = match self.app.engine.reads().run_row(self.run).await? {
                Some(run) => at_rest(&run),
                None => true,
            };
            let page = self.read(BATCH).await?;
            if !page.events.is_empty() {
                return Ok(Some(page.events));
            }
            let silence_left = SIGN_OF_LIFE.saturating_sub(silent_since.elapsed());
            if silence_left.is_zero() {
                return Ok(Some(Vec::new()));
            }
            if page.read > 0 && !*self.app.closing.borrow() {
                // None of them is wanted; there may be more.
                continue;
            }
            if rest || *self.app.closing.borrow() {
                return Ok(None);
            }
            let reads = self.app.engine.reads();
            let mut closing = self.app.closing.clone();
            tokio::select! {
                () = reads.more(self.run, &self.cursor) => {}
                () = tokio::time::sleep(silence_left) => {}
                // Without a sender nobody can close: then only the others count.
                Ok(_) = closing.wait_for(|closed| *closed) => {}
            }
        }
    }

    /// Reads up to so many events.
    pub async fn read(&mut self, limit: u32) -> Result<EventPage, EngineError> {
        let entries = self.app.engine.reads().follow(self.run, &self.cursor, limit).await?;
        let mut events = Vec::new();
        for entry in &entries {
            self.cursor.insert(entry.lane, entry.seq);
            let event = Event::new(entry, self.plan.as_ref());
            if self.filter.takes(&event) {
                events.push(event);
            }
        }
        Ok(EventPage { events, read: entries.len() })
    }

    /// Whether there is anything behind what was read.
    pub async fn has_more(&self) -> Result<bool, EngineError> {
        Ok(!self.app.engine.reads().follow(self.run, &self.cursor, 1).await?.is_empty())
    }
}
