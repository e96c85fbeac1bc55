//! How far apart requests are sent: no gap of its own, one that doubles when the provider says "too many", and
//! that shrinks again while things go well.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The longest gap.
pub const GAP_MAX: Duration = Duration::from_secs(30);

/// After this many successes in a row a gap is halved.
pub const FINE_STREAK: u32 = 10;

/// The pace of one kind of requests of one account.
pub struct Pace {
    least: Duration,
    first: Duration,
    state: Mutex<State>,
}

struct State {
    gap: Duration,
    next: Option<Instant>,
    /// How often the gap was doubled; requests of one burst that all hit the limit double it once.
    doublings: u64,
    fine: u32,
}

/// A place in the row.
pub struct Slot {
    /// When to send.
    pub at: Instant,
    doublings: u64,
}

impl Pace {
    /// A pace with its least gap, and the gap that the first limit sets.
    pub fn new(least: Duration, first: Duration) -> Pace {
        let least = least.min(GAP_MAX);
        Pace { least, first, state: Mutex::new(State { gap: least, next: None, doublings: 0, fine: 0 }) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next place in the row. A place that is not used is lost, which only slows.
    pub fn slot(&self) -> Slot {
        let mut state = self.state();
        let now = Instant::now();
        let at = state.next.map_or(now, |next| next.max(now));
        state.next = Some(at + state.gap);
        Slot { at, doublings: state.doublings }
    }

    /// The provider said that it was too much.
    pub fn limited(&self, slot: &Slot) {
        let mut state = self.state();
        state.fine = 0;
        if slot.doublings == state.doublings {
            state.doublings += 1;
            state.gap = (state.gap * 2).max(self.first).min(GAP_MAX);
            state.next = Some(Instant::now() + state.gap);
        }
    }

    /// It went well.
    pub fn fine(&self) {
        let mut state = self.state();
        state.fine += 1;
        if state.fine >= FINE_STREAK && state.gap > self.least {
            state.fine = 0;
            let half = state.gap / 2;
            state.gap = if half < self.first { self.least } else { half.max(self.least) };
        }
    }

    /// The gap in force.
    #[cfg(test)]
    fn gap(&self) -> Duration {
        self.state().gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_doubles_once_and_success_heals() {
        let pace = Pace::new(Duration::ZERO, Duration::from_millis(500));
        let burst: Vec<Slot> = (0..5).map(|_| pace.slot()).collect();
        let now = Instant::now();
        assert!(burst.iter().all(|slot| slot.at == now), "no gap of its own");
        for slot in &burst {
            pace.limited(slot);
        }
        assert_eq!(pace.gap(), Duration::from_millis(500));
        pace.limited(&pace.slot());
        assert_eq!(pace.gap(), Duration::from_secs(1));
        let (first, second) = (pace.slot(), pace.slot());
        assert_eq!(second.at - first.at, Duration::from_secs(1));
        for _ in 0..20 {
            pace.limited(&pace.slot());
        }
        assert_eq!(pace.gap(), GAP_MAX);
        for _ in 0..FINE_STREAK * 10 {
            pace.fine();
        }
        assert_eq!(pace.gap(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_least_gap_stays() {
        let pace = Pace::new(Duration::from_secs(2), Duration::from_millis(500));
        let (first, second) = (pace.slot(), pace.slot());
        assert_eq!(second.at - first.at, Duration::from_secs(2));
        pace.limited(&second);
        assert_eq!(pace.gap(), Duration::from_secs(4));
        for _ in 0..FINE_STREAK * 3 {
            pace.fine();
        }
        assert_eq!(pace.gap(), Duration::from_secs(2));
    }
}
