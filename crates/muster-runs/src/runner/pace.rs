//! The loop over a lane's steps: as many at once as the plan's order and the node's room allow, until something ends
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use muster_model::id::StepNumber;
use muster_model::limit::LimitKey;
use muster_model::plan::{EffectClass, OnFailure, Step};
use muster_model::run::{EntryKind, FailureClass, Output};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::graph::Pool;
use super::lane::{Ending, Lane};
use super::others::Others;
use super::rooms::Place;
use super::{COORDINATOR, Graph, Local, OutputSink, StepState, attempt};
use crate::account::Session;
use crate::engine::Role;
use crate::journal::Stop;
use crate::limits::{Tokens, keys_of};
use crate::step::{self, StepError};

/// A step that so many nodes died with is set aside; the last of them with nothing else that is suspected
/// ([`super::rooms`]).
const DEATHS_MAX: u32 = 5;
/// How often what a person wants of the run is read again while steps are under way.
const WANT_POLL: Duration = Duration::from_millis(500);
/// How often a lane of this process looks whether another one has done what it waits for.
const OTHERS_POLL: Duration = Duration::from_millis(100);

/// A step that came to its end.
type Ended = (StepNumber, Result<Output, StepError>);

/// What the loop works with.
pub(super) struct Pace<'a> {
    pub(super) graph: &'a mut Graph,
    pub(super) others: Option<&'a mut Others>,
    pub(super) session: &'a Arc<Session>,
    pub(super) output: &'a Arc<OutputSink>,
    /// Lists of the account that began before this mark are older than the run.
    pub(super) began: u64,
    /// Tells steps that another node goes on: those that can let go of what they began do so.
    pub(super) hand_over: CancellationToken,
    /// Cancelled when nothing further is to begin.
    pub(super) halted: CancellationToken,
}

/// Why nothing further is begun.
#[derive(Default)]
struct Halt {
    failure: Option<String>,
    leaving: Option<Ending>,
}

impl Halt {
    fn is_none(&self) -> bool {
        self.failure.is_none() && self.leaving.is_none()
    }
}

impl Lane {
    /// The steps of this lane.
    pub(super) async fn steps(&self, pace: Pace<'_>) -> Ending {
        // Until nothing of this lane is under way any more.
        let _following = match self.inner.follow_limits().await {
            Ok(following) => following,
            Err(error) => return self.stopped(&Stop::Store(error.to_string())),
        };
        let mut under_way = JoinSet::new();
        let ending = self.carry_out(pace, &mut under_way).await;
        // Whoever goes on with this lane must not meet a step of ours.
        under_way.shutdown().await;
        ending
    }

    /// Each step is a task: it goes on while this loop waits for the store, which would else wait for a connection that
    /// a step holds and cannot give back.
    async fn carry_out(&self, mut pace: Pace<'_>, under_way: &mut JoinSet<Ended>) -> Ending {
        let mut opaque: BTreeSet<StepNumber> = BTreeSet::new();
        let mut local = self.local.clone();
        let mut halt = Halt::default();
        let mut let_go_at: Option<Instant> = None;
        let goes_on_after_failures = self.plan.draft.on_failure == OnFailure::Continue;
        let deaths = match self.deaths().await {
            Ok(deaths) => deaths,
            Err(stop) => return self.stopped(&stop),
        };
        loop {
            if *local.borrow() == Local::Drop {
                return Ending::Stopped;
            }
            if halt.is_none() {
                halt.leaving = self.wish(&local).await;
            }
            if matches!(halt, Halt { failure: None, leaving: Some(Ending::HandedOver) }) {
                pace.hand_over.cancel();
            }
            if let Some(others) = pace.others.as_deref_mut() {
                // A database that does not answer is asked again.
                let _ = others.look_sometimes(&self.inner, pace.graph).await;
                if halt.failure.is_none() {
                    halt.failure = others.failure().map(str::to_owned);
                }
            }
            if !halt.is_none() {
                pace.halted.cancel();
            }
            let mut limited = Limited::default();
            // Heard from here on, so that nothing is missed between a look for room and the wait for it.
            let given_back = self.inner.rooms.given_back();
            tokio::pin!(given_back);
            while halt.is_none() && pace.may_begin() && !self.journal.is_stopped() {
                let rooms = &self.inner.rooms;
                let may_begin = |pool| rooms.has_room(pool) && !limited.pools.contains(&pool);
                let Some((number, state)) = pace.graph.take(may_begin) else { break };
                let Some(step) = self.step(number) else { continue };
                let died = deaths.get(&number).copied().unwrap_or_default();
                let set_aside = (died >= DEATHS_MAX).then(|| set_aside(step, died));
                if let Some(message) = set_aside.or_else(|| may_not_repeat(step, &state)) {
                    pace.graph.fail(number, message.clone());
                    if let Err(stop) = self.leave_unknown(number, &state, message.clone()).await {
                        return self.stopped(&stop);
                    }
                    if !goes_on_after_failures {
                        halt.failure = Some(message);
                    }
                    continue;
                }
                let Some(pool) = pace.graph.pool(number) else { continue };
                let place = match self.place(step, pool, pace.graph.ready_in(pool)) {
                    Ok(place) => place,
                    Err(lacking) => {
                        limited.note(number, pool, lacking);
                        continue;
                    }
                };
                let made = pace.graph.outputs_of(&step::references(&self.plan, step));
                let ctx = self.context(step, made, &pace, &state, died);
                if step.action.effect() == EffectClass::Opaque {
                    opaque.insert(number);
                }
                let step = async move {
                    let outcome = attempt::attempts(ctx, state).await;
                    drop(place);
                    (number, outcome)
                };
                under_way.spawn(step.in_current_span());
            }
            limited.steps.into_iter().for_each(|number| pace.graph.put_back(number));
            if let (Some(failure), Some(others)) = (&halt.failure, pace.others.as_deref_mut()) {
                let fence = self.journal.claim().fence.0;
                if let Err(stop) = others.fail(&self.inner, fence, failure).await {
                    return self.stopped(&stop);
                }
            }
            if under_way.is_empty() {
                match self.is_blocked(&mut pace, &halt).await {
                    Err(stop) => return self.stopped(&stop),
                    Ok(Blocked::No) => break,
                    Ok(Blocked::ByOthers) if self.inner.config.role != Role::Foreground => {
                        return Ending::Waits(pace.signals_seen());
                    }
                    Ok(Blocked::ByOthers | Blocked::ByRoom) => {}
                }
            }
            if matches!(halt.leaving, Some(Ending::HandedOver)) && opaque.is_empty() {
                // After that every request that was under way has its answer.
                let grace = self.inner.config.lease.margin();
                let at = *let_go_at.get_or_insert_with(|| Instant::now() + grace);
                if Instant::now() >= at {
                    // What is left may be repeated or is found by its intent: the next node begins at *look*.
                    break;
                }
            }
            let wants_room = halt.is_none() && pace.may_begin() && pace.graph.has_ready();
            let poll = if under_way.is_empty() || wants_room { OTHERS_POLL } else { WANT_POLL };
            tokio::select! {
                // In this order, so that a simulation can be replayed.
                biased;
                Some(ended) = under_way.join_next() => {
                    let (number, outcome) = match ended {
                        Ok(ended) => ended,
                        Err(error) => match error.try_into_panic() {
                            Ok(panic) => std::panic::resume_unwind(panic),
                            Err(_) => return Ending::Stopped,
                        },
                    };
                    opaque.remove(&number);
                    match outcome {
                        Ok(made) => {
                            pace.graph.succeed(number, made);
                            if let Some(others) = pace.others.as_deref_mut()
                                && let Err(stop) = others.succeeded(&self.inner, number).await
                            {
                                return self.stopped(&stop);
                            }
                        }
                        Err(StepError::Failed(_, message)) => {
                            pace.graph.fail(number, message.clone());
                            if !goes_on_after_failures {
                                halt.failure.get_or_insert(message);
                            }
                        }
                        Err(StepError::LetGo) => {}
                        Err(StepError::Stop(stop)) => return self.stopped(&stop),
                    }
                }
                _ = local.changed() => {}
                () = &mut given_back, if wants_room => {}
                () = tokio::time::sleep(poll) => {}
            }
        }
        match halt {
            Halt { failure: Some(message), .. } => Ending::Failed(message),
            // Lane 0 may have nothing left to do while others have.
            Halt { leaving: Some(leaving), .. } if !pace.graph.is_done() || pace.others.is_some() => leaving,
            _ if pace.graph.is_done() => Ending::Done,
            _ if pace.graph.is_settled() => Ending::Failed(self.failures_in_words(pace.graph)),
            _ => Ending::Failed("no step can go on; this is a defect of the plan's order".into()),
        }
    }

    /// Nothing further may be begun or written here, for this reason.
    fn stopped(&self, stop: &Stop) -> Ending {
        let run = self.journal.run();
        tracing::error!(%run, lane = self.journal.claim().lane.0, "run {run} stopped: {stop}");
        Ending::Stopped
    }

    /// Takes what a step needs to begin: what it counts towards, then the node's room.
    fn place(&self, step: &Step, pool: Pool, ready: usize) -> Result<(Tokens, Place), Lacking> {
        // This one and those that are still ready.
        let ready = u32::try_from(ready + 1).unwrap_or(u32::MAX);
        let tokens = self.inner.limits.try_take(keys_of(&self.plan, step), ready).map_err(Lacking::Limit)?;
        let place = self.inner.rooms.take(pool).ok_or(Lacking::Room)?;
        Ok((tokens, place))
    }

    /// What stands in the way of a lane that has nothing under way.
    async fn is_blocked(&self, pace: &mut Pace<'_>, halt: &Halt) -> Result<Blocked, Stop> {
        if halt.is_none() && pace.may_begin() && pace.graph.has_ready() {
            return Ok(Blocked::ByRoom);
        }
        let Some(others) = pace.others.as_deref_mut() else { return Ok(Blocked::No) };
        let is_over = match halt.leaving {
            // Interrupted, handed over, paused: somebody else, or somebody later, waits.
            Some(ref leaving) if !matches!(leaving, Ending::Cancelled) => return Ok(Blocked::No),
            Some(_) => true,
            None => {
                let settled = self.plan.draft.on_failure == OnFailure::Continue && pace.graph.is_settled();
                halt.failure.is_some() || settled || pace.graph.is_done()
            }
        };
        let waits = match is_over {
            // Lane 0 ends the run, and so it ends last.
            true => self.journal.claim().lane == COORDINATOR && !others.are_done(&self.inner).await?,
            false => true,
        };
        Ok(if waits { Blocked::ByOthers } else { Blocked::No })
    }

    /// A step that is not begun again, because nobody knows what became of it.
    async fn leave_unknown(&self, step: StepNumber, state: &StepState, message: String) -> Result<(), Stop> {
        let attempt = match state {
            StepState::Started(attempt) | StepState::Again(attempt) => *attempt,
            StepState::Waiting | StepState::Succeeded(_) | StepState::Failed(_) => Default::default(),
        };
        let class = FailureClass::UnknownOutcome;
        let kind = EntryKind::Failed { step, attempt, class, message, again: false };
        self.journal.write(kind, Vec::new()).await
    }

    /// How often each step was under way when its node died.
    async fn deaths(&self) -> Result<BTreeMap<StepNumber, u32>, Stop> {
        let deaths = self.inner.store.deaths(self.journal.run()).await;
        let deaths = deaths.map_err(|error| Stop::Store(error.to_string()))?;
        Ok(deaths.iter().map(|death| (death.step, death.times)).collect())
    }
}

/// What keeps a step from beginning now.
enum Lacking {
    /// A limit is used up.
    Limit(LimitKey),
    /// Another lane took the last place.
    Room,
}

/// Steps that could begin but for a limit; they are tried again when something was given back.
#[derive(Default)]
struct Limited {
    steps: Vec<StepNumber>,
    /// Every step of these would find the same.
    pools: BTreeSet<Pool>,
}

impl Limited {
    fn note(&mut self, step: StepNumber, pool: Pool, lacking: Lacking) {
        self.steps.push(step);
        match lacking {
            // One host that has enough to do says nothing of the others.
            Lacking::Limit(LimitKey::Host(..)) => {}
            Lacking::Limit(_) | Lacking::Room => {
                self.pools.insert(pool);
            }
        }
    }
}

/// What stands in the way.
enum Blocked {
    /// Nothing, or nothing that would go away: the loop ends.
    No,
    /// Steps of other lanes.
    ByOthers,
    /// The node has enough under way.
    ByRoom,
}

impl Pace<'_> {
    /// Whether the run has been let begin.
    fn may_begin(&self) -> bool {
        self.others.as_deref().is_none_or(Others::gate_is_open)
    }

    fn signals_seen(&self) -> u32 {
        self.others.as_deref().map_or(0, Others::signals_seen)
    }
}

/// A step that takes its node with it is not tried by the next one.
fn set_aside(step: &Step, died: u32) -> String {
    format!(
        "step {} ({}) is set aside: {died} nodes died while it was under way, the last of them with no other suspect. Look at {} and at the nodes' logs, then plan again",
        step.number, step.target, step.target
    )
}

/// An opaque step that was started and has no outcome is never started again by itself.
fn may_not_repeat(step: &Step, state: &StepState) -> Option<String> {
    let StepState::Started(attempt) = state else { return None };
    if step.action.effect() != EffectClass::Opaque || step::can_be_asked(&step.action) {
        return None;
    }
    Some(step::outcome_unknown(step, *attempt))
}

/// Whether the process that executes a lane asks something of it.
pub(super) fn local_wish(local: &watch::Receiver<Local>) -> Option<Ending> {
    match *local.borrow() {
        Local::Go | Local::Drop => None,
        Local::Interrupt => Some(Ending::Interrupted),
        Local::HandOver => Some(Ending::HandedOver),
    }
}
