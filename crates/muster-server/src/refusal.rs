//! Refusals: problems as an HTTP answer, and what each kind of engine error becomes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use muster_api::media;
use muster_api::problem::{Problem, ProblemKind, Problems};
use muster_model::rights::Denied;
use muster_runs::EngineError;

/// An answer that is nothing but problems.
#[derive(Debug)]
pub struct Refusal(pub Problems);

impl Refusal {
    /// One problem.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Refusal {
        Refusal(Problem::new(kind, detail).into())
    }

    /// Nothing of that name.
    pub fn not_found(what: &str, name: impl std::fmt::Display) -> Refusal {
        Refusal::new(ProblemKind::NotFound, format!("there is no {what} {name}"))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal(problem.into())
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Refusal {
        Refusal::new(ProblemKind::Forbidden, denied.to_string())
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Refusal {
        let (kind, detail) = match error {
            EngineError::Invalid(message) => (ProblemKind::Invalid, message),
            EngineError::Document(problems) => return Refusal(Problems::from(&*problems)),
            EngineError::AccountMissing(name) => {
                let meta = serde_json::json!({ "account": name.as_str() });
                let detail = EngineError::AccountMissing(name).to_string();
                return Problem::new(ProblemKind::AccountMissing, detail).meta(meta).into();
            }
            EngineError::NotFound(message) => (ProblemKind::NotFound, message),
            EngineError::Denied(denied) => return denied.into(),
            EngineError::Conflict(message) => (ProblemKind::Busy, message),
            EngineError::Refused(message) => (ProblemKind::Refused, message),
            EngineError::Outside(message) => (ProblemKind::Outside, message),
            EngineError::Store(message) => {
                tracing::error!(%message, "the store failed");
                (ProblemKind::Internal, message)
            }
        };
        Refusal::new(kind, detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response = (status, body).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media::JSON_API));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
