//! Cutting a large plan into lanes, which several nodes may carry out at the same time (`SEMANTICS.md` §5).
//!
//! What touches one server goes with everything else that touches it, and servers whose steps wait for each other
//! stay together. What serves many (networks, keys, the account's records of them, inventories, playbooks) is the
//! business of lane 0, which also ends the run.

use std::collections::BTreeMap;

use muster_model::id::LaneNumber;
use muster_model::plan::{Action, Step};

/// The most targets of one lane.
pub const LANE_TARGETS: usize = 500;

/// The lane of each step, in the steps' order; empty when the plan is small enough for one lane. A group of servers
/// that wait for each other is never cut, however large.
pub fn cut(steps: &[Step], targets_max: usize) -> Vec<LaneNumber> {
    let mut targets: BTreeMap<&str, usize> = BTreeMap::new();
    for step in steps.iter().filter(|step| is_of_one_server(&step.action)) {
        let next = targets.len();
        targets.entry(&step.target).or_insert(next);
    }
    if targets.len() <= targets_max {
        return Vec::new();
    }
    let target_of = |step: &Step| {
        is_of_one_server(&step.action).then(|| targets.get(step.target.as_str()).copied()).flatten()
    };
    let mut groups = Groups::new(targets.len());
    for step in steps {
        let Some(target) = target_of(step) else { continue };
        for before in &step.after {
            let before = steps.get((before.0 as usize).wrapping_sub(1)).and_then(target_of);
            if let Some(before) = before {
                groups.join(target, before);
            }
        }
    }
    let lanes = fill(&mut groups, targets.len(), targets_max);
    steps
        .iter()
        .map(|step| match target_of(step) {
            Some(target) => lanes[target],
            None => LaneNumber(0),
        })
        .collect()
}

/// Groups go into lanes in the order of their first target, each lane until it is full.
fn fill(groups: &mut Groups, count: usize, targets_max: usize) -> Vec<LaneNumber> {
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for target in 0..count {
        *sizes.entry(groups.root(target)).or_default() += 1;
    }
    let mut lane_of: BTreeMap<usize, LaneNumber> = BTreeMap::new();
    let mut lane = LaneNumber(1);
    let mut filled = 0;
    (0..count)
        .map(|target| {
            let root = groups.root(target);
            *lane_of.entry(root).or_insert_with(|| {
                let size = sizes.get(&root).copied().unwrap_or(1);
                if filled > 0 && filled + size > targets_max {
                    lane = LaneNumber(lane.0.saturating_add(1));
                    filled = 0;
                }
                filled += size;
                lane
            })
        })
        .collect()
}

/// Whether an action touches one server only.
fn is_of_one_server(action: &Action) -> bool {
    match action {
        Action::Server(_) | Action::Host(_) | Action::Dns(_) => true,
        Action::Network(_)
        | Action::Key(_)
        | Action::Object(_)
        | Action::Record(_)
        | Action::Provision(_) => false,
    }
}

/// Which targets belong together: a forest in which each group has one root.
struct Groups {
    above: Vec<usize>,
}

impl Groups {
    fn new(count: usize) -> Groups {
        Groups { above: (0..count).collect() }
    }

    fn root(&mut self, target: usize) -> usize {
        let mut root = target;
        while self.above[root] != root {
            root = self.above[root];
        }
        let mut at = target;
        while self.above[at] != root {
            at = std::mem::replace(&mut self.above[at], root);
        }
        root
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        let (first, second) = (one.min(other), one.max(other));
        self.above[second] = first;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use muster_model::id::{LaneNumber, ServerName, StepNumber};
    use muster_model::plan::{Action, HostAction, NetworkAction, ObjectRef, Reason, Risk, Step};

    use super::cut;

    fn step(number: u32, target: &str, after: &[u32]) -> Step {
        let action = match target {
            "net" => Action::Network(NetworkAction::Delete { name: "net".into(), network: "1".into() }),
            _ => Action::Host(HostAction::Exec {
                name: ServerName::from(target),
                server: ObjectRef::Seen("1".into()),
                argv: vec!["true".into()],
            }),
        };
        Step {
            number: StepNumber(number),
            after: after.iter().copied().map(StepNumber).collect(),
            target: target.into(),
            action,
            reason: Reason::Asked,
            changes: Vec::new(),
            risk: Risk::None,
        }
    }

    #[test]
    fn a_small_plan_is_one_lane() {
        let steps: Vec<Step> = (1..=4).map(|number| step(number, &format!("s{number}"), &[])).collect();
        assert_eq!(cut(&steps, 4), []);
        assert_eq!(cut(&steps, 3), [1, 1, 1, 2].map(LaneNumber));
    }

    #[test]
    fn what_waits_for_each_other_stays_together_and_what_serves_many_is_lane_0() {
        let steps = [
            step(1, "net", &[]),
            step(2, "a", &[1]),
            step(3, "b", &[1]),
            step(4, "c", &[1]),
            step(5, "a", &[2]),
            // `c` waits for `a`: they are one group of two.
            step(6, "c", &[4, 2]),
            step(7, "d", &[]),
            step(8, "net", &[5, 6]),
        ];
        assert_eq!(cut(&steps, 2), [0, 1, 2, 1, 1, 1, 2, 0].map(LaneNumber));
        assert_eq!(cut(&steps, 1), [0, 1, 2, 1, 1, 1, 3, 0].map(LaneNumber));
    }

    /// For random plans: every target is in one lane, edges between targets never cross lanes except through lane 0,
    /// and no lane is fuller than the bound unless one group is.
    #[test]
    fn lanes_keep_targets_and_edges_whole() {
        let mut seed = 7_u64;
        let mut random = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..300 {
            let count = 1 + random(60) as u32;
            let steps: Vec<Step> = (1..=count)
                .map(|number| {
                    let target = match random(40) {
                        0 => "net".to_owned(),
                        other => format!("s{other}"),
                    };
                    let after: Vec<u32> = (1..number).filter(|_| random(50) == 0).collect();
                    step(number, &target, &after)
                })
                .collect();
            let max = 1 + random(12) as usize;
            let lanes = cut(&steps, max);
            let names: BTreeSet<&str> =
                steps.iter().filter(|step| step.target != "net").map(|step| step.target.as_str()).collect();
            if lanes.is_empty() {
                assert!(names.len() <= max);
                continue;
            }
            let mut lane_of: BTreeMap<&str, LaneNumber> = BTreeMap::new();
            for (step, lane) in steps.iter().zip(&lanes) {
                assert_eq!(*lane == LaneNumber(0), step.target == "net");
                assert_eq!(lane_of.entry(&step.target).or_insert(*lane), lane, "{}", step.target);
                for before in &step.after {
                    let other = lanes[before.0 as usize - 1];
                    assert!(other == *lane || other.0 == 0 || lane.0 == 0);
                }
            }
            let last = lanes.iter().max().copied().unwrap_or(LaneNumber(0));
            for number in 1..=last.0 {
                assert!(lanes.contains(&LaneNumber(number)), "lane {number} is empty");
            }
        }
    }
}
