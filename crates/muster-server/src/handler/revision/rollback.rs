//! Going back to an earlier revision.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Incoming, One};
use muster_api::media;
use muster_api::plan::PlanAttributes;
use muster_api::revision::RollbackRequest;
use muster_model::id::{AccountName, InfrastructureName, RevisionNumber, SpaceName};
use muster_runs::RollBack;

use crate::answer::Handled;
use crate::app::App;
use crate::extract::{Asking, Document, Key, Path};
use crate::handler::plan::create::saved;
use crate::negotiate::accept;

/// Answers at once with a plan that is *observing*: an ordinary one over the file and the bundle of that revision.
#[utoipa::path(post, path = "/api/v1/infrastructures/{name}/rollbacks", operation_id = "rollback_create",
    tag = "revisions",
    params(("name" = String, Path, description = "The file's name"),
        ("idempotency-key" = Option<String>, Header, description = "The same key twice is the same request")),
    request_body = Incoming<RollbackRequest>,
    responses((status = 202, description = "The world is being looked at", body = One<PlanAttributes>),
        (status = 409, description = "That revision cannot be gone back to", body = muster_api::Problems)))]
pub async fn rollback(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Key(key): Key,
    body: Document<RollbackRequest>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let request = body.attributes;
    let wish = RollBack {
        space: SpaceName::from(request.space),
        infrastructure: InfrastructureName::from(name),
        account: request.account.map(AccountName::from),
        to: request.to.map(RevisionNumber),
        deploy: request.deploy,
        keep_disks: request.keep_disks,
        env: request.env.into_iter().map(|(name, value)| (name, value.0)).collect(),
        policy: request.policy.into(),
        idempotency_key: key,
    };
    let id = app.engine.roll_back(&authority, wish).await?;
    saved(&app, id).await
}
