//! What every request passes: its id, its line in the log, panics caught, compression.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use muster_api::media;
use muster_api::problem::ProblemKind;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

use crate::refusal::Refusal;

/// Longest request id that is taken over from a client, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 100;

/// Counts the requests of one router.
pub type Counter = Arc<AtomicU64>;

/// Gives each request an id (the client's own, where it is short plain text), logs one line, and says it back.
pub async fn request_id(State(counter): State<Counter>, request: Request, next: Next) -> Response {
    let given = request.headers().get(media::REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = match given {
        Some(text) if !text.is_empty() && text.len() <= REQUEST_ID_BYTES_MAX => text.to_owned(),
        // A counter is enough: an id is only to be found again in this process's log.
        _ => format!("request-{}", counter.fetch_add(1, Ordering::Relaxed) + 1),
    };
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    tracing::debug!(request = %id, %method, %path, status, "{method} {path} answered {status}");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(media::REQUEST_ID, value);
    }
    response
}

/// A panic is an answer with status 500; what panicked is in the log, not in the answer.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default();
    tracing::error!(panic = %text, "a request handler panicked: {text}");
    Refusal::new(ProblemKind::Internal, "a defect in Muster stopped this request; its log has more")
        .into_response()
}

/// Compression, but not of streams: they must leave at once.
pub fn compression() -> CompressionLayer<impl Predicate> {
    let predicate = DefaultPredicate::new().and(NotForContentType::const_new(media::NDJSON));
    CompressionLayer::new().gzip(true).compress_when(predicate)
}
