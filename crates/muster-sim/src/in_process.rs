//! The simulator without a socket, for tests that run on one thread with paused time.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, Response};

use crate::onecloud::Simulator;

/// A request that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The connection was closed without an answer.
    #[error("the connection was closed without an answer")]
    Dropped,
    /// No answer came until the bound of hanging was reached.
    #[error("no answer came, and the connection was closed at last")]
    Hung,
}

impl Broken {
    /// The word of the header `x-sim-broken`.
    pub(crate) fn header(self) -> HeaderValue {
        match self {
            Broken::Dropped => HeaderValue::from_static("dropped"),
            Broken::Hung => HeaderValue::from_static("hung"),
        }
    }
}

/// Calls a simulator within its own process.
#[derive(Clone)]
pub struct InProcess {
    simulator: Simulator,
}

impl InProcess {
    /// A caller of that simulator.
    pub fn new(simulator: Simulator) -> InProcess {
        InProcess { simulator }
    }

    /// Sends one request and waits for its answer. A hang lasts as long as its bound
    /// ([`crate::onecloud::Limits::hang_ms_max`], on tokio's clock): set a time-out of your own.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        let response = self.simulator.call(request.map(Body::from)).await?;
        let (head, body) = response.into_parts();
        // The body stands in memory: reading it cannot fail.
        let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|_| Broken::Dropped)?;
        Ok(Response::from_parts(head, body))
    }
}
