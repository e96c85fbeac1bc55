//! Plans: propose one, look at one.

use muster_api::document::Resource;
use muster_api::plan::{PlanAttributes, SummarySaid};
use muster_api::run::infrastructure_of;
use muster_model::id::PlanId;
use muster_runs::reads::{PlanState, PlanView};

use crate::app::App;
use crate::refusal::Refusal;

pub mod create;
pub mod show;

/// The word for how a plan stands.
fn state_word(state: PlanState) -> &'static str {
    match state {
        PlanState::Observing => "observing",
        PlanState::Ready => "ready",
        PlanState::Refused => "refused",
    }
}

/// A plan in the words of the API.
pub fn said(view: &PlanView) -> Resource<PlanAttributes> {
    let mut attributes = PlanAttributes {
        space: view.space.to_string(),
        subject: view.subject.to_string(),
        infrastructure: infrastructure_of(&view.subject),
        state: state_word(view.state).to_owned(),
        message: view.message.clone(),
        rollback_to: view.back_to.map(|number| number.0),
        account: None,
        identity: None,
        hash: None,
        generation: None,
        steps: Vec::new(),
        waiting: Vec::new(),
        notes: Vec::new(),
        refusals: Vec::new(),
        summary: SummarySaid::default(),
        cost: None,
        warnings: view.warnings.clone(),
        actor: view.actor.clone(),
        created_at: view.created_at,
    };
    if let Some(plan) = &view.plan {
        attributes.decided(plan);
    }
    Resource::new(view.id.to_string(), attributes)
}

/// What is said of a plan, for the names of its steps; none where nothing is kept of it.
pub async fn attributes(app: &App, plan: PlanId) -> Result<Option<PlanAttributes>, Refusal> {
    let view = app.engine.reads().plan(plan).await?;
    Ok(view.map(|view| said(&view).attributes))
}
