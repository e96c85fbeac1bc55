//! Prices of an account.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Incoming, One};
use muster_api::media;
use muster_api::price::{PriceDocument, PricesAttributes};
use muster_api::problem::ProblemKind;
use muster_model::id::AccountName;

use crate::answer::{Handled, nothing, one};
use crate::app::App;
use crate::extract::{Asking, Document, Path, Query};
use crate::handler::{InSpace, Reading};
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// The prices of an account.
#[utoipa::path(get, path = "/api/v1/accounts/{name}/prices", operation_id = "prices_show", tag = "accounts",
    params(("name" = String, Path, description = "The account"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The prices", body = One<PricesAttributes>)))]
pub async fn show(
    State(app): State<App>,
    Reading { authority, space }: Reading,
    Path(name): Path<String>,
) -> Handled {
    let account = AccountName::from(name.as_str());
    let table = app.engine.prices(&authority, &space, &account).await?;
    one(PricesAttributes::resource(&name, &table.ok_or_else(|| missing(&name))?))
}

/// Sets the prices of an account; those of before are gone. Plans made from now on tell their cost.
#[utoipa::path(put, path = "/api/v1/accounts/{name}/prices", operation_id = "prices_set", tag = "accounts",
    params(("name" = String, Path, description = "The account"),
        ("space" = Option<String>, Query, description = "The Space")),
    request_body = Incoming<PriceDocument>,
    responses(
        (status = 200, description = "Set", body = One<PricesAttributes>),
        (status = 422, description = "The document has problems", body = muster_api::Problems)))]
pub async fn set(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
    body: Document<PriceDocument>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let PriceDocument { file, text } = body.named(&name)?;
    let account = AccountName::from(name.as_str());
    let table = app.engine.set_prices(&authority, &space.name(), &account, &file, &text).await?;
    one(PricesAttributes::resource(&name, &table))
}

/// Forgets the prices of an account.
#[utoipa::path(delete, path = "/api/v1/accounts/{name}/prices", operation_id = "prices_remove", tag = "accounts",
    params(("name" = String, Path, description = "The account"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 204, description = "Forgotten")))]
pub async fn remove(
    State(app): State<App>,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
) -> Handled {
    let account = AccountName::from(name.as_str());
    if app.engine.remove_prices(&authority, &space.name(), &account).await? {
        nothing()
    } else {
        Err(missing(&name))
    }
}

fn missing(account: &str) -> Refusal {
    Refusal::new(
        ProblemKind::NotFound,
        format!(
            "the account {account} has no prices; set them with `muster account prices set {account} FILE`"
        ),
    )
}
