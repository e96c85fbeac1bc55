//! The history of a file.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use muster_api::document::Many;
use muster_api::media;
use muster_api::revision::RevisionAttributes;
use muster_model::id::{InfrastructureName, RevisionNumber};
use muster_runs::revision::REVISIONS_MAX;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Whose;
use crate::answer::{Handled, document};
use crate::app::{App, may_read};
use crate::extract::{Asking, Path, Query};
use crate::negotiate::accept;

/// Which revisions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Whose; told by its own parameters.
    #[serde(flatten)]
    #[param(ignore)]
    whose: Whose,
    /// Only those below this number.
    #[serde(default)]
    below: Option<u32>,
    /// At most so many, no more than 999.
    #[serde(default = "limit")]
    #[param(required = false, maximum = 999)]
    limit: u32,
}

fn limit() -> u32 {
    50
}

/// The newest revisions first.
#[utoipa::path(get, path = "/api/v1/infrastructures/{name}/revisions", operation_id = "revision_list",
    tag = "revisions", params(("name" = String, Path, description = "The file's name"), Whose, Which),
    responses((status = 200, description = "The revisions", body = Many<RevisionAttributes>)))]
pub async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(which): Query<Which>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let (space, account) = (which.whose.space(), which.whose.account());
    may_read(&authority, &space)?;
    let limit = which.limit.min(REVISIONS_MAX - 1);
    let name = InfrastructureName::from(name);
    let below = which.below.map(RevisionNumber);
    let revisions = app.engine.reads().revisions(&space, &name, account.as_ref(), below, limit + 1).await?;
    let revisions = revisions.iter().map(|revision| RevisionAttributes::from(revision).resource()).collect();
    document(StatusCode::OK, &Many::cut(revisions, limit as usize))
}
