//! What an account's servers cost.

use axum::extract::State;
use muster_api::document::{One, Resource};
use muster_api::listing::counted;
use muster_api::price::{CostAttributes, ServerCostSaid};
use muster_model::id::AccountName;
use muster_runs::price::ServerCost;

use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::Path;
use crate::handler::Reading;

/// What every server of an account costs now by the account's prices, strangers included, and how long the balance
/// lasts.
#[utoipa::path(get, path = "/api/v1/accounts/{name}/cost", operation_id = "account_cost", tag = "accounts",
    params(("name" = String, Path, description = "The account"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses(
        (status = 200, description = "The cost", body = One<CostAttributes>),
        (status = 502, description = "The provider did not answer well", body = muster_api::Problems)))]
pub async fn cost(
    State(app): State<App>,
    Reading { authority, space }: Reading,
    Path(name): Path<String>,
) -> Handled {
    let account = AccountName::from(name.as_str());
    let mut cost = app.engine.account_cost(&authority, &space, &account).await?;
    cost.servers.sort_by_cached_key(|server| counted(&server.name));
    let said = CostAttributes {
        currency: cost.currency,
        hour: cost.month.hour().to_string(),
        day: cost.month.day().to_string(),
        month: cost.month.to_string(),
        year: cost.month.year().to_string(),
        balance: cost.balance,
        days_left: cost.days_left,
        servers: cost.servers.iter().map(said).collect(),
    };
    one(Resource::new(name, said))
}

fn said(server: &ServerCost) -> ServerCostSaid {
    ServerCostSaid {
        id: server.id.to_string(),
        name: server.name.clone(),
        infrastructure: server.infrastructure.as_ref().map(ToString::to_string),
        month: server.month.as_ref().ok().map(ToString::to_string),
        missing: server.month.as_ref().err().cloned().unwrap_or_default(),
    }
}
