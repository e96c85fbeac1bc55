//! The runner: claims a lane, orders its steps, retries, ends. It has no opinions; they are all in the plan.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use muster_model::id::{LaneNumber, RunId, Sequence, StepNumber};
use muster_model::plan::Plan;
use muster_model::run::{Entry, EntryKind, Run, RunState};
use muster_store::{Claim, LaneRow, LaneState, OutputLog, OutputRecord, StoreError};
use tokio::sync::watch;
use tracing::Instrument;

use crate::engine::{Inner, Role};
use crate::error::EngineError;
use crate::journal::{LaneJournal, Stop};
use lane::Lane;

mod attempt;
mod fresh;
mod graph;
mod history;
mod lane;
mod others;
mod pace;
mod rooms;
mod tend;

pub(crate) use graph::{Graph, StepState};
pub(crate) use history::History;
pub(crate) use rooms::Rooms;
pub(crate) use tend::Tended;

/// Entries read at once when a journal is folded.
const FOLD_PAGE: u32 = 10_000;
/// The lane that orders the others, and the only one of an ordinary run.
pub(crate) const COORDINATOR: LaneNumber = LaneNumber(0);
/// Pauses between attempts to give a lane back.
const GIVE_BACK_AGAIN: Duration = Duration::from_millis(500);
const GIVE_BACK_AGAIN_MAX: Duration = Duration::from_secs(10);

/// What the process that executes a run asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Local {
    /// Go on.
    Go,
    /// Finish what is under way and leave the run *interrupted*.
    Interrupt,
    /// Finish what is under way and let another node go on.
    HandOver,
    /// The lease is gone: begin nothing, write nothing, let go of what is under way.
    Drop,
}

/// Where the detail output of a run goes.
pub(crate) struct OutputSink {
    log: OutputLog,
}

impl OutputSink {
    pub(crate) fn push(&self, at: Timestamp, step: StepNumber, target: &str, text: &str) {
        let record = OutputRecord { at, step: step.0, target: target.to_owned(), text: text.to_owned() };
        if let Err(error) = self.log.push(&record) {
            tracing::warn!(%error, "a line of output could not be kept");
        }
    }

    /// Makes what was said durable; called before a step's outcome is written.
    pub(crate) async fn flush(&self) {
        if let Err(error) = self.log.flush().await {
            tracing::warn!(%error, "output could not be made durable");
        }
    }
}

/// A lane under way in this process.
pub(crate) struct LaneHandle {
    plan: Arc<Plan>,
    pub(crate) local: watch::Sender<Local>,
    pub(crate) ended: watch::Receiver<bool>,
}

impl LaneHandle {
    /// Whether the run has further lanes.
    fn has_others(&self) -> bool {
        !self.plan.draft.lanes.is_empty()
    }
}

/// As long as it lives, this process is not idle: a lane waits for it.
pub(crate) struct Waits(Weak<Inner>);

impl Waits {
    pub(crate) fn here(inner: &Arc<Inner>) -> Waits {
        inner.lanes_waiting.fetch_add(1, Ordering::SeqCst);
        Waits(Arc::downgrade(inner))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.lanes_waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Inner {
    /// Executes a run that was given to this node, in the background of this process.
    pub(crate) async fn execute(self: &Arc<Inner>, run: RunId) -> Result<(), EngineError> {
        let (_, plan) = self.run_and_plan(run).await?;
        let claim = self.store.claim(run, self.node, plan.draft.locks).await?;
        self.hold(claim).await?;
        if self.lanes_here.lock().await.get(&(run, COORDINATOR)).is_some_and(|lane| lane.has_others()) {
            self.tend(run);
        }
        Ok(())
    }

    /// A run with its plan.
    pub(crate) async fn run_and_plan(&self, run: RunId) -> Result<(Run, Plan), EngineError> {
        let row = self
            .store
            .run(run)
            .await?
            .ok_or_else(|| EngineError::NotFound(format!("there is no run {run}")))?;
        let plan = self
            .store
            .plan(row.plan)
            .await?
            .and_then(|row| row.plan)
            .ok_or_else(|| EngineError::Store(format!("the plan of run {run} is not there")))?;
        Ok((row, plan))
    }

    /// The same; lanes of one run share its plan, which may be large.
    async fn row_and_shared_plan(&self, run: RunId) -> Result<(Run, Arc<Plan>), EngineError> {
        let shared = {
            let lanes = self.lanes_here.lock().await;
            lanes.iter().find(|((of, _), _)| *of == run).map(|(_, handle)| handle.plan.clone())
        };
        let Some(plan) = shared else {
            let (row, plan) = self.run_and_plan(run).await?;
            return Ok((row, Arc::new(plan)));
        };
        let row = self.store.run(run).await?;
        let row = row.ok_or_else(|| EngineError::NotFound(format!("there is no run {run}")))?;
        Ok((row, plan))
    }

    /// Executes a claimed lane, in the background of this process.
    pub(crate) async fn hold(self: &Arc<Inner>, claim: Claim) -> Result<(), EngineError> {
        let (row, plan) = self.row_and_shared_plan(claim.run).await?;
        let journal = LaneJournal::new(
            self.store.clone(),
            self.world.clone(),
            claim.clone(),
            self.committed.clone(),
            self.metrics.clone(),
        );
        let journal = Arc::new(journal);
        // Before anybody is told that it goes on: whoever follows from here must not meet the state before.
        let goes_on = if row.state == RunState::Running {
            let message = format!("taken up by node {}", self.node);
            EntryKind::Progress { step: None, message }
        } else {
            EntryKind::Run { state: RunState::Running, message: None }
        };
        // Lane 0 of a run of several lanes comes and goes while it waits for them; that is not worth a line.
        let comes_back = row.state == RunState::Running && !plan.draft.lanes.is_empty();
        if claim.lane == COORDINATOR && !comes_back {
            journal.write(goes_on, Vec::new()).await.map_err(|stop| EngineError::Store(stop.to_string()))?;
        }
        let (local, local_seen) = watch::channel(Local::Go);
        let (ended, ended_seen) = watch::channel(false);
        let at = (claim.run, claim.lane);
        let handle = LaneHandle { plan: plan.clone(), local, ended: ended_seen };
        self.lanes_here.lock().await.insert(at, handle);
        let inner = self.clone();
        tokio::spawn(async move {
            let history = Arc::new(History::default());
            let lane = Lane { inner: inner.clone(), plan, journal, history, local: local_seen };
            let driven =
                lane.drive().instrument(tracing::error_span!("run", run = %at.0, lane = at.1.0)).await;
            inner.lanes_here.lock().await.remove(&at);
            if let Err(stop) = driven {
                tracing::error!(run = %at.0, "run {} stopped writing: {stop}", at.0);
                inner.give_back(claim);
            }
            // Nobody may be waiting for the end.
            let _ = ended.send(true);
            inner.committed.notify_waiters();
        });
        Ok(())
    }

    /// Gives a lane back that can no longer be written: the database could not be reached, and what was not
    /// acknowledged may be lost. Whoever claims it next folds the journal and begins at *look*.
    pub(crate) fn give_back(self: &Arc<Inner>, claim: Claim) {
        let inner = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut pause = GIVE_BACK_AGAIN;
            loop {
                let Some(inner) = inner.upgrade() else { return };
                // Without a lease the reaper of another node has it, or will.
                if inner.lease.is_lost() {
                    return;
                }
                let to = (inner.config.role == Role::Foreground).then_some(inner.node);
                match inner.store.release(claim.clone(), to).await {
                    Ok(()) => {
                        if to.is_some() {
                            inner.take_lanes(vec![claim.run]).await;
                        }
                        return;
                    }
                    // It is somebody else's already.
                    Err(StoreError::Fenced | StoreError::NotFound(_)) => return,
                    Err(error) => tracing::warn!(%error, "run {} cannot be given back yet", claim.run),
                }
                drop(inner);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(GIVE_BACK_AGAIN_MAX);
            }
        });
    }

    /// When a run in its countdown begins.
    pub(crate) async fn begins_at(&self, run: &Run) -> Result<Option<Timestamp>, EngineError> {
        if run.state != RunState::Ready {
            return Ok(None);
        }
        let lanes = self.store.lanes(run.id).await?;
        let waits = |lane: &&LaneRow| lane.lane == COORDINATOR && lane.state == LaneState::Waiting;
        Ok(lanes.iter().find(waits).and_then(|lane| lane.wake_at))
    }

    /// The whole journal of a run, all lanes.
    pub(crate) async fn all_entries(&self, run: RunId) -> Result<Vec<Entry>, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut cursor = BTreeMap::new();
        loop {
            let page = self
                .store
                .follow(run, cursor.clone(), FOLD_PAGE)
                .await
                .map_err(|error| Stop::Store(error.to_string()))?;
            let whole = page.len() < FOLD_PAGE as usize;
            for entry in &page {
                cursor.insert(entry.lane, entry.seq);
            }
            entries.extend(page);
            if whole {
                return Ok(entries);
            }
        }
    }

    /// The whole journal of one lane.
    pub(crate) async fn entries_of(&self, run: RunId, lane: LaneNumber) -> Result<Vec<Entry>, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let after = entries.last().map_or(Sequence(0), |entry| entry.seq);
            let page = self.store.entries_of(run, lane, after, FOLD_PAGE).await;
            let page = page.map_err(|error| Stop::Store(error.to_string()))?;
            let whole = page.len() < FOLD_PAGE as usize;
            entries.extend(page);
            if whole {
                return Ok(entries);
            }
        }
    }
}

/// Whether this entry is that somebody asked for another try: *running* after *failed*.
pub(crate) fn retry_between(has_failed: &mut bool, kind: &EntryKind) -> bool {
    match kind {
        EntryKind::Run { state: RunState::Failed, .. } => *has_failed = true,
        EntryKind::Run { state: RunState::Running, .. } if *has_failed => {
            *has_failed = false;
            return true;
        }
        _ => {}
    }
    false
}
