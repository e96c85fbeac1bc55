//! The deletion budget: how many servers one plan may delete without a person naming the number.

use muster_model::plan::{Action, ServerAction, Step};
use muster_model::policy::Purpose;

use crate::scene::Scene;
use crate::why::Says;

/// Servers that any plan may delete.
pub const DELETIONS_FREE_MIN: u32 = 1;

/// Per cent of the servers that the file owned before the plan, which any plan may delete.
pub const DELETIONS_FREE_PERCENT: u32 = 10;

/// Deletions allowed without consent: the greater of the two bounds.
pub(crate) fn free(owned_before: usize) -> u32 {
    let share = owned_before as u64 * u64::from(DELETIONS_FREE_PERCENT) / 100;
    DELETIONS_FREE_MIN.max(u32::try_from(share).unwrap_or(u32::MAX))
}

/// Refuses a plan that deletes more than was allowed. Replacements count; networks do not, but taking a file down
/// always needs a number.
pub(crate) fn judge(scene: &Scene<'_>, says: &mut Says, steps: &[Step]) {
    let servers =
        steps.iter().filter(|step| matches!(step.action, Action::Server(ServerAction::Delete(_)))).count()
            as u32;
    let anything = steps.iter().any(|step| step.action.deletes());
    let owned = scene.servers.ours().len();
    let (file, destroys) = (scene.file(), scene.policy.purpose == Purpose::Destroy);
    let needed = if destroys && anything { servers.max(1) } else { servers };
    let limit = match (scene.policy.allow_deletes, destroys) {
        (Some(limit), _) => limit,
        (None, true) => 0,
        (None, false) => free(owned),
    };
    if needed <= limit {
        return;
    }
    let message = if destroys {
        format!(
            "Taking {file} down deletes {servers} servers with their data. To consent, name the number: `muster infra destroy {file} --allow-deletes {needed}`."
        )
    } else {
        let verb = match scene.policy.purpose {
            Purpose::Deploy => "deploy",
            Purpose::Update | Purpose::Destroy | Purpose::Adopt | Purpose::Disown => "update",
        };
        format!(
            "The plan deletes {servers} servers (replacements count), and {limit} are allowed: the file owns {owned}. To consent, name the number: `muster infra {verb} {file} --allow-deletes {needed}`."
        )
    };
    says.refuse("deletion-budget", file, message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_ten_per_cent() {
        for (owned, allowed) in [(0, 1), (1, 1), (19, 1), (20, 2), (29, 2), (10_000, 1_000)] {
            assert_eq!(free(owned), allowed, "{owned}");
        }
    }
}
