//! `MUSTER_HOME`: where an engine keeps its things, and who may read them.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use muster_model::id::{InfrastructureName, NodeId};
use muster_outside::supervise::sweep;
use rustix::fs::FlockOperation;

use crate::error::EngineError;

/// How long something is kept of a child whose outcome nobody asked for.
const KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 3600);

/// The directory of one Muster, readable by its owner only.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Opens (and creates, 0700) the directory.
    pub fn open(root: &Path) -> Result<Home, EngineError> {
        let home = Home { root: root.to_owned() };
        for folder in [home.root.clone(), home.nodes(), home.output(), home.inventories(), home.work()] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| {
                EngineError::Store(format!(
                    "cannot create {}: {error}; set MUSTER_HOME to a directory that can be written",
                    folder.display()
                ))
            })?;
        }
        Ok(home)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.root.join("muster.db")
    }

    /// The sealing key.
    pub fn key(&self) -> PathBuf {
        self.root.join("key")
    }

    /// Contents by digest.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// Detail output of runs.
    pub fn output(&self) -> PathBuf {
        self.root.join("output")
    }

    /// Ansible inventories, one a file.
    pub fn inventories(&self) -> PathBuf {
        self.root.join("inventories")
    }

    /// The inventory of one infrastructure.
    pub fn inventory(&self, name: &InfrastructureName) -> PathBuf {
        self.inventories().join(format!("{name}.yml"))
    }

    /// Working directories of steps.
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Folders of long children, by run.
    pub fn children(&self) -> PathBuf {
        self.root.join("children")
    }

    /// Removes what is left of long children whose outcome nobody asked for.
    pub(crate) fn sweep_children(&self, now: Timestamp) {
        sweep(&self.children(), KEPT_FOR, now.into());
    }

    fn nodes(&self) -> PathBuf {
        self.root.join("nodes")
    }

    fn node_lock(&self, node: NodeId) -> PathBuf {
        self.nodes().join(format!("{node}.lock"))
    }

    /// Takes a node's life lock; held until the value is dropped, or the process dies.
    pub fn live(&self, node: NodeId) -> Result<LifeLock, EngineError> {
        let path = self.node_lock(node);
        let failed = |error: std::io::Error| {
            EngineError::Store(format!("cannot take the life lock {}: {error}", path.display()))
        };
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| failed(error.into()))?;
        Ok(LifeLock { _file: file, path })
    }

    /// Whether a node lives, or lived, in this home.
    pub fn knows(&self, node: NodeId) -> bool {
        self.node_lock(node).exists()
    }

    /// Whether a node's process is gone: nobody holds its life lock.
    pub fn is_dead(&self, node: NodeId) -> bool {
        let Ok(file) = fs::File::open(self.node_lock(node)) else { return true };
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// Removes what a dead node left.
    pub fn forget_node(&self, node: NodeId) {
        let _ = fs::remove_file(self.node_lock(node));
    }
}

/// Proof of life: the kernel frees it at once when the process ends, however it ends.
#[derive(Debug)]
pub struct LifeLock {
    _file: fs::File,
    path: PathBuf,
}

impl LifeLock {
    /// Leaves in order: the file goes with the node.
    pub fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}
