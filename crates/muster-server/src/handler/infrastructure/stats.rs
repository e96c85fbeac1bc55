//! One scrape of every running server of a file.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Many, Resource};
use muster_api::media;
use muster_api::stats::StatsAttributes;
use muster_model::id::InfrastructureName;
use muster_runs::HostStats;

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
    match &stats.result {
        Err(why) => attributes.error = Some(why.clone()),
        Ok(summary) => {
            let root = summary.filesystems.iter().find(|filesystem| filesystem.mountpoint == "/");
            attributes.cpu_busy_percent = summary.cpu_busy_share.map(|share| share * 100.0);
            attributes.cpu_count = Some(summary.cpu_count as u64);
            attributes.load_1m = summary.load.map(|load| load[0]);
            attributes.load_5m = summary.load.map(|load| load[1]);
            attributes.load_15m = summary.load.map(|load| load[2]);
            attributes.memory_total_bytes = summary.memory_total_bytes.map(bytes);
            attributes.memory_available_bytes = summary.memory_available_bytes.map(bytes);
            attributes.disk_total_bytes = root.map(|root| bytes(root.size_bytes));
            attributes.disk_available_bytes = root.map(|root| bytes(root.available_bytes));
            attributes.receive_bytes_per_second = summary.network.in_bytes_per_second;
            attributes.transmit_bytes_per_second = summary.network.out_bytes_per_second;
            attributes.uptime_seconds =
                summary.time_seconds.zip(summary.boot_time_seconds).map(|(now, boot)| now - boot);
        }
    }
    Resource::new(stats.server.as_str(), attributes)
}

/// A number of bytes: node_exporter writes it as a float, and it fits by far.
fn bytes(value: f64) -> u64 {
    value.max(0.0) as u64
}
