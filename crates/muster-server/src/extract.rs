//! Extractors in the API's own words: their rejections are JSON:API errors.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use muster_api::document::{Incoming, Said};
use muster_api::media;
use muster_api::problem::{Problem, ProblemKind};
use muster_model::rights::Authority;
use serde::de::DeserializeOwned;

use crate::negotiate;
use crate::refusal::Refusal;

/// A JSON:API request document; gives its id (where one stands) and attributes.
pub struct Document<T> {
    /// The id that the client chose.
    pub id: Option<String>,
    /// What is asked for.
    pub attributes: T,
}

impl<S, T> FromRequest<S> for Document<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Said,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        negotiate::content_type(request.headers(), media::JSON_API)?;
        let body = Bytes::from_request(request, state).await.map_err(body_refusal)?;
        let incoming = serde_json::from_slice::<Incoming<T>>(&body).map_err(|error| {
            Problem::new(ProblemKind::Invalid, format!("the body cannot be read: {error}")).pointer("/data")
        })?;
        if incoming.data.kind != T::TYPE {
            let detail =
                format!("this address is about `{}`, the body about `{}`", T::TYPE, incoming.data.kind);
            return Err(Problem::new(ProblemKind::Refused, detail).pointer("/data/type").into());
        }
        Ok(Document { id: incoming.data.id, attributes: incoming.data.attributes })
    }
}

impl<T> Document<T> {
    /// The attributes, where the id in the body (if any) is the one in the path.
    pub fn named(self, name: &str) -> Result<T, Refusal> {
        match &self.id {
            Some(id) if id != name => {
                let detail = format!("the path says `{name}`, the body `{id}`");
                Err(Problem::new(ProblemKind::Refused, detail).pointer("/data/id").into())
            }
            _ => Ok(self.attributes),
        }
    }
}

/// The raw bytes of a blob.
pub struct Octets(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Octets {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        negotiate::content_type(request.headers(), media::OCTETS)?;
        Bytes::from_request(request, state).await.map(Octets).map_err(body_refusal)
    }
}

fn body_refusal(rejection: BytesRejection) -> Refusal {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::new(ProblemKind::TooLarge, "the body is longer than this address reads")
        }
        _ => {
            Refusal::new(ProblemKind::Invalid, format!("the body did not arrive: {}", rejection.body_text()))
        }
    }
}

/// Parts of the path.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(rejection) => Err(Refusal::new(ProblemKind::NotFound, rejection.body_text())),
        }
    }
}

/// Query parameters.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(rejection) => Err(Refusal::new(ProblemKind::Invalid, rejection.body_text())),
        }
    }
}

/// Who is asking; put there by the sign-in layer.
pub struct Asking(pub Authority);

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let authority = parts.extensions.get::<Authority>().cloned();
        authority.map(Asking).ok_or_else(|| Refusal::new(ProblemKind::Unauthorized, "nobody is signed in"))
    }
}

/// Longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 200;

/// The idempotency key of a request, where there is one.
pub struct Key(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        key(&parts.headers).map(Key)
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get(media::IDEMPOTENCY_KEY) else { return Ok(None) };
    let wrong = || Problem::new(ProblemKind::Invalid, "the idempotency key is empty, too long or no text");
    let text = value.to_str().map_err(|_| wrong().header(media::IDEMPOTENCY_KEY))?;
    if text.is_empty() || text.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        return Err(wrong().header(media::IDEMPOTENCY_KEY).into());
    }
    Ok(Some(text.to_owned()))
}
