//! What a node does besides its lanes: it shows that it lives, takes over from nodes that do not, and takes lanes that
//! are ready.

use std::sync::{Arc, Weak};
use std::time::Duration;

use muster_model::id::{LaneNumber, RunId};
use muster_store::{ClaimNext, FORM, Hint, Keep, Lease as Heard, Opened, PRUNE_RUNS_MAX, StoreError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::engine::{Inner, Role};
use crate::lease::HEARTBEAT_AGAIN;
use crate::runner::Local;

/// Lanes that one node executes at once.
const LANES_MAX: usize = 64;
/// How often ready lanes are looked for without a hint.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Hints within this time are one look: hundreds of commits a second would otherwise be as many questions.
const LOOK_TOGETHER: Duration = Duration::from_millis(20);

/// How often old runs are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
/// Rounds at once; what is left waits for the next time.
const PRUNE_ROUNDS_MAX: u32 = 50;
/// How long the journal of an ended run is kept, at least.
const KEPT_FOR: jiff::SignedDuration = jiff::SignedDuration::from_hours(90 * 24);
/// The newest runs of each subject keep theirs, however old they are.
const KEPT_AT_LEAST: u32 = 20;

/// In each of so many rounds contents are looked for that no plan refers to.
const UNUSED_ROUNDS: u64 = 24;
/// How long such a content is kept after it was sent or asked for: its plan may be about to come.
const UNUSED_FOR: Duration = Duration::from_secs(24 * 3_600);

/// Starts the duties of this node. They end with the engine.
pub(crate) fn begin(inner: &Arc<Inner>) {
    tokio::spawn(heartbeats(Arc::downgrade(inner)));
    if let Role::Server { worker: true, .. } = inner.config.role {
        tokio::spawn(lanes(Arc::downgrade(inner)));
    }
    if let Role::Server { scheduler: true, .. } = inner.config.role {
        tokio::spawn(retention(Arc::downgrade(inner)));
        tokio::spawn(crate::search::keep(Arc::downgrade(inner)));
        tokio::spawn(crate::queue::watch(Arc::downgrade(inner)));
    }
    if let Role::Server { .. } = inner.config.role {
        tokio::spawn(hints(Arc::downgrade(inner)));
    }
}

/// Ended runs do not stay for ever: their journal, output and inputs go, the runs themselves and the audit stay.
async fn retention(inner: Weak<Inner>) {
    for round in 0u64.. {
        sleep(PRUNE_EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        let opened = Opened { store: inner.store.clone(), contents: inner.contents.clone() };
        // Each round takes a bounded number of runs.
        for _ in 0..PRUNE_ROUNDS_MAX {
            let now = inner.world.clock.now();
            let before = now.checked_sub(KEPT_FOR).unwrap_or(now);
            let keep = Keep { runs: KEPT_AT_LEAST, revisions: inner.config.revisions_kept };
            match opened.prune(before, keep, now).await {
                Ok(runs) if runs.len() < PRUNE_RUNS_MAX as usize => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "old runs could not be emptied; it is tried again later");
                    break;
                }
            }
        }
        if round % UNUSED_ROUNDS == 0
            && let Err(error) = opened.forget_unused(UNUSED_FOR).await
        {
            tracing::warn!(%error, "unused contents could not be forgotten; it is tried again tomorrow");
        }
    }
}

/// What happens on other nodes is told to followers on this one.
async fn hints(inner: Weak<Inner>) {
    let Some(mut heard) = inner.upgrade().map(|inner| inner.store.hints()) else { return };
    // Ends with the store.
    while !matches!(heard.recv().await, Err(RecvError::Closed)) {
        let Some(inner) = inner.upgrade() else { return };
        inner.committed.notify_waiters();
    }
}

/// One heartbeat a while; a lost lease stops everything here.
async fn heartbeats(inner: Weak<Inner>) {
    let Some(times) = inner.upgrade().map(|inner| inner.config.lease) else { return };
    let mut pause = times.heartbeat_every();
    loop {
        sleep(pause).await;
        let Some(inner) = inner.upgrade() else { return };
        if inner.lease.is_lost() {
            return;
        }
        let sent = inner.lease.monotonic();
        match inner.store.heartbeat(inner.lease.holder(), times.ttl()).await {
            Ok(Heard::Held) => {
                inner.lease.renewed(sent);
                pause = times.heartbeat_every();
            }
            Ok(Heard::Lost) => {
                tracing::error!(node = %inner.node, "the lease of this node lapsed; it stops its runs");
                inner.lease.lose();
                let ended = inner.tell_all(Local::Drop).await;
                inner.give_up(ended).await;
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "a heartbeat failed; nothing new is started until one succeeds");
                pause = HEARTBEAT_AGAIN;
                continue;
            }
        }
        if let Role::Server { .. } = inner.config.role {
            inner.take_over().await;
        }
    }
}

/// Takes ready lanes while there is room.
async fn lanes(inner: Weak<Inner>) {
    let Some(mut heard) = inner.upgrade().map(|inner| inner.store.hints()) else { return };
    loop {
        {
            let Some(inner) = inner.upgrade() else { return };
            if inner.lease.is_lost() || inner.is_leaving() {
                return;
            }
            inner.take_lanes(Vec::new()).await;
        }
        // Locked just now: then one look too many is made.
        let is_here = |lane| {
            inner.upgrade().is_some_and(|inner| {
                inner.lanes_here.try_lock().is_ok_and(|lanes_here| lanes_here.contains_key(&lane))
            })
        };
        if !is_time_to_look(&mut heard, is_here).await {
            return;
        }
    }
}

/// Resolves to true when ready lanes are worth looking for, to false when the store is closed. What is written to a
/// lane that executes here, which is most of what happens, makes no other lane ready.
async fn is_time_to_look(heard: &mut Receiver<Hint>, is_here: impl Fn((RunId, LaneNumber)) -> bool) -> bool {
    let by_itself = sleep(LOOK_EVERY);
    tokio::pin!(by_itself);
    loop {
        tokio::select! {
            hint = heard.recv() => match hint {
                Err(RecvError::Closed) => return false,
                Ok(Hint::Lane(run, lane)) if is_here((run, lane)) => {}
                Ok(Hint::Lane(..) | Hint::Any) | Err(RecvError::Lagged(_)) => break,
            },
            () = &mut by_itself => return true,
        }
    }
    sleep(LOOK_TOGETHER).await;
    // The look that follows sees what all of these were about.
    *heard = heard.resubscribe();
    true
}

impl Inner {
    /// The lease of this node is lost (the machine slept, the process was stopped): what nobody took over meanwhile is
    /// given up in words, so that whoever follows it hears of it.
    async fn give_up(&self, ended: Vec<watch::Receiver<bool>>) {
        for mut ended in ended {
            // An error means that the sender is gone, and so the lane's task is.
            let _ = ended.wait_for(|ended| *ended).await;
        }
        let why = "this process was stopped, or the machine slept, for longer than its lease".to_owned();
        if let Err(error) = self.store.bury(self.node, self.world.clock.now(), why).await {
            tracing::warn!(%error, "this node could not leave");
        }
        self.committed.notify_waiters();
    }

    /// Nodes whose lease lapsed, or whose process is proven dead, lose their lanes.
    async fn take_over(&self) {
        if let Err(error) = self.bury_the_dead().await {
            tracing::warn!(%error, "dead nodes of this machine could not be looked for");
        }
        let now = self.world.clock.now();
        match self.store.take_over(now, "the node that executed it did not renew its lease".into()).await {
            Ok(done) if done.nodes.is_empty() => {}
            Ok(done) => {
                tracing::warn!(
                    nodes = done.nodes.len(),
                    lanes = done.ready.len(),
                    interrupted = done.interrupted.len(),
                    "took over from nodes whose lease had lapsed"
                );
                self.committed.notify_waiters();
            }
            Err(error) => tracing::warn!(%error, "lapsed nodes could not be looked for"),
        }
    }

    /// Takes the lanes of a run that nobody holds, or that are kept for this node; whether it executes here now.
    pub(crate) async fn take_stranded(self: &Arc<Inner>, run: RunId) -> bool {
        // It may have ended already.
        let began = self.take_lanes(vec![run]).await > 0;
        let is_here = !self.ends_of(run).await.is_empty();
        if is_here {
            // Whoever had its other lanes may let go of them one by one.
            self.tend(run);
        }
        began || is_here
    }

    /// What tells the ends of a run's lanes that execute here.
    pub(crate) async fn ends_of(&self, run: RunId) -> Vec<watch::Receiver<bool>> {
        let lanes = self.lanes_here.lock().await;
        let of_it = lanes.iter().filter(|((of, _), _)| *of == run);
        of_it.map(|(_, handle)| handle.ended.clone()).collect()
    }

    /// Claims lanes that are ready (of these runs, or any) and executes them. Gives how many began.
    pub(crate) async fn take_lanes(self: &Arc<Inner>, only: Vec<RunId>) -> usize {
        let room = match self.config.role {
            // It executes only what is its own, all of it.
            Role::Foreground => usize::from(u16::MAX),
            Role::Server { .. } => LANES_MAX.saturating_sub(self.lanes_here.lock().await.len()),
        };
        if room == 0 || !self.lease.may_start().await {
            return 0;
        }
        let wish = ClaimNext { holder: self.lease.holder(), limit: room as u32, forms: vec![FORM], only };
        let claims = match self.store.claim_next(wish).await {
            Ok(claims) => claims,
            Err(StoreError::Lapsed(message)) => {
                tracing::error!("{message}");
                return 0;
            }
            Err(error) => {
                tracing::warn!(%error, "ready lanes could not be looked for");
                return 0;
            }
        };
        let mut begun = 0;
        for claim in claims {
            let lane = (claim.run, claim.lane);
            match self.hold(claim.clone()).await {
                Ok(()) => begun += 1,
                Err(error) => {
                    tracing::error!(run = %lane.0, lane = lane.1.0, %error, "a claimed lane cannot be executed");
                    self.give_back(claim);
                }
            }
        }
        begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_happens_here_is_no_reason_to_look_and_many_hints_are_one() {
        let (told, mut heard) = tokio::sync::broadcast::channel(64);
        let lane = |number: u128| (RunId(uuid::Uuid::from_u128(number)), LaneNumber(0));
        let say = |number| {
            let (run, lane) = lane(number);
            told.send(Hint::Lane(run, lane)).unwrap();
        };
        let is_here = |at| at == lane(1);
        let begun = tokio::time::Instant::now();
        (0..40).for_each(|_| say(1));
        assert!(is_time_to_look(&mut heard, is_here).await);
        assert_eq!(begun.elapsed(), LOOK_EVERY, "its own lane says nothing");

        let begun = tokio::time::Instant::now();
        (0..40).for_each(|_| say(2));
        told.send(Hint::Any).unwrap();
        assert!(is_time_to_look(&mut heard, is_here).await);
        assert!(begun.elapsed() < LOOK_TOGETHER * 2, "{:?}", begun.elapsed());
        assert!(heard.is_empty(), "one look for all of them");

        (0..99).for_each(|_| say(1));
        assert!(is_time_to_look(&mut heard, is_here).await, "a listener that lagged looks");
        drop(told);
        assert!(!is_time_to_look(&mut heard, is_here).await, "the store is closed");
    }
}
