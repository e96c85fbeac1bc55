//! Registered accounts.

use axum::extract::State;
use muster_api::account::AccountAttributes;
use muster_api::document::Many;

use crate::answer::{Handled, all};
use crate::app::App;
use crate::handler::Reading;

/// Registered accounts, and the one from the environment.
#[utoipa::path(get, path = "/api/v1/accounts", operation_id = "account_list", tag = "accounts",
    params(("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The accounts", body = Many<AccountAttributes>)))]
pub async fn list(State(app): State<App>, Reading { space, .. }: Reading) -> Handled {
    let accounts = app.engine.reads().accounts(&space).await?;
    all(accounts.iter().map(AccountAttributes::resource).collect())
}
