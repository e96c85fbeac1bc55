//! Large contents beside the rows: blobs by their SHA-256, and blocks of detail output. One small trait for both,
//! because both live in the same place: in directories with SQLite, in rows with PostgreSQL.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use muster_model::id::{LaneNumber, RunId};

use crate::error::StoreError;
use crate::store::StoreResult;

/// The most bytes one blob may have.
pub const BLOB_MAX: u64 = 256 * 1024 * 1024;

/// Some lines of one lane's output, compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The number of its first line in the lane.
    pub first: u64,
    /// How many lines it has.
    pub lines: u32,
    /// Its size before compression.
    pub raw: u32,
    /// The compressed lines.
    pub body: Vec<u8>,
}

impl Block {
    /// The number of the line after its last one.
    pub fn end(&self) -> u64 {
        self.first + u64::from(self.lines)
    }
}

/// Where a lane's output ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputEnd {
    /// Lines so far.
    pub lines: u64,
    /// Their size before compression.
    pub bytes: u64,
}

/// Blobs and output blocks.
#[async_trait]
pub trait Contents: Send + Sync {
    /// Whether this content is here. Asking is using: it is then not forgotten for a while.
    async fn has(&self, digest: &str) -> StoreResult<bool>;
    /// Keeps a content. The caller has checked that the digest is that of the content.
    async fn put(&self, digest: &str, content: &[u8]) -> StoreResult<()>;
    /// Forgets contents that are not among these digests and that nobody put or asked for within `idle`, which is some
    /// hours: uses within one hour may be noted once. Gives how many. One that is asked for meanwhile either stays, or is not here for whoever asks.
    async fn forget_unused(&self, kept: &BTreeSet<String>, idle: Duration) -> StoreResult<u64>;
    /// Reads a content.
    async fn get(&self, digest: &str) -> StoreResult<Vec<u8>>;
    /// Where a lane's output ends; the next block begins there.
    async fn output_end(&self, run: RunId, lane: LaneNumber) -> StoreResult<OutputEnd>;
    /// Adds blocks of one lane, in order. They are durable when this returns.
    async fn append_output(&self, run: RunId, lane: LaneNumber, blocks: &[Block]) -> StoreResult<()>;
    /// Up to `limit` blocks with lines from number `from` on, in order.
    async fn output(&self, run: RunId, lane: LaneNumber, from: u64, limit: u32) -> StoreResult<Vec<Block>>;
    /// Forgets a run's output.
    async fn forget_output(&self, run: RunId) -> StoreResult<()>;
}

/// Whatever in a text looks like a digest. A manifest that is read in a later form must not lose its contents, so its
/// shape is not relied on.
pub(crate) fn digests_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|character: char| !matches!(character, '0'..='9' | 'a'..='f'));
    words.filter(|word| word.len() == 64)
}

/// Refuses what cannot be a digest, before it becomes part of a path or a key.
pub(crate) fn must_be_digest(digest: &str) -> Result<(), StoreError> {
    let is_digest = digest.len() == 64
        && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if is_digest {
        return Ok(());
    }
    Err(StoreError::Conflict(format!("`{digest}` is not a SHA-256 in lower-case hex")))
}
