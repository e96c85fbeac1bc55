//! Set a limit.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Incoming, One};
use muster_api::limit::{LimitAttributes, LimitNumber};
use muster_api::media;

use super::{key_of, resource};
use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::{Asking, Document, Path, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;

/// Sets how many steps may be under way at once, on all nodes. Nodes heed it within seconds.
#[utoipa::path(put, path = "/api/v1/limits/{key}", operation_id = "limit_set", tag = "limits",
    params(("key" = String, Path, description = "What is limited"),
        ("space" = Option<String>, Query, description = "The Space")),
    request_body = Incoming<LimitNumber>,
    responses((status = 200, description = "Set", body = One<LimitAttributes>)))]
pub async fn set(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(key): Path<String>,
    Query(space): Query<InSpace>,
    body: Document<LimitNumber>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let cap = body.named(&key)?.cap;
    let limit = app.engine.set_limit(&authority, key_of(&key, &space.name())?, cap).await?;
    one(resource(&limit))
}
