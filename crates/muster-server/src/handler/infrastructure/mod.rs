//! Infrastructures: what files own, and their statistics.

use muster_api::document::Resource;
use muster_api::infrastructure::InfrastructureAttributes;
use muster_api::run::{RunAttributes, StepCountsSaid};
use muster_runs::reads::InfrastructureView;

pub mod list;
pub mod releases;
pub mod show;
pub mod stats;

/// A file's possessions in the words of the API.
fn said(view: &InfrastructureView) -> Resource<InfrastructureAttributes> {
    let run = view.last_run.as_ref().map(|run| RunAttributes::resource(run, StepCountsSaid::default()));
    let run = run.as_ref().map(|run| (run.id.as_str(), &run.attributes));
    let attributes = InfrastructureAttributes::new(view.name.as_str(), &view.records, run);
    Resource::new(view.name.as_str(), attributes)
}
