//! Requests that found their file or servers busy and wait for their turn.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use muster_api::document::{Incoming, Many, One, Resource};
use muster_api::media;
use muster_api::problem::{Problem, ProblemKind};
use muster_api::queue::{QueueRequest, QueuedAttributes};
use muster_model::id::PlanId;
use muster_runs::Start;
use muster_runs::queue::{QueueState, QueuedRow};

use super::Reading;
use crate::answer::{Handled, accepted, all, document};
use crate::app::App;
use crate::extract::{Asking, Document, Path};
use crate::negotiate::accept;
use crate::refusal::Refusal;

fn said(row: &QueuedRow) -> Resource<QueuedAttributes> {
    let state = match row.state {
        QueueState::Waiting => "waiting",
        QueueState::Begun => "begun",
        QueueState::Needless => "needless",
        QueueState::Dropped => "dropped",
    };
    let said = QueuedAttributes {
        subject: row.subject.to_string(),
        state: state.into(),
        message: row.message.clone(),
        run: row.run.map(|run| run.to_string()),
        actor: row.how.authority.actor.clone(),
        asked_at: row.asked_at,
        give_up_at: row.give_up_at,
    };
    Resource::new(row.plan.to_string(), said)
}

/// Lets a ready plan wait until its locks are free; the same wish is then planned anew and begun. It holds no lock. One
/// that waits already for the same is answered instead.
#[utoipa::path(post, path = "/api/v1/queue", operation_id = "queue_create", tag = "runs",
    request_body = Incoming<QueueRequest>,
    responses((status = 202, description = "It waits", body = One<QueuedAttributes>)))]
pub async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    body: Document<QueueRequest>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let asked = body.attributes;
    let plan: PlanId = asked.plan.parse().map_err(|_| {
        let detail = format!("`{}` is no plan's id", asked.plan);
        Refusal::from(Problem::new(ProblemKind::Invalid, detail).pointer("/data/attributes/plan"))
    })?;
    let how = Start {
        idempotency_key: None,
        countdown: asked.countdown_seconds.map(Duration::from_secs),
        priority: super::run::create::priority(asked.priority),
    };
    let limit = Duration::from_secs(asked.limit_seconds);
    accepted(said(&app.engine.enqueue(&authority, plan, how, limit).await?))
}

/// Queued requests, the newest first, also those that do not wait any more.
#[utoipa::path(get, path = "/api/v1/queue", operation_id = "queue_list", tag = "runs",
    params(("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The requests", body = Many<QueuedAttributes>)))]
pub async fn list(State(app): State<App>, Reading { authority, space }: Reading) -> Handled {
    all(app.engine.queue(&authority, &space).await?.iter().map(said).collect())
}

/// One queued request.
#[utoipa::path(get, path = "/api/v1/queue/{id}", operation_id = "queue_show", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The request")),
    responses((status = 200, description = "The request", body = One<QueuedAttributes>)))]
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let row = said(&app.engine.queued(&authority, PlanId(id)).await?);
    document(StatusCode::OK, &One { data: row })
}

/// Takes a request out of the queue, if it still waits.
#[utoipa::path(post, path = "/api/v1/queue/{id}/withdraw", operation_id = "queue_withdraw", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The request")),
    responses((status = 202, description = "It does not wait any more", body = One<QueuedAttributes>)))]
pub async fn withdraw(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    accepted(said(&app.engine.withdraw(&authority, PlanId(id)).await?))
}
