//! PostgreSQL: a small pool for verbs, one writer that commits the journal in groups, one listener for hints.
//!
//! The database is the engine for locks, the clock and durability: row locks in one order (`claim.rs`), leases by
//! its clock (`nodes.rs`), fences compared after the lock (`writer.rs`).

use deadpool_postgres::{Object, Pool};
use tokio::sync::broadcast;
use tokio_postgres::Row;

use crate::error::StoreError;
use crate::lanes::{HINTS_MAX, Hint};

mod approve;
mod ask;
mod batch;
mod claim;
mod connect;
mod contents;
mod facts;
mod journal;
mod lanes;
mod listen;
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
mod verbs;
mod writer;

pub use contents::PostgresContents;

mod migrations {
    refinery::embed_migrations!("migrations/postgres");
}

/// Held while migrations run, so that two processes that start together do not both make the tables.
const MIGRATING: i64 = 0x6d75_7374_6572;

/// The store in a PostgreSQL database.
pub struct PostgresStore {
    pool: Pool,
    heart: Pool,
    writer: writer::Writer,
    hints: broadcast::Sender<Hint>,
    listener: tokio::task::JoinHandle<()>,
}

impl PostgresStore {
    /// Connects, creates and migrates the tables where needed, and refuses a database that a newer Muster wrote.
    pub async fn open(url: &str) -> Result<PostgresStore, StoreError> {
        let address = connect::address(url)?;
        let pool = connect::pool(&address, None)?;
        migrate(&pool).await?;
        let (hints, _) = broadcast::channel(HINTS_MAX);
        let listener = tokio::spawn(listen::listen(address.clone(), hints.clone()));
        let writer = writer::Writer::start(connect::pool(&address, Some(1))?);
        let heart = connect::pool(&address, Some(1))?;
        Ok(PostgresStore { pool, heart, writer, hints, listener })
    }

    /// Blobs and output in the same database.
    pub fn contents(&self) -> PostgresContents {
        PostgresContents { pool: self.pool.clone() }
    }

    async fn client(&self) -> Result<Object, StoreError> {
        connect::client(&self.pool).await
    }
}

/// The way of heartbeats.
struct Heart<'store>(&'store Pool);

impl Heart<'_> {
    async fn client(&self) -> Result<Object, StoreError> {
        connect::client(self.0).await
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn migrate(pool: &Pool) -> Result<(), StoreError> {
    let mut client = connect::client(pool).await?;
    // A migration of a large database takes its time, and others wait for it.
    client.batch_execute("set statement_timeout = 0; set lock_timeout = 0").await?;
    client.execute("select pg_advisory_lock($1)", &[&MIGRATING]).await?;
    let outcome = migrate_locked(&mut client).await;
    // The lock would stay with the session, which goes back to the pool.
    client.execute("select pg_advisory_unlock($1)", &[&MIGRATING]).await?;
    client.batch_execute("reset statement_timeout; reset lock_timeout").await?;
    outcome
}

async fn migrate_locked(client: &mut Object) -> Result<(), StoreError> {
    refuse_newer(client).await?;
    let session: &mut tokio_postgres::Client = client;
    migrations::migrations::runner()
        .run_async(session)
        .await
        .map_err(|error| StoreError::Unusable(format!("cannot prepare the database: {error}")))?;
    let kept: String = client.query_one("show synchronous_commit", &[]).await?.try_get(0)?;
    let synced: String = client.query_one("show fsync", &[]).await?.try_get(0)?;
    if kept == "off" || synced == "off" {
        return Err(StoreError::Unusable(format!(
            "the database does not keep what it acknowledges (synchronous_commit={kept}, fsync={synced}); refusing \
             to lose acknowledged writes"
        )));
    }
    Ok(())
}

/// A database that knows migrations which we do not was written by a newer Muster.
async fn refuse_newer(client: &Object) -> Result<(), StoreError> {
    let sql = "select to_regclass('refinery_schema_history') is not null";
    let is_ours: bool = client.query_one(sql, &[]).await?.try_get(0)?;
    if !is_ours {
        return Ok(());
    }
    let sql = "select max(version)::int8 from refinery_schema_history";
    let newest: Option<i64> = client.query_one(sql, &[]).await?.try_get(0)?;
    let known = migrations::migrations::runner()
        .get_migrations()
        .iter()
        .map(|migration| i64::from(migration.version()))
        .max();
    if newest > known {
        return Err(StoreError::Unusable(format!(
            "the database was written by a newer Muster (its schema is {}, this one knows {}); update Muster",
            newest.unwrap_or(0),
            known.unwrap_or(0)
        )));
    }
    Ok(())
}

/// A form from a column.
fn form_of(row: &Row, index: usize) -> Result<u16, StoreError> {
    let form: i32 = ask::column(row, index)?;
    u16::try_from(form).map_err(|_| crate::word::unreadable("form", &form.to_string()))
}
