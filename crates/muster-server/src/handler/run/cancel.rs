//! Stop a run between steps.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::One;
use muster_api::media;
use muster_api::run::RunAttributes;
use muster_model::id::RunId;

use crate::answer::{Handled, accepted};
use crate::app::App;
use crate::extract::{Asking, Path};
use crate::negotiate::accept;

/// Asks the run to stop between steps, wherever it executes.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", operation_id = "run_cancel", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run")),
    responses(
        (status = 202, description = "It will stop", body = One<RunAttributes>),
        (status = 409, description = "It cannot be done to this run now", body = muster_api::Problems)))]
pub async fn cancel(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    super::readable(&app, &authority, RunId(id)).await?;
    app.engine.cancel(&authority, RunId(id)).await?;
    accepted(super::said(&super::readable(&app, &authority, RunId(id)).await?))
}
