//! Look at a run.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::One;
use muster_api::media;
use muster_api::run::RunAttributes;
use muster_model::id::RunId;

use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::{Asking, Path};
use crate::negotiate::accept;

/// One run.
#[utoipa::path(get, path = "/api/v1/runs/{id}", operation_id = "run_show", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run")),
    responses((status = 200, description = "The run", body = One<RunAttributes>)))]
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    one(super::said(&super::readable(&app, &authority, RunId(id)).await?))
}
