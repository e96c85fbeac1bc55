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
    let mut servers = app.engine.servers(&authority, &which.space.as_str().into(), &account).await?;
    servers.sort_by_cached_key(|(seen, _)| counted(&seen.name));
    let said = servers.iter().map(|(seen, owner)| ServerAttributes::resource(&name, seen, owner.as_ref()));
    all(said.filter(|server| which.fits(server)).collect())
}

/// A key that sorts names as people count: `web-2` before `web-10`.
pub fn counted(name: &str) -> Vec<(String, u64)> {
    let mut parts: Vec<(String, u64)> = vec![(String::new(), 0)];
    let mut in_number = false;
    for char in name.chars() {
        if in_number && !char.is_ascii_digit() {
            parts.push((String::new(), 0));
        }
        in_number = char.is_ascii_digit();
        if let Some((text, number)) = parts.last_mut() {
            match char.to_digit(10) {
                Some(digit) => *number = number.saturating_mul(10).saturating_add(u64::from(digit)),
                None => text.push(char),
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn names_are_sorted_as_people_count() {
        let mut names = ["web-10", "db", "web-2", "web-1", "web", "a2b10", "a2b9"];
        names.sort_by_key(|name| counted(name));
        assert_eq!(names, ["a2b9", "a2b10", "db", "web", "web-1", "web-2", "web-10"]);
    }
}
