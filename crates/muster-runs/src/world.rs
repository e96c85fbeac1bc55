//! The only place of real clock, real identifiers and real chance.

#![allow(clippy::disallowed_methods, reason = "this file is where the real world enters")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_model::World;
use muster_model::world::{Clock, Ids, Random};
use uuid::Uuid;

/// The real world: the system's clock, time-ordered random ids, the system's randomness.
pub fn real() -> World {
    World {
        clock: Arc::new(RealClock { start: Instant::now() }),
        ids: Arc::new(RealIds),
        random: Arc::new(RealRandom),
    }
}

struct RealClock {
    start: Instant,
}

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

struct RealIds;

impl Ids for RealIds {
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

struct RealRandom;

impl Random for RealRandom {
    fn fill(&self, buffer: &mut [u8]) {
        rand::fill(buffer);
    }
}
