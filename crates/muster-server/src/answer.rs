//! Answers: a JSON:API document with its status and media type.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use muster_api::document::{Many, One, Resource, Said};
use muster_api::media;
use serde::Serialize;

use crate::refusal::Refusal;

/// What a handler returns.
pub type Handled = Result<Response, Refusal>;

/// A document with a status.
pub fn document(status: StatusCode, body: &impl Serialize) -> Handled {
    let body = serde_json::to_vec(body).map_err(|error| {
        Refusal::new(muster_api::ProblemKind::Internal, format!("the answer cannot be written: {error}"))
    })?;
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media::JSON_API));
    Ok(response)
}

/// 200 with one thing.
pub fn one<T: Serialize>(data: Resource<T>) -> Handled {
    document(StatusCode::OK, &One { data })
}

/// An answer with a secret in it: nobody on the way keeps it.
pub fn unkept(answer: Handled) -> Handled {
    let mut response = answer?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// 202 with one thing that is on its way.
pub fn accepted<T: Serialize>(data: Resource<T>) -> Handled {
    document(StatusCode::ACCEPTED, &One { data })
}

/// 200 with a complete list.
pub fn all<T: Serialize + Said>(data: Vec<Resource<T>>) -> Handled {
    document(StatusCode::OK, &Many::all(data))
}

/// 204.
pub fn nothing() -> Handled {
    Ok(StatusCode::NO_CONTENT.into_response())
}
