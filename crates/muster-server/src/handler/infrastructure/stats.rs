//! One scrape of every running server of a file.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Many, Resource};
use muster_api::media;
use muster_api::stats::StatsAttributes;
use muster_model::id::InfrastructureName;
use muster_runs::engine::HostStats;

use crate::answer::{Handled, all};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::handler::InSpace;
use crate::negotiate::accept;

/// Scrapes node_exporter of every running server of the file once, through SSH.
#[utoipa::path(get, path = "/api/v1/infrastructures/{name}/stats", operation_id = "infrastructure_stats",
    tag = "infrastructures",
    params(("name" = String, Path, description = "The file's name"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The numbers", body = Many<StatsAttributes>)))]
pub async fn stats(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Query(space): Query<InSpace>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let stats = app.engine.stats(&authority, &space.name(), &InfrastructureName::from(name)).await?;
    all(stats.iter().map(said).collect())
}

fn said(stats: &HostStats) -> Resource<StatsAttributes> {
    let mut attributes = StatsAttributes { server: stats.server.to_string(), ..StatsAttributes::default() };
    if let Err(why) = &stats.result {
        attributes.error = Some(why.clone());
    }
    Resource::new(stats.server.as_str(), attributes)
}
