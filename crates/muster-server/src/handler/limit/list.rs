//! The limits.

use axum::extract::State;
use muster_api::document::Many;
use muster_api::limit::LimitAttributes;

use super::resource;
use crate::answer::{Handled, all};
use crate::app::App;
use crate::handler::Reading;

/// Limits of concurrency that concern a Space, and how much of each is taken now.
#[utoipa::path(get, path = "/api/v1/limits", operation_id = "limit_list", tag = "limits",
    params(("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The limits", body = Many<LimitAttributes>)))]
pub async fn list(State(app): State<App>, Reading { authority, space }: Reading) -> Handled {
    let limits = app.engine.limits(&authority, &space).await?;
    all(limits.iter().map(resource).collect())
}
