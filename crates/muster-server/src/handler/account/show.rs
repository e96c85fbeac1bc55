//! Look at an account.

use axum::extract::State;
use muster_api::account::AccountAttributes;
use muster_api::document::One;

use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::Path;
use crate::handler::Reading;
use crate::refusal::Refusal;

/// One account.
#[utoipa::path(get, path = "/api/v1/accounts/{name}", operation_id = "account_show", tag = "accounts",
    params(("name" = String, Path, description = "The account"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The account", body = One<AccountAttributes>)))]
pub async fn show(
    State(app): State<App>,
    Path(name): Path<String>,
    Reading { space, .. }: Reading,
) -> Handled {
    let accounts = app.engine.reads().accounts(&space).await?;
    let account = accounts.iter().find(|account| account.name.as_str() == name);
    one(AccountAttributes::resource(account.ok_or_else(|| Refusal::not_found("account", name))?))
}
