//! The first thing a run does: look once more, plan again (pure, cheap), and compare. Another hash means that
//! the world has moved; then nothing is touched and the new plan is left for a person to see.

use std::sync::Arc;

use muster_model::plan::PlanDraft;

use super::Lane;
use crate::account::Session;

/// Targets named when a plan has moved.
const MOVED_NAMED_MAX: usize = 5;

impl Lane {
    /// None: as planned. Some: what moved, in words.
    pub(super) async fn has_moved(&self, session: &Arc<Session>) -> Result<Option<String>, String> {
        let inputs = self.inputs().await?;
        let seen = self
            .inner
            .observe_for(&self.plan.space, session, &self.plan.draft.subject, &inputs.wanted, &inputs.policy)
            .await
            .map_err(|error| format!("looking at the world once more before the first change: {error}"))?;
        let bundle = serde_json::from_value(inputs.bundle.clone()).map_err(|error| error.to_string())?;
        let now = self.inner.world.clock.now();
        let plan =
            |seen| muster_planner::plan_infrastructure(&inputs.wanted, seen, &inputs.policy, &bundle, now);
        let again = plan(&seen);
        if again.hash == self.plan.draft.hash {
            return Ok(None);
        }
        // Another run made a key meanwhile that this plan makes too: its step will find it. One that is gone counts only
        // where the plan names it.
        let mut with_keys_of_then = seen.clone();
        let keys = inputs.seen.world.keys.iter().filter(|key| seen.world.keys.contains(key));
        with_keys_of_then.world.keys = keys.cloned().collect();
        if plan(&with_keys_of_then).hash == self.plan.draft.hash {
            return Ok(None);
        }
        let moved = what_moved(&self.plan.draft, &again);
        let newer = self
            .inner
            .save_replanned(&self.plan, again, seen, inputs)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Some(format!(
            "the world has moved since the plan was made ({moved}); nothing was touched. The new plan is {newer}"
        )))
    }
}

fn what_moved(before: &PlanDraft, now: &PlanDraft) -> String {
    let mut targets: Vec<&str> = Vec::new();
    for step in before.steps.iter().chain(&now.steps) {
        let stays = |draft: &PlanDraft| {
            draft.steps.iter().any(|other| {
                other.target == step.target && other.action == step.action && other.changes == step.changes
            })
        };
        if !(targets.contains(&step.target.as_str()) || stays(before) && stays(now)) {
            targets.push(&step.target);
        }
    }
    match targets.len() {
        0 => "observed values behind the plan changed".into(),
        count if count > MOVED_NAMED_MAX => {
            format!("{} and {} more", targets[..MOVED_NAMED_MAX].join(", "), count - MOVED_NAMED_MAX)
        }
        _ => targets.join(", "),
    }
}
