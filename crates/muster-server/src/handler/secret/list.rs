//! Names of secrets.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Many, Resource};
use muster_api::media;
use muster_api::secret::SecretAttributes;

use crate::answer::{Handled, all};
use crate::app::{App, may_read};
use crate::extract::{Asking, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;

/// Names of sealed secrets, never their values.
#[utoipa::path(get, path = "/api/v1/secrets", operation_id = "secret_list", tag = "secrets",
    params(("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The names", body = Many<SecretAttributes>)))]
pub async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Query(space): Query<InSpace>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    may_read(&authority, &space.name())?;
    let names = app.engine.reads().secrets(&space.name()).await?;
    let said = |name: &muster_model::id::SecretName| {
        Resource::new(name.as_str(), SecretAttributes { name: name.to_string() })
    };
    all(names.iter().map(said).collect())
}
