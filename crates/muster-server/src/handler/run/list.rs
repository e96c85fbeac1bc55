//! The newest runs.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::Many;
use muster_api::media;
use muster_api::run::RunAttributes;
use muster_model::id::SpaceName;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Handled, document};
use crate::app::{App, may_read};
use crate::extract::{Asking, Query};
use crate::negotiate::accept;

/// Most runs in one list.
pub const RUNS_MAX: u32 = 1_000;

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The Space.
    #[serde(default = "muster_api::plan::default_space")]
    #[param(required = false)]
    space: String,
    /// At most so many, no more than 1,000.
    #[serde(default = "limit")]
    #[param(required = false, maximum = 1000)]
    limit: u32,
}

fn limit() -> u32 {
    50
}

/// The newest runs first.
#[utoipa::path(get, path = "/api/v1/runs", operation_id = "run_list", tag = "runs", params(Which),
    responses((status = 200, description = "The runs", body = Many<RunAttributes>)))]
pub async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Query(which): Query<Which>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let space = SpaceName::from(which.space);
    may_read(&authority, &space)?;
    let limit = which.limit.min(RUNS_MAX);
    let runs = app.engine.reads().runs(&space, limit + 1).await?;
    let runs = runs.iter().map(super::said).collect();
    document(axum::http::StatusCode::OK, &Many::cut(runs, limit as usize))
}
