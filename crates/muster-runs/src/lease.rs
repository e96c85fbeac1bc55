//! This process as a node: its lease on the database's clock, and the moment up to which it may start effects.
//!
//! The database can refuse a late write; it cannot call back a request that has left. So every effect asks here
//! first: the deadline counts on this machine's monotonic clock from **before** the heartbeat was sent, and nothing
//! starts with less than [`START_MARGIN`] left, which is more than one request may take (`SEMANTICS.md` §5).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use muster_model::id::NodeId;
use muster_model::world::Clock;
use muster_store::Holder;
use tokio::sync::Notify;

/// How long a lease lasts without a heartbeat.
pub const LEASE_TTL: Duration = Duration::from_secs(60);
/// How often it is renewed.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(12);
/// How soon a heartbeat that failed is tried again.
pub const HEARTBEAT_AGAIN: Duration = Duration::from_secs(1);
/// The least time that must be left for an effect to begin; a request to a provider takes at most this long.
pub const START_MARGIN: Duration = Duration::from_secs(20);

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
    clock: Arc<dyn Clock>,
    standing: Mutex<Standing>,
    changed: Notify,
}

impl Lease {
    /// A lease that was asked for at `sent` on the monotonic clock.
    pub(crate) fn new(node: NodeId, epoch: u64, clock: Arc<dyn Clock>, sent: Duration) -> Lease {
        let standing = Mutex::new(Standing::Until(sent + LEASE_TTL));
        Lease { node, epoch, clock, standing, changed: Notify::new() }
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
            *standing = Standing::Until(sent + LEASE_TTL);
        }
        drop(standing);
        self.changed.notify_waiters();
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
                Standing::Until(until) if self.clock.monotonic() + START_MARGIN <= until => return true,
                Standing::Until(_) => {}
            }
            changed.await;
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
        let lease = Lease::new(NodeId(uuid::Uuid::nil()), 1, clock.clone(), Duration::ZERO);
        clock.0.store(40, Ordering::SeqCst);
        assert_eq!(lease.may_start().now_or_never(), Some(true));
        clock.0.store(41, Ordering::SeqCst);
        let mut waiting = Box::pin(lease.may_start());
        assert_eq!(waiting.as_mut().now_or_never(), None, "it waits for the next heartbeat");
        // Sent at 30 s, answered late: what counts is when it was sent.
        lease.renewed(Duration::from_secs(30));
        assert_eq!(waiting.as_mut().now_or_never(), Some(true));
        clock.0.store(90, Ordering::SeqCst);
        let mut waiting = Box::pin(lease.may_start());
        assert_eq!(waiting.as_mut().now_or_never(), None);
        lease.lose();
        assert_eq!(waiting.now_or_never(), Some(false));
        // A late answer does not bring it back.
        lease.renewed(Duration::from_secs(90));
        assert_eq!(lease.may_start().now_or_never(), Some(false));
    }
}
