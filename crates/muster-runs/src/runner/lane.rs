//! One lane under this process's claim: which step next, how the loop over steps ends, and what is written then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use muster_model::id::StepNumber;
use muster_model::plan::{Action, EffectClass, HostAction, Plan, Step, Subject, WaitingReason};
use muster_model::run::{EntryKind, FailureClass, Output, RunState};
use muster_store::{OutputLog, PlanInputs, Wait, Want};
use tokio::sync::watch;
use tokio::time::Instant;

use super::graph::Pool;
use super::{Graph, Local, OutputSink, StepState, attempt};
use crate::account::Session;
use crate::engine::{Inner, Role};
use crate::journal::{LaneJournal, Stop};
use crate::step::{self, StepContext, StepError};

/// How often what a person wants of the run is read again while steps are under way.
const WANT_POLL: Duration = Duration::from_millis(500);
/// A step that was under way when its node died, so many times, is set aside.
const DEATHS_MAX: u32 = 3;

/// How the loop over steps ended.
enum Ending {
    Done,
    Failed(String),
    Cancelled,
    Interrupted,
    /// Another node goes on.
    HandedOver,
    /// Nobody goes on until somebody says so.
    Paused,
    Stopped,
}

/// One lane under this process's claim.
pub(super) struct Lane {
    pub(super) inner: Arc<Inner>,
    pub(super) plan: Arc<Plan>,
    pub(super) journal: Arc<LaneJournal>,
    pub(super) local: watch::Receiver<Local>,
}

impl Lane {
    /// Executes the lane as far as it goes now.
    pub(super) async fn drive(&self) -> Result<(), Stop> {
        let run = self.journal.run();
        let entries = self.inner.all_entries(run).await?;
        let mut graph = Graph::fold(&self.plan.draft.steps, &entries);
        let session = match self.inner.session(&self.plan.space, &self.plan.account).await {
            Ok(session) => session,
            Err(error) => return self.end(RunState::Failed, Some(error.to_string()), &graph).await,
        };
        // Lists from here on show at least what the plan saw.
        let began = session.watch.mark();
        if !graph.is_under_way() && self.is_of_a_world() {
            match self.has_moved(&session).await {
                Ok(None) => {}
                Ok(Some(moved)) => return self.end(RunState::Stale, Some(moved), &graph).await,
                Err(message) => return self.end(RunState::Failed, Some(message), &graph).await,
            }
        }
        let log = OutputLog::open(self.inner.contents.clone(), run, self.journal.claim().lane)
            .await
            .map_err(|error| Stop::Store(error.to_string()))?;
        let output = Arc::new(OutputSink { log });
        let ending = self.steps(&mut graph, &session, &output, began).await;
        output.flush().await;
        match ending {
            Ending::Stopped => Err(Stop::Fenced),
            Ending::HandedOver => self.hand_over().await,
            Ending::Paused => self.park().await,
            Ending::Done => {
                let waits =
                    self.plan.draft.waiting.iter().any(|waiting| waiting.why != WaitingReason::LeftOut);
                let state = if waits { RunState::Partly } else { RunState::Succeeded };
                self.end(state, None, &graph).await
            }
            Ending::Failed(message) => self.end(RunState::Failed, Some(message), &graph).await,
            Ending::Cancelled => {
                let left = graph.untouched().len();
                let message =
                    format!("cancelled; {left} of {} steps were not begun", self.plan.draft.steps.len());
                self.end(RunState::Cancelled, Some(message), &graph).await
            }
            Ending::Interrupted => {
                let message = Some("interrupted by the person who started it".to_owned());
                self.journal.write(EntryKind::Run { state: RunState::Interrupted, message }, Vec::new()).await
            }
        }
    }

    /// The steps, as many at once as the plan's order and the bound allow.
    async fn steps(
        &self,
        graph: &mut Graph,
        session: &Arc<Session>,
        output: &Arc<OutputSink>,
        began: u64,
    ) -> Ending {
        let mut under_way = FuturesUnordered::new();
        let mut busy = [0; Pool::ALL.len()];
        let mut opaque: BTreeSet<StepNumber> = BTreeSet::new();
        let mut local = self.local.clone();
        let mut failure: Option<String> = None;
        let mut leaving: Option<Ending> = None;
        let mut let_go_at: Option<Instant> = None;
        let deadly = match self.deadly().await {
            Ok(deadly) => deadly,
            Err(_) => return Ending::Stopped,
        };
        loop {
            if *local.borrow() == Local::Drop {
                return Ending::Stopped;
            }
            if leaving.is_none() && failure.is_none() {
                leaving = self.wish(&local).await;
            }
            while failure.is_none() && leaving.is_none() && !self.journal.is_stopped() {
                let config = &self.inner.config;
                let has_room = |pool: Pool| {
                    busy[pool as usize]
                        < match pool {
                            Pool::Provider => config.parallel_waits.max(1),
                            Pool::Hosts => config.parallel_steps.max(1),
                        }
                };
                let Some((number, state)) = graph.take(has_room) else { break };
                let Some(step) = self.step(number) else { continue };
                let set_aside = deadly.contains(&number).then(|| set_aside(step));
                if let Some(message) = set_aside.or_else(|| may_not_repeat(step, &state)) {
                    failure = Some(message.clone());
                    graph.fail(number);
                    let attempt = match state {
                        StepState::Started(attempt) => attempt,
                        StepState::Waiting | StepState::Succeeded(_) | StepState::Failed(_) => {
                            Default::default()
                        }
                    };
                    let kind = EntryKind::Failed {
                        step: number,
                        attempt,
                        class: FailureClass::UnknownOutcome,
                        message,
                        again: false,
                    };
                    if self.journal.write(kind, Vec::new()).await.is_err() {
                        return Ending::Stopped;
                    }
                    break;
                }
                let ctx = self.context(
                    step,
                    graph.outputs_of(&step::references(&self.plan, step)),
                    session,
                    output,
                    began,
                    &state,
                );
                if let Some(pool) = graph.pool(number) {
                    busy[pool as usize] += 1;
                }
                if step.action.effect() == EffectClass::Opaque {
                    opaque.insert(number);
                }
                under_way.push(async move { (number, attempt::attempts(ctx, state).await) });
            }
            if under_way.is_empty() {
                break;
            }
            if matches!(leaving, Some(Ending::HandedOver)) && opaque.is_empty() {
                // After that every request that was under way has its answer.
                let grace = self.inner.config.lease.margin();
                let at = *let_go_at.get_or_insert_with(|| Instant::now() + grace);
                if Instant::now() >= at {
                    // What is left may be repeated or is found by its intent: the next node begins at *look*.
                    break;
                }
            }
            tokio::select! {
                // In this order, so that a simulation can be replayed.
                biased;
                Some((number, outcome)) = under_way.next() => {
                    opaque.remove(&number);
                    if let Some(pool) = graph.pool(number) {
                        busy[pool as usize] -= 1;
                    }
                    match outcome {
                        Ok(made) => graph.succeed(number, made),
                        Err(StepError::Failed(_, message)) => {
                            graph.fail(number);
                            failure.get_or_insert(message);
                        }
                        Err(StepError::LetGo) => {}
                        Err(StepError::Stop(stop)) => {
                            tracing::error!(run = %self.journal.run(), "run {} stopped: {stop}", self.journal.run());
                            return Ending::Stopped;
                        }
                    }
                }
                _ = local.changed() => {}
                () = tokio::time::sleep(WANT_POLL) => {}
            }
        }
        match (failure, leaving) {
            (Some(message), _) => Ending::Failed(message),
            (None, Some(leaving)) if !graph.is_done() => leaving,
            (None, _) if graph.is_done() => Ending::Done,
            (None, _) => Ending::Failed("no step can go on; this is a defect of the plan's order".into()),
        }
    }

    /// Steps that were under way when their node died, too often to be by chance.
    async fn deadly(&self) -> Result<BTreeSet<StepNumber>, Stop> {
        let lane = self.journal.claim().lane;
        let deaths = self.inner.store.deaths(self.journal.run()).await;
        let deaths = deaths.map_err(|error| Stop::Store(error.to_string()))?;
        let deadly = deaths.into_iter().filter(|death| death.lane == lane && death.times >= DEATHS_MAX);
        Ok(deadly.map(|death| death.step).collect())
    }

    /// Another node may go on at once; a node that executes only its own runs keeps it for itself.
    async fn hand_over(&self) -> Result<(), Stop> {
        let released = self.inner.store.release(self.journal.claim().clone(), None).await;
        released.map_err(|error| Stop::Store(error.to_string()))
    }

    /// Nobody goes on until somebody wants it to.
    async fn park(&self) -> Result<(), Stop> {
        let message = "paused; nothing further is begun".to_owned();
        self.journal.write(EntryKind::Progress { step: None, message }, Vec::new()).await?;
        let parked = self.inner.store.park(self.journal.claim().clone(), Wait::default()).await;
        parked.map_err(|error| Stop::Store(error.to_string()))?;
        if self.inner.config.role == Role::Foreground {
            self.inner.take_again(self.journal.run());
        }
        Ok(())
    }

    /// Whether the plan was decided from an observed world; a bare command was not.
    fn is_of_a_world(&self) -> bool {
        let steps = &self.plan.draft.steps;
        !steps.iter().all(|step| matches!(step.action, Action::Host(HostAction::Exec { .. })))
    }

    fn step(&self, number: StepNumber) -> Option<&Step> {
        self.plan.draft.steps.get((number.0 as usize).checked_sub(1)?).filter(|step| step.number == number)
    }

    async fn wish(&self, local: &watch::Receiver<Local>) -> Option<Ending> {
        match *local.borrow() {
            Local::Go | Local::Drop => {}
            Local::Interrupt => return Some(Ending::Interrupted),
            Local::HandOver => return Some(Ending::HandedOver),
        }
        match self.inner.store.want(self.journal.run()).await {
            Ok(Want::Cancel) => Some(Ending::Cancelled),
            Ok(Want::Pause) => Some(Ending::Paused),
            Ok(Want::Run) | Err(_) => None,
        }
    }

    fn context(
        &self,
        step: &Step,
        made: BTreeMap<StepNumber, Output>,
        session: &Arc<Session>,
        output: &Arc<OutputSink>,
        began: u64,
        state: &StepState,
    ) -> StepContext {
        let Subject::Infrastructure(infrastructure) = &self.plan.draft.subject;
        StepContext {
            engine: self.inner.clone(),
            plan: self.plan.clone(),
            infrastructure: infrastructure.clone(),
            session: session.clone(),
            journal: self.journal.clone(),
            output: output.clone(),
            step: step.clone(),
            began,
            made,
            local: self.local.clone(),
            attempt: Default::default(),
            previous: match state {
                StepState::Started(attempt) | StepState::Failed(attempt) => Some(*attempt),
                StepState::Waiting | StepState::Succeeded(_) => None,
            },
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
        entries.push((EntryKind::Run { state, message }, Vec::new()));
        self.journal.write_all(entries).await
    }

    pub(super) async fn inputs(&self) -> Result<PlanInputs, String> {
        match self.inner.store.plan_inputs(self.plan.id).await {
            Ok(Some(inputs)) => Ok(inputs),
            Ok(None) => Err("the inputs of this plan are not there".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A step that takes its node with it is not tried by the next one.
fn set_aside(step: &Step) -> String {
    format!(
        "step {} ({}) is set aside: {DEATHS_MAX} nodes died while it was under way. Look at {} and at the nodes' logs, \
         then plan again",
        step.number, step.target, step.target
    )
}

/// An opaque step that was started and has no outcome is never started again by itself.
fn may_not_repeat(step: &Step, state: &StepState) -> Option<String> {
    let StepState::Started(attempt) = state else { return None };
    if step.action.effect() != EffectClass::Opaque || step::can_be_asked(&step.action) {
        return None;
    }
    Some(format!(
        "step {} ({}) was started (attempt {attempt}) and its outcome is not known; it is not marked `repeatable: \
         true`, so it is not started again by itself. Look at {}, then run the deploy again",
        step.number, step.target, step.target
    ))
}
