//! Playbooks that an earlier owner of the lane began: found by their folder, taken up, or proven dead. And the other
//! way round: a playbook is let go of when this process hands its run over.

use std::convert::Infallible;

use muster_model::id::Attempt;
use muster_model::plan::EffectClass;
use muster_outside::ansible::{AnsibleError, EarlierRun, Guard, RunOutcome};
use muster_outside::supervise::{ADOPTION_LIMIT, Folder, GONE_WITHIN, Lost};
use tokio_util::sync::CancellationToken;

use super::super::past::past;
use super::super::{StepContext, StepError, outcome_unknown};
use super::told::Told;
use super::{PLAYBOOK_LIMIT, failure};
use crate::engine::Role;

/// Where an attempt at this step is kept.
pub(super) fn folder(ctx: &StepContext, attempt: Attempt) -> Folder {
    let claim = ctx.journal.claim();
    let name = format!("{}-{}-{}", claim.lane.0, ctx.step.number, attempt.0);
    Folder::at(ctx.engine.home.children().join(claim.run.to_string()).join(name))
}

/// The attempt that began and whose outcome nobody has written yet, if there is a trace of it on this machine.
fn earlier(ctx: &StepContext) -> Option<(Attempt, Folder)> {
    let previous = ctx.previous?;
    let mut attempts = (1..=previous.0).rev().map(Attempt);
    attempts.find_map(|attempt| Some((attempt, folder(ctx, attempt))).filter(|(_, folder)| folder.exists()))
}

/// A playbook that was started, and of which there is no trace, is begun again only if it may be repeated, or a person
/// asked for it.
pub(crate) async fn may_begin(ctx: &StepContext) -> Result<(), StepError> {
    if ctx.step.action.effect() != EffectClass::Opaque {
        return Ok(());
    }
    let past = past(ctx).await?;
    if let Some(message) = past.unknown {
        return Err(StepError::unknown(message));
    }
    match past.open {
        Some(attempt) if earlier(ctx).is_none() => {
            Err(StepError::unknown(outcome_unknown(&ctx.step, attempt)))
        }
        Some(_) | None => Ok(()),
    }
}

/// What became of an earlier attempt; none: nothing of it runs any more, and a new one may begin.
pub(super) async fn taken_up(
    ctx: &StepContext,
    playbook: &str,
    guard: &Guard,
) -> Result<Option<RunOutcome>, StepError> {
    let Some((attempt, folder)) = earlier(ctx) else {
        if ctx.previous.is_some() && ctx.engine.config.database.is_some() {
            // It may run on another machine still: not longer than its supervisor waits for an owner, because the
            // last one was dead, or its lease over, before this lane became ours.
            let limit = ADOPTION_LIMIT + GONE_WITHIN;
            ctx.say(
                format!(
                    "an earlier attempt at {playbook} left no trace on this machine and may run on another one still: \
                     waiting {} s, after which it is certainly over",
                    limit.as_secs()
                ),
                Vec::new(),
            )
            .await?;
            tokio::time::sleep(limit).await;
        }
        return Ok(None);
    };
    let entries = ctx.engine.entries_of(ctx.journal.run(), ctx.journal.claim().lane).await?;
    let run = EarlierRun {
        playbook: playbook.to_owned(),
        limit_of_time: PLAYBOOK_LIMIT,
        guard: Guard { folder: folder.clone(), ..guard.clone() },
        cancel: CancellationToken::new(),
    };
    let mut told = Told::new(ctx, run.guard.clone(), run.cancel.clone()).after(attempt, &entries);
    let outcome = following(ctx, guard, ctx.engine.outside.ansible.take_up(&run, &mut told)).await;
    told.flush().await?;
    match outcome {
        Ok(outcome) => Ok(outcome),
        Err(AnsibleError::Lost { what: Lost::NeverBegan, .. }) => {
            folder.forget();
            Ok(None)
        }
        Err(error) => Err(failure(ctx, &error).await),
    }
}

/// Whether whoever has this lane next is on this machine. Among nodes over one database it may be on another one, which
/// finds no trace of the playbook; so there it must be over before the lane is let go of.
pub(super) fn stays_here(ctx: &StepContext) -> bool {
    ctx.engine.config.role == Role::Foreground && ctx.engine.config.database.is_none()
}

/// Lets go of a playbook when this process hands its run over to another one of this machine.
pub(super) async fn following<T>(
    ctx: &StepContext,
    guard: &Guard,
    playbook: impl Future<Output = Result<T, AnsibleError>>,
) -> Result<T, AnsibleError> {
    let handing_over = async {
        ctx.hand_over.cancelled().await;
        if guard.outlives {
            guard.let_go.cancel();
        }
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        never = handing_over => match never {},
        outcome = playbook => outcome,
    }
}

/// The outcome is durable: what is kept of the attempts goes.
pub(crate) fn settled(ctx: &StepContext) {
    for attempt in 1..=ctx.attempt.0 {
        let folder = folder(ctx, Attempt(attempt));
        if folder.exists() {
            folder.forget();
        }
    }
}
