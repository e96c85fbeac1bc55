//! The servers of an account, now.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Many, Resource};
use muster_api::media;
use muster_api::server::ServerAttributes;
use muster_model::id::AccountName;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Handled, all};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::negotiate::accept;

/// Which servers. Every filter that is given must fit.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The Space.
    #[serde(default = "muster_api::plan::default_space")]
    #[param(required = false)]
    space: String,
    /// The name, exactly.
    #[serde(rename = "filter[name]")]
    name: Option<String>,
    /// The provider's word for the state.
    #[serde(rename = "filter[state]")]
    state: Option<String>,
    /// `running` or `stopped`.
    #[serde(rename = "filter[power]")]
    power: Option<String>,
    /// The file that owns it; empty = strangers.
    #[serde(rename = "filter[infrastructure]")]
    infrastructure: Option<String>,
}

impl Which {
    fn fits(&self, server: &Resource<ServerAttributes>) -> bool {
        let said = &server.attributes;
        let same = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        same(&self.name, &said.name)
            && same(&self.state, &said.state)
            && same(&self.power, &said.power)
            && same(&self.infrastructure, said.infrastructure.as_deref().unwrap_or(""))
    }
}

/// The servers of an account as the provider shows them now, strangers included.
#[utoipa::path(get, path = "/api/v1/accounts/{name}/servers", operation_id = "server_list", tag = "servers",
    params(("name" = String, Path, description = "The account"), Which),
    responses(
        (status = 200, description = "The servers", body = Many<ServerAttributes>),
        (status = 502, description = "The provider did not answer well", body = muster_api::Problems)))]
pub async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(which): Query<Which>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let account = AccountName::from(name.as_str());
    let servers = app.engine.servers(&authority, &which.space.as_str().into(), &account).await?;
    let said = servers.iter().map(|(seen, owner)| ServerAttributes::resource(&name, seen, owner.as_ref()));
    all(said.filter(|server| which.fits(server)).collect())
}
