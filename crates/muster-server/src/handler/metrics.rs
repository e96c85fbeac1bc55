//! `/metrics`: numbers about this node in the text format of Prometheus. No JSON:API: its readers speak their own.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::refusal::Refusal;

/// The media type of the text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that is counted.
pub async fn metrics(State(app): State<App>) -> Result<Response, Refusal> {
    let mut response = app.engine.metrics().await?.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(TEXT));
    Ok(response)
}
