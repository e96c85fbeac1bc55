//! Test an account at its provider.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::account::AccountTestAttributes;
use muster_api::document::{One, Resource};
use muster_api::media;
use muster_model::id::AccountName;

use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;

/// Asks the provider who the account is and what it has left.
#[utoipa::path(post, path = "/api/v1/accounts/{name}/test", operation_id = "account_test", tag = "accounts",
    params(("name" = String, Path, description = "The account"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses(
        (status = 200, description = "The provider's answer", body = One<AccountTestAttributes>),
        (status = 502, description = "The provider did not answer well", body = muster_api::Problems)))]
pub async fn test(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let account = AccountName::from(name.as_str());
    let (identity, balance) = app.engine.test_account(&authority, &space.name(), &account).await?;
    let said = AccountTestAttributes {
        name: name.clone(),
        provider: identity.provider.word().to_owned(),
        customer: identity.customer,
        project: identity.project,
        balance: balance.amount,
    };
    one(Resource::new(name, said))
}
