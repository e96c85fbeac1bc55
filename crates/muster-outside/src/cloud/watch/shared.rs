//! One list that many share: whoever waits may read it for all, nobody reads it twice.
//!
//! There is no background task. Waiters take turns: the one that holds the turn when a list is due reads it and
//! publishes it, the others wait for that. So the list is read only while somebody waits; a waiter that is
//! dropped in mid-read gives its turn back; and nothing outlives the last waiter. A waiter accepts only lists
//! whose reading **began** after it came, since an older one may show the world before its own change.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep_until};

use crate::cloud::CloudError;

/// A list that takes long is read seldom: after its end this many times its own duration passes before the next, so
/// that an account of ten thousand servers does not spend its time on being listed.
const REST_PER_READING: u32 = 2;

/// What one reading gave.
#[derive(Clone)]
pub struct Reading<T> {
    /// Its number; rises.
    pub number: u64,
    /// The list, or why there is none.
    pub result: Result<Arc<T>, CloudError>,
}

/// The shared list.
pub struct Shared<T> {
    interval: Duration,
    /// How many readings have begun, of this list and of those that share the number: a mark taken at one of them
    /// means the same moment for all.
    begun: Arc<AtomicU64>,
    /// Held while a list is read.
    turn: Mutex<()>,
    /// Before this no waiter reads again.
    due: Lock<Option<Instant>>,
    latest: Lock<Option<Reading<T>>>,
    /// Rings at each reading. Wakes in the order of coming; tokio's `watch` wakes by chance, and then no simulation
    /// could be replayed.
    news: Notify,
}

impl<T: Send + Sync> Shared<T> {
    /// A list that has not been read yet, to be read once per interval. Its readings are counted in `begun`.
    pub fn new(interval: Duration, begun: Arc<AtomicU64>) -> Shared<T> {
        Shared {
            interval,
            begun,
            turn: Mutex::new(()),
            due: Lock::new(None),
            latest: Lock::new(None),
            news: Notify::new(),
        }
    }

    fn due(&self) -> Option<Instant> {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_due(&self, due: Instant) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = Some(due);
    }

    /// A mark: readings with a greater number began after this moment.
    pub fn mark(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// The next reading after the mark, at the pace of the interval: one that somebody else made, or an own one.
    pub async fn next<Fetching>(&self, mark: u64, fetch: impl Fn() -> Fetching) -> Reading<T>
    where
        Fetching: Future<Output = Result<T, CloudError>>,
    {
        // Bounded by the caller's time-out; every way round waits for a reading or makes one.
        loop {
            // Before the look: it hears every reading from now on.
            let news = self.news.notified();
            tokio::pin!(news);
            if let Some(reading) = self.after(mark) {
                return reading;
            }
            let due = self.due().unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                () = &mut news => continue,
                () = sleep_until(due) => {}
            }
            tokio::select! {
                biased;
                () = &mut news => continue,
                _turn = self.turn.lock() => {
                    if let Some(reading) = self.after(mark) {
                        return reading;
                    }
                    let early = self.due().is_some_and(|due| Instant::now() < due);
                    if !early {
                        return self.read(&fetch).await;
                    }
                }
            }
        }
    }

    /// A reading that began after now, as soon as possible; lookers who come together share one.
    pub async fn fresh<Fetching>(&self, fetch: impl Fn() -> Fetching) -> Reading<T>
    where
        Fetching: Future<Output = Result<T, CloudError>>,
    {
        let mark = self.mark();
        let _turn = self.turn.lock().await;
        match self.after(mark) {
            Some(reading) => reading,
            None => self.read(&fetch).await,
        }
    }

    /// A good reading after the mark that is not older than the pace at which waiters read, or a new one.
    pub async fn recent<Fetching>(&self, mark: u64, fetch: impl Fn() -> Fetching) -> Reading<T>
    where
        Fetching: Future<Output = Result<T, CloudError>>,
    {
        if let Some(reading) = self.current(mark) {
            return reading;
        }
        let _turn = self.turn.lock().await;
        match self.current(mark) {
            Some(reading) => reading,
            None => self.read(&fetch).await,
        }
    }

    fn current(&self, mark: u64) -> Option<Reading<T>> {
        let due = self.due()?;
        if Instant::now() >= due { None } else { self.after(mark).filter(|reading| reading.result.is_ok()) }
    }

    fn after(&self, mark: u64) -> Option<Reading<T>> {
        self.latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .filter(|reading| reading.number > mark)
            .map(|reading| Reading { number: reading.number, result: reading.result.clone() })
    }

    /// Reads; the caller holds the turn.
    async fn read<Fetching>(&self, fetch: &impl Fn() -> Fetching) -> Reading<T>
    where
        Fetching: Future<Output = Result<T, CloudError>>,
    {
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        // Also if this reading is dropped: its request may have been sent, and counts.
        self.set_due(Instant::now() + self.interval);
        let begun = Instant::now();
        let result = fetch().await.map(Arc::new);
        let ended = Instant::now();
        // From its end: a provider that takes long is not asked without pause.
        self.set_due(ended + self.interval.max((ended - begun) * REST_PER_READING));
        let reading = Reading { number, result };
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = Some(Reading { number, result: reading.result.clone() });
        drop(latest);
        self.news.notify_waiters();
        reading
    }
}
