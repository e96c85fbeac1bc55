//! One revision in full.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::One;
use muster_api::media;
use muster_api::revision::RevisionAttributes;
use muster_model::id::{InfrastructureName, RevisionNumber};

use super::Whose;
use crate::answer::{Handled, one};
use crate::app::{App, may_read};
use crate::extract::{Asking, Path, Query};
use crate::negotiate::accept;

/// One revision with what it left behind: each server, and which versions are inside it.
#[utoipa::path(get, path = "/api/v1/infrastructures/{name}/revisions/{number}", operation_id = "revision_show",
    tag = "revisions",
    params(("name" = String, Path, description = "The file's name"),
        ("number" = u32, Path, description = "The revision"), Whose),
    responses((status = 200, description = "The revision", body = One<RevisionAttributes>)))]
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path((name, number)): Path<(String, u32)>,
    Query(whose): Query<Whose>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let space = whose.space();
    may_read(&authority, &space)?;
    let name = InfrastructureName::from(name);
    let account = whose.account();
    let reads = app.engine.reads();
    one(super::said(&reads.revision(&space, &name, account.as_ref(), RevisionNumber(number)).await?))
}
