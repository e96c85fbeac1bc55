//! The runner: claims a lane, orders its steps, retries, ends. It has no opinions; they are all in the plan.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use muster_model::id::{LaneNumber, RunId, Sequence, StepNumber};
use muster_model::plan::{Action, EffectClass, HostAction, Plan, Step, Subject, WaitingReason};
use muster_model::run::{Entry, EntryKind, FailureClass, Output, RunState};
use muster_store::{OutputLog, OutputRecord, PlanInputs, Want};
use tokio::sync::watch;

use crate::account::Session;
use crate::engine::Inner;
use crate::error::EngineError;
use crate::journal::{LaneJournal, Stop};
use crate::step::{self, StepContext, StepError};
use graph::Pool;

mod attempt;
mod fresh;
mod graph;

pub(crate) use graph::{Graph, StepState};

/// How often what a person wants of the run is read again while steps are under way.
const WANT_POLL: Duration = Duration::from_millis(500);
/// Entries read at once when a journal is folded.
const FOLD_PAGE: u32 = 10_000;

/// What the process that executes a run asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Local {
    /// Go on.
    Go,
    /// Finish what is under way and leave the run *interrupted*.
    Interrupt,
}

/// Where the detail output of a run goes.
pub(crate) struct OutputSink {
    log: OutputLog,
}

impl OutputSink {
    pub(crate) fn push(&self, at: Timestamp, step: StepNumber, target: &str, text: &str) {
        let record = OutputRecord { at, step: step.0, target: target.to_owned(), text: text.to_owned() };
        if let Err(error) = self.log.push(&record) {
            tracing::warn!(%error, "a line of output could not be kept");
        }
    }

    /// Makes what was said durable; called before a step's outcome is written.
    pub(crate) async fn flush(&self) {
        if let Err(error) = self.log.flush().await {
            tracing::warn!(%error, "output could not be made durable");
        }
    }
}

/// A run under way in this process.
pub(crate) struct RunHandle {
    pub(crate) local: watch::Sender<Local>,
    pub(crate) ended: watch::Receiver<bool>,
}

/// How the loop over steps ended.
enum Ending {
    Done,
    Failed(String),
    Cancelled,
    Interrupted,
    Stopped,
}

impl Inner {
    /// Executes a run to an end, in the background of this process.
    pub(crate) async fn execute(self: &Arc<Inner>, run: RunId) -> Result<(), EngineError> {
        let row = self
            .store
            .run(run)
            .await?
            .ok_or_else(|| EngineError::NotFound(format!("there is no run {run}")))?;
        let plan = self
            .store
            .plan(row.plan)
            .await?
            .and_then(|row| row.plan)
            .ok_or_else(|| EngineError::Store(format!("the plan of run {run} is not there")))?;
        let claim = self.store.claim(run, self.node, plan.draft.locks.clone()).await?;
        let journal =
            Arc::new(LaneJournal::new(self.store.clone(), self.world.clone(), claim, self.committed.clone()));
        // Before anybody is told that it goes on: whoever follows from here must not meet the state before.
        let running = EntryKind::Run { state: RunState::Running, message: None };
        journal.write(running, Vec::new()).await.map_err(|stop| EngineError::Store(stop.to_string()))?;
        let (local, local_seen) = watch::channel(Local::Go);
        let (ended, ended_seen) = watch::channel(false);
        self.runs_here.lock().await.insert(run, RunHandle { local, ended: ended_seen });
        let inner = self.clone();
        tokio::spawn(async move {
            let lane = Lane { inner: inner.clone(), plan: Arc::new(plan), journal, local: local_seen };
            if let Err(stop) = lane.drive().await {
                tracing::error!(run = %run, "run {run} stopped writing: {stop}");
            }
            inner.runs_here.lock().await.remove(&run);
            // Nobody may be waiting for the end.
            let _ = ended.send(true);
            inner.committed.notify_waiters();
        });
        Ok(())
    }

    /// The whole journal of a run.
    pub(crate) async fn all_entries(&self, run: RunId) -> Result<Vec<Entry>, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let after = entries.last().map_or(Sequence(0), |entry| entry.seq);
            let page = self
                .store
                .entries(run, after, FOLD_PAGE)
                .await
                .map_err(|error| Stop::Store(error.to_string()))?;
            let whole = page.len() < FOLD_PAGE as usize;
            entries.extend(page);
            if whole {
                return Ok(entries);
            }
        }
    }
}

/// One lane under this process's claim.
struct Lane {
    inner: Arc<Inner>,
    plan: Arc<Plan>,
    journal: Arc<LaneJournal>,
    local: watch::Receiver<Local>,
}

impl Lane {
    async fn drive(&self) -> Result<(), Stop> {
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
        let log = OutputLog::open(self.inner.contents.clone(), run, LaneNumber(0))
            .await
            .map_err(|error| Stop::Store(error.to_string()))?;
        let output = Arc::new(OutputSink { log });
        let ending = self.steps(&mut graph, &session, &output, began).await;
        output.flush().await;
        match ending {
            Ending::Stopped => Err(Stop::Fenced),
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
        let mut local = self.local.clone();
        let mut failure: Option<String> = None;
        let mut leaving: Option<Ending> = None;
        loop {
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
                if let Some(message) = may_not_repeat(step, &state) {
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
                under_way.push(async move { (number, attempt::attempts(ctx, state).await) });
            }
            if under_way.is_empty() {
                break;
            }
            tokio::select! {
                // In this order, so that a simulation can be replayed.
                biased;
                Some((number, outcome)) = under_way.next() => {
                    if let Some(pool) = graph.pool(number) {
                        busy[pool as usize] -= 1;
                    }
                    match outcome {
                        Ok(made) => graph.succeed(number, made),
                        Err(StepError::Failed(_, message)) => {
                            graph.fail(number);
                            failure.get_or_insert(message);
                        }
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

    /// Whether the plan was decided from an observed world; a bare command was not.
    fn is_of_a_world(&self) -> bool {
        let steps = &self.plan.draft.steps;
        !steps.iter().all(|step| matches!(step.action, Action::Host(HostAction::Exec { .. })))
    }

    fn step(&self, number: StepNumber) -> Option<&Step> {
        self.plan.draft.steps.get((number.0 as usize).checked_sub(1)?).filter(|step| step.number == number)
    }

    async fn wish(&self, local: &watch::Receiver<Local>) -> Option<Ending> {
        if *local.borrow() == Local::Interrupt {
            return Some(Ending::Interrupted);
        }
        match self.inner.store.want(self.journal.run()).await {
            Ok(Want::Cancel) => Some(Ending::Cancelled),
            Ok(Want::Pause) => Some(Ending::Interrupted),
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

    async fn inputs(&self) -> Result<PlanInputs, String> {
        match self.inner.store.plan_inputs(self.plan.id).await {
            Ok(Some(inputs)) => Ok(inputs),
            Ok(None) => Err("the inputs of this plan are not there".into()),
            Err(error) => Err(error.to_string()),
        }
    }
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
