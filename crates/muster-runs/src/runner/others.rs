//! The other lanes of a run, as one lane sees them: what it waits for, what it tells them.
//!
//! Lanes speak through their journals, which each writes alone and all may read, and through the run's signals, which
//! say "look again" and make a lane ready that waits. A signal is sent after the entry that it speaks of is durable,
//! and sent again by whoever takes a lane over; so none is missed, and one too many does no harm.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use muster_model::id::{LaneNumber, RunId, Sequence, StepNumber};
use muster_model::plan::Plan;
use muster_model::run::{Entry, EntryKind};
use muster_store::{LaneState, RETRIED, Store, StoreError};
use tokio::time::Instant;

use super::{COORDINATOR, FOLD_PAGE, Graph};
use crate::engine::Inner;
use crate::journal::Stop;
use crate::step;

/// The world was looked at once more and is as planned: all lanes may begin.
const GO: &str = "lanes-go";
/// A step failed and nothing further may begin; the body says which.
const FAILED: &str = "lanes-failed";
/// A step that other lanes wait for succeeded.
const STEP: &str = "lane-step";
/// How often the signals of a run are read while steps are under way.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What one lane knows of the others.
pub(super) struct Others {
    run: RunId,
    lane: LaneNumber,
    /// Lanes with steps that steps of this one wait for, and how far their journals were read.
    read: BTreeMap<LaneNumber, Sequence>,
    /// Own steps that steps of other lanes wait for.
    awaited: BTreeMap<StepNumber, Vec<StepNumber>>,
    /// For each of those steps: how many own ones it still waits for.
    missing: BTreeMap<StepNumber, usize>,
    signals_seen: u32,
    gate_is_open: bool,
    failure: Option<String>,
    looked_at: Option<Instant>,
}

impl Others {
    /// The others of a lane; none where the run has one lane only.
    pub(super) fn of(plan: &Plan, run: RunId, lane: LaneNumber) -> Option<Others> {
        let draft = &plan.draft;
        if draft.lanes.is_empty() {
            return None;
        }
        let mut read = BTreeMap::new();
        let mut awaited: BTreeMap<StepNumber, Vec<StepNumber>> = BTreeMap::new();
        let mut missing: BTreeMap<StepNumber, usize> = BTreeMap::new();
        for step in &draft.steps {
            let mine = draft.lane_of(step.number) == lane;
            let references = if mine { step::references(plan, step) } else { Vec::new() };
            let before: BTreeSet<StepNumber> = step.after.iter().copied().chain(references).collect();
            for before in before {
                let there = draft.lane_of(before);
                if mine && there != lane {
                    read.insert(there, Sequence(0));
                }
                if !mine && there == lane {
                    awaited.entry(before).or_default().push(step.number);
                    *missing.entry(step.number).or_default() += 1;
                }
            }
        }
        Some(Others {
            run,
            lane,
            read,
            awaited,
            missing,
            signals_seen: 0,
            gate_is_open: false,
            failure: None,
            looked_at: None,
        })
    }

    /// Whether steps may begin.
    pub(super) fn gate_is_open(&self) -> bool {
        self.gate_is_open
    }

    /// Why nothing further may begin, where a step of any lane failed.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The last signal that was read, for a lane that goes to wait.
    pub(super) fn signals_seen(&self) -> u32 {
        self.signals_seen
    }

    /// Reads what is there already: journals that this lane needs, and signals. What this lane did before is told to
    /// the others again.
    pub(super) async fn begin(&mut self, inner: &Inner, graph: &mut Graph, fence: u64) -> Result<(), Stop> {
        self.look(inner, graph).await?;
        self.read_journals(&*inner.store, graph).await?;
        let mut complete = false;
        for own in self.awaited.keys().copied().collect::<Vec<_>>() {
            complete |= graph.has_succeeded(own) && self.counts_down(own);
        }
        if complete {
            self.tell(inner, STEP, format!("{}:again:{fence}", self.lane), String::new()).await?;
        }
        Ok(())
    }

    /// Reads further signals, unless that was done a moment ago, and the journals where one came.
    pub(super) async fn look_sometimes(&mut self, inner: &Inner, graph: &mut Graph) -> Result<(), Stop> {
        if self.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        self.look(inner, graph).await
    }

    async fn look(&mut self, inner: &Inner, graph: &mut Graph) -> Result<(), Stop> {
        self.looked_at = Some(Instant::now());
        let signals = inner.store.signals(self.run, self.signals_seen).await.map_err(stop)?;
        let Some(last) = signals.last().map(|signal| signal.number) else { return Ok(()) };
        self.read_journals(&*inner.store, graph).await?;
        for signal in signals {
            match signal.name.as_str() {
                GO => self.gate_is_open = true,
                FAILED => {
                    self.failure.get_or_insert(signal.body);
                }
                RETRIED => self.failure = None,
                _ => {}
            }
        }
        self.signals_seen = last;
        Ok(())
    }

    async fn read_journals(&mut self, store: &dyn Store, graph: &mut Graph) -> Result<(), Stop> {
        for (lane, seen) in &mut self.read {
            loop {
                let entries = store.entries_of(self.run, *lane, *seen, FOLD_PAGE).await.map_err(stop)?;
                for entry in &entries {
                    apply(graph, entry);
                    *seen = entry.seq;
                }
                if entries.len() < FOLD_PAGE as usize {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A step of this lane succeeded: whoever waits for it is told, once nothing else of this lane is in its way.
    pub(super) async fn succeeded(&mut self, inner: &Inner, step: StepNumber) -> Result<(), Stop> {
        if !self.counts_down(step) {
            return Ok(());
        }
        self.tell(inner, STEP, format!("{}:{step}", self.lane), String::new()).await
    }

    /// Whether a step of another lane waits for nothing else of this lane, now that this step succeeded.
    fn counts_down(&mut self, own: StepNumber) -> bool {
        let mut complete = false;
        for waiting in self.awaited.remove(&own).unwrap_or_default() {
            if let Some(missing) = self.missing.get_mut(&waiting) {
                *missing = missing.saturating_sub(1);
                complete |= *missing == 0;
            }
        }
        complete
    }

    /// All lanes may begin.
    pub(super) async fn open_gate(&mut self, inner: &Inner) -> Result<(), Stop> {
        self.gate_is_open = true;
        self.tell(inner, GO, String::new(), String::new()).await
    }

    /// Nothing further may begin in any lane.
    pub(super) async fn fail(&mut self, inner: &Inner, fence: u64, why: &str) -> Result<(), Stop> {
        if self.failure.is_some() {
            return Ok(());
        }
        self.failure = Some(why.to_owned());
        self.tell(inner, FAILED, format!("{}:{fence}", self.lane), why.to_owned()).await
    }

    async fn tell(&self, inner: &Inner, name: &str, key: String, body: String) -> Result<(), Stop> {
        let at = inner.world.clock.now();
        match inner.store.signal(self.run, name.to_owned(), key, body, at).await {
            Ok(_) => Ok(()),
            Err(error) => Err(stop(error)),
        }
    }

    /// Whether every lane but this one has nothing left to do; asked by lane 0, which ends the run.
    pub(super) async fn are_done(&self, inner: &Inner) -> Result<bool, Stop> {
        let lanes = inner.store.lanes(self.run).await.map_err(stop)?;
        Ok(lanes.iter().all(|row| row.lane == COORDINATOR || row.state == LaneState::Done))
    }
}

/// What another lane's journal says of its steps.
fn apply(graph: &mut Graph, entry: &Entry) {
    match &entry.kind {
        EntryKind::Succeeded { step, output, .. } => graph.succeed(*step, output.clone()),
        EntryKind::Failed { step, message, again: false, .. } => graph.fail(*step, message.clone()),
        _ => {}
    }
}

fn stop(error: StoreError) -> Stop {
    match error {
        StoreError::Fenced => Stop::Fenced,
        other => Stop::Store(other.to_string()),
    }
}
