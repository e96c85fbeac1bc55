//! SQLite: one file, WAL, `synchronous=FULL`, one writer that commits in groups, a few readers.

use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_model::account::{Account, AccountIdentity};
use muster_model::id::{
    Generation, InfrastructureName, NodeId, PlanId, RunId, SecretName, Sequence, SpaceName,
};
use muster_model::ownership::Ownership;
use muster_model::plan::{LockKey, LockMode, Subject};
use muster_model::run::{Run, RunState};
use rusqlite::{Connection, OpenFlags};

use tokio::sync::broadcast;

use crate::commits::CommitCounts;
use crate::error::StoreError;
use crate::lanes::{HINTS_MAX, Hint};
use crate::store::*;
use crate::word;

mod approve;
mod claim;
mod facts;
mod journal;
mod lanes;
mod nodes;
mod plans;
mod queue;
mod quota;
mod retention;
mod revision;
mod runs;
mod search;
mod settings;
mod shared;
mod writer;

pub use writer::WriterMode;

mod migrations {
    refinery::embed_migrations!("migrations/sqlite");
}

/// Readers kept open.
const READERS_MAX: usize = 4;
/// How long a reader or writer waits for another process's lock, in ms.
const BUSY_TIMEOUT_MS: u64 = 10_000;

/// The store in one SQLite file.
pub struct SqliteStore {
    path: std::path::PathBuf,
    writer: writer::Writer,
    readers: Mutex<Vec<Connection>>,
    mode: WriterMode,
    hints: broadcast::Sender<Hint>,
}

/// Held while the file is prepared, so that two commands that start together do not both make its tables. The kernel
/// frees it when the process ends, however it ends.
fn alone(path: &Path) -> Result<std::fs::File, StoreError> {
    let lock = path.with_extension("opening");
    let failed = |source| StoreError::File { doing: format!("locking {}", lock.display()), source };
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(&lock).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

impl SqliteStore {
    /// Opens the file, creates and migrates it where needed, and refuses one that a newer Muster wrote.
    pub fn open(path: &Path, mode: WriterMode) -> Result<SqliteStore, StoreError> {
        let opening = alone(path)?;
        let mut connection = Connection::open(path)?;
        prepare(&connection)?;
        refuse_newer(&connection, path)?;
        migrations::migrations::runner().run(&mut connection).map_err(|error| {
            StoreError::Unusable(format!("cannot prepare the database {}: {error}", path.display()))
        })?;
        drop(opening);
        must_be_durable(&connection, path)?;
        let writer = writer::Writer::start(connection, mode)?;
        let (hints, _) = broadcast::channel(HINTS_MAX);
        Ok(SqliteStore { path: path.to_owned(), writer, readers: Mutex::new(Vec::new()), mode, hints })
    }

    /// Runs a change in the next commit, and says that something changed.
    async fn write<T, F>(&self, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let value = self.writer.write(change).await?;
        self.tell(Hint::Any);
        Ok(value)
    }

    fn tell(&self, hint: Hint) {
        // An error means that nobody listens.
        let _ = self.hints.send(hint);
    }

    /// Runs a short read. On a multi-threaded runtime other tasks move away meanwhile.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let kept = self.readers.lock().map_err(|_| StoreError::Closed)?.pop();
        let connection = match kept {
            Some(connection) => connection,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&self.path, flags)?;
                connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))?;
                connection
            }
        };
        let result = match self.mode {
            WriterMode::Thread if on_many_threads() => tokio::task::block_in_place(|| work(&connection)),
            WriterMode::Thread | WriterMode::Task => work(&connection),
        };
        let mut readers = self.readers.lock().map_err(|_| StoreError::Closed)?;
        if readers.len() < READERS_MAX {
            readers.push(connection);
        }
        result
    }
}

/// Whether blocking here would stop no other task.
pub(crate) fn on_many_threads() -> bool {
    tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread)
}

fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))?;
    connection.query_row("pragma journal_mode = wal", [], |_| Ok(()))?;
    connection.execute_batch("pragma synchronous = full; pragma foreign_keys = on;")?;
    Ok(())
}

/// What was set is read back: SQLite takes words it does not know for others.
fn must_be_durable(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let synchronous: i64 = connection.query_row("pragma synchronous", [], |row| row.get(0))?;
    let journal: String = connection.query_row("pragma journal_mode", [], |row| row.get(0))?;
    if synchronous == 2 && journal == "wal" {
        return Ok(());
    }
    Err(StoreError::Unusable(format!(
        "{} does not keep synchronous=FULL and a write-ahead log (it says {synchronous} and {journal}); refusing \
         to lose acknowledged writes",
        path.display()
    )))
}

/// A database that knows migrations which we do not was written by a newer Muster.
fn refuse_newer(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let tables: i64 = connection.query_row(
        "select count(*) from sqlite_master where type = 'table' and name = 'refinery_schema_history'",
        [],
        |row| row.get(0),
    )?;
    if tables == 0 {
        return Ok(());
    }
    let newest: Option<i64> =
        connection.query_row("select max(version) from refinery_schema_history", [], |row| row.get(0))?;
    let known = migrations::migrations::runner()
        .get_migrations()
        .iter()
        .map(|migration| i64::from(migration.version()))
        .max();
    if newest > known {
        return Err(StoreError::Unusable(format!(
            "{} was written by a newer Muster (its schema is {}, this one knows {}); update Muster",
            path.display(),
            newest.unwrap_or(0),
            known.unwrap_or(0)
        )));
    }
    Ok(())
}

#[async_trait]
impl Store for SqliteStore {
    async fn join(&self, node: NodeRow) -> StoreResult<()> {
        self.write(move |tx| nodes::join(tx, &node)).await
    }
    async fn nodes(&self) -> StoreResult<Vec<NodeRow>> {
        self.read(nodes::all)
    }
    async fn bury(&self, node: NodeId, at: Timestamp, why: String) -> StoreResult<Vec<RunId>> {
        self.write(move |tx| nodes::bury(tx, node, at, &why)).await
    }

    async fn put_account(
        &self,
        space: SpaceName,
        account: Account,
        sealed_key: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<()> {
        self.write(move |tx| settings::put_account(tx, &space, &account, &sealed_key, &audit)).await
    }
    async fn accounts(&self, space: &SpaceName) -> StoreResult<Vec<(Account, Vec<u8>)>> {
        self.read(|db| settings::accounts(db, space))
    }
    async fn put_secret(
        &self,
        space: SpaceName,
        name: SecretName,
        sealed: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<()> {
        self.write(move |tx| settings::put_secret(tx, &space, &name, &sealed, &audit)).await
    }
    async fn keep_secret(
        &self,
        space: SpaceName,
        name: SecretName,
        sealed: Vec<u8>,
        audit: Audit,
    ) -> StoreResult<Vec<u8>> {
        self.write(move |tx| settings::keep_secret(tx, &space, &name, &sealed, &audit)).await
    }
    async fn secret(&self, space: &SpaceName, name: &SecretName) -> StoreResult<Option<Vec<u8>>> {
        self.read(|db| settings::secret(db, space, name))
    }
    async fn secrets(&self, space: &SpaceName) -> StoreResult<Vec<SecretName>> {
        self.read(|db| settings::secrets(db, space))
    }
    async fn delete_secret(&self, space: SpaceName, name: SecretName, audit: Audit) -> StoreResult<bool> {
        self.write(move |tx| settings::delete_secret(tx, &space, &name, &audit)).await
    }
    async fn write_audit(&self, audit: Audit) -> StoreResult<()> {
        self.write(move |tx| settings::write_audit(tx, &audit)).await
    }
    async fn audits(&self, space: &SpaceName, limit: u32) -> StoreResult<Vec<Audit>> {
        self.read(|db| settings::audits(db, space, limit))
    }

    async fn insert_plan(&self, plan: NewPlan) -> StoreResult<PlanId> {
        self.write(move |tx| plans::insert(tx, &plan)).await
    }
    async fn finish_plan(&self, id: PlanId, planned: PlannedAs) -> StoreResult<()> {
        self.write(move |tx| plans::finish(tx, id, &planned)).await
    }
    async fn plan(&self, id: PlanId) -> StoreResult<Option<PlanRow>> {
        self.read(|db| plans::one(db, id))
    }
    async fn plan_inputs(&self, id: PlanId) -> StoreResult<Option<PlanInputs>> {
        self.read(|db| plans::inputs(db, id))
    }
    async fn next_generation(&self, subject: &Subject) -> StoreResult<Generation> {
        let subject = word::subject_text(subject);
        self.write(move |tx| plans::next_generation(tx, &subject)).await
    }

    async fn approve(&self, approval: Approval) -> StoreResult<RunId> {
        self.write(move |tx| approve::approve(tx, &approval)).await
    }
    async fn claim(&self, run: RunId, node: NodeId, locks: Vec<(LockKey, LockMode)>) -> StoreResult<Claim> {
        self.write(move |tx| claim::claim(tx, run, node, &locks)).await
    }
    async fn append(&self, claim: Claim, records: Vec<Record>) -> StoreResult<Sequence> {
        let hint = Hint::Lane(claim.run, claim.lane);
        let last = self.writer.write(move |tx| journal::append(tx, &claim, &records)).await?;
        self.tell(hint);
        Ok(last)
    }
    async fn run(&self, id: RunId) -> StoreResult<Option<Run>> {
        self.read(|db| runs::one(db, id))
    }
    async fn runs(&self, space: &SpaceName, limit: u32) -> StoreResult<Vec<Run>> {
        self.read(|db| runs::newest(db, space, limit))
    }
    async fn count_runs(&self) -> StoreResult<Vec<(RunState, u64)>> {
        self.read(runs::count)
    }
    fn commits(&self) -> CommitCounts {
        self.writer.commits()
    }
    async fn tally(&self, run: RunId) -> StoreResult<StepTally> {
        self.read(|db| journal::tally(db, run))
    }
    async fn set_want(&self, run: RunId, want: Want, actor: String, at: Timestamp) -> StoreResult<()> {
        self.write(move |tx| runs::set_want(tx, run, want, &actor, at)).await
    }
    async fn want(&self, run: RunId) -> StoreResult<Want> {
        self.read(|db| runs::want(db, run))
    }

    async fn facts(&self, account: &AccountIdentity) -> StoreResult<Facts> {
        self.read(|db| facts::of(db, account))
    }
    async fn facts_about(&self, account: &AccountIdentity, about: &About) -> StoreResult<Facts> {
        self.read(|db| facts::about(db, account, about))
    }
    async fn owned(&self, space: &SpaceName) -> StoreResult<Vec<Ownership>> {
        self.read(|db| facts::owned(db, space))
    }
    async fn last_run(&self, space: &SpaceName, name: &InfrastructureName) -> StoreResult<Option<Run>> {
        self.read(|db| runs::last_of(db, space, &Subject::Infrastructure(name.clone())))
    }
}
