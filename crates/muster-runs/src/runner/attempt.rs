//! The attempts at one step: look, write *started*, act, write the outcome; again within a bound.

use std::time::Duration;

use muster_model::id::Attempt;
use muster_model::run::{EntryKind, FailureClass, Output};

use super::StepState;
use crate::step::{self, Looked, StepContext, StepError};

/// Attempts at one step in one sitting.
const ATTEMPTS_MAX: u32 = 4;
/// Pause before the second attempt, in ms; doubles, plus up to half of it by chance.
const PAUSE_MS: u64 = 500;

/// Tries a step until it reaches its goal, is refused, or the bound is reached.
pub(super) async fn attempts(mut ctx: StepContext, state: StepState) -> Result<Output, StepError> {
    let first = match state {
        StepState::Waiting | StepState::Succeeded(_) => 1,
        StepState::Started(attempt) | StepState::Failed(attempt) => attempt.0 + 1,
    };
    for (number, tried) in (first..).zip(0..ATTEMPTS_MAX) {
        let attempt = Attempt(number);
        ctx.attempt = attempt;
        let error = match once(&ctx, attempt).await {
            Ok(output) => return Ok(output),
            Err(StepError::Stop(stop)) => return Err(StepError::Stop(stop)),
            Err(StepError::Failed(class, message)) => (class, message),
        };
        let (class, message) = error;
        let again = class != FailureClass::Refused && tried + 1 < ATTEMPTS_MAX && may_try_again(&ctx, class);
        let message = format!("{}: {message}", ctx.step.target);
        ctx.output.flush().await;
        let kind =
            EntryKind::Failed { step: ctx.step.number, attempt, class, message: message.clone(), again };
        ctx.journal.write(kind, Vec::new()).await?;
        if !again {
            return Err(StepError::Failed(class, message));
        }
        ctx.previous = Some(attempt);
        let pause_ms = PAUSE_MS << tried;
        let jitter_ms = ctx.world().random.below(pause_ms / 2 + 1);
        tokio::time::sleep(Duration::from_millis(pause_ms + jitter_ms)).await;
    }
    Err(StepError::refused(format!("{}: gave up after {ATTEMPTS_MAX} attempts", ctx.step.target)))
}

/// What cannot be looked at is never begun again by itself.
fn may_try_again(ctx: &StepContext, class: FailureClass) -> bool {
    use muster_model::plan::EffectClass;
    match (ctx.step.action.effect(), class) {
        (EffectClass::Opaque, FailureClass::UnknownOutcome) => false,
        (EffectClass::Opaque | EffectClass::Ensure | EffectClass::Create, _) => true,
    }
}

async fn once(ctx: &StepContext, attempt: Attempt) -> Result<Output, StepError> {
    let step = ctx.step.number;
    let (intent, facts) = match step::look(ctx).await? {
        Looked::Already(output, facts) => {
            let kind = EntryKind::Succeeded { step, attempt, already: true, output: output.clone() };
            ctx.journal.write(kind, facts).await?;
            return Ok(output);
        }
        Looked::Act(intent, facts) => (intent, facts),
    };
    ctx.journal.write(EntryKind::Started { step, attempt }, facts).await?;
    let (output, facts) = step::act(ctx, intent).await?;
    ctx.output.flush().await;
    let kind = EntryKind::Succeeded { step, attempt, already: false, output: output.clone() };
    ctx.journal.write(kind, facts).await?;
    Ok(output)
}
