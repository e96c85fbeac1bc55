//! Register an account.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::account::{AccountAttributes, AccountRegistration};
use muster_api::document::{Incoming, One};
use muster_api::media;
use muster_model::id::{AccountName, SpaceName};

use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::{Asking, Document, Path};
use crate::negotiate::accept;

/// Registers an account, or gives it a new key, after the provider has said who it is.
#[utoipa::path(put, path = "/api/v1/accounts/{name}", operation_id = "account_register", tag = "accounts",
    params(("name" = String, Path, description = "The account")),
    request_body = Incoming<AccountRegistration>,
    responses(
        (status = 200, description = "Registered", body = One<AccountAttributes>),
        (status = 502, description = "The provider did not confirm it", body = muster_api::Problems)))]
pub async fn register(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    body: Document<AccountRegistration>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let AccountRegistration { space, url, key, settings } = body.named(&name)?;
    let space = SpaceName::from(space);
    let name = AccountName::from(name);
    let account = app.engine.register(&authority, &space, name, url, key.0, settings.into()).await?;
    one(AccountAttributes::resource(&account))
}
