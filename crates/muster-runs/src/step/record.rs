//! Steps on our own records: nothing outside changes.

use muster_model::id::ProviderId;
use muster_model::intent::IntentState;
use muster_model::object::ObjectClass;
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::{Reason, RecordAction};
use muster_model::run::{Fact, Output};
use muster_store::About;

use super::dns;
use super::server::store_failed;
use super::{Intent, Looked, StepContext, StepError};

pub(super) async fn look(ctx: &StepContext, action: &RecordAction) -> Result<Looked, StepError> {
    if let (RecordAction::Forget { kind, name, id }, Reason::Vanished) = (action, &ctx.step.reason)
        && is_there(ctx, *kind, id).await?
    {
        // A list may lag behind; forgetting what is there would make it twice.
        return Err(StepError::refused(format!(
            "{} {name} (id {id}) was missing in the provider's list, and is there when asked for; \
             `muster infra update {}` plans anew",
            kind.word(),
            ctx.infrastructure
        )));
    }
    // Writing a record down twice is the same as once, and it is one commit either way.
    Ok(Looked::Act(Intent::Plain, Vec::new()))
}

/// Whether it is there, whatever a list says: only its own address tells.
async fn is_there(ctx: &StepContext, kind: ObjectKind, id: &ProviderId) -> Result<bool, StepError> {
    let cloud = &ctx.session.cloud;
    match kind {
        ObjectKind::Server => Ok(cloud.server(id).await?.is_some()),
        ObjectKind::PublicNetwork => Ok(cloud.object(ObjectClass::PublicNetwork, None, id).await?.is_some()),
        ObjectKind::Record => dns::is_there(ctx, id).await,
        // Private networks are asked for by their list only.
        ObjectKind::Network | ObjectKind::Object => Ok(false),
    }
}

pub(super) async fn act(ctx: &StepContext, action: &RecordAction) -> Result<(Output, Vec<Fact>), StepError> {
    let account = ctx.session.account.identity.clone();
    match action {
        RecordAction::Own {
            kind,
            name,
            id,
            provider_name,
            claim,
            image_words,
            image,
            protect,
            settles,
            dns,
        } => {
            let about = About::ids(*kind, vec![id.clone()]);
            let facts = ctx.store().facts_about(&account, &about).await.map_err(store_failed)?;
            let before = facts.owned.into_iter().next();
            let (host_key, provisioned) =
                before.map_or_else(Default::default, |record| (record.host_key, record.provisioned));
            let record = Ownership {
                account,
                kind: *kind,
                id: id.clone(),
                infrastructure: ctx.infrastructure.clone(),
                name: name.clone(),
                provider_name: provider_name.clone(),
                claim: *claim,
                image_words: image_words.clone(),
                image: image.clone(),
                protect: *protect,
                since: ctx.world().clock.now(),
                host_key,
                provisioned,
                dns: dns.clone(),
            };
            let mut facts = vec![Fact::Own(Box::new(record))];
            if let Some(intent) = settles {
                let state = IntentState::Made(id.clone());
                facts.push(Fact::CloseIntent { intent: intent.clone(), state });
            }
            Ok((Output::Object { kind: kind.word().into(), id: id.clone() }, facts))
        }
        RecordAction::Amend { kind, id, name, protect } => {
            let fact =
                Fact::Amend { account, kind: *kind, id: id.clone(), name: name.clone(), protect: *protect };
            Ok((Output::None, vec![fact]))
        }
        RecordAction::Forget { kind, id, .. } => {
            Ok((Output::None, vec![Fact::Forget { account, kind: *kind, id: id.clone() }]))
        }
    }
}
