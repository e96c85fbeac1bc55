//! Approving, resuming, cancelling, interrupting: what people do with runs.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_model::id::{LaneNumber, PlanId, RunId};
use muster_model::plan::PlanDraft;
use muster_model::rights::{Authority, Wish, may};
use muster_model::run::{Run, RunState};
use muster_store::{Approval, LanePlan, PlanState, StepRange, Want};

use crate::engine::{Engine, Role};
use crate::error::EngineError;
use crate::reads::PlanView;
use crate::runner::Local;

/// How often a plan that is being made is looked at again.
const PLANNED_POLL: Duration = Duration::from_millis(200);
/// The longest a plan may be *observing*: every request in it is bounded, so this only ends defects.
const PLANNED_WAIT_MAX: Duration = Duration::from_secs(1_800);

/// The longest countdown.
pub const COUNTDOWN_MAX: Duration = Duration::from_secs(24 * 3_600);

/// How an approved plan is begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The same key twice is the same request.
    pub idempotency_key: Option<String>,
    /// How long the run waits with its locks before it begins, so that somebody may revoke it.
    pub countdown: Option<Duration>,
    /// Which of several runs a worker takes first.
    pub priority: Priority,
}

impl Start {
    /// Whether it is within the bounds.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        match self.countdown.filter(|countdown| *countdown > COUNTDOWN_MAX) {
            None => Ok(()),
            Some(countdown) => Err(EngineError::Invalid(format!(
                "a countdown of {} s is too long: the run would hold its locks meanwhile; {} s at most",
                countdown.as_secs(),
                COUNTDOWN_MAX.as_secs()
            ))),
        }
    }
}

/// Which of several runs that wait for a worker begins first; among equals the older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// After the others.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Before the others.
    High,
}

impl Priority {
    /// What a number in the store means.
    pub(crate) fn of(number: i16) -> Priority {
        match number {
            ..0 => Priority::Low,
            0 => Priority::Normal,
            1.. => Priority::High,
        }
    }

    /// The number in the store; there is room between them.
    pub(crate) fn number(self) -> i16 {
        match self {
            Priority::Low => -10,
            Priority::Normal => 0,
            Priority::High => 10,
        }
    }
}

impl Engine {
    /// Waits until a plan is not observing any more.
    pub async fn planned(&self, plan: PlanId) -> Result<PlanView, EngineError> {
        let wait = async {
            loop {
                let hint = self.inner.committed.notified();
                let view = self.reads().plan(plan).await?;
                let view = view.ok_or_else(|| EngineError::NotFound(format!("there is no plan {plan}")))?;
                if view.state != PlanState::Observing {
                    return Ok(view);
                }
                let _ = tokio::time::timeout(PLANNED_POLL, hint).await;
            }
        };
        tokio::time::timeout(PLANNED_WAIT_MAX, wait).await.map_err(|_| {
            EngineError::Outside(format!("plan {plan} is still looking at the world; see `muster doctor`"))
        })?
    }

    /// Approves a plan and begins at once, as [`Engine::start`] does.
    pub async fn approve(
        &self,
        authority: &Authority,
        plan: PlanId,
        idempotency_key: Option<String>,
    ) -> Result<RunId, EngineError> {
        self.start(authority, plan, Start { idempotency_key, ..Start::default() }).await
    }

    /// Approves a plan: newest of its subject, locks free, run inserted, in one transaction; then runs it here, or
    /// leaves it to a worker; after its countdown, if it has one.
    pub async fn start(&self, authority: &Authority, plan: PlanId, how: Start) -> Result<RunId, EngineError> {
        let inner = &self.inner;
        how.check()?;
        let row = inner.ready_plan(authority, plan).await?;
        let new = row.new;
        let plan =
            row.plan.ok_or_else(|| EngineError::Store(format!("the body of plan {plan} is not there")))?;
        inner.bury_the_dead().await?;
        let id = RunId(inner.world.ids.next());
        let now = inner.world.clock.now();
        let begins_at = how.countdown.and_then(|countdown| now.checked_add(countdown).ok());
        let run = Run {
            id,
            space: plan.space.clone(),
            subject: plan.draft.subject.clone(),
            plan: plan.id,
            state: RunState::Ready,
            message: None,
            actor: authority.actor.clone(),
            started_at: now,
            ended_at: None,
        };
        let approval = Approval {
            run,
            node: (inner.config.role == Role::Foreground).then_some(inner.node),
            steps_total: plan.draft.steps.len() as u32,
            lanes: lanes_of(&plan.draft),
            begins_at,
            priority: how.priority.number(),
            locks: plan.draft.locks.clone(),
            idempotency_key: how.idempotency_key,
            revision: crate::revision::new_revision(&new, &plan)?,
        };
        let approved = inner.store.approve(approval).await?;
        match inner.config.role {
            Role::Foreground if approved == id && begins_at.is_some() => inner.tend(id),
            Role::Foreground if approved == id => inner.execute(id).await?,
            // A worker takes it: this node or another one.
            Role::Foreground | Role::Server { .. } => inner.committed.notify_waiters(),
        }
        Ok(approved)
    }

    /// Takes up an interrupted run, or goes on with a paused one: in this process, or, among several nodes, by a
    /// worker.
    pub async fn resume(&self, authority: &Authority, run: RunId) -> Result<(), EngineError> {
        let inner = &self.inner;
        // First: the run of a dead process says *running* until then.
        inner.bury_the_dead().await?;
        let row = self.may_run(authority, run).await?;
        if row.state.is_final() {
            return Err(EngineError::Refused(format!(
                "run {run} has ended, it is {}; there is nothing to resume",
                row.state.word()
            )));
        }
        let was_paused = inner.store.want(run).await? == Want::Pause;
        let now = inner.world.clock.now();
        inner.store.set_want(run, Want::Run, authority.actor.clone(), now).await?;
        inner.committed.notify_waiters();
        if let Some(at) = inner.begins_at(&row).await? {
            return match inner.config.role {
                // Whoever had it may be gone; it begins when its time has come, not sooner.
                Role::Foreground => {
                    inner.tend(run);
                    Ok(())
                }
                Role::Server { .. } => {
                    Err(EngineError::Conflict(format!("run {run} begins by itself at {at}")))
                }
            };
        }
        let interrupted = row.state == RunState::Interrupted;
        match inner.config.role {
            Role::Foreground if interrupted => inner.execute(run).await,
            Role::Foreground => {
                // Nobody may have it any more: the server that paused it has ended, another process let go of it.
                if inner.take_stranded(run).await || was_paused {
                    return Ok(());
                }
                inner.execute(run).await
            }
            // The node that has it, or any worker, reads what is wanted.
            Role::Server { .. } if was_paused && !interrupted => Ok(()),
            Role::Server { .. } => {
                let (_, plan) = inner.run_and_plan(run).await?;
                Ok(inner.store.requeue(run, plan.draft.locks, authority.actor.clone(), now).await?)
            }
        }
    }

    /// Takes a failed run up again: what failed begins once more under new attempt numbers in the same journal, what
    /// succeeded stays. A person who asks this answers for commands that may have done their work already.
    pub async fn retry(&self, authority: &Authority, run: RunId) -> Result<(), EngineError> {
        let inner = &self.inner;
        inner.bury_the_dead().await?;
        self.may_run(authority, run).await?;
        let (_, plan) = inner.run_and_plan(run).await?;
        let is_own = inner.config.role == Role::Foreground;
        let node = is_own.then_some(inner.node);
        let now = inner.world.clock.now();
        inner.store.retry(run, node, plan.draft.locks, authority.actor.clone(), now).await?;
        inner.committed.notify_waiters();
        if is_own && !inner.take_stranded(run).await {
            return Err(EngineError::Conflict(format!(
                "run {run} could not be begun here; take it up with `muster run resume {run}`"
            )));
        }
        Ok(())
    }

    /// Lets steps under way finish and begins nothing further until somebody resumes the run. It keeps its locks.
    pub async fn pause(&self, authority: &Authority, run: RunId) -> Result<(), EngineError> {
        self.may_run(authority, run).await?;
        let now = self.inner.world.clock.now();
        self.inner.store.set_want(run, Want::Pause, authority.actor.clone(), now).await?;
        self.inner.committed.notify_waiters();
        Ok(())
    }

    /// Asks a run to stop between steps, wherever it executes.
    pub async fn cancel(&self, authority: &Authority, run: RunId) -> Result<(), EngineError> {
        self.may_run(authority, run).await?;
        self.inner.bury_the_dead().await?;
        let now = self.inner.world.clock.now();
        let inner = &self.inner;
        inner.store.set_want(run, Want::Cancel, authority.actor.clone(), now).await?;
        inner.committed.notify_waiters();
        // Where no server will ever read the wish, this process carries it out.
        let is_elsewhere = inner.ends_of(run).await.is_empty();
        if inner.config.role == Role::Foreground && is_elsewhere && inner.take_stranded(run).await {
            for mut ended in inner.ends_of(run).await {
                // An error means that the sender is gone, and so the lane's task is.
                let _ = ended.wait_for(|ended| *ended).await;
            }
        }
        Ok(())
    }

    /// Lets the steps of a run in this process finish and leaves it *interrupted*.
    pub async fn interrupt(&self, authority: &Authority, run: RunId) -> Result<(), EngineError> {
        let row = self.may_run(authority, run).await?;
        // Nothing was begun, so there is nothing to take up later.
        if self.inner.begins_at(&row).await?.is_some() {
            return self.cancel(authority, run).await;
        }
        self.tell(run, Local::Interrupt).await
    }

    /// Lets go of a run that executes in this process: steps under way are finished, and whoever resumes it goes on.
    pub async fn hand_over(&self, authority: &Authority, run: RunId) -> Result<(), EngineError> {
        let row = self.may_run(authority, run).await?;
        if let Some(at) = self.inner.begins_at(&row).await? {
            return Err(EngineError::Conflict(format!(
                "run {run} begins at {at}, and can be left to the background only then"
            )));
        }
        self.tell(run, Local::HandOver).await
    }

    async fn tell(&self, run: RunId, word: Local) -> Result<(), EngineError> {
        let lanes = self.inner.lanes_here.lock().await;
        let here: Vec<_> = lanes.iter().filter(|((of, _), _)| *of == run).map(|(_, handle)| handle).collect();
        if !here.is_empty() {
            // What it lets go of it does not take again.
            self.inner.tended.end(run);
        }
        if here.is_empty() {
            return Err(EngineError::Conflict(format!(
                "run {run} does not execute in this process; `muster run cancel {run}` stops it wherever it is"
            )));
        }
        for handle in here {
            handle.local.send_replace(word);
        }
        Ok(())
    }

    async fn may_run(&self, authority: &Authority, run: RunId) -> Result<Run, EngineError> {
        let row = self
            .inner
            .store
            .run(run)
            .await?
            .ok_or_else(|| EngineError::NotFound(format!("there is no run {run}")))?;
        may(authority, Wish::Run, &row.space).map_err(EngineError::Denied)?;
        Ok(row)
    }
}

/// The further lanes of a plan, with the span of their steps.
fn lanes_of(draft: &PlanDraft) -> Vec<LanePlan> {
    let mut spans: BTreeMap<LaneNumber, StepRange> = BTreeMap::new();
    for (step, lane) in draft.steps.iter().zip(&draft.lanes) {
        let span = spans.entry(*lane).or_insert(StepRange { first: step.number, last: step.number });
        span.last = step.number;
    }
    spans.remove(&LaneNumber(0));
    spans.into_values().map(|steps| LanePlan { steps, waits: false }).collect()
}
