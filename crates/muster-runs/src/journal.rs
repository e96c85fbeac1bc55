//! The pen of one claimed lane: everything a run writes goes through it, under its fence.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_model::World;
use muster_model::id::{RunId, StepNumber};
use muster_model::run::{EntryKind, Fact};
use muster_store::{Claim, Record, Store, StoreError};
use tokio::sync::Notify;

use crate::metrics::Metrics;

/// Why a lane cannot go on writing.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Another node took the lane over. Write nothing, start nothing.
    #[error("another node took this run over")]
    Fenced,
    /// A rule of the store forbids this entry; nothing was written, and the lane is still ours.
    #[error("{0}")]
    Refused(String),
    /// The store failed; what was not acknowledged may be lost, so nothing further may be started.
    #[error("the journal cannot be written: {0}")]
    Store(String),
}

/// The pen of one lane.
pub(crate) struct LaneJournal {
    store: Arc<dyn Store>,
    world: World,
    claim: Claim,
    stopped: AtomicBool,
    committed: Arc<Notify>,
    metrics: Arc<Metrics>,
}

impl LaneJournal {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        world: World,
        claim: Claim,
        committed: Arc<Notify>,
        metrics: Arc<Metrics>,
    ) -> LaneJournal {
        LaneJournal { store, world, claim, stopped: AtomicBool::new(false), committed, metrics }
    }

    pub(crate) fn run(&self) -> RunId {
        self.claim.run
    }

    /// The claim under which it writes.
    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Whether this lane was lost; nothing may be started any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Writes one entry and its facts, and waits until they are durable.
    pub(crate) async fn write(&self, kind: EntryKind, facts: Vec<Fact>) -> Result<(), Stop> {
        self.write_all(vec![(kind, facts)]).await
    }

    /// Writes several entries in one commit.
    pub(crate) async fn write_all(&self, entries: Vec<(EntryKind, Vec<Fact>)>) -> Result<(), Stop> {
        if self.is_stopped() {
            return Err(Stop::Fenced);
        }
        let at = self.world.clock.now();
        let kinds: Vec<EntryKind> = entries.iter().map(|(kind, _)| kind.clone()).collect();
        let records = entries.into_iter().map(|(kind, facts)| Record { at, kind, facts }).collect();
        let began = self.world.clock.monotonic();
        let outcome = self.store.append(self.claim.clone(), records).await;
        if outcome.is_ok() {
            self.metrics.committed(kinds.iter(), self.world.clock.monotonic().saturating_sub(began));
        }
        self.committed.notify_waiters();
        match outcome {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict(message)) => Err(Stop::Refused(message)),
            Err(error) => {
                self.stopped.store(true, Ordering::SeqCst);
                Err(match error {
                    StoreError::Fenced => Stop::Fenced,
                    other => Stop::Store(other.to_string()),
                })
            }
        }
    }

    /// Says something about a step under way.
    pub(crate) async fn progress(
        &self,
        step: StepNumber,
        message: String,
        facts: Vec<Fact>,
    ) -> Result<(), Stop> {
        self.write(EntryKind::Progress { step: Some(step), message }, facts).await
    }
}
