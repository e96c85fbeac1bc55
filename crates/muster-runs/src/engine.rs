//! The engine: everything that can be asked of Muster, in one value. What it does stands in the files beside
//! this one, under the concept's name; here it is put together and taken apart.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use muster_model::account::AccountSettings;
use muster_model::id::{LaneNumber, NodeId, RunId};
use muster_model::{Secret, World};
use muster_outside::Outside;
use muster_outside::secret::Sealer;
use muster_store::{Contents, Folders, NodeRow, Opened, REVISIONS_KEPT, Store, WriterMode};
use ring::digest::{SHA256, digest};
use tokio::sync::{Mutex, Notify, watch};

use crate::account::Sessions;
use crate::duty;
use crate::error::EngineError;
use crate::home::{Home, LifeLock};
use crate::lease::{Lease, LeaseTimes};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::reads::Reads;
use crate::runner::{LaneHandle, Local, Rooms, Tended};

/// The most servers of one lane, and the usual bound.
pub const LANE_TARGETS_MAX: usize = muster_planner::LANE_TARGETS;
/// The epoch with which a node joins; it rises when the node is taken over.
const FIRST_EPOCH: u64 = 1;

/// What an engine is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It executes the runs that are started in its process, and no others.
    Foreground,
    /// One of any number of nodes over one store.
    Server {
        /// Whether it executes runs: those of others too, and those of nodes that died.
        worker: bool,
        /// Whether it looks after what nobody asks for: retention.
        scheduler: bool,
    },
}

impl Role {
    /// The word in the node's row; lanes of a `server` pass on to others when it dies.
    fn word(self) -> &'static str {
        match self {
            Role::Foreground => "foreground",
            Role::Server { worker: true, .. } => "server",
            Role::Server { worker: false, .. } => "api",
        }
    }
}

/// Where an engine keeps its things and how it behaves.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// `MUSTER_HOME`: database, key, blobs, output, inventories, machines.
    pub home: PathBuf,
    /// What it is there for.
    pub role: Role,
    /// How long its lease lasts.
    pub lease: LeaseTimes,
    /// The database, `sqlite:PATH` or `postgres://…`; none = the SQLite file of the home.
    pub database: Option<String>,
    /// Steps that work on hosts at once, of all runs of this node: connections, processes, memory.
    pub parallel_steps: usize,
    /// Steps that wait for a provider at once, of all runs of this node. They are cheap, since one list serves them all, and the
    /// account's own settings bound its writes.
    pub parallel_waits: usize,
    /// The most targets of one lane; a plan with more is cut.
    pub lane_targets: usize,
    /// Revisions of each infrastructure at each account whose files and inputs are kept, however old they are.
    pub revisions_kept: u32,
    /// An account from the environment (`ONECLOUD_API_KEY`, `ONECLOUD_URL`), called `onecloud`.
    pub environment_account: Option<EnvironmentAccount>,
    /// Why the account `local` (machines of this computer) is not to be used here; none = it may be.
    pub local_refused: Option<String>,
    /// Why code is not to be built here; none = it may be.
    pub builds_refused: Option<String>,
    /// The person's ssh-agent, if one runs.
    pub ssh_agent: Option<PathBuf>,
    /// The person's private keys, tried after Muster's own.
    pub ssh_keys: Vec<PathBuf>,
    /// The person's known_hosts files, read for servers that Muster did not make.
    pub known_hosts: Vec<PathBuf>,
    /// A directory for sockets; their paths must be short.
    pub runtime_dir: PathBuf,
    /// Whether the store's writer is a task of this runtime instead of a thread (simulations).
    pub single_threaded: bool,
}

impl EngineConfig {
    /// The usual settings for a home.
    pub fn new(home: PathBuf) -> EngineConfig {
        EngineConfig {
            home,
            role: Role::Foreground,
            lease: LeaseTimes::default(),
            database: None,
            parallel_steps: 64,
            parallel_waits: 512,
            lane_targets: LANE_TARGETS_MAX,
            revisions_kept: REVISIONS_KEPT,
            environment_account: None,
            local_refused: None,
            builds_refused: None,
            ssh_agent: None,
            ssh_keys: Vec::new(),
            known_hosts: Vec::new(),
            runtime_dir: std::env::temp_dir(),
            single_threaded: false,
        }
    }
}

/// An account that the environment names; never stored.
#[derive(Clone, Debug)]
pub struct EnvironmentAccount {
    /// Its API key.
    pub key: Secret,
    /// The base address.
    pub url: String,
    /// Settings, e.g. `ONECLOUD_SETTLE_MS`.
    pub settings: AccountSettings,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

/// What the files beside this one share.
pub(crate) struct Inner {
    pub(crate) config: EngineConfig,
    pub(crate) world: World,
    pub(crate) outside: Outside,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) contents: Arc<dyn Contents>,
    pub(crate) sealer: Sealer,
    pub(crate) home: Home,
    pub(crate) node: NodeId,
    pub(crate) sessions: Sessions,
    pub(crate) lease: Arc<Lease>,
    pub(crate) lanes_here: Mutex<BTreeMap<(RunId, LaneNumber), LaneHandle>>,
    pub(crate) tended: Tended,
    pub(crate) rooms: Rooms,
    pub(crate) limits: Arc<Limits>,
    /// Lanes that wait for this process to take them again.
    pub(crate) lanes_waiting: AtomicUsize,
    leaving: AtomicBool,
    pub(crate) committed: Arc<Notify>,
    pub(crate) metrics: Arc<Metrics>,
    life: std::sync::Mutex<Option<LifeLock>>,
}

impl Engine {
    /// Opens (and migrates) the store below `config.home`, and takes note of runs whose process died.
    pub async fn open(config: EngineConfig, world: World, outside: Outside) -> Result<Engine, EngineError> {
        let home = Home::open(&config.home)?;
        let Opened { store, contents } = opened(&config, &home).await?;
        #[cfg(feature = "crash-points")]
        let store = match crate::crash::from_environment() {
            Some(fate) => crate::crash::fated(store, fate),
            None => store,
        };
        Engine::open_over(config, world, outside, home, Opened { store, contents }).await
    }

    /// The same over a given store: for tests that cut the journal at a chosen commit.
    #[cfg(feature = "crash-points")]
    pub async fn open_with_store(
        config: EngineConfig,
        world: World,
        outside: Outside,
        wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Result<Engine, EngineError> {
        let home = Home::open(&config.home)?;
        let Opened { store, contents } = opened(&config, &home).await?;
        let store = wrap(store);
        Engine::open_over(config, world, outside, home, Opened { store, contents }).await
    }

    async fn open_over(
        config: EngineConfig,
        world: World,
        outside: Outside,
        home: Home,
        opened: Opened,
    ) -> Result<Engine, EngineError> {
        let Opened { store, contents } = opened;
        let sealer = Sealer::open(&home.key(), world.clone())
            .map_err(|error| EngineError::Store(crate::error::chain(&error)))?;
        let node = NodeId(world.ids.next());
        // Alive before its row appears: a row without a held lock is a dead node's.
        let life = home.live(node)?;
        let lease = Arc::new(Lease::new(
            node,
            FIRST_EPOCH,
            config.lease,
            world.clock.clone(),
            world.clock.monotonic(),
        ));
        let now = world.clock.now();
        home.sweep_children(now);
        let row = NodeRow {
            id: node,
            epoch: FIRST_EPOCH,
            lease_until: now.checked_add(config.lease.ttl()).unwrap_or(now),
            kind: config.role.word().into(),
            pid: std::process::id(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            version: env!("CARGO_PKG_VERSION").into(),
            started_at: now,
        };
        store.join(row).await?;
        let metrics = Arc::new(Metrics::default());
        let outside = metrics.watching(outside);
        let rooms = Rooms::new(&config);
        let limits = Limits::new(rooms.bell());
        let inner = Arc::new(Inner {
            config,
            world,
            outside,
            store,
            contents,
            sealer,
            home,
            node,
            sessions: Sessions::default(),
            lease,
            lanes_here: Mutex::new(BTreeMap::new()),
            tended: Tended::default(),
            rooms,
            limits,
            lanes_waiting: AtomicUsize::new(0),
            leaving: AtomicBool::new(false),
            committed: Arc::new(Notify::new()),
            metrics,
            life: std::sync::Mutex::new(Some(life)),
        });
        inner.bury_the_dead().await?;
        duty::begin(&inner);
        Ok(Engine { inner })
    }

    /// This node's id.
    pub fn node(&self) -> NodeId {
        self.inner.node
    }

    /// Whether this node has lost its lease; then it executes nothing any more, and its process should end.
    pub fn is_lost(&self) -> bool {
        self.inner.lease.is_lost()
    }

    /// Whether any lane executes here.
    pub async fn is_busy(&self) -> bool {
        self.inner.lanes_waiting.load(Ordering::SeqCst) > 0 || !self.inner.lanes_here.lock().await.is_empty()
    }

    /// Read access.
    pub fn reads(&self) -> Reads {
        Reads { engine: self.clone() }
    }

    /// Stores a blob after checking its digest.
    pub async fn put_blob(&self, expected: &str, content: Bytes) -> Result<(), EngineError> {
        let found = hex(digest(&SHA256, &content).as_ref());
        if found != expected {
            return Err(EngineError::Invalid(format!(
                "the content has the SHA-256 {found}, not {expected}; it was changed on the way or while it was read"
            )));
        }
        if content.len() as u64 > muster_store::contents::BLOB_MAX {
            return Err(EngineError::Invalid(format!(
                "the content has {} bytes; a blob may have {}",
                content.len(),
                muster_store::contents::BLOB_MAX
            )));
        }
        Ok(self.inner.contents.put(expected, &content).await?)
    }

    /// Ends what this engine does: steps under way are finished, then its runs become *interrupted*, or, where other
    /// nodes may go on, its lanes are handed over; its node leaves.
    pub async fn close(self) -> Result<(), EngineError> {
        let inner = &self.inner;
        inner.leaving.store(true, Ordering::SeqCst);
        let word = match inner.config.role {
            Role::Foreground => Local::Interrupt,
            Role::Server { .. } => Local::HandOver,
        };
        for mut ended in inner.tell_all(word).await {
            // An error means that the sender is gone, and so the lane's task is.
            let _ = ended.wait_for(|ended| *ended).await;
        }
        inner.store.bury(inner.node, inner.world.clock.now(), "its process ended".into()).await?;
        let life = inner.life.lock().ok().and_then(|mut life| life.take());
        if let Some(life) = life {
            life.remove();
        }
        Ok(())
    }
}

/// The store that the configuration names, or the one of the home.
async fn opened(config: &EngineConfig, home: &Home) -> Result<Opened, EngineError> {
    let mode = if config.single_threaded { WriterMode::Task } else { WriterMode::Thread };
    let folders = Folders { blobs: home.blobs(), output: home.output() };
    let url = match &config.database {
        Some(url) => url.clone(),
        None => format!("sqlite:{}", home.database().display()),
    };
    Ok(muster_store::open(&url, &folders, mode).await?)
}

impl Inner {
    /// Says something to every lane that executes here; gives what tells their ends.
    pub(crate) async fn tell_all(&self, word: Local) -> Vec<watch::Receiver<bool>> {
        let lanes = self.lanes_here.lock().await;
        let tell = |handle: &LaneHandle| {
            handle.local.send_replace(word);
            handle.ended.clone()
        };
        lanes.values().map(tell).collect()
    }

    /// Whether this node is on its way out and takes nothing further.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    /// Nodes whose process is gone leave: their runs become *interrupted*, and their locks are free.
    pub(crate) async fn bury_the_dead(&self) -> Result<(), EngineError> {
        for node in self.store.nodes().await? {
            // Nodes of other machines have no life lock here, and only their lease tells.
            let of_here = self.config.database.is_none() || self.home.knows(node.id);
            if node.id != self.node && of_here && self.home.is_dead(node.id) {
                let why = format!("its process (pid {} on {}) died", node.pid, node.host);
                self.store.bury(node.id, self.world.clock.now(), why).await?;
                self.home.forget_node(node.id);
            }
        }
        Ok(())
    }
}

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use std::fmt::Write;
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
