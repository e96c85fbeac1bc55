//! Asking PostgreSQL: prepared statements, one transaction a change, and what may be tried again.
//!
//! A change that failed before its commit had no effect and is done again where that can help. A connection that
//! was lost during the commit leaves it open whether the change took effect: that is said, never guessed.

use std::time::Duration;

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSqlOwned, ToSql};

use crate::error::StoreError;

/// How often one change is tried.
const TRIES_MAX: u32 = 6;
/// The wait before the second try; doubled for each further one.
const AGAIN_AFTER: Duration = Duration::from_millis(5);

pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

pub(super) async fn rows<C: GenericClient>(
    db: &C,
    sql: &str,
    params: Params<'_>,
) -> Result<Vec<Row>, StoreError> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.query(&statement, params).await?)
}

pub(super) async fn row<C: GenericClient>(
    db: &C,
    sql: &str,
    params: Params<'_>,
) -> Result<Option<Row>, StoreError> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.query_opt(&statement, params).await?)
}

pub(super) async fn execute<C: GenericClient>(
    db: &C,
    sql: &str,
    params: Params<'_>,
) -> Result<u64, StoreError> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.execute(&statement, params).await?)
}

/// A column of a row.
pub(super) fn column<T: FromSqlOwned>(row: &Row, index: usize) -> Result<T, StoreError> {
    Ok(row.try_get(index)?)
}

/// What a failure means for the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection is gone.
    Lost,
    /// Another transaction was in the way.
    Collision,
    /// It will not work like this.
    Final,
}

/// Judges a failure.
pub(super) fn trouble(error: &StoreError) -> Trouble {
    let StoreError::Postgres(error) = error else { return Trouble::Final };
    match error.code() {
        None if error.is_closed() || has_io_cause(error) => Trouble::Lost,
        None => Trouble::Final,
        Some(code) => match *code {
            SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
            | SqlState::CONNECTION_FAILURE => Trouble::Lost,
            SqlState::T_R_SERIALIZATION_FAILURE
            | SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::LOCK_NOT_AVAILABLE
            // Somebody inserted the same key meanwhile: the next try finds it.
            | SqlState::UNIQUE_VIOLATION => Trouble::Collision,
            _ => Trouble::Final,
        },
    }
}

fn has_io_cause(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        if source.is::<std::io::Error>() {
            return true;
        }
        cause = source.source();
    }
    false
}

/// Counts tries of one change.
#[derive(Default)]
pub(super) struct Patience {
    tries: u32,
}

impl Patience {
    /// Waits a little and says yes, if another try can help.
    pub(super) async fn again(&mut self, error: &StoreError) -> bool {
        self.tries += 1;
        if trouble(error) == Trouble::Final || self.tries >= TRIES_MAX {
            return false;
        }
        tokio::time::sleep(AGAIN_AFTER * (1 << self.tries.min(8))).await;
        true
    }
}

/// Commits, or says that nobody knows.
pub(super) async fn commit(tx: deadpool_postgres::Transaction<'_>) -> Result<(), StoreError> {
    match tx.commit().await.map_err(StoreError::from) {
        Ok(()) => Ok(()),
        Err(error) if trouble(&error) == Trouble::Lost => Err(unclear(&error)),
        Err(error) => Err(error),
    }
}

pub(super) fn unclear(cause: &StoreError) -> StoreError {
    StoreError::Unclear(format!(
        "the connection to the database was lost during a commit ({cause}); whether it took effect must be looked up"
    ))
}

/// Tells listeners that something changed outside a lane's journal.
pub(super) async fn tell<C: GenericClient>(tx: &C) -> Result<(), StoreError> {
    execute(tx, "select pg_notify($1, $2)", &[&super::listen::CHANNEL, &super::listen::ANY]).await?;
    Ok(())
}

/// One change in one transaction: `change!(store, tx => work(&tx).await)`; with `tell`, listeners hear of it.
macro_rules! change {
    ($store:expr, tell, $tx:ident => $work:expr) => {
        $crate::postgres::ask::change!($store, $tx => match $work {
            Ok(value) => $crate::postgres::ask::tell(&$tx).await.map(|()| value),
            Err(error) => Err(error),
        })
    };
    ($store:expr, $tx:ident => $work:expr) => {{
        let mut patience = $crate::postgres::ask::Patience::default();
        loop {
            let mut client = $store.client().await?;
            let outcome = match client.transaction().await.map_err($crate::error::StoreError::from) {
                Ok($tx) => match $work {
                    Ok(value) => $crate::postgres::ask::commit($tx).await.map(|()| value),
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            match outcome {
                Err(error) if patience.again(&error).await => {}
                outcome => break outcome,
            }
        }
    }};
}

/// One read: `read!(store, db => work(&db).await)`.
macro_rules! read {
    ($store:expr, $db:ident => $work:expr) => {{
        let mut patience = $crate::postgres::ask::Patience::default();
        loop {
            let $db = $store.client().await?;
            match $work {
                Err(error) if patience.again(&error).await => {}
                outcome => break outcome,
            }
        }
    }};
}

pub(super) use {change, read};
