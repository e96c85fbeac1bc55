//! Where records go that others search: Elasticsearch or OpenSearch, behind one small trait.
//!
//! A sink takes documents with ids that never change, so that sending one twice keeps it once. It sends a batch
//! once and tells truly what became of each document. What to send, in which order, how often to try again and
//! what to do meanwhile is decided by whoever calls it.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

mod bulk;
mod elastic;
mod memory;
mod template;

pub use elastic::{ElasticSettings, ElasticSink, Login};
pub use memory::MemorySink;
pub use template::{BASIC, DETAIL};

/// The most documents of one request.
pub const BATCH_DOCUMENTS_MAX: usize = 1_000;
/// The most bytes of one request, unless a single document is larger.
pub const BATCH_BYTES_MAX: usize = 5 * 1024 * 1024;

/// One document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The index it belongs to.
    pub index: String,
    /// Its id: the same record always has the same one.
    pub id: String,
    /// A JSON object in one line.
    pub body: String,
}

impl Document {
    /// About what it takes in a request, in bytes.
    pub fn weight(&self) -> usize {
        self.body.len() + self.index.len() + self.id.len() + 64
    }
}

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is there, now or since an earlier attempt.
    Kept,
    /// Not now (too many requests, a shard that is away): leave it alone for a while, then send the same again.
    Again(String),
    /// Not now for a reason of its index (blocked, forbidden, missing): somebody must mend that first. Documents of
    /// other indices may go through.
    Blocked(String),
    /// Never like this (a field that does not fit its mapping).
    Refused(String),
}

/// What can be done about a request that failed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Send the same again later: nobody answered, too busy, or somebody must mend rights or settings first.
    Later,
    /// The request as such was not taken: send it in smaller parts.
    Split,
}

/// A request that failed as a whole. No document of it is known to be kept.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SinkError {
    /// What was attempted and what went wrong; never a credential.
    pub message: String,
    /// What can be done.
    pub trouble: Trouble,
    /// How long the other side asked to be left alone.
    pub after: Option<Duration>,
}

/// Takes documents.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Installs what the documents of these indices need. Fine to call again.
    async fn prepare(&self, prefix: &str) -> Result<(), SinkError>;

    /// Sends documents once. The verdicts stand in the documents' order, one each.
    async fn send(&self, documents: &[Document]) -> Result<Vec<Verdict>, SinkError>;
}
