//! Names of secrets.

use axum::extract::State;
use muster_api::document::{Many, Resource};
use muster_api::secret::SecretAttributes;

use crate::answer::{Handled, all};
use crate::app::App;
use crate::handler::Reading;

/// Names of sealed secrets, never their values.
#[utoipa::path(get, path = "/api/v1/secrets", operation_id = "secret_list", tag = "secrets",
    params(("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The names", body = Many<SecretAttributes>)))]
pub async fn list(State(app): State<App>, Reading { space, .. }: Reading) -> Handled {
    let names = app.engine.reads().secrets(&space).await?;
    let said = |name: &muster_model::id::SecretName| {
        Resource::new(name.as_str(), SecretAttributes { name: name.to_string() })
    };
    all(names.iter().map(said).collect())
}
