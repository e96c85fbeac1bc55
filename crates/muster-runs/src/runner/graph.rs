//! The graph of a run in memory: folded once from the journal, then counted down.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::id::{Attempt, LaneNumber, StepNumber};
use muster_model::plan::{Action, Step};
use muster_model::run::{Entry, EntryKind, Output, RunState};

/// How one step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StepState {
    /// Not begun.
    Waiting,
    /// *Started* is durable, no outcome is.
    Started(Attempt),
    /// Reached its goal.
    Succeeded(Output),
    /// Failed in this attempt.
    Failed(Attempt),
    /// Failed in this attempt, or left without outcome, and a person asked that it begins again.
    Again(Attempt),
}

/// What a step mostly spends: bounded apart, so that thousands of servers in the making do not keep hosts waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pool {
    /// Waiting for a provider: the account's manners bound its writes, and one list serves all who wait.
    Provider,
    /// Connections, processes and memory of this machine.
    Hosts,
}

impl Pool {
    /// Both.
    pub(crate) const ALL: [Pool; 2] = [Pool::Provider, Pool::Hosts];

    fn of(action: &Action) -> Pool {
        match action {
            Action::Server(_) | Action::Network(_) | Action::Key(_) | Action::Record(_) => Pool::Provider,
            Action::Host(_) | Action::Provision(_) => Pool::Hosts,
        }
    }
}

/// The graph.
pub(crate) struct Graph {
    pools: BTreeMap<StepNumber, Pool>,
    states: BTreeMap<StepNumber, StepState>,
    missing: BTreeMap<StepNumber, usize>,
    dependants: BTreeMap<StepNumber, Vec<StepNumber>>,
    ready: [BTreeSet<StepNumber>; Pool::ALL.len()],
}

impl Graph {
    /// Folds a journal over the steps of a plan. Started and failed steps become ready again: they begin at *look*.
    pub(crate) fn fold(steps: &[Step], entries: &[Entry]) -> Graph {
        let mut states: BTreeMap<StepNumber, StepState> =
            steps.iter().map(|step| (step.number, StepState::Waiting)).collect();
        let mut told_in: BTreeMap<StepNumber, LaneNumber> = BTreeMap::new();
        let mut has_failed = false;
        for entry in entries {
            let (step, state) = match &entry.kind {
                EntryKind::Run { state: RunState::Failed, .. } => {
                    has_failed = true;
                    continue;
                }
                EntryKind::Run { state: RunState::Running, .. } if has_failed => {
                    has_failed = false;
                    // Entries have an order within a lane only: what others wrote may be later than this.
                    for (step, _) in told_in.iter().filter(|(_, lane)| **lane == entry.lane) {
                        if let Some(StepState::Started(attempt) | StepState::Failed(attempt)) =
                            states.get(step)
                        {
                            let again = StepState::Again(*attempt);
                            states.insert(*step, again);
                        }
                    }
                    continue;
                }
                EntryKind::Started { step, attempt } => (*step, StepState::Started(*attempt)),
                EntryKind::Succeeded { step, output, .. } => (*step, StepState::Succeeded(output.clone())),
                EntryKind::Failed { step, attempt, .. } => (*step, StepState::Failed(*attempt)),
                EntryKind::Run { .. }
                | EntryKind::Skipped { .. }
                | EntryKind::Progress { .. }
                | EntryKind::Task { .. } => continue,
            };
            if states.contains_key(&step) {
                told_in.insert(step, entry.lane);
                states.insert(step, state);
            }
        }
        let mut graph = Graph {
            pools: steps.iter().map(|step| (step.number, Pool::of(&step.action))).collect(),
            states,
            missing: BTreeMap::new(),
            dependants: BTreeMap::new(),
            ready: Default::default(),
        };
        for step in steps {
            let missing = step.after.iter().filter(|before| !graph.has_succeeded(**before)).count();
            graph.missing.insert(step.number, missing);
            for before in &step.after {
                graph.dependants.entry(*before).or_default().push(step.number);
            }
            if missing == 0 && !graph.has_succeeded(step.number) {
                graph.make_ready(step.number);
            }
        }
        graph
    }

    fn has_succeeded(&self, step: StepNumber) -> bool {
        matches!(self.states.get(&step), Some(StepState::Succeeded(_)))
    }

    /// Whether any step was begun or ended: then the plan is under way and is not compared with the world again.
    pub(crate) fn is_under_way(&self) -> bool {
        self.states.values().any(|state| *state != StepState::Waiting)
    }

    fn make_ready(&mut self, step: StepNumber) {
        if let Some(pool) = self.pool(step) {
            self.ready[pool as usize].insert(step);
        }
    }

    /// The pool of a step of this plan.
    pub(crate) fn pool(&self, step: StepNumber) -> Option<Pool> {
        self.pools.get(&step).copied()
    }

    /// Takes the next ready step of the pools that have room, lowest number first.
    pub(crate) fn take(&mut self, has_room: impl Fn(Pool) -> bool) -> Option<(StepNumber, StepState)> {
        let first = |pool: &Pool| self.ready[*pool as usize].first().copied();
        let pool = Pool::ALL
            .into_iter()
            .filter(|pool| has_room(*pool) && first(pool).is_some())
            .min_by_key(first)?;
        let step = self.ready[pool as usize].pop_first()?;
        Some((step, self.states.get(&step).cloned().unwrap_or(StepState::Waiting)))
    }

    /// Notes a success; dependants that waited only for it become ready.
    pub(crate) fn succeed(&mut self, step: StepNumber, output: Output) {
        self.states.insert(step, StepState::Succeeded(output));
        for dependant in self.dependants.get(&step).cloned().unwrap_or_default() {
            if let Some(missing) = self.missing.get_mut(&dependant) {
                *missing -= 1;
                if *missing == 0 {
                    self.make_ready(dependant);
                }
            }
        }
    }

    /// Notes a failure: the step was begun, so it is not among those left out.
    pub(crate) fn fail(&mut self, step: StepNumber) {
        self.states.insert(step, StepState::Failed(Attempt::default()));
    }

    /// What a succeeded step made.
    pub(crate) fn output(&self, step: StepNumber) -> Option<&Output> {
        match self.states.get(&step) {
            Some(StepState::Succeeded(output)) => Some(output),
            Some(StepState::Waiting | StepState::Started(_) | StepState::Failed(_) | StepState::Again(_))
            | None => None,
        }
    }

    /// Whether every step succeeded.
    pub(crate) fn is_done(&self) -> bool {
        self.states.values().all(|state| matches!(state, StepState::Succeeded(_)))
    }

    /// Steps that were never begun.
    pub(crate) fn untouched(&self) -> Vec<StepNumber> {
        self.states
            .iter()
            .filter(|(_, state)| **state == StepState::Waiting)
            .map(|(number, _)| *number)
            .collect()
    }

    /// Outputs of these succeeded steps, for resolving references.
    pub(crate) fn outputs_of(&self, steps: &[StepNumber]) -> BTreeMap<StepNumber, Output> {
        steps.iter().filter_map(|step| self.output(*step).map(|output| (*step, output.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use muster_model::id::{Fence, ProviderId, RunId, Sequence};
    use muster_model::plan::{HostAction, ObjectRef, Reason, Risk};
    use muster_model::run::FailureClass;

    use super::*;

    fn step(number: u32) -> Step {
        let (name, server) = ("web".into(), ObjectRef::Seen(ProviderId("1".into())));
        Step {
            number: StepNumber(number),
            after: Vec::new(),
            target: "web".into(),
            action: Action::Host(HostAction::Exec { name, server, argv: vec!["x".into()] }),
            reason: Reason::Asked,
            changes: Vec::new(),
            risk: Risk::Interrupts,
        }
    }

    fn entry(lane: u16, seq: u64, kind: EntryKind) -> Entry {
        Entry {
            run: RunId(uuid::Uuid::nil()),
            lane: LaneNumber(lane),
            seq: Sequence(seq),
            fence: Fence(1),
            at: Timestamp::UNIX_EPOCH,
            kind,
        }
    }

    /// Only what a person asked for after a failure begins again whatever became of it; what another node left in the
    /// middle, or another lane began meanwhile, does not.
    #[test]
    fn a_retry_is_about_what_stood_before_it_in_its_lane() {
        let steps: Vec<Step> = (1..=4).map(step).collect();
        let started =
            |step, attempt| EntryKind::Started { step: StepNumber(step), attempt: Attempt(attempt) };
        let run = |state| EntryKind::Run { state, message: None };
        let failed = EntryKind::Failed {
            step: StepNumber(1),
            attempt: Attempt(2),
            class: FailureClass::UnknownOutcome,
            message: String::new(),
            again: false,
        };
        let mut entries = vec![
            entry(0, 1, run(RunState::Running)),
            entry(0, 2, started(1, 2)),
            entry(0, 3, started(2, 1)),
            entry(1, 1, started(4, 1)),
            entry(0, 4, failed),
            entry(0, 5, run(RunState::Failed)),
        ];
        let states =
            |entries: &[Entry]| Graph::fold(&steps, entries).states.into_values().collect::<Vec<_>>();
        use StepState::{Again, Failed, Started, Waiting};
        let before = [Failed(Attempt(2)), Started(Attempt(1)), Waiting, Started(Attempt(1))];
        assert_eq!(states(&entries), before);
        entries.push(entry(0, 6, run(RunState::Running)));
        entries.push(entry(0, 7, started(3, 1)));
        let after = [Again(Attempt(2)), Again(Attempt(1)), Started(Attempt(1)), Started(Attempt(1))];
        assert_eq!(states(&entries), after);
        // Interrupted and taken up: that is no retry.
        entries.push(entry(0, 8, run(RunState::Interrupted)));
        entries.push(entry(0, 9, run(RunState::Running)));
        assert_eq!(states(&entries), after);
    }
}
