//! What one file owns.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::One;
use muster_api::infrastructure::InfrastructureAttributes;
use muster_api::media;

use crate::answer::{Handled, one};
use crate::app::{App, may_read};
use crate::extract::{Asking, Path, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// What one file owns, and its newest run.
#[utoipa::path(get, path = "/api/v1/infrastructures/{name}", operation_id = "infrastructure_show",
    tag = "infrastructures",
    params(("name" = String, Path, description = "The file's name"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "What it owns", body = One<InfrastructureAttributes>)))]
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    may_read(&authority, &space.name())?;
    let views = app.engine.reads().infrastructures(&space.name()).await?;
    let view = views.iter().find(|view| view.name.as_str() == name);
    one(super::said(
        view.ok_or_else(|| Refusal::not_found("infrastructure that owns anything called", name))?,
    ))
}
