//! Requests that found their file or servers busy and may wait. A queued request is an unapproved plan and holds no
//! lock. Whoever watches it (the process that was asked, or any scheduler) plans it anew once nothing is in its way, since
//! what was in the way has changed the world, and begins that. Several watchers are as good as one: the run has an
//! idempotency key.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use muster_model::id::{PlanId, SpaceName};
use muster_model::plan::Plan;
use muster_model::rights::{Authority, Wish, may};
use muster_store::{Left, PlanRow, PlanState, QueuedHow};
pub use muster_store::{QueueState, QueuedRow};
use ring::digest::{SHA256, digest};
use tokio::time::{Instant, sleep};

use crate::approve::Start;
use crate::engine::{Engine, Inner, hex};
use crate::error::EngineError;

/// The longest that a request may wait.
pub const QUEUE_LIMIT_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How often it is looked whether something is still in the way.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A request that could not be proposed (the provider did not answer) is proposed again so much later.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

impl Engine {
    /// Lets a ready plan wait until its locks are free, at most so long. One that waits already for the same is given
    /// instead: its id is then another plan's.
    pub async fn enqueue(
        &self,
        authority: &Authority,
        plan: PlanId,
        how: Start,
        limit: Duration,
    ) -> Result<QueuedRow, EngineError> {
        let inner = &self.inner;
        let row = inner.ready_plan(authority, plan).await?;
        if limit.is_zero() || limit > QUEUE_LIMIT_MAX {
            return Err(EngineError::Invalid(format!(
                "a request may wait from 1 s to {} s, not {} s",
                QUEUE_LIMIT_MAX.as_secs(),
                limit.as_secs()
            )));
        }
        how.check()?;
        inner.drop_overdue().await?;
        let now = inner.world.clock.now();
        let request = QueuedRow {
            plan,
            space: row.new.space.clone(),
            subject: row.new.subject.clone(),
            digest: inner.digest_of(&row).await?,
            how: QueuedHow {
                authority: authority.clone(),
                countdown_seconds: how.countdown.map(|countdown| countdown.as_secs()),
                priority: how.priority.number(),
            },
            asked_at: now,
            give_up_at: now.checked_add(limit).unwrap_or(now),
            state: QueueState::Waiting,
            message: None,
            run: None,
        };
        let kept = inner.store.enqueue(request).await?;
        if inner.config.role == crate::engine::Role::Foreground && kept.state == QueueState::Waiting {
            inner.watch_queued(kept.plan);
        }
        Ok(kept)
    }

    /// One queued request.
    pub async fn queued(&self, authority: &Authority, plan: PlanId) -> Result<QueuedRow, EngineError> {
        let row = self.inner.store.queued(plan).await?;
        let row = row.ok_or_else(|| EngineError::NotFound(format!("there is no queued request {plan}")))?;
        may(authority, Wish::Read, &row.space).map_err(EngineError::Denied)?;
        Ok(row)
    }

    /// The newest queued requests of a Space first, also those that do not wait any more.
    pub async fn queue(
        &self,
        authority: &Authority,
        space: &SpaceName,
    ) -> Result<Vec<QueuedRow>, EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        self.inner.drop_overdue().await?;
        let mut rows = self.inner.store.queue(false).await?;
        rows.retain(|row| row.space == *space);
        Ok(rows)
    }

    /// Takes a request out of the queue, if it still waits.
    pub async fn withdraw(&self, authority: &Authority, plan: PlanId) -> Result<QueuedRow, EngineError> {
        let row = self.queued(authority, plan).await?;
        may(authority, Wish::Run, &row.space).map_err(EngineError::Denied)?;
        let message = format!("withdrawn by {}", authority.actor);
        self.inner.leave_queue(plan, QueueState::Dropped, Some(message), None).await?;
        self.queued(authority, plan).await
    }
}

impl Inner {
    /// A plan that this authority can approve.
    pub(crate) async fn ready_plan(
        &self,
        authority: &Authority,
        plan: PlanId,
    ) -> Result<PlanRow, EngineError> {
        let row = self.store.plan(plan).await?;
        let row = row.ok_or_else(|| EngineError::NotFound(format!("there is no plan {plan}")))?;
        may(authority, Wish::Run, &row.new.space).map_err(EngineError::Denied)?;
        match (row.state, &row.message) {
            (PlanState::Ready, _) => Ok(row),
            (PlanState::Observing, _) => {
                Err(EngineError::Conflict(format!("plan {plan} is still being made")))
            }
            (PlanState::Refused, Some(message)) => Err(EngineError::Refused(message.clone())),
            (PlanState::Refused, None) => {
                Err(EngineError::Refused(format!("plan {plan} is refused; it says why")))
            }
        }
    }

    /// What was asked, whatever the world looked like: the same for the same document, variables and consent.
    async fn digest_of(&self, row: &PlanRow) -> Result<String, EngineError> {
        let text = match (self.store.plan_inputs(row.new.id).await?, &row.plan) {
            (Some(inputs), _) if !is_exec(row) => serde_json::to_string(&(
                &row.new.purpose,
                &row.new.account,
                &inputs.wanted,
                &inputs.policy,
                &inputs.bundle,
            ))
            .map_err(|error| EngineError::Store(error.to_string()))?,
            (_, Some(plan)) => format!("{} {}", row.new.purpose, plan.draft.hash),
            (_, None) => return Err(lost(row.new.id)),
        };
        Ok(hex(digest(&SHA256, text.as_bytes()).as_ref()))
    }

    async fn leave_queue(
        &self,
        plan: PlanId,
        state: QueueState,
        message: Option<String>,
        run: Option<muster_model::id::RunId>,
    ) -> Result<(), EngineError> {
        let left = Left { state, message, run, at: self.world.clock.now() };
        if self.store.leave_queue(plan, left.clone()).await? {
            let why = left.message.unwrap_or_default();
            tracing::info!(request = %plan, "queued request {plan} does not wait any more: {state:?} {why}");
        }
        self.committed.notify_waiters();
        Ok(())
    }

    /// Requests whose limit is over are dropped, whoever was to watch them.
    async fn drop_overdue(&self) -> Result<(), EngineError> {
        let now = self.world.clock.now();
        for row in self.store.queue(true).await? {
            if row.give_up_at <= now {
                self.drop_request(&row).await?;
            }
        }
        Ok(())
    }

    async fn drop_request(&self, row: &QueuedRow) -> Result<(), EngineError> {
        let waited = row.give_up_at.duration_since(row.asked_at).as_secs();
        let locks = self.store.plan(row.plan).await?.and_then(|row| row.plan).map(|plan| plan.draft.locks);
        let held = self.store.in_the_way(locks.unwrap_or_default()).await?;
        let last = held.map(|held| format!("; last it was {held}")).unwrap_or_default();
        let message = format!("dropped: it could not begin within {waited} s{last}");
        self.leave_queue(row.plan, QueueState::Dropped, Some(message), None).await
    }

    /// Watches one request of this process to its end; the process is not idle meanwhile.
    fn watch_queued(self: &Arc<Inner>, plan: PlanId) {
        let waits = crate::runner::Waits::here(self);
        let inner = Arc::downgrade(self);
        tokio::spawn(async move {
            let _waits = waits;
            let mut not_before = Instant::now();
            loop {
                {
                    let Some(inner) = inner.upgrade() else { return };
                    if inner.lease.is_lost() || inner.is_leaving() {
                        return;
                    }
                    match inner.store.queued(plan).await {
                        Ok(Some(row)) if row.state == QueueState::Waiting => {
                            inner.look_after(&row, &mut not_before).await;
                        }
                        Ok(_) => return,
                        Err(error) => tracing::warn!(%error, "the queue cannot be read"),
                    }
                }
                sleep(LOOK_EVERY).await;
            }
        });
    }

    /// Begins a request if nothing is in its way any more, or drops it.
    async fn look_after(self: &Arc<Inner>, row: &QueuedRow, not_before: &mut Instant) {
        let looked = async {
            if row.give_up_at <= self.world.clock.now() {
                return self.drop_request(row).await;
            }
            if Instant::now() < *not_before {
                return Ok(());
            }
            let asked = self.ready_plan(&row.how.authority, row.plan).await?;
            let plan = asked.plan.as_ref().ok_or_else(|| lost(row.plan))?;
            if self.store.in_the_way(plan.draft.locks.clone()).await?.is_some() {
                return Ok(());
            }
            self.begin_queued(row, &asked, plan).await
        };
        if let Err(error) = looked.await {
            tracing::warn!(request = %row.plan, "queued request {} cannot be proposed yet: {error}", row.plan);
            *not_before = Instant::now() + AGAIN_AFTER;
        }
    }

    async fn begin_queued(
        self: &Arc<Inner>,
        row: &QueuedRow,
        asked: &PlanRow,
        plan: &Plan,
    ) -> Result<(), EngineError> {
        let again = self.propose_again(asked, plan).await?;
        let made = self.store.plan(again).await?.ok_or_else(|| lost(again))?;
        if made.state == PlanState::Refused {
            let message = format!("dropped: what it would do now is refused; see plan {again}");
            return self.leave_queue(row.plan, QueueState::Dropped, Some(message), None).await;
        }
        if made.plan.is_some_and(|plan| plan.draft.steps.is_empty()) {
            let message = "nothing is left to do".to_owned();
            return self.leave_queue(row.plan, QueueState::Needless, Some(message), None).await;
        }
        let how = Start {
            idempotency_key: Some(format!("queued {}", row.plan)),
            countdown: row.how.countdown_seconds.map(Duration::from_secs),
            priority: crate::approve::Priority::of(row.how.priority),
        };
        let engine = Engine { inner: self.clone() };
        match engine.start(&row.how.authority, again, how).await {
            Ok(run) => self.leave_queue(row.plan, QueueState::Begun, None, Some(run)).await,
            // Somebody was faster; its turn comes again.
            Err(EngineError::Conflict(_)) => Ok(()),
            Err(error @ (EngineError::Denied(_) | EngineError::Refused(_) | EngineError::Invalid(_))) => {
                let message = format!("dropped: {error}");
                self.leave_queue(row.plan, QueueState::Dropped, Some(message), None).await
            }
            Err(error) => Err(error),
        }
    }

    /// The same wish as a new plan over the world as it is now.
    async fn propose_again(self: &Arc<Inner>, asked: &PlanRow, plan: &Plan) -> Result<PlanId, EngineError> {
        let inputs = self.store.plan_inputs(plan.id).await?.ok_or_else(|| lost(plan.id))?;
        if is_exec(asked) {
            let seen = inputs.seen.clone();
            return self.save_replanned(plan, plan.draft.clone(), seen, inputs).await;
        }
        let session = self.session(&plan.space, &plan.account).await?;
        if asked.new.purpose == crate::objects::PURPOSE {
            let draft = self.plan_objects_again(&session, plan, &inputs).await?;
            let seen = inputs.seen.clone();
            return self.save_replanned(plan, draft, seen, inputs).await;
        }
        let (wanted, policy) = (&inputs.wanted, &inputs.policy);
        let seen = self.observe_for(&plan.space, &session, &plan.draft.subject, wanted, policy).await?;
        let bundle = serde_json::from_value(inputs.bundle.clone())
            .map_err(|error| EngineError::Store(error.to_string()))?;
        let now = self.world.clock.now();
        let draft = muster_planner::plan_infrastructure(&inputs.wanted, &seen, &inputs.policy, &bundle, now);
        self.save_replanned(plan, draft, seen, inputs).await
    }
}

/// A command is not decided from an observed world.
fn is_exec(row: &PlanRow) -> bool {
    row.new.purpose == crate::access::EXEC_PURPOSE
}

fn lost(plan: PlanId) -> EngineError {
    EngineError::Store(format!("the inputs of plan {plan} are not there"))
}

/// Every waiting request is looked after by each scheduler, oldest first.
pub(crate) async fn watch(inner: Weak<Inner>) {
    let mut not_before: BTreeMap<PlanId, Instant> = BTreeMap::new();
    loop {
        sleep(LOOK_EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        if inner.lease.is_lost() || inner.is_leaving() {
            return;
        }
        let waiting = match inner.store.queue(true).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "the queue cannot be read");
                continue;
            }
        };
        not_before.retain(|plan, _| waiting.iter().any(|row| row.plan == *plan));
        for row in waiting.into_iter().rev() {
            let at = not_before.entry(row.plan).or_insert_with(Instant::now);
            inner.look_after(&row, at).await;
        }
    }
}
