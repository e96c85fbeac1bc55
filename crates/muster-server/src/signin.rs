//! Sign-in: who is asking. A caller in this process brings its authority; everybody else brings a token.
//!
//! Also on loopback: without the token every local user could otherwise be the owner.

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use muster_api::problem::ProblemKind;
use muster_model::rights::Authority;

use crate::app::App;
use crate::refusal::Refusal;

/// Addresses that answer without sign-in: they say nothing about anybody's infrastructure.
pub const OPEN: &[&str] = &["/health", "/ready", "/version", "/openapi.json"];

/// Put into requests that may read `/metrics` without the token: those over the home's socket, which only its owner
/// can open, and all where the owner says so.
#[derive(Clone, Copy, Debug)]
pub struct MetricsOpen;

/// The address of the numbers about this node.
pub const METRICS: &str = "/metrics";

/// The layer: puts an [`Authority`] into the request, or answers 401.
pub async fn sign_in(State(app): State<App>, mut request: Request, next: Next) -> Response {
    // Extensions never come from the network: only a caller in this process can have put one there.
    let known = request.extensions().get::<Authority>().is_some();
    let open_metrics = request.uri().path() == METRICS && request.extensions().get::<MetricsOpen>().is_some();
    if !known && !open_metrics && !OPEN.contains(&request.uri().path()) {
        match by_token(&app, &request) {
            Ok(authority) => {
                request.extensions_mut().insert(authority);
            }
            Err(refusal) => return refusal.into_response(),
        }
    }
    next.run(request).await
}

fn by_token(app: &App, request: &Request) -> Result<Authority, Refusal> {
    let say = |detail: &str| Refusal::new(ProblemKind::Unauthorized, detail);
    let header = request.headers().get(header::AUTHORIZATION);
    let Some(header) = header else {
        return Err(say(
            "send the owner's token (the file `token` below MUSTER_HOME) as `Authorization: Bearer …`",
        ));
    };
    let given = header.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let (Some(given), Some(token)) = (given, &app.doors.owner_token) else {
        return Err(say("only `Authorization: Bearer …` is understood"));
    };
    if !equal(given.as_bytes(), token.expose().as_bytes()) {
        return Err(say("this token is not the owner's"));
    }
    Ok(Authority::local(app.doors.owner.clone()))
}

/// Compares without telling by its time how much was right.
fn equal(given: &[u8], wanted: &[u8]) -> bool {
    let differing = given.iter().zip(wanted).fold(0, |differing, (a, b)| differing | (a ^ b));
    given.len() == wanted.len() && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::equal;

    #[test]
    fn only_the_same_is_equal() {
        assert!(equal(b"abc", b"abc"));
        assert!(!equal(b"abd", b"abc"));
        assert!(!equal(b"ab", b"abc"));
        assert!(!equal(b"", b"abc"));
    }
}
