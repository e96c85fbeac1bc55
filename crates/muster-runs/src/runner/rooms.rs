//! How many steps a node has under way at once, over all its runs and lanes.

use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::graph::Pool;
use crate::engine::EngineConfig;

/// The room of a node, by pool.
pub(crate) struct Rooms {
    pools: [Arc<Semaphore>; Pool::ALL.len()],
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
            given_back: Arc::new(Notify::new()),
        }
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

    /// Resolves when a place was given back since this was called.
    pub(super) async fn given_back(&self) {
        self.given_back.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.permit.take();
        self.given_back.notify_waiters();
    }
}
