//! Forget a secret.

use axum::extract::State;
use muster_model::id::SecretName;

use crate::answer::{Handled, nothing};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::handler::InSpace;
use crate::refusal::Refusal;

/// Forgets a secret.
#[utoipa::path(delete, path = "/api/v1/secrets/{name}", operation_id = "secret_unset", tag = "secrets",
    params(("name" = String, Path, description = "The secret"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 204, description = "Forgotten")))]
pub async fn unset(
    State(app): State<App>,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
) -> Handled {
    let secret = SecretName::from(name.as_str());
    if app.engine.unset_secret(&authority, &space.name(), &secret).await? {
        nothing()
    } else {
        Err(Refusal::not_found("secret", name))
    }
}
