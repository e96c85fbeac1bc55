//! Steps on public networks of a file at the provider.

use muster_model::id::{NetworkName, ProviderId, ServerName};
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::object::{FieldValue, Fields, ObjectClass};
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::PublicNetworkAction;
use muster_model::public_network::{PublicNetworkSpec, SeenPublicNetwork};
use muster_model::run::{Fact, Output};
use muster_store::About;

use super::object::wait;
use super::server::store_failed;
use super::settle::{Settled, settle, unowned};
use super::{Intent, Looked, StepContext, StepError, creation};

const CLASS: ObjectClass = ObjectClass::PublicNetwork;

fn object(id: &ProviderId) -> Output {
    Output::Object { kind: CLASS.word().into(), id: id.clone() }
}

pub(super) async fn look(ctx: &StepContext, action: &PublicNetworkAction) -> Result<Looked, StepError> {
    match action {
        PublicNetworkAction::Create { name, spec, known_ids, protect } => {
            look_create(ctx, name, spec, known_ids, *protect).await
        }
        PublicNetworkAction::Change { name, network, expected_mbit, to_mbit } => {
            let seen = one(ctx, network).await?.ok_or_else(|| {
                StepError::refused(format!("public network {name} (id {network}) is gone at the provider"))
            })?;
            if seen.name == name.as_str() && seen.bandwidth_mbit.is_none_or(|mbit| mbit == *to_mbit) {
                return Ok(Looked::Already(object(network), Vec::new()));
            }
            if seen.bandwidth_mbit != *expected_mbit && seen.bandwidth_mbit != Some(*to_mbit) {
                let words = |mbit: Option<u32>| mbit.map_or_else(|| "no".to_owned(), |mbit| mbit.to_string());
                return Err(StepError::refused(format!(
                    "the speed of public network {name} (id {network}) was {} Mbit/s when this was planned and is {} \
                     now; plan anew",
                    words(*expected_mbit),
                    words(seen.bandwidth_mbit)
                )));
            }
            Ok(Looked::Act(Intent::Plain, Vec::new()))
        }
        PublicNetworkAction::Delete { name, network } => match one(ctx, network).await? {
            None => Ok(Looked::Already(Output::None, vec![forget(ctx, network)])),
            Some(seen) if !seen.servers.is_empty() => Err(StepError::refused(format!(
                "public network {name} (id {network}) still has servers linked: {}; it is deleted only when it is \
                 empty",
                seen.servers
            ))),
            Some(_) => Ok(Looked::Act(Intent::Plain, Vec::new())),
        },
    }
}

pub(super) async fn act(
    ctx: &StepContext,
    action: &PublicNetworkAction,
    intent: Intent,
) -> Result<(Output, Vec<Fact>), StepError> {
    let cloud = &ctx.session.cloud;
    match action {
        PublicNetworkAction::Create { name, spec, protect, .. } => {
            act_create(ctx, name, spec, *protect, intent).await
        }
        PublicNetworkAction::Change { name, network, to_mbit, .. } => {
            let to = Fields::from([("bandwidth".to_owned(), FieldValue::Number(i64::from(*to_mbit)))]);
            cloud.change_object(CLASS, None, network, name.as_str(), &to).await?;
            Ok((object(network), Vec::new()))
        }
        PublicNetworkAction::Delete { name, network } => {
            let was = PublicNetworkSpec {
                name: name.to_string(),
                location: String::new(),
                addresses: 0,
                bandwidth_mbit: 0,
            };
            let was = was.draft();
            cloud.delete_object(&was, network).await?;
            let what = format!("public network {name} to be gone");
            wait(ctx, &was, network, &what, |seen| seen.is_none()).await?;
            Ok((Output::None, vec![forget(ctx, network)]))
        }
    }
}

async fn one(ctx: &StepContext, id: &ProviderId) -> Result<Option<SeenPublicNetwork>, StepError> {
    Ok(ctx.session.cloud.object(CLASS, None, id).await?.as_ref().map(SeenPublicNetwork::of))
}

async fn all(ctx: &StepContext) -> Result<Vec<SeenPublicNetwork>, StepError> {
    Ok(ctx.session.cloud.objects(CLASS, None).await?.iter().map(SeenPublicNetwork::of).collect())
}

async fn look_create(
    ctx: &StepContext,
    name: &NetworkName,
    spec: &PublicNetworkSpec,
    known_ids: &[ProviderId],
    protect: bool,
) -> Result<Looked, StepError> {
    let account = &ctx.session.account.identity;
    let about = About::name(ObjectKind::PublicNetwork, name.as_str());
    let facts = ctx.store().facts_about(account, &about).await.map_err(store_failed)?;
    for record in facts.owned.iter().filter(|record| record.infrastructure == ctx.infrastructure) {
        if !known_ids.contains(&record.id) && one(ctx, &record.id).await?.is_some() {
            return Ok(Looked::Act(Intent::Await(record.id.clone()), Vec::new()));
        }
    }
    let mut changed = Vec::new();
    if let Some(open) = facts.intents.into_iter().find(|intent| intent.state == IntentState::Open) {
        match settle(ctx, &open, || candidates(ctx, &open)).await? {
            Settled::Made(id) => {
                let facts = made(ctx, &open, spec, protect, &id);
                return Ok(Looked::Act(Intent::Await(id), facts));
            }
            Settled::Nothing => {
                changed.push(creation::close(&open, IntentState::GivenUp));
            }
        }
    }
    let mut known = known_ids.to_vec();
    let there = all(ctx).await?;
    known.extend(there.into_iter().filter(|seen| seen.name == spec.name).map(|seen| seen.id));
    known.sort();
    known.dedup();
    let name = ServerName(name.as_str().to_owned());
    let intent = creation::intent(ctx, name, Created::PublicNetwork(spec.clone()), known);
    changed.push(Fact::OpenIntent(Box::new(intent.clone())));
    Ok(Looked::Act(Intent::Create(Box::new(intent)), changed))
}

async fn candidates(ctx: &StepContext, intent: &CreationIntent) -> Result<Vec<ProviderId>, StepError> {
    let Created::PublicNetwork(spec) = &intent.wanted else { return Ok(Vec::new()) };
    let fits = |seen: &SeenPublicNetwork| {
        seen.name == spec.name
            && !intent.known_ids.contains(&seen.id)
            && seen.addresses.is_none_or(|addresses| addresses == spec.addresses)
            && (seen.location.is_empty() || seen.location == spec.location)
    };
    let found = all(ctx).await?.into_iter().filter(fits).map(|seen| seen.id).collect();
    unowned(ctx, ObjectKind::PublicNetwork, found).await
}

fn made(
    ctx: &StepContext,
    intent: &CreationIntent,
    spec: &PublicNetworkSpec,
    protect: bool,
    id: &ProviderId,
) -> Vec<Fact> {
    let record = creation::record(ctx, ObjectKind::PublicNetwork, id, intent.name.clone(), &spec.name);
    creation::made(intent, Ownership { protect, ..record })
}

async fn act_create(
    ctx: &StepContext,
    name: &NetworkName,
    spec: &PublicNetworkSpec,
    protect: bool,
    intent: Intent,
) -> Result<(Output, Vec<Fact>), StepError> {
    let draft = spec.draft();
    let id = match intent {
        Intent::Await(id) => id,
        Intent::Plain => return Err(StepError::refused("a create without an intent is never sent")),
        Intent::Create(intent) => match ctx.session.cloud.create_object(&draft).await {
            Ok(told) => {
                let id = told.seen.id;
                let facts = made(ctx, &intent, spec, protect, &id);
                ctx.say(format!("public network {name} is being made as id {id}"), facts).await?;
                id
            }
            Err(error) => {
                let what = format!("the create of public network {name}");
                return Err(creation::not_accepted(ctx, &intent, &what, error).await);
            }
        },
    };
    let what = format!("public network {name} to be made");
    let seen = wait(ctx, &draft, &id, &what, |seen| seen.is_none_or(|seen| !seen.is_in_the_making())).await?;
    match seen {
        Some(seen) if seen.state.is_empty() || seen.state.eq_ignore_ascii_case("Active") => {
            Ok((object(&id), Vec::new()))
        }
        Some(seen) => Err(StepError::refused(format!(
            "public network {name} (id {id}) is {} at the provider instead of Active; look at the account's balance, \
             then run `muster infra update {}` again",
            seen.state, ctx.infrastructure
        ))),
        None => Err(StepError::refused(format!("public network {name} (id {id}) vanished at the provider"))),
    }
}

fn forget(ctx: &StepContext, id: &ProviderId) -> Fact {
    Fact::Forget {
        account: ctx.session.account.identity.clone(),
        kind: ObjectKind::PublicNetwork,
        id: id.clone(),
    }
}
