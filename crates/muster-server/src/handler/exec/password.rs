//! Passwords of servers: propose others, read what was kept.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Incoming, Many, One, Resource};
use muster_api::exec::PasswordRequest;
use muster_api::media;
use muster_api::object::PasswordAttributes;
use muster_api::plan::PlanAttributes;
use muster_model::id::{ServerName, SpaceName};

use crate::answer::{Handled, all, unkept};
use crate::app::App;
use crate::extract::{Asking, Document, Path};
use crate::handler::Reading;
use crate::handler::plan::create::saved;
use crate::negotiate::accept;

/// Proposes another password for the login users of owned servers. Needs the role of an admin.
#[utoipa::path(post, path = "/api/v1/password-changes", operation_id = "server_password_change", tag = "servers",
    request_body = Incoming<PasswordRequest>,
    responses((status = 202, description = "The plan", body = One<PlanAttributes>)))]
pub async fn change(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    body: Document<PasswordRequest>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let PasswordRequest { space, servers } = body.attributes;
    let servers = servers.into_iter().map(ServerName::from).collect();
    let plan = app.engine.submit_passwords(&authority, &SpaceName::from(space), servers).await?;
    saved(&app, plan).await
}

/// The password that a server was given here; two where it is not known which of them it has. Needs the role of an
/// admin.
#[utoipa::path(get, path = "/api/v1/servers/{name}/password", operation_id = "server_password", tag = "servers",
    params(("name" = String, Path, description = "The server"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The password", body = Many<PasswordAttributes>)))]
pub async fn show(
    State(app): State<App>,
    Reading { authority, space }: Reading,
    Path(name): Path<String>,
) -> Handled {
    let server = ServerName::from(name.as_str());
    let found = app.engine.server_password(&authority, &space, &server).await?;
    let said = |(word, password): &(&'static str, muster_model::Secret)| {
        let said = PasswordAttributes { name: name.clone(), password: password.expose().to_owned() };
        Resource::new(*word, said)
    };
    unkept(all(found.iter().map(said).collect()))
}
