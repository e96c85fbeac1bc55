//! Approve a plan.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Incoming, One};
use muster_api::media;
use muster_api::problem::{Problem, ProblemKind};
use muster_api::run::{PrioritySaid, RunAttributes, RunRequest};
use muster_model::id::PlanId;
use muster_runs::{Priority, Start};

use crate::answer::{Handled, accepted};
use crate::app::App;
use crate::extract::{Asking, Document, Key};
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// Approves a plan: the newest of its subject, its locks free; a run begins, after its countdown if it has one.
#[utoipa::path(post, path = "/api/v1/runs", operation_id = "run_create", tag = "runs",
    params(("idempotency-key" = Option<String>, Header, description = "The same key twice is the same request")),
    request_body = Incoming<RunRequest>,
    responses(
        (status = 202, description = "The run begins", body = One<RunAttributes>),
        (status = 409, description = "Busy, overtaken or refused", body = muster_api::Problems)))]
pub async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Key(key): Key,
    body: Document<RunRequest>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let plan: PlanId = body.attributes.plan.parse().map_err(|_| {
        let detail = format!("`{}` is no plan's id", body.attributes.plan);
        Refusal::from(Problem::new(ProblemKind::Invalid, detail).pointer("/data/attributes/plan"))
    })?;
    let countdown = body.attributes.countdown_seconds.map(Duration::from_secs);
    let priority = priority(body.attributes.priority);
    let how = Start { idempotency_key: key, countdown, priority };
    let run = app.engine.start(&authority, plan, how).await?;
    let view = app.engine.reads().run(run).await?.ok_or_else(|| Refusal::not_found("run", run))?;
    accepted(super::said(&view))
}

/// The priority that was said.
pub fn priority(said: PrioritySaid) -> Priority {
    match said {
        PrioritySaid::Low => Priority::Low,
        PrioritySaid::Normal => Priority::Normal,
        PrioritySaid::High => Priority::High,
    }
}
