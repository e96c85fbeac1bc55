//! Creation intents and what becomes of them, in one form for everything that steps make (`SEMANTICS.md` §4).

use muster_model::id::{ProviderId, ServerName};
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::run::Fact;
use muster_outside::cloud::{CloudError, CloudErrorKind};

use super::{StepContext, StepError};

/// An intent of this step. It has to be durable before the request leaves.
pub(super) fn intent(
    ctx: &StepContext,
    name: ServerName,
    wanted: Created,
    known_ids: Vec<ProviderId>,
) -> CreationIntent {
    CreationIntent {
        account: ctx.session.account.identity.clone(),
        infrastructure: ctx.infrastructure.clone(),
        name,
        wanted,
        known_ids,
        sent_at: ctx.world().clock.now(),
        run: ctx.journal.run(),
        state: IntentState::Open,
    }
}

/// How an intent ended.
pub(super) fn close(intent: &CreationIntent, state: IntentState) -> Fact {
    Fact::CloseIntent { intent: Box::new(intent.clone()), state }
}

/// A create was accepted: the intent is closed and the object is ours, in one commit. From then on it is found by its
/// record, not by its name.
pub(super) fn made(intent: &CreationIntent, record: Ownership) -> Vec<Fact> {
    vec![close(intent, IntentState::Made(record.id.clone())), Fact::Own(Box::new(record))]
}

/// The record of something that this run made for its file.
pub(super) fn record(
    ctx: &StepContext,
    kind: ObjectKind,
    id: &ProviderId,
    name: ServerName,
    provider_name: &str,
) -> Ownership {
    Ownership {
        account: ctx.session.account.identity.clone(),
        kind,
        id: id.clone(),
        infrastructure: ctx.infrastructure.clone(),
        name,
        provider_name: provider_name.to_owned(),
        claim: Claim::Created,
        image_words: String::new(),
        image: String::new(),
        protect: false,
        since: ctx.world().clock.now(),
        host_key: None,
        provisioned: Default::default(),
        dns: None,
    }
}

/// A create that got an error. Unless its outcome is unknown it certainly had no effect, and nothing is left to settle.
pub(super) async fn not_accepted(
    ctx: &StepContext,
    intent: &CreationIntent,
    what: &str,
    error: CloudError,
) -> StepError {
    if error.kind != CloudErrorKind::UnknownOutcome {
        let closed = close(intent, IntentState::Refused);
        if let Err(stop) = ctx.say(format!("{what} was not accepted"), vec![closed]).await {
            return stop;
        }
    }
    error.into()
}
