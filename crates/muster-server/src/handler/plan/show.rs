//! Look at a plan, waiting for it a little.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::One;
use muster_api::media::{self, WAIT_SECONDS_MAX};
use muster_api::plan::PlanAttributes;
use muster_model::id::PlanId;
use muster_runs::reads::PlanState;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Handled, one};
use crate::app::{App, may_read};
use crate::extract::{Asking, Path, Query};
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// Wait at most so many seconds (no more than 30) for the plan to be more than *observing*.
    #[serde(default)]
    #[param(required = false, maximum = 30)]
    wait: u64,
}

/// One plan.
#[utoipa::path(get, path = "/api/v1/plans/{id}", operation_id = "plan_show", tag = "plans",
    params(("id" = uuid::Uuid, Path, description = "The plan"), Waiting),
    responses((status = 200, description = "The plan", body = One<PlanAttributes>)))]
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
    Query(waiting): Query<Waiting>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let id = PlanId(id);
    let reads = app.engine.reads();
    let view = reads.plan(id).await?.ok_or_else(|| Refusal::not_found("plan", id))?;
    may_read(&authority, &view.space)?;
    if view.state != PlanState::Observing || waiting.wait == 0 {
        return one(super::said(&view));
    }
    let limit = Duration::from_secs(waiting.wait.min(WAIT_SECONDS_MAX));
    match tokio::time::timeout(limit, app.engine.planned(id)).await {
        Ok(view) => one(super::said(&view?)),
        // Still observing: the caller asks again.
        Err(_) => one(super::said(&view)),
    }
}
