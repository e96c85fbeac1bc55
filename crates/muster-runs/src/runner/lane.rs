//! One lane under this process's claim: which step next, how the loop over steps ends, and what is written then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use muster_model::id::StepNumber;
use muster_model::plan::{Action, HostAction, OnFailure, Plan, Step, Subject, WaitingReason};
use muster_model::run::{Entry, EntryKind, Fact, Output, RunState};
use muster_store::{OutputLog, PlanInputs, Wait, Want};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::others::Others;
use super::pace::{Pace, local_wish};
use super::{COORDINATOR, Graph, History, Local, OutputSink, StepState};
use crate::engine::{Inner, Role};
use crate::journal::{LaneJournal, Stop};
use crate::step::StepContext;

/// How often lane 0, when the run ends before it began, looks whether the others have heard of it.
const OTHERS_POLL: Duration = Duration::from_millis(100);
/// Targets of failed steps that are named at the end.
const FAILED_NAMED_MAX: usize = 5;

/// How the loop over steps ended.
pub(super) enum Ending {
    Done,
    Failed(String),
    Cancelled,
    Interrupted,
    /// Another node goes on.
    HandedOver,
    /// Nobody goes on until somebody says so.
    Paused,
    /// Until another lane has done something; the last signal that was read.
    Waits(u32),
    Stopped,
}

/// One lane under this process's claim.
pub(super) struct Lane {
    pub(super) inner: Arc<Inner>,
    pub(super) plan: Arc<Plan>,
    pub(super) journal: Arc<LaneJournal>,
    pub(super) history: Arc<History>,
    pub(super) local: watch::Receiver<Local>,
}

impl Lane {
    /// Executes the lane as far as it goes now.
    pub(super) async fn drive(&self) -> Result<(), Stop> {
        let claim = self.journal.claim().clone();
        let mut others = Others::of(&self.plan, claim.run, claim.lane);
        let mut graph = self.fold(&mut others).await?;
        // Before anything outside is asked: what is not wanted any more ends also where no provider answers.
        if !graph.is_done()
            && let Some(leaving) = self.wish(&self.local).await
        {
            let asked = match (&others, &leaving) {
                (Some(others), Ending::Cancelled) => self.others_end(others).await?,
                _ => None,
            };
            return self.leave(asked.unwrap_or(leaving), graph).await;
        }
        let session = match self.inner.session(&self.plan.space, &self.plan.account).await {
            Ok(session) => session,
            Err(error) => return self.give_up(RunState::Failed, error.to_string(), &graph, others).await,
        };
        // Lists from here on show at least what the plan saw.
        let began = session.watch.mark();
        if claim.lane == COORDINATOR {
            let has_begun = graph.is_under_way() || others.as_ref().is_some_and(Others::gate_is_open);
            if !has_begun && self.is_of_a_world() {
                match self.has_moved(&session).await {
                    Ok(None) => {}
                    Ok(Some(moved)) => return self.give_up(RunState::Stale, moved, &graph, others).await,
                    Err(message) => return self.give_up(RunState::Failed, message, &graph, others).await,
                }
            }
            if let Some(others) = &mut others {
                others.open_gate(&self.inner).await?;
            }
        }
        let log = OutputLog::open(self.inner.contents.clone(), claim.run, claim.lane)
            .await
            .map_err(|error| Stop::Store(error.to_string()))?;
        let output = Arc::new(OutputSink { log });
        let pace = Pace {
            graph: &mut graph,
            others: others.as_mut(),
            session: &session,
            output: &output,
            began,
            hand_over: CancellationToken::new(),
            halted: CancellationToken::new(),
        };
        let ending = self.steps(pace).await;
        output.flush().await;
        self.leave(ending, graph).await
    }

    /// Does and writes what the loop's ending asks for.
    async fn leave(&self, ending: Ending, graph: Graph) -> Result<(), Stop> {
        let claim = self.journal.claim();
        match ending {
            Ending::Stopped => Err(Stop::Fenced),
            Ending::HandedOver => self.hand_over().await,
            Ending::Paused => self.park().await,
            Ending::Waits(signals_seen) => self.wait(Wait { until: None, signals_seen }).await,
            Ending::Interrupted => self.interrupt().await,
            Ending::Done | Ending::Failed(_) | Ending::Cancelled if claim.lane != COORDINATOR => {
                self.finish().await
            }
            Ending::Done | Ending::Failed(_) | Ending::Cancelled => self.conclude(ending, graph).await,
        }
    }

    /// A lane other than lane 0 has done what it will do.
    async fn finish(&self) -> Result<(), Stop> {
        let at = self.inner.world.clock.now();
        let finished = self.inner.store.finish_lane(self.journal.claim().clone(), at).await;
        finished.map_err(|error| Stop::Store(error.to_string()))
    }

    /// Lane 0 waits here until every other lane has done what it will do, or until this process asks something of it:
    /// the other lanes are let go of then, and nobody here would end them.
    async fn others_end(&self, others: &Others) -> Result<Option<Ending>, Stop> {
        if self.journal.claim().lane != COORDINATOR {
            return Ok(None);
        }
        while !others.are_done(&self.inner).await? {
            if *self.local.borrow() == Local::Drop {
                return Err(Stop::Fenced);
            }
            if let Some(ending) = local_wish(&self.local) {
                return Ok(Some(ending));
            }
            tokio::time::sleep(OTHERS_POLL).await;
        }
        Ok(None)
    }

    /// The graph of this lane, from its journal and, where others have what it needs, from theirs.
    async fn fold(&self, others: &mut Option<Others>) -> Result<Graph, Stop> {
        let claim = self.journal.claim();
        let draft = &self.plan.draft;
        let Some(others) = others else {
            let entries = self.inner.all_entries(claim.run).await?;
            return Ok(Graph::fold(draft.steps.iter(), draft.on_failure, &entries, None));
        };
        let own = draft.steps.iter().filter(|step| draft.lane_of(step.number) == claim.lane);
        let entries = self.inner.entries_of(claim.run, claim.lane).await?;
        let retried_at = self.history.retried_at(&self.inner, claim.run, claim.lane).await?;
        let mut graph = Graph::fold(own, draft.on_failure, &entries, retried_at);
        others.begin(&self.inner, &mut graph, claim.fence.0).await?;
        if claim.lane != COORDINATOR && graph.has_started() {
            let node = self.inner.node;
            let message =
                format!("lane {} taken up by node {node}; steps under way are looked at", claim.lane);
            self.journal.write(EntryKind::Progress { step: None, message }, Vec::new()).await?;
        }
        Ok(graph)
    }

    /// The run ends without its steps: whoever holds another lane of it hears of it first.
    async fn give_up(
        &self,
        state: RunState,
        message: String,
        graph: &Graph,
        others: Option<Others>,
    ) -> Result<(), Stop> {
        let Some(mut others) = others else { return self.end(state, Some(message), graph).await };
        let claim = self.journal.claim();
        others.fail(&self.inner, claim.fence.0, &message).await?;
        if claim.lane != COORDINATOR {
            return self.finish().await;
        }
        if let Some(asked) = self.others_end(&others).await? {
            return match asked {
                Ending::Interrupted => self.interrupt().await,
                _ => self.hand_over().await,
            };
        }
        let graph = self.whole().await?;
        self.end(state, Some(message), &graph).await
    }

    /// The steps of all lanes.
    async fn whole(&self) -> Result<Graph, Stop> {
        let draft = &self.plan.draft;
        let entries: Vec<Entry> = self.inner.all_entries(self.journal.run()).await?;
        Ok(Graph::fold(draft.steps.iter(), draft.on_failure, &entries, None))
    }

    /// Every lane has done what it will do: the run ends, as its steps did.
    async fn conclude(&self, ending: Ending, own: Graph) -> Result<(), Stop> {
        let draft = &self.plan.draft;
        let graph = if draft.lanes.is_empty() { own } else { self.whole().await? };
        match ending {
            Ending::Failed(message) if draft.on_failure == OnFailure::Stop => {
                self.end(RunState::Failed, Some(message), &graph).await
            }
            _ if graph.is_done() => {
                let waits = draft.waiting.iter().any(|waiting| waiting.why != WaitingReason::LeftOut);
                let state = if waits { RunState::Partly } else { RunState::Succeeded };
                self.end(state, None, &graph).await
            }
            // Lane 0 may have had nothing left to leave out.
            _ if self.is_cancelled().await? => {
                let left = graph.untouched().len();
                let message = format!("cancelled; {left} of {} steps were not begun", draft.steps.len());
                self.end(RunState::Cancelled, Some(message), &graph).await
            }
            _ => self.end(RunState::Failed, Some(self.failures_in_words(&graph)), &graph).await,
        }
    }

    async fn is_cancelled(&self) -> Result<bool, Stop> {
        let want = self.inner.store.want(self.journal.run()).await;
        want.map(|want| want == Want::Cancel).map_err(|error| Stop::Store(error.to_string()))
    }

    /// One failure in its own words, several by their targets.
    pub(super) fn failures_in_words(&self, graph: &Graph) -> String {
        let failures = graph.failures();
        let Some((_, first)) = failures.first_key_value() else {
            return "steps were left out; see the run's log".into();
        };
        if failures.len() == 1 {
            return first.clone();
        }
        let targets: Vec<&str> = failures
            .keys()
            .filter_map(|number| self.step(*number))
            .map(|step| step.target.as_str())
            .collect();
        let named = targets.iter().take(FAILED_NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
        let more = match targets.len().saturating_sub(FAILED_NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let total = self.plan.draft.steps.len();
        format!("{} of {total} steps failed ({named}{more}); the first: {first}", failures.len())
    }

    /// Lets go of the lane: it is kept for nobody, so any worker, or whoever resumes the run, may go on at once.
    async fn hand_over(&self) -> Result<(), Stop> {
        let released = self.inner.store.release(self.journal.claim().clone(), None).await;
        released.map_err(|error| Stop::Store(error.to_string()))
    }

    /// The run is left *interrupted* by lane 0, after the other lanes of this process let go of theirs.
    async fn interrupt(&self) -> Result<(), Stop> {
        let claim = self.journal.claim();
        if claim.lane != COORDINATOR {
            let released = self.inner.store.release(claim.clone(), Some(self.inner.node)).await;
            return released.map_err(|error| Stop::Store(error.to_string()));
        }
        let others_here = || async {
            let lanes = self.inner.lanes_here.lock().await;
            lanes.keys().any(|(run, lane)| *run == claim.run && *lane != COORDINATOR)
        };
        while others_here().await {
            if *self.local.borrow() == Local::Drop {
                return Err(Stop::Fenced);
            }
            tokio::time::sleep(OTHERS_POLL).await;
        }
        let message = Some("interrupted by the person who started it".to_owned());
        self.journal.write(EntryKind::Run { state: RunState::Interrupted, message }, Vec::new()).await
    }

    /// Nobody goes on until somebody wants it to.
    async fn park(&self) -> Result<(), Stop> {
        if self.journal.claim().lane == COORDINATOR {
            let message = "paused; nothing further is begun".to_owned();
            self.journal.write(EntryKind::Progress { step: None, message }, Vec::new()).await?;
        }
        self.wait(Wait::default()).await?;
        if self.inner.config.role == Role::Foreground {
            self.inner.tend(self.journal.run());
        }
        Ok(())
    }

    async fn wait(&self, wait: Wait) -> Result<(), Stop> {
        let parked = self.inner.store.park(self.journal.claim().clone(), wait).await;
        parked.map(|_| ()).map_err(|error| Stop::Store(error.to_string()))
    }

    /// Whether the plan was decided from a file and an observed world: bare commands, and steps that somebody asked
    /// for one by one, each look for themselves.
    fn is_of_a_world(&self) -> bool {
        let steps = &self.plan.draft.steps;
        let is_of_a_file = matches!(self.plan.draft.subject, Subject::Infrastructure(_));
        is_of_a_file
            && !steps.iter().all(|step| {
                matches!(step.action, Action::Host(HostAction::Exec { .. } | HostAction::Password { .. }))
            })
    }

    pub(super) fn step(&self, number: StepNumber) -> Option<&Step> {
        self.plan.draft.steps.get((number.0 as usize).checked_sub(1)?).filter(|step| step.number == number)
    }

    pub(super) async fn wish(&self, local: &watch::Receiver<Local>) -> Option<Ending> {
        if let Some(ending) = local_wish(local) {
            return Some(ending);
        }
        match self.inner.store.want(self.journal.run()).await {
            Ok(Want::Cancel) => Some(Ending::Cancelled),
            Ok(Want::Pause) => Some(Ending::Paused),
            Ok(Want::Run) | Err(_) => None,
        }
    }

    pub(super) fn context(
        &self,
        step: &Step,
        made: BTreeMap<StepNumber, Output>,
        pace: &Pace<'_>,
        state: &StepState,
        died: u32,
    ) -> StepContext {
        StepContext {
            engine: self.inner.clone(),
            plan: self.plan.clone(),
            infrastructure: self.plan.draft.subject.owner(),
            session: pace.session.clone(),
            journal: self.journal.clone(),
            history: self.history.clone(),
            output: pace.output.clone(),
            step: step.clone(),
            began: pace.began,
            made,
            hand_over: pace.hand_over.clone(),
            halted: pace.halted.clone(),
            died,
            attempt: Default::default(),
            previous: match state {
                StepState::Started(attempt) | StepState::Failed(attempt) | StepState::Again(attempt) => {
                    Some(*attempt)
                }
                StepState::Waiting | StepState::Succeeded(_) => None,
            },
            asked_again: matches!(state, StepState::Again(_)),
        }
    }

    /// Ends the run: what was not begun is said, then the state.
    async fn end(&self, state: RunState, message: Option<String>, graph: &Graph) -> Result<(), Stop> {
        let why = match state {
            RunState::Failed => "an earlier step failed",
            RunState::Cancelled => "the run was cancelled",
            RunState::Stale => "the world had moved since the plan",
            RunState::Ready
            | RunState::Running
            | RunState::Interrupted
            | RunState::Succeeded
            | RunState::Partly
            | RunState::Superseded => "",
        };
        let mut entries: Vec<_> = graph
            .untouched()
            .into_iter()
            .map(|step| (EntryKind::Skipped { step, message: why.to_owned() }, Vec::new()))
            .collect();
        entries.push((EntryKind::Run { state, message }, self.brought_about(state).await?));
        self.journal.write_all(entries).await
    }

    /// What the run's revision brought about, where it ends well.
    async fn brought_about(&self, state: RunState) -> Result<Vec<Fact>, Stop> {
        if !matches!(state, RunState::Succeeded | RunState::Partly) || !self.is_of_a_world() {
            return Ok(Vec::new());
        }
        self.inner.brought_about(&self.plan).await.map_err(|error| Stop::Store(error.to_string()))
    }

    pub(super) async fn inputs(&self) -> Result<PlanInputs, String> {
        match self.inner.store.plan_inputs(self.plan.id).await {
            Ok(Some(inputs)) => Ok(inputs),
            Ok(None) => Err("the inputs of this plan are not there".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}
