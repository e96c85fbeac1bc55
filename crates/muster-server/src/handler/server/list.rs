//! The servers of an account, now.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Many, Resource};
use muster_api::listing::{Order, value_of};
use muster_api::media;
use muster_api::problem::ProblemKind;
use muster_api::server::ServerAttributes;
use muster_model::id::{AccountName, SpaceName};

use crate::answer::{Handled, all};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// What a server can be asked for by.
const FIELDS: [&str; 16] = [
    "id",
    "name",
    "infrastructure",
    "state",
    "power",
    "cpu",
    "ram_mb",
    "disk_gb",
    "disk_type",
    "performance",
    "location",
    "image",
    "address",
    "private_addresses",
    "created_at",
    "account",
];

fn known(field: &str) -> Result<(), Refusal> {
    if FIELDS.contains(&field) {
        return Ok(());
    }
    let message = format!("a server has no \"{field}\"; it has {}", FIELDS.join(", "));
    Err(Refusal::new(ProblemKind::Invalid, message))
}

/// Whether a server has this value; of several addresses one is enough.
fn fits(server: &Resource<ServerAttributes>, field: &str, wanted: &str) -> bool {
    let is = value_of(server, field);
    is == wanted || (field == "private_addresses" && is.split(' ').any(|one| one == wanted))
}

/// The servers of an account as the provider shows them now, strangers included.
#[utoipa::path(get, path = "/api/v1/accounts/{name}/servers", operation_id = "server_list", tag = "servers",
    params(("name" = String, Path, description = "The account"),
        ("space" = Option<String>, Query, description = "The Space"),
        ("sort" = Option<String>, Query, description = "A field; `-` before it turns the order. The name where nothing is said"),
        ("filter[…]" = Option<String>, Query, description = "Only those with this value of a field; every one that is given must fit. An empty `infrastructure`: strangers")),
    responses(
        (status = 200, description = "The servers", body = Many<ServerAttributes>),
        (status = 502, description = "The provider did not answer well", body = muster_api::Problems)))]
pub async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(mut query): Query<BTreeMap<String, String>>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let space = SpaceName(query.remove("space").unwrap_or_else(muster_api::plan::default_space));
    let order = query.remove("sort").map_or_else(Order::by_name, |sort| Order::read(&sort));
    known(&order.field)?;
    let mut filters = Vec::new();
    for (key, value) in &query {
        let field = key.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']')).ok_or_else(|| {
            let message = format!("\"{key}\" is not asked for here; there are space, sort, filter[FIELD]");
            Refusal::new(ProblemKind::Invalid, message)
        })?;
        known(field)?;
        filters.push((field, value));
    }
    let account = AccountName::from(name.as_str());
    let seen = app.engine.servers(&authority, &space, &account).await?;
    let said = seen.iter().map(|(seen, owner)| ServerAttributes::resource(&name, seen, owner.as_ref()));
    let fits = |server: &Resource<ServerAttributes>| {
        filters.iter().all(|(field, wanted)| fits(server, field, wanted))
    };
    let mut said: Vec<Resource<ServerAttributes>> = said.filter(fits).collect();
    order.sort(&mut said, value_of);
    all(said)
}
