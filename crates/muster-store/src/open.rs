//! Opening by an address: which database, and where the large contents go.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_model::id::RunId;

use crate::contents::{Contents, digests_in};
use crate::directory::DirectoryContents;
use crate::error::StoreError;
use crate::postgres::PostgresStore;
use crate::revision::Keep;
use crate::sqlite::{SqliteStore, WriterMode};
use crate::store::{Store, StoreResult};

/// Manifests read at once.
const MANIFESTS_AT_ONCE: u32 = 200;

/// Where contents go that are not in the database.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Blobs.
    pub blobs: PathBuf,
    /// Blocks of output.
    pub output: PathBuf,
}

/// An open store.
#[derive(Clone)]
pub struct Opened {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Blobs and output.
    pub contents: Arc<dyn Contents>,
}

/// Opens `sqlite:PATH` (contents in the folders beside it) or `postgres://…` (contents in the same database).
pub async fn open(url: &str, folders: &Folders, mode: WriterMode) -> StoreResult<Opened> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return Ok(Opened {
            store: Arc::new(SqliteStore::open(Path::new(path), mode)?),
            contents: Arc::new(DirectoryContents::open(&folders.blobs, &folders.output)?),
        });
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let store = PostgresStore::open(url).await?;
        let contents = Arc::new(store.contents());
        return Ok(Opened { store: Arc::new(store), contents });
    }
    // The address may hold a password, so it is not repeated.
    Err(StoreError::Unusable("the store's address must begin with `sqlite:` or `postgres://`".into()))
}

impl Opened {
    /// Ended runs older than a time lose their journal, output and inputs, except the newest ones that are to be kept; the
    /// runs, their counts and the audit stay. Gives the runs; fewer than
    /// [`crate::PRUNE_RUNS_MAX`] means that nothing is left to do.
    pub async fn prune(&self, before: Timestamp, keep: Keep, at: Timestamp) -> StoreResult<Vec<RunId>> {
        let runs = self.store.prunable(before, keep).await?;
        // The output first: a crash between the two leaves a run that is pruned again, not files that nobody finds.
        for run in &runs {
            self.contents.forget_output(*run).await?;
        }
        if !runs.is_empty() {
            self.store.prune(runs.clone(), at).await?;
        }
        Ok(runs)
    }

    /// Contents that no plan refers to any more, and that nobody put or asked for within `idle`, are forgotten. Gives
    /// how many. A plan that is submitted meanwhile has asked for its contents before.
    pub async fn forget_unused(&self, idle: Duration) -> StoreResult<u64> {
        let mut kept = BTreeSet::new();
        let mut after = 0;
        loop {
            let manifests = self.store.manifests(after, MANIFESTS_AT_ONCE).await?;
            let Some((last, _)) = manifests.last() else { break };
            after = *last;
            for (_, manifest) in &manifests {
                kept.extend(digests_in(manifest).map(str::to_owned));
            }
        }
        self.contents.forget_unused(&kept, idle).await
    }
}
