//! What `doctor` wants to know of the engine.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{One, Resource};
use muster_api::media;
use muster_api::run::{CheckupAttributes, OpenIntentSaid};
use muster_model::id::RunId;

use super::run::standing::node;
use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::{Asking, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;

/// Looks over the store: who lives, what nobody carries out, what is not settled.
#[utoipa::path(get, path = "/api/v1/checkup", operation_id = "checkup", tag = "about",
    params(("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "What was found", body = One<CheckupAttributes>)))]
pub async fn checkup(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Query(space): Query<InSpace>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let found = app.engine.checkup(&authority, &space.name()).await?;
    let ids = |runs: &[RunId]| runs.iter().map(RunId::to_string).collect();
    let said = CheckupAttributes {
        node: found.node.to_string(),
        leased: found.leased,
        nodes: found.nodes.iter().map(node).collect(),
        stranded: ids(&found.stranded),
        interrupted: ids(&found.interrupted),
        open_intents: found
            .open_intents
            .iter()
            .map(|(of, sent_at)| OpenIntentSaid { of: of.clone(), sent_at: *sent_at })
            .collect(),
        now: found.now,
    };
    one(Resource::new("checkup", said))
}
