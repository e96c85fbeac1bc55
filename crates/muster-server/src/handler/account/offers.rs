//! What an account's provider offers.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::account::OffersAttributes;
use muster_api::document::{One, Resource};
use muster_api::media;
use muster_model::id::AccountName;
use muster_model::rights::Authority;
use muster_runs::offers::Refresh;

use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;

async fn answer(
    app: &App,
    headers: &HeaderMap,
    authority: &Authority,
    name: &str,
    space: &InSpace,
    refresh: Refresh,
) -> Handled {
    accept(headers, &[media::JSON_API])?;
    let account = AccountName::from(name);
    let offers = app.engine.offers(authority, &space.name(), &account, refresh).await?;
    one(Resource::new(name, OffersAttributes::new(name, offers.seen_at, &offers.images, &offers.locations)))
}

/// Images and locations, as of the date in the answer: kept for a day, then asked for anew.
#[utoipa::path(get, path = "/api/v1/accounts/{name}/offers", operation_id = "account_offers", tag = "accounts",
    params(("name" = String, Path, description = "The account"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses(
        (status = 200, description = "What is kept, or the provider's answer", body = One<OffersAttributes>),
        (status = 502, description = "The provider did not answer well", body = muster_api::Problems)))]
pub async fn offers(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
) -> Handled {
    answer(&app, &headers, &authority, &name, &space, Refresh::IfOld).await
}

/// Asks the provider for images and locations now, and keeps them.
#[utoipa::path(post, path = "/api/v1/accounts/{name}/refresh", operation_id = "account_refresh", tag = "accounts",
    params(("name" = String, Path, description = "The account"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses(
        (status = 200, description = "The provider's answer", body = One<OffersAttributes>),
        (status = 502, description = "The provider did not answer well", body = muster_api::Problems)))]
pub async fn refresh(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
) -> Handled {
    answer(&app, &headers, &authority, &name, &space, Refresh::Now).await
}
