//! Settling a create whose answer was lost (`SEMANTICS.md` §4): one candidate is claimed, several are refused,
//! none in three successful lists spread over the settle time allows one further attempt.

use std::time::Duration;

use jiff::Timestamp;
use muster_model::id::ProviderId;
use muster_model::intent::{Created, CreationIntent};
use muster_model::ownership::ObjectKind;
use muster_model::run::{EntryKind, FailureClass, RunState};
use muster_store::About;

use super::server::store_failed;
use super::{StepContext, StepError};
use crate::runner::COORDINATOR;

/// Successful lists without a candidate before an intent is given up.
const LISTS_WITHOUT_MIN: u32 = 3;

/// How an open intent was settled.
pub(super) enum Settled {
    /// It made this object.
    Made(ProviderId),
    /// Nothing appeared within the settle time.
    Nothing,
}

/// Looks at `candidates` (fresh, each call one list) until the intent is settled.
pub(super) async fn settle<F>(
    ctx: &StepContext,
    intent: &CreationIntent,
    mut candidates: impl FnMut() -> F,
) -> Result<Settled, StepError>
where
    F: Future<Output = Result<Vec<ProviderId>, StepError>>,
{
    let settle_ms = ctx.session.account.settings.settle_time_ms();
    let sent_until = sent_until(ctx, intent).await?;
    let mut lists_without = 0;
    loop {
        let found = candidates().await?;
        match found.as_slice() {
            [one] => return Ok(Settled::Made(one.clone())),
            [] => lists_without += 1,
            several => {
                let ids: Vec<&str> = several.iter().map(ProviderId::as_str).collect();
                return Err(StepError::refused(format!(
                    "the create of {} got no answer, and now {} objects of that name fit it: {}; {}",
                    intent.name,
                    several.len(),
                    ids.join(", "),
                    which_to_keep(ctx, intent)
                )));
            }
        }
        let age_ms = (ctx.world().clock.now().as_millisecond() - sent_until.as_millisecond()).max(0) as u64;
        if age_ms >= settle_ms && lists_without >= LISTS_WITHOUT_MIN {
            return Ok(Settled::Nothing);
        }
        if lists_without == 1 {
            let left_s = settle_ms.saturating_sub(age_ms).div_ceil(1000);
            ctx.say(
                format!(
                    "an earlier create of {} got no answer; looking for up to {left_s} s whether it took effect",
                    intent.name
                ),
                Vec::new(),
            )
            .await?;
        }
        let left_ms = settle_ms.saturating_sub(age_ms);
        let pause_ms_max = (settle_ms / u64::from(LISTS_WITHOUT_MIN)).max(ctx.session.poll_ms);
        let pause_ms = (left_ms / 2).clamp(ctx.session.poll_ms, pause_ms_max);
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
}

/// What a person can do about several that came of one create.
fn which_to_keep(ctx: &StepContext, intent: &CreationIntent) -> String {
    match intent.wanted {
        Created::Object(_) | Created::Copy(_) | Created::Record { .. } => {
            format!("delete all but one at the provider, then `muster run retry {}`", ctx.journal.run())
        }
        Created::Server(_) | Created::Network(_) | Created::PublicNetwork(_) => format!(
            "keep one (`muster infra adopt {} {}`), delete the others at the provider, and run the update again",
            ctx.infrastructure, intent.name
        ),
    }
}

/// Those of the ids that no file of ours has on record yet.
pub(super) async fn unowned(
    ctx: &StepContext,
    kind: ObjectKind,
    ids: Vec<ProviderId>,
) -> Result<Vec<ProviderId>, StepError> {
    if ids.is_empty() {
        return Ok(ids);
    }
    let about = About::ids(kind, ids);
    let account = &ctx.session.account.identity;
    let owned = ctx.store().facts_about(account, &about).await.map_err(store_failed)?.owned;
    Ok(about.ids.into_iter().filter(|id| !owned.iter().any(|record| record.id == *id)).collect())
}

/// The latest moment at which the create can have left. An intent is durable before its request is sent, and the
/// request may have stood in line behind other writes for long: the settle time counts from when its answer was
/// lost, or from when its process was known dead, not from when it was intended.
async fn sent_until(ctx: &StepContext, intent: &CreationIntent) -> Result<Timestamp, StepError> {
    let same_run = intent.run == ctx.journal.run();
    let lane = ctx.journal.claim().lane;
    let journals = match same_run {
        // What counts of this run stands in the lane of the step and in lane 0.
        true if lane == COORDINATOR => vec![ctx.history.of_lane(&ctx.engine, intent.run, lane).await?],
        true => vec![
            ctx.history.of_lane(&ctx.engine, intent.run, COORDINATOR).await?,
            ctx.history.of_lane(&ctx.engine, intent.run, lane).await?,
        ],
        false => ctx.history.of_run(&ctx.engine, intent.run).await?,
    };
    let ends = journals.iter().flat_map(|journal| journal.iter()).filter(|entry| match &entry.kind {
        EntryKind::Run { state, .. } => *state == RunState::Interrupted,
        EntryKind::Failed { step, class, .. } => {
            *class == FailureClass::UnknownOutcome && (!same_run || *step == ctx.step.number)
        }
        EntryKind::Started { .. }
        | EntryKind::Succeeded { .. }
        | EntryKind::Skipped { .. }
        | EntryKind::Progress { .. }
        | EntryKind::Task { .. } => false,
    });
    Ok(ends.map(|entry| entry.at).fold(intent.sent_at, Timestamp::max))
}
