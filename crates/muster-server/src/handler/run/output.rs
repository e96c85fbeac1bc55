//! Detail output of a run.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use muster_api::document::{Many, Resource};
use muster_api::media;
use muster_api::run::OutputAttributes;
use muster_model::id::RunId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Handled, document};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::negotiate::accept;

/// Most lines in one answer.
pub const LINES_MAX: u32 = 10_000;

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Only of this step.
    step: Option<u32>,
    /// Leave out so many lines at the beginning.
    #[serde(default)]
    #[param(required = false)]
    after: u64,
    /// At most so many, no more than 10,000.
    #[serde(default = "limit")]
    #[param(required = false, maximum = 10000)]
    limit: u32,
}

fn limit() -> u32 {
    1_000
}

/// Lines of output, in order.
#[utoipa::path(get, path = "/api/v1/runs/{id}/output", operation_id = "run_output", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run"), Which),
    responses((status = 200, description = "The lines", body = Many<OutputAttributes>)))]
pub async fn output(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
    Query(which): Query<Which>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    super::asked_of(&app, &authority, RunId(id)).await?;
    let limit = which.limit.min(LINES_MAX);
    let lines = app.engine.reads().output(RunId(id), which.step, which.after, limit + 1).await?;
    let lines = lines.into_iter().enumerate().map(|(index, line)| {
        let said = OutputAttributes { at: line.at, step: line.step, target: line.target, text: line.text };
        Resource::new((which.after + index as u64 + 1).to_string(), said)
    });
    document(StatusCode::OK, &Many::cut(lines.collect(), limit as usize))
}
