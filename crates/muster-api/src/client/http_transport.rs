//! The API over HTTP: a control plane's address, or a socket file of an engine on this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use muster_model::Secret;

use super::{Body, Broken, Transport};

/// Longest time to connect.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence of a server: a long poll, and the pause between two signs of life of a stream, are shorter.
pub const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// The API over HTTP.
pub struct HttpTransport {
    base: String,
    token: Secret,
    client: reqwest::Client,
}

impl HttpTransport {
    /// To a server's base address, e.g. `http://127.0.0.1:7474`.
    pub fn to_url(base: &str, token: Secret) -> Result<HttpTransport, Broken> {
        HttpTransport::build(base.trim_end_matches('/').to_owned(), token, None)
    }

    /// To an engine that listens on a socket file of this machine.
    #[cfg(unix)]
    pub fn to_socket(path: &Path, token: Secret) -> Result<HttpTransport, Broken> {
        HttpTransport::build("http://localhost".to_owned(), token, Some(path.to_owned()))
    }

    fn build(base: String, token: Secret, socket: Option<PathBuf>) -> Result<HttpTransport, Broken> {
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT);
        #[cfg(unix)]
        if let Some(path) = socket {
            builder = builder.unix_socket(path);
        }
        #[cfg(not(unix))]
        let _ = socket;
        builder = builder.user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
        let client = builder.build().map_err(|error| Broken(deepest(&error)))?;
        Ok(HttpTransport { base, token, client })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, Broken> {
        let (parts, body) = request.into_parts();
        let url = format!("{}{}", self.base, parts.uri);
        let sent = self.client.request(parts.method, url).headers(parts.headers);
        let answer = sent.bearer_auth(self.token.expose()).body(body).send().await;
        let answer = answer.map_err(|error| Broken(deepest(&error)))?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = answer.headers().clone();
        }
        let stream = answer.bytes_stream().map(|chunk| chunk.map_err(|error| Broken(deepest(&error))));
        let stream: Body = stream.boxed();
        response.body(stream).map_err(|error| Broken(error.to_string()))
    }
}

/// The deepest cause is the useful one ("connection refused"), not "error sending request".
fn deepest(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
