//! How a request leaves the process: over the network, or into a simulator in the same process.
//!
//! A transport moves bytes once. It does not repeat, judge or bound the time of a whole call: that is the
//! work of each client's manners. What it must tell truly is whether a request **certainly never left**
//! ([`Broken::never_sent`]), because only then may a write be sent again (`SEMANTICS.md` §4).

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};

pub mod counted;

/// The largest answer that is read, in bytes. Ten thousand servers are about 10 MB.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Longest time for opening a connection (name, TCP, TLS), below any request's own limit, so that a silent
/// address is reported as *never sent* and not as an unknown outcome.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Longest silence while an answer is awaited or read.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// How long an idle connection is kept. Short, because a connection that the other side has just closed costs
/// a write its certainty.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections kept per address.
const IDLE_PER_HOST_MAX: usize = 8;

/// Sends one request and waits for its whole answer.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request. The caller bounds the time; a transport never repeats a request.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken>;
}

/// No answer came, or none that could be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Broken {
    /// In words.
    pub message: String,
    /// Whether the request certainly never reached the other side (refused connection, name not found).
    pub never_sent: bool,
}

impl Broken {
    /// A request that certainly never left.
    pub fn never_sent(message: impl Into<String>) -> Broken {
        Broken { message: message.into(), never_sent: true }
    }

    /// A request that may have arrived.
    pub fn maybe_sent(message: impl Into<String>) -> Broken {
        Broken { message: message.into(), never_sent: false }
    }
}

/// The network: pooled connections, TLS by rustls with *ring*, no proxy, no redirects, no repeats.
pub struct HttpTransport {
    client: reqwest::Client,
    /// Why `https` cannot be spoken here; a machine without root certificates still speaks plain `http`.
    without_tls: Option<String>,
}

impl HttpTransport {
    /// Opens no connection yet. Fails only if no HTTP client can be built at all.
    pub fn new() -> Result<HttpTransport, Broken> {
        // reqwest panics without a process-wide provider; installing it twice is harmless.
        rustls::crypto::ring::default_provider().install_default().ok();
        match builder().build() {
            Ok(client) => Ok(HttpTransport { client, without_tls: None }),
            Err(reason) => {
                // The platform's verifier refuses to exist without root certificates (a bare container).
                // An empty list of roots builds, trusts nobody, and leaves plain http usable.
                let client = builder()
                    .tls_certs_only(std::iter::empty())
                    .build()
                    .map_err(|error| Broken::never_sent(format!("no HTTP client: {}", innermost(&error))))?;
                Ok(HttpTransport { client, without_tls: Some(innermost(&reason)) })
            }
        }
    }
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .referer(false)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .tcp_nodelay(true)
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        if let Some(reason) = &self.without_tls
            && request.uri().scheme_str() == Some("https")
        {
            return Err(Broken::never_sent(format!(
                "this machine has no usable root certificates ({reason}); install its ca-certificates package"
            )));
        }
        let request = reqwest::Request::try_from(request).map_err(|error| {
            Broken::never_sent(format!("the request cannot be formed: {}", innermost(&error)))
        })?;
        let mut answer = self.client.execute(request).await.map_err(broken)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Broken::maybe_sent(format!(
                    "the answer is larger than {} MiB",
                    ANSWER_BYTES_MAX / (1024 * 1024)
                )));
            }
            body.extend_from_slice(&chunk);
        }
        *response.body_mut() = body.freeze();
        Ok(response)
    }
}

/// Says what broke. Only a failure while the connection was being opened is certain to have had no effect;
/// one on a connection that stood is not, even if it looks like it.
fn broken(error: reqwest::Error) -> Broken {
    let never_sent = error.is_connect() || error.is_builder();
    let what = if error.is_timeout() && never_sent {
        "the connection could not be opened in time"
    } else if error.is_timeout() {
        "no answer in time"
    } else if never_sent {
        "the connection could not be opened"
    } else if error.is_decode() || error.is_body() {
        "the answer broke off"
    } else {
        "the connection broke"
    };
    Broken { message: format!("{what}: {}", innermost(&error)), never_sent }
}

/// The last cause, which is the useful one ("Connection refused", "UnknownIssuer"). Never the whole chain:
/// its head repeats the address.
fn innermost(error: &dyn Error) -> String {
    let mut last = error;
    // Bounded: a chain of causes is finite by construction, and short.
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
