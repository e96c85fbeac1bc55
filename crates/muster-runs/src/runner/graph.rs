//! The graph of a run in memory: folded once from the journal, then counted down.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use muster_model::id::{Attempt, LaneNumber, StepNumber};
use muster_model::plan::{Action, OnFailure, Step};
use muster_model::run::{Entry, EntryKind, Output};

use super::retry_between;

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
            Action::Server(_)
            | Action::Network(_)
            | Action::Key(_)
            | Action::Object(_)
            | Action::Dns(_)
            | Action::Record(_) => Pool::Provider,
            Action::Host(_) | Action::Provision(_) => Pool::Hosts,
        }
    }
}

/// The graph of the steps of one lane (or of all), and what is known of the steps of other lanes that they wait for.
pub(crate) struct Graph {
    pools: BTreeMap<StepNumber, Pool>,
    states: BTreeMap<StepNumber, StepState>,
    missing: BTreeMap<StepNumber, usize>,
    dependants: BTreeMap<StepNumber, Vec<StepNumber>>,
    ready: [BTreeSet<StepNumber>; Pool::ALL.len()],
    /// What was said of steps that failed for good.
    failures: BTreeMap<StepNumber, String>,
    /// Whether a failed step is left alone.
    failures_stand: bool,
    /// Succeeded steps of other lanes.
    elsewhere: BTreeMap<StepNumber, Output>,
}

impl Graph {
    /// Folds a journal over some steps of a plan. Started steps become ready again: they begin at *look*. So do
    /// failed ones, unless a failure stands ([`OnFailure::Continue`]). Where somebody asked for another try, which
    /// lane 0's journal tells, what stood before is begun again without further ado; a lane that is not lane 0 is given
    /// the time of that wish.
    pub(crate) fn fold<'a>(
        steps: impl Iterator<Item = &'a Step> + Clone,
        on_failure: OnFailure,
        entries: &[Entry],
        retried_at: Option<Timestamp>,
    ) -> Graph {
        let mut graph = Graph {
            pools: steps.clone().map(|step| (step.number, Pool::of(&step.action))).collect(),
            states: steps.clone().map(|step| (step.number, StepState::Waiting)).collect(),
            missing: BTreeMap::new(),
            dependants: BTreeMap::new(),
            ready: Default::default(),
            failures: BTreeMap::new(),
            failures_stand: on_failure == OnFailure::Continue,
            elsewhere: BTreeMap::new(),
        };
        let mut told: BTreeMap<StepNumber, (LaneNumber, Timestamp)> = BTreeMap::new();
        let mut has_failed = false;
        for entry in entries {
            if retry_between(&mut has_failed, &entry.kind) {
                // Entries have an order within a lane only: what others wrote is judged by its time.
                let earlier = |lane: LaneNumber, at| lane == entry.lane || at <= entry.at;
                graph.try_again(&told, earlier);
            } else if let Some(step) = graph.note(entry) {
                told.insert(step, (entry.lane, entry.at));
            }
        }
        if let Some(retried_at) = retried_at {
            graph.try_again(&told, |_, at| at <= retried_at);
        }
        for step in steps {
            let missing = step.after.iter().filter(|before| !graph.has_succeeded(**before)).count();
            graph.missing.insert(step.number, missing);
            for before in &step.after {
                graph.dependants.entry(*before).or_default().push(step.number);
            }
            if missing == 0 && graph.may_begin(step.number) {
                graph.make_ready(step.number);
            }
        }
        graph
    }

    /// What failed or was left without an outcome before a person's wish may be begun again without further ado.
    fn try_again(
        &mut self,
        told: &BTreeMap<StepNumber, (LaneNumber, Timestamp)>,
        is_earlier: impl Fn(LaneNumber, Timestamp) -> bool,
    ) {
        for (step, (lane, at)) in told {
            if let Some(StepState::Started(attempt) | StepState::Failed(attempt)) = self.states.get(step)
                && is_earlier(*lane, *at)
            {
                self.failures.remove(step);
                let again = StepState::Again(*attempt);
                self.states.insert(*step, again);
            }
        }
    }

    /// Takes an entry into account, and gives the step that it tells of.
    fn note(&mut self, entry: &Entry) -> Option<StepNumber> {
        let (step, state) = match &entry.kind {
            EntryKind::Started { step, attempt } => (*step, StepState::Started(*attempt)),
            EntryKind::Succeeded { step, output, .. } => (*step, StepState::Succeeded(output.clone())),
            EntryKind::Failed { step, attempt, .. } => (*step, StepState::Failed(*attempt)),
            EntryKind::Run { .. }
            | EntryKind::Skipped { .. }
            | EntryKind::Progress { .. }
            | EntryKind::Task { .. } => return None,
        };
        if !self.states.contains_key(&step) {
            return None;
        }
        match &entry.kind {
            EntryKind::Failed { message, again: false, .. } => {
                self.failures.insert(step, message.clone());
            }
            _ => {
                self.failures.remove(&step);
            }
        }
        self.states.insert(step, state);
        Some(step)
    }

    /// Whether a step, of this lane or of another, is known to have succeeded.
    pub(crate) fn has_succeeded(&self, step: StepNumber) -> bool {
        matches!(self.states.get(&step), Some(StepState::Succeeded(_))) || self.elsewhere.contains_key(&step)
    }

    fn may_begin(&self, step: StepNumber) -> bool {
        let failure_stands = self.failures_stand && self.failures.contains_key(&step);
        !self.has_succeeded(step) && !failure_stands
    }

    /// Whether any step was begun or ended: then the plan is under way and is not compared with the world again.
    pub(crate) fn is_under_way(&self) -> bool {
        self.states.values().any(|state| *state != StepState::Waiting)
    }

    /// Whether any step was under way when whoever had this lane let go of it.
    pub(crate) fn has_started(&self) -> bool {
        self.states.values().any(|state| matches!(state, StepState::Started(_)))
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

    /// Puts back what was taken and cannot begin now.
    pub(crate) fn put_back(&mut self, step: StepNumber) {
        self.make_ready(step);
    }

    /// Steps of a pool that could begin.
    pub(crate) fn ready_in(&self, pool: Pool) -> usize {
        self.ready[pool as usize].len()
    }

    /// Whether a step could begin.
    pub(crate) fn has_ready(&self) -> bool {
        self.ready.iter().any(|ready| !ready.is_empty())
    }

    /// Notes a success; dependants that waited only for it become ready.
    pub(crate) fn succeed(&mut self, step: StepNumber, output: Output) {
        if self.has_succeeded(step) {
            return;
        }
        match self.states.get_mut(&step) {
            Some(state) => *state = StepState::Succeeded(output),
            None => {
                self.elsewhere.insert(step, output);
            }
        }
        self.failures.remove(&step);
        for dependant in self.dependants.get(&step).cloned().unwrap_or_default() {
            if let Some(missing) = self.missing.get_mut(&dependant) {
                *missing -= 1;
                // What another lane did may be read after what this one did since.
                if *missing == 0 && self.may_begin(dependant) {
                    self.make_ready(dependant);
                }
            }
        }
    }

    /// Notes a failure for good: the step was begun, so it is not among those left out.
    pub(crate) fn fail(&mut self, step: StepNumber, message: String) {
        if let Some(state) = self.states.get_mut(&step) {
            *state = StepState::Failed(Attempt::default());
        }
        self.failures.insert(step, message);
    }

    /// Steps that failed for good, and what was said of them.
    pub(crate) fn failures(&self) -> &BTreeMap<StepNumber, String> {
        &self.failures
    }

    /// Whether every step has succeeded, has failed, or waits for one that failed.
    pub(crate) fn is_settled(&self) -> bool {
        let mut hopeless: BTreeSet<StepNumber> = self.failures.keys().copied().collect();
        let mut causes: Vec<StepNumber> = hopeless.iter().copied().collect();
        while let Some(cause) = causes.pop() {
            for dependant in self.dependants.get(&cause).into_iter().flatten() {
                if hopeless.insert(*dependant) {
                    causes.push(*dependant);
                }
            }
        }
        self.states
            .iter()
            .all(|(step, state)| matches!(state, StepState::Succeeded(_)) || hopeless.contains(step))
    }

    /// What a succeeded step made.
    pub(crate) fn output(&self, step: StepNumber) -> Option<&Output> {
        match self.states.get(&step) {
            Some(StepState::Succeeded(output)) => Some(output),
            Some(StepState::Waiting | StepState::Started(_) | StepState::Failed(_) | StepState::Again(_)) => {
                None
            }
            None => self.elsewhere.get(&step),
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
    use muster_model::run::{FailureClass, RunState};

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
            Entry { at: Timestamp::from_second(1).unwrap(), ..entry(1, 1, started(4, 1)) },
            entry(0, 4, failed),
            entry(0, 5, run(RunState::Failed)),
        ];
        let states = |entries: &[Entry]| {
            Graph::fold(steps.iter(), OnFailure::Stop, entries, None).states.into_values().collect::<Vec<_>>()
        };
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
