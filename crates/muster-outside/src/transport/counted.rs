//! A transport that counts what became of requests, for `/metrics`; it changes nothing about them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use tracing::Instrument;

use super::{Broken, Transport};

/// How many requests ended how, since the process's start.
#[derive(Debug, Default)]
pub struct RequestCounts {
    /// Answered 2xx or 3xx.
    pub done: AtomicU64,
    /// Answered 429.
    pub limited: AtomicU64,
    /// Answered with another 4xx.
    pub refused: AtomicU64,
    /// Answered 5xx.
    pub failed: AtomicU64,
    /// Not answered.
    pub unanswered: AtomicU64,
}

/// A transport that counts.
pub struct CountedTransport {
    inner: Arc<dyn Transport>,
    counts: Arc<RequestCounts>,
}

impl CountedTransport {
    /// Counts what another one sends.
    pub fn new(inner: Arc<dyn Transport>, counts: Arc<RequestCounts>) -> CountedTransport {
        CountedTransport { inner, counts }
    }
}

#[async_trait]
impl Transport for CountedTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        // The path and no more: a query or a header may hold what nobody should see.
        let span = tracing::error_span!(
            "request",
            method = %request.method(),
            host = request.uri().host().unwrap_or_default(),
            path = request.uri().path(),
            status = tracing::field::Empty
        );
        let answer = self.inner.send(request).instrument(span.clone()).await;
        if let Ok(answer) = &answer {
            span.record("status", answer.status().as_u16());
        }
        let counter = match answer.as_ref().map(|answer| answer.status().as_u16()) {
            Ok(429) => &self.counts.limited,
            Ok(400..=499) => &self.counts.refused,
            Ok(500..) => &self.counts.failed,
            Ok(_) => &self.counts.done,
            Err(_) => &self.counts.unanswered,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        answer
    }
}
