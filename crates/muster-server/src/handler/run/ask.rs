//! What a person asks of a run under way: stop between steps, be left, go on. One frame, three words.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::One;
use muster_api::media;
use muster_api::run::RunAttributes;
use muster_model::id::RunId;
use muster_model::rights::Authority;
use muster_runs::{Engine, EngineError};

use super::{asked_of, readable, said};
use crate::answer::{Handled, accepted};
use crate::app::App;
use crate::extract::{Asking, Path};
use crate::negotiate::accept;

async fn ask(
    app: &App,
    headers: &HeaderMap,
    authority: &Authority,
    id: uuid::Uuid,
    word: impl AsyncFnOnce(&Engine, &Authority, RunId) -> Result<(), EngineError>,
) -> Handled {
    accept(headers, &[media::JSON_API])?;
    let run = RunId(id);
    asked_of(app, authority, run).await?;
    word(&app.engine, authority, run).await?;
    accepted(said(&readable(app, authority, run).await?))
}

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
    ask(&app, &headers, &authority, id, async |engine, authority, run| engine.cancel(authority, run).await)
        .await
}

/// Lets running steps finish and leaves the run *interrupted*.
#[utoipa::path(post, path = "/api/v1/runs/{id}/interrupt", operation_id = "run_interrupt", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run")),
    responses(
        (status = 202, description = "It will be left", body = One<RunAttributes>),
        (status = 409, description = "It cannot be done to this run now", body = muster_api::Problems)))]
pub async fn interrupt(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
) -> Handled {
    ask(&app, &headers, &authority, id, async |engine, authority, run| engine.interrupt(authority, run).await)
        .await
}

/// Takes up an interrupted run in this process.
#[utoipa::path(post, path = "/api/v1/runs/{id}/resume", operation_id = "run_resume", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run")),
    responses(
        (status = 202, description = "It goes on", body = One<RunAttributes>),
        (status = 409, description = "It cannot be done to this run now", body = muster_api::Problems)))]
pub async fn resume(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
) -> Handled {
    ask(&app, &headers, &authority, id, async |engine, authority, run| engine.resume(authority, run).await)
        .await
}

/// Takes a failed run up again: failed steps begin once more in the same journal, succeeded ones stay.
#[utoipa::path(post, path = "/api/v1/runs/{id}/retry", operation_id = "run_retry", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run")),
    responses(
        (status = 202, description = "It goes on", body = One<RunAttributes>),
        (status = 409, description = "It cannot be done to this run now", body = muster_api::Problems)))]
pub async fn retry(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
) -> Handled {
    ask(&app, &headers, &authority, id, async |engine, authority, run| engine.retry(authority, run).await)
        .await
}

/// Lets running steps finish and begins nothing further until the run is resumed; it keeps its locks.
#[utoipa::path(post, path = "/api/v1/runs/{id}/pause", operation_id = "run_pause", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run")),
    responses(
        (status = 202, description = "It will pause", body = One<RunAttributes>),
        (status = 409, description = "It cannot be done to this run now", body = muster_api::Problems)))]
pub async fn pause(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
) -> Handled {
    ask(&app, &headers, &authority, id, async |engine, authority, run| engine.pause(authority, run).await)
        .await
}

/// Lets go of a run that executes in the answering process: running steps finish, and whoever resumes it goes on.
#[utoipa::path(post, path = "/api/v1/runs/{id}/hand-over", operation_id = "run_hand_over", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run")),
    responses(
        (status = 202, description = "It will be let go", body = One<RunAttributes>),
        (status = 409, description = "It cannot be done to this run now", body = muster_api::Problems)))]
pub async fn hand_over(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
) -> Handled {
    let word = async |engine: &Engine, authority: &Authority, run| engine.hand_over(authority, run).await;
    ask(&app, &headers, &authority, id, word).await
}
