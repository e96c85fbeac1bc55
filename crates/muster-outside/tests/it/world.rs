//! A world for tests: chance from a counter and a process id, a clock that stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use muster_model::World;
use muster_model::world::{Clock, Ids, Random};

struct Standing;

impl Clock for Standing {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

struct Counting(AtomicU64);

impl Ids for Counting {
    fn next(&self) -> uuid::Uuid {
        uuid::Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let number = self.0.fetch_add(1, Ordering::Relaxed) ^ (u64::from(std::process::id()) << 20);
            *byte = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53) as u8;
        }
    }
}

/// A world whose chance begins at this number.
pub fn world(seed: u64) -> World {
    World {
        clock: Arc::new(Standing),
        ids: Arc::new(Counting(AtomicU64::new(seed))),
        random: Arc::new(Counting(AtomicU64::new(seed << 32))),
    }
}
