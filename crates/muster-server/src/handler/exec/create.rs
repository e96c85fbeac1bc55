//! Propose a command.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Incoming, One};
use muster_api::exec::ExecRequest;
use muster_api::media;
use muster_api::plan::PlanAttributes;
use muster_model::id::{ServerName, SpaceName};

use crate::answer::Handled;
use crate::app::App;
use crate::extract::{Asking, Document};
use crate::handler::plan::create::saved;
use crate::negotiate::accept;

/// Proposes one command on owned servers as a plan with one opaque step each.
#[utoipa::path(post, path = "/api/v1/execs", operation_id = "exec_create", tag = "servers",
    request_body = Incoming<ExecRequest>,
    responses((status = 202, description = "The plan", body = One<PlanAttributes>)))]
pub async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    body: Document<ExecRequest>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let ExecRequest { space, servers, argv } = body.attributes;
    let servers = servers.into_iter().map(ServerName::from).collect();
    let plan = app.engine.submit_exec(&authority, &SpaceName::from(space), servers, argv).await?;
    saved(&app, plan).await
}
