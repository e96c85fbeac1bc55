//! How a run stands now.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{One, Resource};
use muster_api::media;
use muster_api::run::{LaneSaid, NodeSaid, StandingAttributes};
use muster_model::id::{NodeId, RunId};
use muster_runs::standing::{LaneState, NodeRow, Want};

use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::{Asking, Path};
use crate::handler::limit;
use crate::negotiate::accept;

/// A node in the words of the API.
pub fn node(row: &NodeRow) -> NodeSaid {
    NodeSaid {
        id: row.id.to_string(),
        kind: row.kind.clone(),
        worker: row.is_worker(),
        host: row.host.clone(),
        pid: row.pid,
        version: row.version.clone(),
        lease_until: row.lease_until,
    }
}

/// Who holds its lanes, what is wanted of it, which nodes live.
#[utoipa::path(get, path = "/api/v1/runs/{id}/standing", operation_id = "run_standing", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run")),
    responses((status = 200, description = "How it stands", body = One<StandingAttributes>)))]
pub async fn standing(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let standing = app.engine.standing(&authority, RunId(id)).await?;
    let lanes = standing.lanes.iter().map(|lane| LaneSaid {
        lane: lane.lane,
        state: match lane.state {
            LaneState::Ready => "ready",
            LaneState::Held => "held",
            LaneState::Waiting => "waiting",
            LaneState::Done => "done",
        }
        .to_owned(),
        node: lane.node.as_ref().map(NodeId::to_string),
        wake_at: lane.wake_at,
    });
    let said = StandingAttributes {
        want: match standing.want {
            Want::Run => "run",
            Want::Pause => "pause",
            Want::Cancel => "cancel",
        }
        .to_owned(),
        lanes: lanes.collect(),
        nodes: standing.nodes.iter().map(node).collect(),
        limits: standing.limits.iter().map(limit::said).collect(),
        now: standing.now,
    };
    one(Resource::new(id.to_string(), said))
}
