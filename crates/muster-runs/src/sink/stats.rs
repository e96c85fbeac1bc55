//! What shipping counts, for `/metrics` and for whoever waits for it.

use std::sync::atomic::{AtomicBool, AtomicU64};

/// Numbers of one process, from its start.
#[derive(Debug, Default)]
pub struct SinkStats {
    /// Documents that are there.
    pub sent: AtomicU64,
    /// Documents that were refused for good and set aside.
    pub refused: AtomicU64,
    /// Records that were gone before they could be sent.
    pub dropped: AtomicU64,
    /// Requests.
    pub requests: AtomicU64,
    /// Requests that failed, as a whole or in parts.
    pub failures: AtomicU64,
    /// Bytes of documents on disk that wait to be sent.
    pub spill_bytes: AtomicU64,
    /// Batches on disk that wait to be sent.
    pub spill_batches: AtomicU64,
    /// Whether reading stopped because there is no room left on disk.
    pub full: AtomicBool,
    /// Whether the last request failed.
    pub failing: AtomicBool,
    /// Whether everything there was to read is sent.
    pub idle: AtomicBool,
}
