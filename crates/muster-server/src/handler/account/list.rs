//! Registered accounts.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::account::AccountAttributes;
use muster_api::document::Many;
use muster_api::media;

use crate::answer::{Handled, all};
use crate::app::{App, may_read};
use crate::extract::{Asking, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;

/// Registered accounts, and the one from the environment.
#[utoipa::path(get, path = "/api/v1/accounts", operation_id = "account_list", tag = "accounts",
    params(("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The accounts", body = Many<AccountAttributes>)))]
pub async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Query(space): Query<InSpace>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    may_read(&authority, &space.name())?;
    let accounts = app.engine.reads().accounts(&space.name()).await?;
    all(accounts.iter().map(AccountAttributes::resource).collect())
}
