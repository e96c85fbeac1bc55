//! What one file owns.

use axum::extract::State;
use muster_api::document::One;
use muster_api::infrastructure::InfrastructureAttributes;

use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::Path;
use crate::handler::Reading;
use crate::refusal::Refusal;

/// What one file owns, and its newest run.
#[utoipa::path(get, path = "/api/v1/infrastructures/{name}", operation_id = "infrastructure_show",
    tag = "infrastructures",
    params(("name" = String, Path, description = "The file's name"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "What it owns", body = One<InfrastructureAttributes>)))]
pub async fn show(
    State(app): State<App>,
    Path(name): Path<String>,
    Reading { space, .. }: Reading,
) -> Handled {
    let views = app.engine.reads().infrastructures(&space).await?;
    let view = views.iter().find(|view| view.name.as_str() == name);
    one(super::said(
        view.ok_or_else(|| Refusal::not_found("infrastructure that owns anything called", name))?,
    ))
}
