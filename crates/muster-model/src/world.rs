//! The traits through which time, identifiers and chance enter, so that a simulation can replay a seed.
//!
//! Only the traits live here. The real ones exist in `muster-runs/src/world.rs` and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

/// What time it is.
pub trait Clock: Send + Sync {
    /// The time of day, UTC.
    fn now(&self) -> Timestamp;
    /// Time since an arbitrary start that never goes back; for deadlines.
    fn monotonic(&self) -> Duration;
}

/// Where identifiers come from.
pub trait Ids: Send + Sync {
    /// A new identifier, in time order (version 7).
    fn next(&self) -> Uuid;
}

/// Where chance comes from (jitter, keys, passwords).
pub trait Random: Send + Sync {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// A number below `bound` (which must not be 0); good enough for jitter, not for cryptography.
    fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound.max(1)
    }
}

/// The sources of time, identifiers and chance, handed to whoever needs them.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers.
    pub ids: Arc<dyn Ids>,
    /// Chance.
    pub random: Arc<dyn Random>,
}
