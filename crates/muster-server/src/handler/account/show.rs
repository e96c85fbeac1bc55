//! Look at an account.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::account::AccountAttributes;
use muster_api::document::One;
use muster_api::media;

use crate::answer::{Handled, one};
use crate::app::{App, may_read};
use crate::extract::{Asking, Path, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// One account.
#[utoipa::path(get, path = "/api/v1/accounts/{name}", operation_id = "account_show", tag = "accounts",
    params(("name" = String, Path, description = "The account"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The account", body = One<AccountAttributes>)))]
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    may_read(&authority, &space.name())?;
    let accounts = app.engine.reads().accounts(&space.name()).await?;
    let account = accounts.iter().find(|account| account.name.as_str() == name);
    one(AccountAttributes::resource(account.ok_or_else(|| Refusal::not_found("account", name))?))
}
