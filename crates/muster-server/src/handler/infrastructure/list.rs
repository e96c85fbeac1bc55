//! Files that own something or had a run.

use axum::extract::State;
use muster_api::document::Many;
use muster_api::infrastructure::InfrastructureAttributes;

use crate::answer::{Handled, all};
use crate::app::App;
use crate::handler::Reading;

/// Files that own something or had a run.
#[utoipa::path(get, path = "/api/v1/infrastructures", operation_id = "infrastructure_list", tag = "infrastructures",
    params(("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The files", body = Many<InfrastructureAttributes>)))]
pub async fn list(State(app): State<App>, Reading { space, .. }: Reading) -> Handled {
    let views = app.engine.reads().infrastructures(&space).await?;
    all(views.iter().map(super::said).collect())
}
