//! Remove a limit.

use axum::extract::State;

use super::key_of;
use crate::answer::{Handled, nothing};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::handler::InSpace;
use crate::refusal::Refusal;

/// Removes a limit.
#[utoipa::path(delete, path = "/api/v1/limits/{key}", operation_id = "limit_remove", tag = "limits",
    params(("key" = String, Path, description = "What is limited"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 204, description = "Removed")))]
pub async fn remove(
    State(app): State<App>,
    Asking(authority): Asking,
    Path(key): Path<String>,
    Query(space): Query<InSpace>,
) -> Handled {
    if app.engine.remove_limit(&authority, &key_of(&key, &space.name())?).await? {
        nothing()
    } else {
        Err(Refusal::not_found("limit", key))
    }
}
