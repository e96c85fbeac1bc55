//! Following: batches of events, history first, then live, until the run has ended or nobody executes it.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use muster_api::cursor::Cursor;
use muster_api::event::Event;
use muster_api::plan::PlanAttributes;
use muster_model::id::RunId;
use muster_model::run::{Run, RunState};
use muster_runs::EngineError;
use tokio::time::Instant;

use crate::app::App;

/// Entries read at once.
pub const BATCH: u32 = 500;
/// Longest silence of a stream; then it says that it lives.
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// What a follower needs.
struct Follower {
    app: App,
    run: RunId,
    plan: Option<Arc<PlanAttributes>>,
    cursor: Cursor,
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

/// Batches of events after a cursor. An empty batch is a sign of life; an error is the last item.
pub fn batches(
    app: App,
    run: RunId,
    plan: Option<Arc<PlanAttributes>>,
    after: Cursor,
) -> impl Stream<Item = Result<Vec<Event>, EngineError>> + Send {
    let follower = Follower { app, run, plan, cursor: after };
    stream::unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        match follower.batch().await {
            Ok(Some(events)) => Some((Ok(events), Some(follower))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

impl Follower {
    async fn batch(&mut self) -> Result<Option<Vec<Event>>, EngineError> {
        let silent_since = Instant::now();
        loop {
            // The state is read *before* the entries: an entry written in between is then not missed, because
            // a run at rest gets no further ones.
            let rest = match self.app.engine.reads().run_row(self.run).await? {
                Some(run) => at_rest(&run),
                None => true,
            };
            let events = self.read(BATCH).await?;
            if !events.is_empty() {
                return Ok(Some(events));
            }
            if rest || *self.app.closing.borrow() {
                return Ok(None);
            }
            let silence_left = SIGN_OF_LIFE.saturating_sub(silent_since.elapsed());
            if silence_left.is_zero() {
                return Ok(Some(Vec::new()));
            }
            let after = self.cursor.seq(0);
            let mut closing = self.app.closing.clone();
            tokio::select! {
                () = self.app.engine.committed(self.run, after) => {}
                () = tokio::time::sleep(silence_left) => {}
                // Without a sender nobody can close: then only the others count.
                Ok(_) = closing.wait_for(|closed| *closed) => {}
            }
        }
    }

    async fn read(&mut self, limit: u32) -> Result<Vec<Event>, EngineError> {
        let entries = self.app.engine.reads().entries(self.run, self.cursor.seq(0), limit).await?;
        let events: Vec<Event> =
            entries.iter().map(|entry| Event::new(entry, self.plan.as_deref())).collect();
        for event in &events {
            self.cursor.saw(event.lane, event.seq);
        }
        Ok(events)
    }
}
