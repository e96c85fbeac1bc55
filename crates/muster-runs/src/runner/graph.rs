//! The graph of a run in memory: folded once from the journal, then counted down.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::id::{Attempt, StepNumber};
use muster_model::plan::{Action, OnFailure, Step};
use muster_model::run::{Entry, EntryKind, Output};

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
    /// failed ones, unless a failure stands ([`OnFailure::Continue`]) until somebody asks for another try.
    pub(crate) fn fold<'a>(
        steps: impl Iterator<Item = &'a Step> + Clone,
        on_failure: OnFailure,
        entries: &[Entry],
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
        for entry in entries {
            graph.note(entry);
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

    fn note(&mut self, entry: &Entry) {
        let (step, state) = match &entry.kind {
            EntryKind::Started { step, attempt } => (*step, StepState::Started(*attempt)),
            EntryKind::Succeeded { step, output, .. } => (*step, StepState::Succeeded(output.clone())),
            EntryKind::Failed { step, attempt, .. } => (*step, StepState::Failed(*attempt)),
            EntryKind::Run { .. }
            | EntryKind::Skipped { .. }
            | EntryKind::Progress { .. }
            | EntryKind::Task { .. } => return,
        };
        if !self.states.contains_key(&step) {
            return;
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
            Some(StepState::Waiting | StepState::Started(_) | StepState::Failed(_)) => None,
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
