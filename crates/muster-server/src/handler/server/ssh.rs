//! How to log in to a server.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{One, Resource};
use muster_api::exec::SshAccessAttributes;
use muster_api::media;
use muster_model::id::ServerName;

use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;

/// Prepares a login to an owned server with the system's `ssh`, for a person on this machine.
#[utoipa::path(post, path = "/api/v1/servers/{name}/ssh", operation_id = "server_ssh", tag = "servers",
    params(("name" = String, Path, description = "The server"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "How to log in", body = One<SshAccessAttributes>)))]
pub async fn ssh(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let server = ServerName::from(name.as_str());
    let access = app.engine.ssh_access(&authority, &space.name(), &server).await?;
    let said = SshAccessAttributes { argv: access.argv.clone(), env: access.env.iter().cloned().collect() };
    // The login goes through a private agent that lives as long as the access does.
    app.sessions.keep(access);
    one(Resource::new(name, said))
}
