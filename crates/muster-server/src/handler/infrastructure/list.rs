//! Files that own something or had a run.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::Many;
use muster_api::infrastructure::InfrastructureAttributes;
use muster_api::media;

use crate::answer::{Handled, all};
use crate::app::{App, may_read};
use crate::extract::{Asking, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;

/// Files that own something or had a run.
#[utoipa::path(get, path = "/api/v1/infrastructures", operation_id = "infrastructure_list", tag = "infrastructures",
    params(("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The files", body = Many<InfrastructureAttributes>)))]
pub async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Query(space): Query<InSpace>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    may_read(&authority, &space.name())?;
    let views = app.engine.reads().infrastructures(&space.name()).await?;
    all(views.iter().map(super::said).collect())
}
