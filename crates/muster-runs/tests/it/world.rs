//! A world from a seed: virtual time (tokio's, paused), counted ids, seeded chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use muster_model::World;
use muster_model::world::{Clock, Ids, Random};
use uuid::Uuid;

/// Time that goes on from one process to the next: each process has a runtime of its own that starts at zero.
pub struct VirtualClock {
    base_ms: AtomicI64,
    start: std::sync::Mutex<Option<tokio::time::Instant>>,
}

impl VirtualClock {
    pub fn new() -> Arc<VirtualClock> {
        Arc::new(VirtualClock {
            base_ms: AtomicI64::new(1_800_000_000_000),
            start: std::sync::Mutex::new(None),
        })
    }

    fn elapsed(&self) -> Duration {
        // Between two processes no time passes by itself: the machine's own clock must not leak in.
        let start = *self.start.lock().unwrap();
        start.map_or(Duration::ZERO, |start| tokio::time::Instant::now() - start)
    }

    /// Time passes while no process lives.
    pub fn pass(&self, time: Duration) {
        self.base_ms.fetch_add(time.as_millis() as i64, Ordering::SeqCst);
    }

    /// A process begins: its runtime's time is counted from here.
    pub fn begin(&self) {
        *self.start.lock().unwrap() = Some(tokio::time::Instant::now());
    }

    /// A process ends: what it lived through is added up.
    pub fn end(&self) {
        let lived = self.elapsed();
        self.base_ms.fetch_add(lived.as_millis() as i64, Ordering::SeqCst);
        *self.start.lock().unwrap() = None;
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let ms = self.base_ms.load(Ordering::SeqCst) + self.elapsed().as_millis() as i64;
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.elapsed()
    }
}

struct CountedIds(AtomicU64);

impl Ids for CountedIds {
    fn next(&self) -> Uuid {
        Uuid::from_u128(
            0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(self.0.fetch_add(1, Ordering::SeqCst)),
        )
    }
}

struct SeededRandom(AtomicU64);

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)) as u8;
        }
    }
}

/// The world of one simulation.
pub fn seeded(seed: u64, clock: Arc<VirtualClock>) -> World {
    World {
        clock,
        ids: Arc::new(CountedIds(AtomicU64::new(1))),
        random: Arc::new(SeededRandom(AtomicU64::new(seed))),
    }
}
