//! The one writer: what arrived during a commit is the next commit.
//!
//! The loop is one function, [`commit_batch`]; it runs on a thread of its own, or as a task where a simulation
//! needs one thread only.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::commits::{CommitCounts, Commits};
use crate::error::StoreError;

/// The most changes in one commit.
const BATCH_MAX: usize = 4_096;
/// Changes that may wait for the writer before callers wait for room.
const QUEUE_MAX: usize = 16_384;

/// Where the writer's loop runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterMode {
    /// On a thread of its own.
    Thread,
    /// As a task of the current runtime (simulations, single-threaded tests).
    Task,
}

type Done = Box<dyn FnOnce(Result<(), String>) + Send>;
type Work = Box<dyn FnOnce(&Connection) -> Done + Send>;

/// The way to the writer.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Work>,
    commits: Arc<Commits>,
}

impl Writer {
    /// Starts the loop over this connection.
    pub fn start(mut connection: Connection, mode: WriterMode) -> Result<Writer, StoreError> {
        let (queue, mut waiting) = mpsc::channel::<Work>(QUEUE_MAX);
        let commits = Arc::new(Commits::default());
        let counted = commits.clone();
        match mode {
            WriterMode::Thread => {
                std::thread::Builder::new()
                    .name("store-writer".into())
                    .spawn(move || {
                        let mut batch = Vec::new();
                        while waiting.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
                            counted.observe(batch.len());
                            commit_batch(&mut connection, std::mem::take(&mut batch));
                        }
                    })
                    .map_err(|source| StoreError::File {
                        doing: "start the store's writer".into(),
                        source,
                    })?;
            }
            WriterMode::Task => {
                tokio::spawn(async move {
                    let mut batch = Vec::new();
                    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
                        counted.observe(batch.len());
                        commit_batch(&mut connection, std::mem::take(&mut batch));
                    }
                });
            }
        }
        Ok(Writer { queue, commits })
    }

    /// How large the commits were.
    pub fn commits(&self) -> CommitCounts {
        self.commits.counts()
    }

    /// Runs a change in the next commit and waits until that commit is durable. A change that fails is undone
    /// alone; its neighbours in the commit stay.
    pub async fn write<T, F>(&self, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            let result = in_savepoint(connection, change);
            Box::new(move |committed| {
                let told = match (committed, result) {
                    (Ok(()), result) => result,
                    (Err(_), Err(error)) => Err(error),
                    (Err(message), Ok(_)) => Err(StoreError::Unusable(format!("commit failed: {message}"))),
                };
                // The asker may be gone (its task was dropped); the change is durable all the same.
                let _ = answer.send(told);
            })
        });
        self.queue.send(work).await.map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    change: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("savepoint change")?;
    match change(connection) {
        Ok(value) => {
            connection.execute_batch("release change")?;
            Ok(value)
        }
        Err(error) => {
            connection.execute_batch("rollback to change; release change")?;
            Err(error)
        }
    }
}

/// One group commit.
fn commit_batch(connection: &mut Connection, batch: Vec<Work>) {
    let began = connection.execute_batch("begin immediate");
    if let Err(error) = began {
        let message = error.to_string();
        // Nothing may be done outside a transaction: each change is told so without running.
        for work in batch {
            refuse(connection, work, &message);
        }
        return;
    }
    let done: Vec<Done> = batch.into_iter().map(|work| work(connection)).collect();
    let committed = connection.execute_batch("commit").map_err(|error| {
        let _ = connection.execute_batch("rollback");
        error.to_string()
    });
    for done in done {
        done(committed.clone());
    }
}

fn refuse(connection: &Connection, work: Work, message: &str) {
    // A savepoint outside a transaction would commit by itself, so the work runs inside one that is rolled back.
    if connection.execute_batch("begin").is_ok() {
        let done = work(connection);
        let _ = connection.execute_batch("rollback");
        done(Err(message.to_owned()));
    }
}
