//! How a request leaves the process: over the network, or into a simulator in the same process.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

/// Sends one request and waits for its whole answer.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request. The caller bounds the time; a transport never repeats a request.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken>;
}

/// No answer came, or none that could be read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Broken {
    /// In words.
    pub message: String,
    /// Whether the request certainly never reached the other side (refused connection, name not found).
    pub never_sent: bool,
}
