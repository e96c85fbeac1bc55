//! Seal a secret.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Incoming, One, Resource};
use muster_api::media;
use muster_api::secret::{SecretAttributes, SecretValue};
use muster_model::id::SecretName;

use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::{Asking, Document, Path, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;

/// Seals and stores a secret, replacing what it was.
#[utoipa::path(put, path = "/api/v1/secrets/{name}", operation_id = "secret_set", tag = "secrets",
    params(("name" = String, Path, description = "The secret"),
        ("space" = Option<String>, Query, description = "The Space")),
    request_body = Incoming<SecretValue>,
    responses((status = 200, description = "Sealed", body = One<SecretAttributes>)))]
pub async fn set(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
    body: Document<SecretValue>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let value = body.named(&name)?.value.0;
    app.engine.set_secret(&authority, &space.name(), SecretName::from(name.as_str()), value).await?;
    one(Resource::new(name.as_str(), SecretAttributes { name: name.clone() }))
}
