//! Media types of the API.

/// JSON:API documents (<https://jsonapi.org/format/>).
pub const JSON_API: &str = "application/vnd.api+json";
/// One event a line, for programs that follow a run.
pub const NDJSON: &str = "application/x-ndjson";
/// Server-sent events, for browsers.
pub const EVENT_STREAM: &str = "text/event-stream";
/// Raw bytes of a blob.
pub const OCTETS: &str = "application/octet-stream";
/// The header that makes two equal requests one.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The header with a request's id, in requests and answers.
pub const REQUEST_ID: &str = "x-request-id";
/// Where the native API begins.
pub const BASE: &str = "/api/v1";
/// Longest long poll (`?wait=`), in seconds.
pub const WAIT_SECONDS_MAX: u64 = 30;
/// Largest blob, in bytes.
pub const BLOB_BYTES_MAX: usize = muster_model::bundle::FILE_BYTES_MAX as usize;
/// Largest JSON:API request body, in bytes: a manifest of 20,000 files fits.
pub const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024;
