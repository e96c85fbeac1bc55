//! Connections that are kept and used again, and the bounds on log-ins under way.
//!
//! One connection per user, address, port and way through. Whoever comes while another opens it waits for that one
//! instead of opening a second. A kept connection is used only if its host key satisfies the caller's policy too.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connect::{Connection, check_host_key};
use super::hosts::ConnectionCounts;
use super::{Host, SshError, SshSettings};

/// One kept connection, or the place where one is being opened.
#[derive(Default)]
struct Slot {
    connection: AsyncMutex<Option<Arc<Connection>>>,
    used: Mutex<Option<Instant>>,
}

/// All of them.
pub(crate) struct Pool {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    gates: Mutex<HashMap<String, Arc<Semaphore>>>,
    all: Arc<Semaphore>,
    settings: SshSettings,
    opened: AtomicU64,
    failed: AtomicU64,
}

type Opening<'a> = Pin<Box<dyn Future<Output = Result<Arc<Connection>, SshError>> + Send + 'a>>;

impl Pool {
    pub(crate) fn new(settings: SshSettings) -> Pool {
        Pool {
            slots: Mutex::default(),
            gates: Mutex::default(),
            all: Arc::new(Semaphore::new(settings.logins_at_once)),
            settings,
            opened: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Counts of connections.
    pub(crate) fn counts(&self) -> ConnectionCounts {
        let kept = self.slots.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ConnectionCounts { opened: read(&self.opened), failed: read(&self.failed), kept }
    }

    /// A logged-in connection to the machine: a kept one, or a new one.
    pub(crate) fn get<'a>(&'a self, host: &'a Host) -> Opening<'a> {
        Box::pin(async move {
            let slot = self.slot(&host.pool_key());
            let mut place = slot.connection.lock().await;
            *slot.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            if let Some(kept) = place.as_ref().filter(|kept| !kept.is_closed()) {
                check_host_key(host, kept.host_key())?;
                return Ok(kept.clone());
            }
            *place = None;
            let jump = match host.jumps.split_last() {
                None => None,
                Some((nearest, before)) => {
                    let mut nearest = nearest.clone();
                    nearest.jumps = before.to_vec();
                    Some(self.get(&nearest).await?)
                }
            };
            // After the jump host is there: waiting for it while holding a permit could starve it.
            let _all = acquire(self.all.clone(), host).await?;
            let _through = match host.jumps.last() {
                Some(nearest) => {
                    let gate = self.gate(&format!("through {}", nearest.pool_key()), true);
                    Some(acquire(gate, host).await?)
                }
                None => None,
            };
            let _at = acquire(self.gate(&format!("{}:{}", host.address, host.port), false), host).await?;
            let opened = Connection::open(host, jump, &self.settings).await;
            let counter = if opened.is_ok() { &self.opened } else { &self.failed };
            counter.fetch_add(1, Ordering::Relaxed);
            let connection = Arc::new(opened?);
            *place = Some(connection.clone());
            Ok(connection)
        })
    }

    /// Forgets the kept connection of a machine, so that the next use opens a new one.
    pub(crate) fn drop_connection(&self, host: &Host) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(&host.pool_key());
    }

    fn slot(&self, key: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(key) {
            return slot.clone();
        }
        self.sweep(&mut slots);
        let slot = Arc::new(Slot::default());
        slots.insert(key.to_owned(), slot.clone());
        slot
    }

    /// Closes what has been idle too long, and the longest idle beyond the bound. What somebody uses stays: it is
    /// not only ours.
    fn sweep(&self, slots: &mut HashMap<String, Arc<Slot>>) {
        let now = Instant::now();
        let idle = |slot: &Arc<Slot>| -> Option<Instant> {
            if Arc::strong_count(slot) > 1 {
                return None;
            }
            let place = slot.connection.try_lock().ok()?;
            if place.as_ref().is_some_and(|kept| Arc::strong_count(kept) > 1 && !kept.is_closed()) {
                return None;
            }
            *slot.used.lock().unwrap_or_else(PoisonError::into_inner)
        };
        slots.retain(|_, slot| idle(slot).is_none_or(|used| now - used < self.settings.idle_max));
        if slots.len() >= self.settings.connections_max {
            let oldest = slots
                .iter()
                .filter_map(|(key, slot)| Some((idle(slot)?, key.clone())))
                .min_by_key(|(used, _)| *used);
            if let Some((_, key)) = oldest {
                slots.remove(&key);
            }
        }
        // A gate that nobody holds is made anew when needed.
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() > self.settings.connections_max {
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        }
    }

    fn gate(&self, key: &str, through: bool) -> Arc<Semaphore> {
        let at_once = match through {
            true => self.settings.logins_at_once_per_jump,
            false => self.settings.logins_at_once_per_host,
        };
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(key.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(at_once))).clone()
    }
}

async fn acquire(gate: Arc<Semaphore>, host: &Host) -> Result<OwnedSemaphorePermit, SshError> {
    // These semaphores are never closed.
    gate.acquire_owned().await.map_err(|_| SshError::Lost { host: host.shown(), doing: "waiting to log in" })
}
