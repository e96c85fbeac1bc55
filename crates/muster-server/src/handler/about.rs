//! About the server itself. Answers without sign-in, and says nothing about anybody's infrastructure.

use muster_api::about::{HealthAttributes, VersionAttributes};
use muster_api::document::{One, Resource};

use crate::answer::{Handled, one};

/// Whether the server can answer.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "about", security(()),
    responses((status = 200, description = "It can", body = One<HealthAttributes>)))]
pub async fn health() -> Handled {
    one(Resource::new("self", HealthAttributes { status: "ok".to_owned() }))
}

/// Which Muster answers.
#[utoipa::path(get, path = "/version", operation_id = "version", tag = "about", security(()),
    responses((status = 200, description = "The version", body = One<VersionAttributes>)))]
pub async fn version() -> Handled {
    let version = VersionAttributes { version: env!("CARGO_PKG_VERSION").to_owned(), api: "v1".to_owned() };
    one(Resource::new("self", version))
}
