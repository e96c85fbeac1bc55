//! Lanes that become ready again while their run belongs to this process: after a pause, after a wait, or because
//! the process that had them let go of them one by one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_model::id::RunId;
use muster_model::run::RunState;

use super::Waits;
use crate::engine::Inner;

/// How often ready lanes of a run of this process are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The runs whose ready lanes this process takes.
#[derive(Default)]
pub(crate) struct Tended(Mutex<BTreeSet<RunId>>);

impl Tended {
    fn begin(&self, run: RunId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(run)
    }

    fn holds(&self, run: RunId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&run)
    }

    /// From here on its lanes are others' business.
    pub(crate) fn end(&self, run: RunId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
    }
}

impl Inner {
    /// Takes ready lanes of a run until it has ended or this process lets go of it.
    pub(crate) fn tend(self: &Arc<Inner>, run: RunId) {
        if !self.tended.begin(run) {
            return;
        }
        let inner = Arc::downgrade(self);
        let waits = Waits::here(self);
        tokio::spawn(async move {
            let _waits = waits;
            loop {
                {
                    let Some(inner) = inner.upgrade() else { return };
                    if inner.lease.is_lost() || inner.is_leaving() || !inner.tended.holds(run) {
                        return inner.tended.end(run);
                    }
                    inner.take_lanes(vec![run]).await;
                    let state = inner.store.run(run).await;
                    let goes_on = |state| matches!(state, RunState::Ready | RunState::Running);
                    if matches!(state, Ok(Some(row)) if !goes_on(row.state)) {
                        return inner.tended.end(run);
                    }
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
    }
}
