//! About the server itself. Answers without sign-in, and says nothing about anybody's infrastructure.

use axum::extract::State;
use axum::http::StatusCode;
use muster_api::about::{HealthAttributes, VersionAttributes};
use muster_api::document::{One, Resource};

use crate::answer::{Handled, document, one};
use crate::app::App;

/// Whether the server can answer.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "about", security(()),
    responses((status = 200, description = "It can", body = One<HealthAttributes>)))]
pub async fn health() -> Handled {
    one(Resource::new("self", HealthAttributes { status: "ok".to_owned() }))
}

/// Whether this node can do its work: its store answers and its lease is held.
#[utoipa::path(get, path = "/ready", operation_id = "ready", tag = "about", security(()),
    responses((status = 200, description = "It can", body = One<HealthAttributes>),
        (status = 503, description = "It cannot, and why", body = One<HealthAttributes>)))]
pub async fn ready(State(app): State<App>) -> Handled {
    let (status, said) = match app.engine.ready().await {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    };
    document(status, &One { data: Resource::new("self", HealthAttributes { status: said }) })
}

/// Which Muster answers.
#[utoipa::path(get, path = "/version", operation_id = "version", tag = "about", security(()),
    responses((status = 200, description = "The version", body = One<VersionAttributes>)))]
pub async fn version() -> Handled {
    let version = VersionAttributes { version: env!("CARGO_PKG_VERSION").to_owned(), api: "v1".to_owned() };
    one(Resource::new("self", version))
}
