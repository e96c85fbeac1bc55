//! What `doctor` wants to know of the engine.

use axum::extract::State;
use muster_api::document::{One, Resource};
use muster_api::run::{CheckupAttributes, OpenIntentSaid};
use muster_model::id::RunId;

use super::run::standing::node;
use crate::answer::{Handled, one};
use crate::app::App;
use crate::handler::Reading;

/// Looks over the store: who lives, what nobody carries out, what is not settled.
#[utoipa::path(get, path = "/api/v1/checkup", operation_id = "checkup", tag = "about",
    params(("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "What was found", body = One<CheckupAttributes>)))]
pub async fn checkup(State(app): State<App>, Reading { authority, space }: Reading) -> Handled {
    let found = app.engine.checkup(&authority, &space).await?;
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
