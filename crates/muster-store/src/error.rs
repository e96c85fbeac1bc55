//! What can go wrong in the store.

/// A failure or refusal of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The lane is owned by a newer claim; whoever wrote must stop.
    #[error("this lane was taken over by another node; its fence is newer")]
    Fenced,
    /// The node has no lease any more; it must stop and may come back under a new id.
    #[error("{0}")]
    Lapsed(String),
    /// A rule of the store forbids it: a lock is held, a plan is not the newest, a transition is not legal.
    #[error("{0}")]
    Conflict(String),
    /// No such row.
    #[error("{0}")]
    NotFound(String),
    /// The database was written by a newer Muster, or is not one of ours.
    #[error("{0}")]
    Unusable(String),
    /// The store's writer has ended (shutdown or a fatal error before).
    #[error("the store is closed")]
    Closed,
    /// A stored body cannot be read.
    #[error("a stored {noun} cannot be read: {message}")]
    Form {
        /// Which noun.
        noun: &'static str,
        /// Why.
        message: String,
    },
    /// The connection was lost while a change was being committed: it may or may not have taken effect, so look
    /// again before anything else.
    #[error("{0}")]
    Unclear(String),
    /// The database cannot be reached; nothing was changed.
    #[error("{0}")]
    Unreachable(String),
    /// PostgreSQL said no.
    #[error("the database: {0}")]
    Postgres(Box<tokio_postgres::Error>),
    /// SQLite said no.
    #[error("the database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A file could not be read or written.
    #[error("{doing}: {source}")]
    File {
        /// What was being attempted, with the path.
        doing: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> StoreError {
        StoreError::Postgres(Box::new(error))
    }
}
