//! The attempts at one step: look, write *started*, act, write the outcome; again within a bound.

use std::time::Duration;

use muster_model::id::Attempt;
use muster_model::run::{EntryKind, FailureClass, Output};

use super::StepState;
use crate::journal::Stop;
use crate::step::{self, Looked, StepContext, StepError};

/// Attempts at one step in one sitting.
const ATTEMPTS_MAX: u32 = 4;
/// Pause before the second attempt, in ms; doubles, plus up to half of it by chance.
const PAUSE_MS: u64 = 500;

/// Tries a step until it reaches its goal, is refused, or the bound is reached.
// The span is of the highest level, so that a warning in it bears its ids however little is logged.
#[tracing::instrument(level = "error", name = "step", skip_all,
    fields(run = %ctx.journal.run(), step = ctx.step.number.0, server = %ctx.step.target))]
pub(super) async fn attempts(mut ctx: StepContext, state: StepState) -> Result<Output, StepError> {
    let first = match state {
        StepState::Waiting | StepState::Succeeded(_) => 1,
        StepState::Started(attempt) | StepState::Failed(attempt) | StepState::Again(attempt) => attempt.0 + 1,
    };
    for (number, tried) in (first..).zip(0..ATTEMPTS_MAX) {
        let attempt = Attempt(number);
        ctx.attempt = attempt;
        let error = match once(&ctx, attempt).await {
            Ok(output) => return Ok(output),
            Err(error @ (StepError::Stop(_) | StepError::LetGo)) => return Err(error),
            Err(StepError::Failed(class, message)) => (class, message),
        };
        let (class, message) = error;
        let again = class != FailureClass::Refused && tried + 1 < ATTEMPTS_MAX && may_try_again(&ctx, class);
        let message = about(&ctx.step.target, message);
        ctx.output.flush().await;
        let kind =
            EntryKind::Failed { step: ctx.step.number, attempt, class, message: message.clone(), again };
        ctx.journal.write(kind, Vec::new()).await?;
        step::settled(&ctx);
        tracing::warn!(attempt = number, again, "an attempt failed: {message}");
        if !again {
            return Err(StepError::Failed(class, message));
        }
        ctx.previous = Some(attempt);
        ctx.asked_again = false;
        let pause_ms = PAUSE_MS << tried;
        let jitter_ms = ctx.world().random.below(pause_ms / 2 + 1);
        tokio::time::sleep(Duration::from_millis(pause_ms + jitter_ms)).await;
    }
    Err(StepError::refused(format!("{}: gave up after {ATTEMPTS_MAX} attempts", ctx.step.target)))
}

/// A message that names its target, once: what our hands say names the machine already.
fn about(target: &str, message: String) -> String {
    let part_of_a_name = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_');
    let named = message.match_indices(target).any(|(at, _)| {
        let (before, after) = (&message[..at], &message[at + target.len()..]);
        !before.ends_with(part_of_a_name) && !after.starts_with(part_of_a_name)
    });
    if named { message } else { format!("{target}: {message}") }
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
    let mut looked = step::look(ctx).await?;
    let mut turn = None;
    if let Looked::Act(..) = looked {
        turn = tokio::select! {
            biased;
            turn = ctx.engine.rooms.turn(ctx.died) => turn,
            () = ctx.halted.cancelled() => return Err(StepError::LetGo),
        };
        // It may have waited long for its turn; what it saw before that is no ground to act on.
        if turn.is_some() {
            looked = step::look(ctx).await?;
        }
    }
    let (intent, facts) = match looked {
        Looked::Already(output, facts) => {
            let kind = EntryKind::Succeeded { step, attempt, already: true, output: output.clone() };
            ctx.journal.write(kind, facts).await?;
            return Ok(output);
        }
        Looked::Act(intent, facts) => (intent, facts),
    };
    let _turn = turn;
    // Nothing begins unless this node may still act for as long as one request takes.
    if !ctx.engine.lease.may_start().await {
        return Err(Stop::Fenced.into());
    }
    ctx.journal.write(EntryKind::Started { step, attempt }, facts).await?;
    // The commit may have taken long.
    if !ctx.engine.lease.may_start().await {
        return Err(Stop::Fenced.into());
    }
    let (output, facts) = step::act(ctx, intent).await?;
    ctx.output.flush().await;
    let kind = EntryKind::Succeeded { step, attempt, already: false, output: output.clone() };
    ctx.journal.write(kind, facts).await?;
    step::settled(ctx);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::about;

    #[test]
    fn the_target_is_named_once() {
        let about = |message: &str| about("web-1", message.to_owned());
        assert_eq!(about("HTTP 500"), "web-1: HTTP 500");
        let said = "web-1 (192.0.2.1): root was not let in";
        assert_eq!(about(said), said);
        assert_eq!(about("server web-1 is gone"), "server web-1 is gone");
        assert_eq!(about("web-10 holds the name"), "web-1: web-10 holds the name");
    }
}
