//! The typed client: one method a route, over a transport that is a router in this process or HTTP.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use http::{Method, Request, Response, StatusCode};
use muster_model::id::{PlanId, RunId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cursor::Cursor;
use crate::document::{Incoming, Many, One, Resource, Said};
use crate::media;
use crate::problem::{Problem, Problems};

pub mod events;
pub mod http_transport;
mod prices;
mod revisions;
mod routes;

/// The bytes of an answer as they arrive.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, Broken>> + Send>>;

/// Carries one request to the API. Never repeats it.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request; the path is absolute (`/api/v1/…`), the transport knows to whom it goes.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, Broken>;
}

/// No answer came, or it broke off.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

/// Why a request did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server says no.
    #[error("{0}")]
    Problems(Problems),
    /// No answer came, or it broke off.
    #[error("the server cannot be reached: {0}")]
    Broken(#[from] Broken),
    /// The answer makes no sense to this version.
    #[error("the server's answer cannot be read: {0}")]
    Unreadable(String),
}

impl ClientError {
    /// The exit code of a command that ends with it (`SEMANTICS.md` §11): the first problem's, else 1.
    pub fn exit(&self) -> u8 {
        match self {
            ClientError::Problems(problems) => problems.errors.first().map_or(1, |first| first.row().exit),
            ClientError::Broken(_) | ClientError::Unreadable(_) => 1,
        }
    }

    /// The problems, where the server named any.
    pub fn problems(&self) -> &[Problem] {
        match self {
            ClientError::Problems(problems) => &problems.errors,
            ClientError::Broken(_) | ClientError::Unreadable(_) => &[],
        }
    }
}

/// The result of a request.
pub type Answer<T> = Result<T, ClientError>;

/// The typed client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    transport: std::sync::Arc<dyn Transport>,
}

/// Largest answer that is not a stream, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

impl Client {
    /// A client over a transport.
    pub fn new(transport: impl Transport + 'static) -> Client {
        Client { transport: std::sync::Arc::new(transport) }
    }

    async fn send(&self, request: Request<Bytes>) -> Answer<Response<Body>> {
        let answer = self.transport.send(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = whole(answer.into_body()).await?;
        Err(match serde_json::from_slice::<Problems>(&body) {
            Ok(problems) if !problems.errors.is_empty() => ClientError::Problems(problems),
            _ => ClientError::Unreadable(format!("status {status} without a JSON:API error")),
        })
    }

    fn request(
        method: Method,
        path: &str,
        accept: &str,
        body: Option<(&str, Bytes)>,
    ) -> Answer<Request<Bytes>> {
        let mut request = Request::builder().method(method).uri(path).header(http::header::ACCEPT, accept);
        if let Some((kind, _)) = &body {
            request = request.header(http::header::CONTENT_TYPE, *kind);
        }
        let body = body.map(|(_, bytes)| bytes).unwrap_or_default();
        request
            .body(body)
            .map_err(|error| ClientError::Unreadable(format!("cannot build the request: {error}")))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Answer<T> {
        let answer = self.send(Self::request(Method::GET, path, media::JSON_API, None)?).await?;
        read(answer).await
    }

    async fn call<In: Serialize + Said, Out: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        attributes: In,
    ) -> Answer<Out> {
        let body = serde_json::to_vec(&Incoming::new(attributes))
            .map_err(|error| ClientError::Unreadable(format!("cannot write the request: {error}")))?;
        let body = Some((media::JSON_API, Bytes::from(body)));
        read(self.send(Self::request(method, path, media::JSON_API, body)?).await?).await
    }

    async fn post_empty<T: DeserializeOwned>(&self, path: &str) -> Answer<T> {
        read(self.send(Self::request(Method::POST, path, media::JSON_API, None)?).await?).await
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Answer<Vec<Resource<T>>> {
        Ok(self.get::<Many<T>>(path).await?.data)
    }

    async fn one<T: DeserializeOwned>(&self, path: &str) -> Answer<Resource<T>> {
        Ok(self.get::<One<T>>(path).await?.data)
    }
}

async fn whole(body: Body) -> Answer<Bytes> {
    let limit = ANSWER_BYTES_MAX;
    let gathered = body
        .map_err(ClientError::from)
        .try_fold(Vec::new(), |mut so_far, chunk| async move {
            if so_far.len() + chunk.len() > limit {
                return Err(ClientError::Unreadable(format!("longer than {limit} bytes")));
            }
            so_far.extend_from_slice(&chunk);
            Ok(so_far)
        })
        .await?;
    Ok(Bytes::from(gathered))
}

async fn read<T: DeserializeOwned>(answer: Response<Body>) -> Answer<T> {
    let status = answer.status();
    let body = whole(answer.into_body()).await?;
    let text: &[u8] = if status == StatusCode::NO_CONTENT { b"null" } else { &body };
    serde_json::from_slice(text).map_err(|error| ClientError::Unreadable(error.to_string()))
}

/// A body made of one piece, for transports and tests.
pub fn body_of(bytes: Bytes) -> Body {
    futures::stream::once(async move { Ok(bytes) }).boxed()
}

/// Percent-encodes one path segment or query value.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A path with its query.
fn with_query(path: String, query: &std::collections::BTreeMap<String, String>) -> String {
    let words: Vec<String> =
        query.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
    if words.is_empty() { path } else { format!("{path}?{}", words.join("&")) }
}

fn run_path(run: RunId, verb: &str) -> String {
    format!("{}/runs/{run}{verb}", media::BASE)
}

fn plan_path(plan: PlanId) -> String {
    format!("{}/plans/{plan}", media::BASE)
}

fn events_path(run: RunId, after: &Cursor) -> String {
    run_path(run, &format!("/events?after={}", encoded(&after.to_string())))
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn encodes_what_would_end_a_segment() {
        assert_eq!(encoded("web-1"), "web-1");
        assert_eq!(encoded("a/b?c d"), "a%2Fb%3Fc%20d");
        assert_eq!(encoded("ß"), "%C3%9F");
    }
}
