//! This process as a node: its lease on the database's clock, and the moment up to which it may start effects.
//!
//! The database can refuse a late write; it cannot call back a request that has left. So every effect asks here
//! first: the deadline counts on this machine's monotonic clock from **before** the heartbeat was sent, and nothing
//! starts with less than [`LeaseTimes::margin`] left, which is no less than one request may take (`SEMANTICS.md` §5).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use muster_model::id::NodeId;
use muster_model::world::Clock;
use muster_outside::supervise::Remaining;
use muster_store::Holder;
use tokio::sync::Notify;

/// How soon a heartbeat that failed is tried again.
pub const HEARTBEAT_AGAIN: Duration = Duration::from_secs(1);

/// How long leases last, and what follows from it. All nodes of a database should have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimes {
    ttl: Duration,
}

impl Default for LeaseTimes {
    /// 60 s, as in `SEMANTICS.md` §5.
    fn default() -> LeaseTimes {
        LeaseTimes { ttl: Duration::from_secs(60) }
    }
}

impl LeaseTimes {
    /// The shortest lease, in seconds: below it a busy machine loses what it holds.
    pub const SECONDS_MIN: u64 = 6;
    /// The longest lease, in seconds: a dead node's runs wait so long.
    pub const SECONDS_MAX: u64 = 600;

    /// Leases of so many seconds, if that is within the bounds.
    pub fn of_seconds(seconds: u64) -> Option<LeaseTimes> {
        let fits = (LeaseTimes::SECONDS_MIN..=LeaseTimes::SECONDS_MAX).contains(&seconds);
        fits.then(|| LeaseTimes { ttl: Duration::from_secs(seconds) })
    }

    /// How long a lease lasts without a heartbeat.
    pub fn ttl(self) -> Duration {
        self.ttl
    }

    /// How often it is renewed.
    pub fn heartbeat_every(self) -> Duration {
        self.ttl / 5
    }

    /// The least time that must be left for an effect to begin; a request to a provider may take at most this long.
    pub fn margin(self) -> Duration {
        self.ttl / 3
    }
}

/// How a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Held until this moment of the monotonic clock.
    Until(Duration),
    /// Taken over, or let lapse.
    Lost,
}

/// This node's lease.
pub(crate) struct Lease {
    node: NodeId,
    epoch: u64,
    times: LeaseTimes,
    clock: Arc<dyn Clock>,
    standing: Mutex<Standing>,
    changed: Notify,
}

impl Lease {
    /// A lease that was asked for at `sent` on the monotonic clock.
    pub(crate) fn new(
        node: NodeId,
        epoch: u64,
        times: LeaseTimes,
        clock: Arc<dyn Clock>,
        sent: Duration,
    ) -> Lease {
        let standing = Mutex::new(Standing::Until(sent + times.ttl()));
        Lease { node, epoch, times, clock, standing, changed: Notify::new() }
    }

    /// Who asks, in the words of the store.
    pub(crate) fn holder(&self) -> Holder {
        Holder { node: self.node, epoch: self.epoch, now: self.clock.now() }
    }

    /// The monotonic clock, to be read before a heartbeat is sent.
    pub(crate) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A heartbeat that was sent at this moment was accepted.
    pub(crate) fn renewed(&self, sent: Duration) {
        let mut standing = self.standing();
        if *standing != Standing::Lost {
            *standing = Standing::Until(sent + self.times.ttl());
        }
        drop(standing);
        self.changed.notify_waiters();
    }

    /// How long ago the last accepted heartbeat was sent; none once the lease is gone.
    pub(crate) fn heartbeat_age(&self) -> Option<Duration> {
        match *self.standing() {
            Standing::Until(until) => Some((self.clock.monotonic() + self.times.ttl()).saturating_sub(until)),
            Standing::Lost => None,
        }
    }

    /// The lease is gone for good: this node starts nothing any more.
    pub(crate) fn lose(&self) {
        *self.standing() = Standing::Lost;
        self.changed.notify_waiters();
    }

    /// Whether it is gone for good.
    pub(crate) fn is_lost(&self) -> bool {
        *self.standing() == Standing::Lost
    }

    /// Resolves to true as soon as an effect may begin, to false once the lease is lost. Between two heartbeats that
    /// fail it waits: a database that comes back in time costs a pause, not the run.
    pub(crate) async fn may_start(&self) -> bool {
        loop {
            let changed = self.changed.notified();
            match *self.standing() {
                Standing::Lost => return false,
                Standing::Until(until) if self.clock.monotonic() + self.times.margin() <= until => {
                    return true;
                }
                Standing::Until(_) => {}
            }
            changed.await;
        }
    }
}

/// A child of this node may live as long as its lease does.
impl Remaining for Lease {
    fn remaining(&self) -> Option<Duration> {
        match *self.standing() {
            Standing::Until(until) => Some(until.saturating_sub(self.clock.monotonic())),
            Standing::Lost => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures::FutureExt;
    use jiff::Timestamp;

    use super::*;

    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn nothing_starts_in_the_last_twenty_seconds() {
        let clock = Arc::new(Hand::default());
        let lease =
            Lease::new(NodeId(uuid::Uuid::nil()), 1, LeaseTimes::default(), clock.clone(), Duration::ZERO);
        clock.0.store(40, Ordering::SeqCst);
        assert_eq!(lease.may_start().now_or_never(), Some(true));
        clock.0.store(41, Ordering::SeqCst);
        let mut waiting = Box::pin(lease.may_start());
        assert_eq!(waiting.as_mut().now_or_never(), None, "it waits for the next heartbeat");
        // Sent at 30 s, answered late: what counts is when it was sent.
        lease.renewed(Duration::from_secs(30));
        assert_eq!(waiting.as_mut().now_or_never(), Some(true));
        assert_eq!(lease.remaining(), Some(Duration::from_secs(49)), "what children may have");
        clock.0.store(90, Ordering::SeqCst);
        let mut waiting = Box::pin(lease.may_start());
        assert_eq!(waiting.as_mut().now_or_never(), None);
        assert_eq!(lease.remaining(), Some(Duration::ZERO));
        lease.lose();
        assert_eq!(lease.remaining(), None);
        assert_eq!(waiting.now_or_never(), Some(false));
        // A late answer does not bring it back.
        lease.renewed(Duration::from_secs(90));
        assert_eq!(lease.may_start().now_or_never(), Some(false));
    }
}
