//! Propose a plan.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use muster_api::blob::manifest_meant;
use muster_api::document::{Incoming, One};
use muster_api::media;
use muster_api::plan::{PlanAttributes, PlanRequest};
use muster_model::id::{AccountName, InfrastructureName, PlanId, SpaceName};
use muster_runs::Proposal;

use crate::answer::{Handled, accepted};
use crate::app::App;
use crate::extract::{Asking, Document, Key};
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// Checks the document and answers at once with a plan that is *observing*.
#[utoipa::path(post, path = "/api/v1/plans", operation_id = "plan_create", tag = "plans",
    params(("idempotency-key" = Option<String>, Header, description = "The same key twice is the same request")),
    request_body = Incoming<PlanRequest>,
    responses(
        (status = 202, description = "The world is being looked at", body = One<PlanAttributes>),
        (status = 422, description = "The document has problems", body = muster_api::Problems)))]
pub async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Key(key): Key,
    body: Document<PlanRequest>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let id = app.engine.submit(&authority, proposal(body.attributes, key)).await?;
    saved(&app, id).await
}

/// A proposal in the engine's words.
pub fn proposal(request: PlanRequest, idempotency_key: Option<String>) -> Proposal {
    Proposal {
        space: SpaceName::from(request.space),
        infrastructure: InfrastructureName::from(request.infrastructure),
        bundle: manifest_meant(request.bundle),
        entry: request.entry,
        vars: request.vars,
        var_files: request.var_files,
        env: request.env.into_iter().map(|(name, value)| (name, value.0)).collect(),
        account: request.account.map(AccountName::from),
        policy: request.policy.into(),
        idempotency_key,
    }
}

/// 202 with a plan that was just saved.
pub async fn saved(app: &App, id: PlanId) -> Result<Response, Refusal> {
    let view = app.engine.reads().plan(id).await?.ok_or_else(|| Refusal::not_found("plan", id))?;
    accepted(super::said(&view))
}
