//! What the journals tell of attempts so far. A lane keeps one: hundreds of its steps may ask at the same moment after a
//! takeover, and each journal is read once for all of them, later questions only what was written since.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use muster_model::id::{LaneNumber, RunId, Sequence};
use muster_model::run::{Entry, EntryKind};
use tokio::sync::Mutex;

use super::{COORDINATOR, FOLD_PAGE, retry_between};
use crate::engine::Inner;
use crate::journal::Stop;

/// Starts, failures and states, in the order of each lane's journal; nothing else is kept.
#[derive(Default)]
pub(crate) struct History {
    /// Held while a journal is read: whoever asks meanwhile waits and reads nothing.
    read: Mutex<BTreeMap<(RunId, LaneNumber), Read>>,
}

/// One journal as far as it was read.
#[derive(Default)]
struct Read {
    after: Sequence,
    entries: Arc<Vec<Entry>>,
}

impl History {
    /// What one lane's journal tells up to now.
    pub(crate) async fn of_lane(
        &self,
        inner: &Inner,
        run: RunId,
        lane: LaneNumber,
    ) -> Result<Arc<Vec<Entry>>, Stop> {
        let mut read = self.read.lock().await;
        let read = read.entry((run, lane)).or_default();
        loop {
            let page = inner.store.entries_of(run, lane, read.after, FOLD_PAGE).await;
            let page = page.map_err(|error| Stop::Store(error.to_string()))?;
            let whole = page.len() < FOLD_PAGE as usize;
            if let Some(last) = page.last() {
                read.after = last.seq;
                Arc::make_mut(&mut read.entries).extend(page.into_iter().filter(tells_of_attempts));
            }
            if whole {
                return Ok(read.entries.clone());
            }
        }
    }

    /// What the journals of all lanes of a run tell, lane by lane.
    pub(crate) async fn of_run(&self, inner: &Inner, run: RunId) -> Result<Vec<Arc<Vec<Entry>>>, Stop> {
        let lanes = inner.store.lanes(run).await.map_err(|error| Stop::Store(error.to_string()))?;
        let mut journals = Vec::with_capacity(lanes.len());
        for lane in lanes {
            journals.push(self.of_lane(inner, run, lane.lane).await?);
        }
        Ok(journals)
    }

    /// When somebody last asked for another try at a run, for a lane other than 0, whose own journal does not tell it.
    pub(crate) async fn retried_at(
        &self,
        inner: &Inner,
        run: RunId,
        lane: LaneNumber,
    ) -> Result<Option<Timestamp>, Stop> {
        if lane == COORDINATOR {
            return Ok(None);
        }
        let mut has_failed = false;
        let told = self.of_lane(inner, run, COORDINATOR).await?;
        let retries = told.iter().filter(|entry| retry_between(&mut has_failed, &entry.kind));
        Ok(retries.last().map(|entry| entry.at))
    }
}

fn tells_of_attempts(entry: &Entry) -> bool {
    match entry.kind {
        EntryKind::Run { .. } | EntryKind::Started { .. } | EntryKind::Failed { .. } => true,
        EntryKind::Succeeded { .. }
        | EntryKind::Skipped { .. }
        | EntryKind::Progress { .. }
        | EntryKind::Task { .. } => false,
    }
}
