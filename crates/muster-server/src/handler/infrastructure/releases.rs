//! The releases that the servers of a file keep.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::Many;
use muster_api::media;
use muster_api::release::ReleasesAttributes;
use muster_model::id::InfrastructureName;

use crate::answer::{Handled, all};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;

/// Looks at every server of the file that code was delivered to, through SSH.
#[utoipa::path(get, path = "/api/v1/infrastructures/{name}/releases", operation_id = "infrastructure_releases",
    tag = "infrastructures",
    params(("name" = String, Path, description = "The file's name"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The releases, by server and directory", body = Many<ReleasesAttributes>)))]
pub async fn releases(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let releases = app.engine.releases(&authority, &space.name(), &InfrastructureName::from(name)).await?;
    all(releases.iter().map(ReleasesAttributes::resource).collect())
}
