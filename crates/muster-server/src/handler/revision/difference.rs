//! How a revision differs from another one, or from a file as it is now.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Incoming, One, Resource};
use muster_api::media;
use muster_api::plan::PlanRequest;
use muster_api::revision::{DifferenceAttributes, FieldDifferenceSaid, FileDifferenceSaid};
use muster_model::id::{InfrastructureName, RevisionNumber};
use muster_runs::revision::{Differences, Other};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Whose;
use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::{Asking, Document, Path, Query};
use crate::handler::plan::create::proposal;
use crate::negotiate::accept;

/// What it is compared with.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Whose; told by its own parameters.
    #[serde(flatten)]
    #[param(ignore)]
    pub(super) whose: Whose,
    /// The other revision.
    pub(super) to: u32,
}

/// How one revision differs from another: what is wanted field by field, and the files. Secrets are hidden.
#[utoipa::path(get, path = "/api/v1/infrastructures/{name}/revisions/{number}/differences",
    operation_id = "revision_differences", tag = "revisions",
    params(("name" = String, Path, description = "The file's name"),
        ("number" = u32, Path, description = "The revision before"), Whose, Which),
    responses((status = 200, description = "What differs", body = One<DifferenceAttributes>)))]
pub async fn between(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path((name, number)): Path<(String, u32)>,
    Query(which): Query<Which>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let (space, account) = (which.whose.space(), which.whose.account());
    let name = InfrastructureName::from(name);
    let of = (&space, &name, account.as_ref());
    let other = Other::Revision(RevisionNumber(which.to));
    let found = app.engine.difference(&authority, of, RevisionNumber(number), other).await?;
    one(said(&name, number, Some(which.to), &found))
}

/// How a revision differs from a file as it is now. Its blobs were sent before; nothing is planned.
#[utoipa::path(post, path = "/api/v1/infrastructures/{name}/revisions/{number}/differences",
    operation_id = "revision_differences_now", tag = "revisions",
    params(("name" = String, Path, description = "The file's name"),
        ("number" = u32, Path, description = "The revision before"), Whose),
    request_body = Incoming<PlanRequest>,
    responses((status = 200, description = "What differs", body = One<DifferenceAttributes>),
        (status = 422, description = "The document has problems", body = muster_api::Problems)))]
pub async fn from_now(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path((name, number)): Path<(String, u32)>,
    Query(whose): Query<Whose>,
    body: Document<PlanRequest>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let (space, account) = (whose.space(), whose.account());
    let name = InfrastructureName::from(name);
    let of = (&space, &name, account.as_ref());
    let other = Other::Document(Box::new(proposal(body.attributes, None)));
    let found = app.engine.difference(&authority, of, RevisionNumber(number), other).await?;
    one(said(&name, number, None, &found))
}

fn said(
    name: &InfrastructureName,
    from: u32,
    to: Option<u32>,
    found: &Differences,
) -> Resource<DifferenceAttributes> {
    let files = found.files.iter().map(|file| {
        FileDifferenceSaid::new(&file.path, file.old.clone(), file.new.clone(), file.text.as_ref())
    });
    let attributes = DifferenceAttributes {
        infrastructure: name.to_string(),
        from,
        to,
        fields: found.fields.iter().map(FieldDifferenceSaid::from).collect(),
        files: files.collect(),
        files_more: found.files_more as u64,
    };
    let other = to.map_or_else(|| "now".to_owned(), |to| to.to_string());
    Resource::new(format!("{name}/{from}/{other}"), attributes)
}
