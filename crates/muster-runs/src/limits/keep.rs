//! The task that asks the store: it reads the limits, takes what steps wait for, gives back what nobody uses.

use std::sync::{Arc, Weak};
use std::time::Duration;

use muster_model::limit::LimitKey;
use muster_store::StoreResult;
use tokio::time::Instant;

use super::{AGAIN_AFTER, Following, Limits, wish_for};
use crate::engine::Inner;

/// How long the others have to take what this node gave way with.
const GIVES_WAY_FOR: Duration = Duration::from_millis(400);
/// Pauses between questions to a store that does not answer.
const UNANSWERED_AGAIN: Duration = Duration::from_secs(1);
/// How often the limits are read while lanes execute here.
const READ_EVERY: Duration = Duration::from_secs(2);

impl Inner {
    /// Follows the limits while a lane executes here. They are read before it begins: an unread limit is not heeded.
    pub(crate) async fn follow_limits(self: &Arc<Inner>) -> StoreResult<Following> {
        let limits = self.limits.clone();
        limits.state().lanes += 1;
        let following = Following(limits.clone());
        let rows = self.store.quotas().await?;
        limits.state().read(&rows);
        let was_kept = std::mem::replace(&mut limits.state().is_kept, true);
        if !was_kept {
            tokio::spawn(keep(limits, Arc::downgrade(self)));
        }
        Ok(following)
    }

    /// Reads the limits. A database that does not answer leaves them as they were.
    pub(crate) async fn read_limits(&self) {
        match self.store.quotas().await {
            Ok(rows) => self.limits.state().read(&rows),
            Err(error) => tracing::warn!(%error, "the limits could not be read; it is tried again"),
        }
    }

    /// Asks the store for one key to be held as often as it should be.
    async fn hold_limit(&self, key: &LimitKey, number: u32) {
        let answer = self.store.hold_quota(self.lease.holder(), wish_for(key, number)).await;
        let mut state = self.limits.state();
        let pot = state.pot(key);
        pot.is_unsure = answer.is_err();
        match answer {
            Ok(held) => {
                if held > pot.held {
                    // Not given back before a step had the time to begin.
                    pot.used_at = Instant::now();
                }
                pot.held = held;
                if held < number {
                    pot.again_at = Instant::now() + AGAIN_AFTER;
                }
                if pot.has_free() {
                    // Whoever still wants more after this says so again.
                    pot.wanted = 0;
                    self.limits.given_back.notify_waiters();
                }
            }
            Err(error) => {
                pot.again_at = Instant::now() + UNANSWERED_AGAIN;
                // A node that leaves gives everything back by that.
                if !self.is_leaving() {
                    tracing::warn!(%error, "the limit {key} could not be asked for; it is tried again");
                }
            }
        }
        if pot.is_empty() {
            state.pots.remove(key);
        }
    }
}

/// What is to be asked now. What will be given back is not handed out from here on.
fn wishes(limits: &Limits) -> Vec<(LimitKey, u32)> {
    let mut state = limits.state();
    let (now, lanes) = (Instant::now(), state.lanes);
    let keys: Vec<LimitKey> = state.pots.keys().cloned().collect();
    let mut wishes = Vec::new();
    for key in keys {
        let limited = state.cap(&key).is_some();
        let pot = state.pot(&key);
        if !limited || lanes == 0 {
            pot.wanted = 0;
        }
        if let Some(goal) = pot.wish(limited, lanes, now) {
            if goal < pot.held && pot.gives_way > 0 {
                pot.gives_way = 0;
                pot.again_at = now + GIVES_WAY_FOR;
            }
            pot.held = pot.held.min(goal);
            wishes.push((key, goal));
        } else if pot.is_empty() {
            state.pots.remove(&key);
        }
    }
    wishes
}

/// Follows the limits until nothing executes here and nothing is held.
async fn keep(limits: Arc<Limits>, inner: Weak<Inner>) {
    let mut read_at = Instant::now() + READ_EVERY;
    loop {
        {
            let Some(inner) = inner.upgrade() else { return };
            let is_over = inner.is_leaving() && limits.state().lanes == 0;
            if inner.lease.is_lost() || is_over {
                // What was held is free already, or will be.
                limits.state().is_kept = false;
                return;
            }
            if Instant::now() >= read_at {
                inner.read_limits().await;
                read_at = Instant::now() + READ_EVERY;
            }
            for (key, number) in wishes(&limits) {
                if limits.state().pot(&key).is_over {
                    // What was given back, here and elsewhere, may be enough.
                    read_at = read_at.min(Instant::now() + AGAIN_AFTER);
                }
                inner.hold_limit(&key, number).await;
            }
        }
        let pause = {
            let mut state = limits.state();
            let is_busy = state.pots.values().any(|pot| pot.held > 0 || pot.wanted > 0 || pot.is_unsure);
            if state.lanes == 0 && !is_busy {
                state.is_kept = false;
                return;
            }
            if is_busy { AGAIN_AFTER } else { READ_EVERY }
        };
        tokio::select! {
            () = limits.wake.notified() => {}
            () = tokio::time::sleep(pause.min(read_at.saturating_duration_since(Instant::now()))) => {}
        }
    }
}
