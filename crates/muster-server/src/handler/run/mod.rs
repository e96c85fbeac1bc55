//! Runs: approve, look, follow, stop, take up again.

use muster_api::document::Resource;
use muster_api::run::{RunAttributes, StepCountsSaid};
use muster_model::id::RunId;
use muster_model::rights::Authority;
use muster_model::run::Run;
use muster_runs::reads::RunView;

use crate::app::{App, may_read};
use crate::refusal::Refusal;

pub mod ask;
pub mod create;
pub mod events;
pub mod filter;
pub mod follow;
pub mod list;
pub mod output;
pub mod show;
pub mod standing;

/// A run in the words of the API.
pub fn said(view: &RunView) -> Resource<RunAttributes> {
    let steps = StepCountsSaid {
        total: view.steps.total,
        succeeded: view.steps.succeeded,
        failed: view.steps.failed,
        running: view.steps.running,
        skipped: view.steps.skipped,
    };
    let mut said = RunAttributes::resource(&view.run, steps);
    said.attributes.begins_at = view.begins_at;
    said.attributes.begins_in_seconds = view.begins_in.and_then(|left| u64::try_from(left.as_secs()).ok());
    said
}

/// The row of a run that this authority may look at, without the counts that only a person needs.
async fn asked_of(app: &App, authority: &Authority, id: RunId) -> Result<Run, Refusal> {
    let run = app.engine.reads().run_row(id).await?.ok_or_else(|| Refusal::not_found("run", id))?;
    may_read(authority, &run.space)?;
    Ok(run)
}

/// A run that this authority may look at.
async fn readable(app: &App, authority: &Authority, id: RunId) -> Result<RunView, Refusal> {
    let view = app.engine.reads().run(id).await?.ok_or_else(|| Refusal::not_found("run", id))?;
    may_read(authority, &view.run.space)?;
    Ok(view)
}
