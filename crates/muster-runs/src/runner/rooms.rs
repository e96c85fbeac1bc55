//! How many steps a node has under way at once, over all its runs and lanes.

use std::sync::Arc;

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::graph::Pool;
use crate::engine::EngineConfig;

/// Steps that go on at once of those that two nodes died with.
const SUSPECTS_MAX: usize = 8;

/// The room of a node, by pool.
pub(crate) struct Rooms {
    pools: [Arc<Semaphore>; Pool::ALL.len()],
    few: Arc<Semaphore>,
    alone: Arc<Semaphore>,
    given_back: Arc<Notify>,
}

/// A place in a pool; given back when dropped.
pub(super) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    given_back: Arc<Notify>,
}

impl Rooms {
    /// As much room as the configuration gives.
    pub(crate) fn new(config: &EngineConfig) -> Rooms {
        let room = |pool: Pool| match pool {
            Pool::Provider => config.parallel_waits.max(1),
            Pool::Hosts => config.parallel_steps.max(1),
        };
        Rooms {
            pools: Pool::ALL.map(|pool| Arc::new(Semaphore::new(room(pool)))),
            few: Arc::new(Semaphore::new(SUSPECTS_MAX)),
            alone: Arc::new(Semaphore::new(1)),
            given_back: Arc::new(Notify::new()),
        }
    }

    /// What is rung when something that steps wait for was given back.
    pub(crate) fn bell(&self) -> Arc<Notify> {
        self.given_back.clone()
    }

    /// Whether a step of this pool could begin.
    pub(super) fn has_room(&self, pool: Pool) -> bool {
        self.pools[pool as usize].available_permits() > 0
    }

    /// Takes a place; none if another lane was faster.
    pub(super) fn take(&self, pool: Pool) -> Option<Place> {
        let permit = self.pools[pool as usize].clone().try_acquire_owned().ok()?;
        Some(Place { permit: Some(permit), given_back: self.given_back.clone() })
    }

    /// The turn of a step that so many nodes died with. One death says nothing: it goes on with all others. Of what was
    /// there at two, a few go on at once, and from the third on one, so that a step that takes its node with it is soon
    /// alone with it.
    pub(crate) async fn turn(&self, died: u32) -> Option<OwnedSemaphorePermit> {
        let room = match died {
            0 | 1 => return None,
            2 => &self.few,
            _ => &self.alone,
        };
        room.clone().acquire_owned().await.ok()
    }

    /// Resolves when a place was given back since this was called.
    pub(super) fn given_back(&self) -> Notified<'_> {
        self.given_back.notified()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.permit.take();
        self.given_back.notify_waiters();
    }
}
