//! One file of a revision, as it was.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{One, Resource};
use muster_api::media;
use muster_api::problem::ProblemKind;
use muster_api::revision::RevisionFileAttributes;
use muster_model::id::{InfrastructureName, RevisionNumber};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Whose;
use crate::answer::{Handled, one};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// Which file.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Whose; told by its own parameters.
    #[serde(flatten)]
    #[param(ignore)]
    whose: Whose,
    /// Its path below the root; left out, the infrastructure file itself.
    #[serde(default)]
    path: Option<String>,
}

/// One file of a revision as it was, for those who may apply it.
#[utoipa::path(get, path = "/api/v1/infrastructures/{name}/revisions/{number}/file", operation_id = "revision_file",
    tag = "revisions",
    params(("name" = String, Path, description = "The file's name"),
        ("number" = u32, Path, description = "The revision"), Whose, Which),
    responses((status = 200, description = "The file", body = One<RevisionFileAttributes>)))]
pub async fn file(
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
    let (path, file, content) =
        app.engine.revision_file(&authority, of, RevisionNumber(number), which.path).await?;
    let text = String::from_utf8(content)
        .map_err(|_| Refusal::new(ProblemKind::Refused, format!("{path} of revision {number} is no text")))?;
    let attributes = RevisionFileAttributes { path: path.clone(), sha256: file.sha256, text };
    one(Resource::new(format!("{name}/{number}/{path}"), attributes))
}
