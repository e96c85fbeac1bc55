//! Shipping: what runs do, as documents for Elasticsearch or OpenSearch, so that others can search it.
//!
//! The journal and the output are the source, and a cursor says what was read. What is read is sent at once; when
//! nobody takes it, it goes to disk in bounded files and is sent from there, oldest first; when those are full,
//! reading stops. Nothing is lost by that: what was not read is still in the journal, unless retention removes it,
//! which is counted and said. A document's id never changes, so that sending again after a crash makes no second
//! one. No step ever waits for any of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use muster_outside::sink::{Document, Sink};
use rustix::fs::FlockOperation;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::engine::{Engine, Role};
use crate::error::EngineError;

mod cursor;
mod deliver;
mod read;
mod record;
mod spill;
mod stats;

use cursor::Cursor;
use deliver::Delivery;
use read::{Read, Reader};
use spill::Spill;
pub use spill::{REFUSED_BYTES_MAX, SPILL_BYTES_MAX};
pub use stats::SinkStats;

/// How often is looked for something new without a hint.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a process asks whether it is its turn to send.
const TURN_EVERY: Duration = Duration::from_secs(5);
/// How often documents are tried again whose index is blocked.
const BLOCKED_EVERY: Duration = Duration::from_secs(60);
/// Batches sent in a row before the disk is looked at again.
const DRAIN_MAX: u32 = 64;

/// How records are sent.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// The beginning of the indices' names: `muster` makes `muster-basic-2026-11-21`.
    pub prefix: String,
    /// The most bytes on disk that wait to be sent.
    pub spill_bytes_max: u64,
}

impl Default for SinkConfig {
    fn default() -> SinkConfig {
        SinkConfig { prefix: "muster".into(), spill_bytes_max: SPILL_BYTES_MAX }
    }
}

/// Shipping under way. It ends when this is dropped; [`Shipping::end`] lets it finish first.
pub struct Shipping {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    stats: Arc<SinkStats>,
}

impl Shipping {
    /// What it counted so far.
    pub fn stats(&self) -> &SinkStats {
        &self.stats
    }

    /// Sends what there is, for at most this long, and ends. What is left is sent by the next process.
    pub async fn end(self, limit: Duration) {
        // Nobody listens any more if it ended by itself.
        let _ = self.stop.send(true);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(limit, self.task).await.is_err() {
            abort.abort();
        }
    }
}

impl Engine {
    /// Whether this node is one of those that send. A home of its own is sent by whoever works there; of a shared
    /// database the schedulers do it.
    pub fn may_ship(&self) -> bool {
        let config = &self.inner.config;
        config.database.is_none() || matches!(config.role, Role::Server { scheduler: true, .. })
    }

    /// Sends what runs do to a sink, from now on and what was not sent before. Of several processes over one home,
    /// one does it; among several homes that share a store each does, and the documents' ids keep them single.
    ///
    /// # Errors
    /// The folder `sink` below the home cannot be made.
    pub fn ship(&self, sink: Arc<dyn Sink>, config: SinkConfig) -> Result<Shipping, EngineError> {
        let folder = self.inner.home.root().join("sink");
        std::os::unix::fs::DirBuilderExt::mode(std::fs::DirBuilder::new().recursive(true), 0o700)
            .create(&folder)
            .map_err(|error| EngineError::Store(format!("cannot create {}: {error}", folder.display())))?;
        let stats = Arc::new(SinkStats::default());
        self.inner.metrics.ships(stats.clone());
        let (stop, stopped) = watch::channel(false);
        let delivery = Delivery {
            sink,
            world: self.inner.world.clone(),
            prefix: config.prefix.clone(),
            refused: folder.join("refused.ndjson"),
            stats: stats.clone(),
            prepared: false,
            away: false,
            asked: None,
        };
        let task = tokio::spawn(work(self.clone(), config, folder, delivery, stopped));
        Ok(Shipping { stop, task, stats })
    }
}

/// Waits for its turn, then ships until told to stop.
async fn work(
    engine: Engine,
    config: SinkConfig,
    folder: PathBuf,
    delivery: Delivery,
    mut stop: watch::Receiver<bool>,
) {
    let mut last = String::new();
    let (turn, spill) = loop {
        match (take_turn(&folder), Spill::open(folder.join("spill"), config.spill_bytes_max)) {
            (Ok(Some(turn)), Ok(spill)) => break (turn, spill),
            (Ok(None), _) => {}
            (Err(error), _) | (_, Err(error)) => {
                let said = error.to_string();
                if said != last {
                    tracing::warn!("records cannot be sent: {}: {said}", folder.display());
                }
                last = said;
            }
        }
        if *stop.borrow() || pause(&mut stop, TURN_EVERY).await {
            return;
        }
    };
    let path = folder.join("cursor.json");
    let cursor = Cursor::read(&path, engine.inner.world.clock.now());
    let mut shipper = Shipper {
        engine,
        delivery,
        reader: Reader::default(),
        spill,
        cursor,
        path,
        failures: 0,
        blocked: BTreeSet::new(),
        again_at: Duration::ZERO,
    };
    loop {
        let stopping = *stop.borrow();
        let wait = shipper.round(&stop).await;
        shipper.count();
        if stopping {
            break;
        }
        let hint = shipper.engine.inner.committed.clone();
        let idle = shipper.delivery.stats.idle.load(Ordering::Relaxed);
        tokio::select! {
            gone = pause(&mut stop, wait) => if gone && !*stop.borrow() { break },
            // Only a hint, and only when there is nobody to be left alone.
            () = hint.notified(), if idle => {}
        }
    }
    drop(turn);
}

/// Waits; true if it is time to stop.
async fn pause(stop: &mut watch::Receiver<bool>, wait: Duration) -> bool {
    // An error means that whoever could say it is gone: stop as well.
    tokio::time::timeout(wait, stop.wait_for(|stop| *stop)).await.is_ok()
}

/// The right to send from this home: held until dropped, or the process dies.
fn take_turn(folder: &Path) -> std::io::Result<Option<std::fs::File>> {
    let file =
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

struct Shipper {
    engine: Engine,
    delivery: Delivery,
    reader: Reader,
    spill: Spill,
    cursor: Cursor,
    path: PathBuf,
    failures: u32,
    /// Batches on disk whose index is blocked.
    blocked: BTreeSet<u64>,
    /// When those are tried again, on the monotonic clock.
    again_at: Duration,
}

impl Shipper {
    /// Sends until there is nothing left or nobody takes it; gives how long to wait then.
    async fn round(&mut self, stop: &watch::Receiver<bool>) -> Duration {
        match self.drain(stop).await {
            Ok(true) => {}
            Ok(false) => {
                self.keep_reading().await;
                self.failures += 1;
                return self.delivery.pause(self.failures);
            }
            Err(error) => return self.trouble(&error),
        }
        for _ in 0..DRAIN_MAX {
            match self.pass(stop).await {
                Ok(Passed::Nothing) => {
                    self.failures = 0;
                    self.delivery.stats.idle.store(true, Ordering::Relaxed);
                    return LOOK_EVERY;
                }
                Ok(Passed::On) => self.failures = 0,
                Ok(Passed::Failed) => {
                    self.failures += 1;
                    return self.delivery.pause(self.failures);
                }
                Err(error) => return self.trouble(&error),
            }
        }
        Duration::ZERO
    }

    /// Our own disk or store fails: said each time, since nothing else tells of it.
    fn trouble(&mut self, error: &EngineError) -> Duration {
        tracing::warn!("records cannot be sent: {error}");
        self.delivery.stats.idle.store(false, Ordering::Relaxed);
        self.failures += 1;
        self.delivery.pause(self.failures)
    }

    /// Sends what lies on disk, oldest first. False if nobody takes it.
    async fn drain(&mut self, stop: &watch::Receiver<bool>) -> Result<bool, EngineError> {
        let now = self.engine.inner.world.clock.monotonic();
        if now >= self.again_at {
            self.blocked.clear();
            self.again_at = now + BLOCKED_EVERY;
        }
        for number in self.spill.numbers() {
            if self.blocked.contains(&number) {
                continue;
            }
            self.delivery.stats.idle.store(false, Ordering::Relaxed);
            let documents = match self.spill.read(number) {
                Ok(documents) => documents,
                Err(error) => {
                    tracing::error!("a batch of unsent records cannot be read and is set aside: {error}");
                    self.delivery.stats.dropped.fetch_add(1, Ordering::Relaxed);
                    self.spill.set_aside(number).map_err(|error| broken(&error))?;
                    continue;
                }
            };
            let before = documents.len();
            let left = self.delivery.deliver(documents, stop).await;
            if left.len() < before {
                self.spill.keep(number, &left).map_err(|error| broken(&error))?;
            }
            self.count();
            if self.delivery.away {
                return Ok(false);
            }
            if !left.is_empty() {
                self.blocked.insert(number);
            }
        }
        Ok(true)
    }

    /// Reads a batch and sends it; what cannot be sent goes to disk.
    async fn pass(&mut self, stop: &watch::Receiver<bool>) -> Result<Passed, EngineError> {
        let Some(mut read) = self.read().await? else { return Ok(Passed::Nothing) };
        let documents = std::mem::take(&mut read.documents);
        let left = self.delivery.deliver(documents, stop).await;
        let kept = self.keep(&left, read)?;
        Ok(if kept && !self.delivery.away { Passed::On } else { Passed::Failed })
    }

    /// While nobody takes anything: reads on and keeps it, so that retention does not come first.
    async fn keep_reading(&mut self) {
        loop {
            let kept = match self.read().await {
                Ok(None) => return,
                Ok(Some(mut read)) => {
                    let documents = std::mem::take(&mut read.documents);
                    self.keep(&documents, read)
                }
                Err(error) => Err(error),
            };
            match kept {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!("unsent records cannot be kept: {error}");
                    return;
                }
            }
        }
    }

    /// The next documents with the cursor behind them; none if there is nothing new.
    async fn read(&mut self) -> Result<Option<Read>, EngineError> {
        let read = self.reader.next(&self.engine.inner, &self.delivery.prefix, &self.cursor).await?;
        if read.documents.is_empty() {
            if read.cursor.runs != self.cursor.runs {
                self.advance(read.cursor)?;
            } else {
                // Only the floor rose; a cursor with an older one is as good, so the disk is left alone.
                self.cursor = read.cursor;
            }
            return Ok(None);
        }
        self.delivery.stats.idle.store(false, Ordering::Relaxed);
        Ok(Some(read))
    }

    /// Puts what is left on disk, and only then moves the cursor. False if there is no room: it is read again later.
    fn keep(&mut self, left: &[Document], read: Read) -> Result<bool, EngineError> {
        let stats = self.delivery.stats.clone();
        if !self.spill.push(left).map_err(|error| broken(&error))? {
            if !stats.full.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    "unsent records fill the room they may have ({} bytes lie there); reading stops, and what \
                     retention removes meanwhile will be missing",
                    self.spill.bytes()
                );
            }
            return Ok(false);
        }
        stats.full.store(false, Ordering::Relaxed);
        if read.lost > 0 {
            stats.dropped.fetch_add(read.lost, Ordering::Relaxed);
            tracing::error!(
                "{} records were removed by retention before they could be sent; the basic index says of which runs",
                read.lost
            );
        }
        self.advance(read.cursor)?;
        Ok(true)
    }

    fn advance(&mut self, cursor: Cursor) -> Result<(), EngineError> {
        cursor.write(&self.path).map_err(|error| broken(&error))?;
        self.cursor = cursor;
        Ok(())
    }

    fn count(&self) {
        self.delivery.stats.spill_bytes.store(self.spill.bytes(), Ordering::Relaxed);
        self.delivery.stats.spill_batches.store(self.spill.batches(), Ordering::Relaxed);
    }
}

enum Passed {
    On,
    Nothing,
    Failed,
}

fn broken(error: &std::io::Error) -> EngineError {
    EngineError::Store(format!("the folder `sink` below MUSTER_HOME: {error}"))
}
