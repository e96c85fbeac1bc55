//! Steps on private networks at the provider.

use std::time::Duration;

use muster_model::cloud::{NetworkSpec, SeenNetwork};
use muster_model::id::{NetworkName, ProviderId, ServerName};
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::NetworkAction;
use muster_model::run::{Fact, Output};
use muster_store::About;

use super::server::{linked, store_failed};
use super::settle::{Settled, settle, unowned};
use super::{Intent, Looked, StepContext, StepError, creation, public_network};

/// Servers of a network that are asked about one by one; a list that lags behind more is left to the next update.
const SERVERS_ASKED_MAX: usize = 100;

fn object(id: &ProviderId) -> Output {
    Output::Object { kind: "network".into(), id: id.clone() }
}

pub(super) async fn look(ctx: &StepContext, action: &NetworkAction) -> Result<Looked, StepError> {
    match action {
        NetworkAction::Create { name, spec, known_ids, protect } => {
            look_create(ctx, name, spec, known_ids, *protect).await
        }
        NetworkAction::Public(action) => public_network::look(ctx, action).await,
        NetworkAction::Delete { network, .. } => {
            let networks = ctx.session.watch.fresh_networks().await?;
            match networks.iter().find(|seen| seen.id == *network) {
                None => Ok(Looked::Already(Output::None, vec![forget(ctx, network)])),
                Some(seen) if is_used(ctx, seen).await? => Err(StepError::refused(format!(
                    "network {} still has {} servers linked; it is deleted only when it is empty",
                    seen.name,
                    seen.servers.len()
                ))),
                Some(_) => Ok(Looked::Act(Intent::Plain, Vec::new())),
            }
        }
    }
}

/// Whether a server is linked to it. The list of networks may lag behind an unlink or a deletion, so each server is
/// asked about at its own address, until one is linked.
async fn is_used(ctx: &StepContext, network: &SeenNetwork) -> Result<bool, StepError> {
    if network.servers.len() > SERVERS_ASKED_MAX {
        return Ok(true);
    }
    for id in &network.servers {
        let seen = ctx.session.cloud.server(id).await?;
        if seen.is_some_and(|seen| linked(&seen, &network.id).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn act(
    ctx: &StepContext,
    action: &NetworkAction,
    intent: Intent,
) -> Result<(Output, Vec<Fact>), StepError> {
    match action {
        NetworkAction::Create { name, spec, protect, .. } => {
            act_create(ctx, name, spec, *protect, intent).await
        }
        NetworkAction::Public(action) => public_network::act(ctx, action, intent).await,
        NetworkAction::Delete { name, network } => {
            ctx.session.cloud.delete_network(network).await?;
            let gone = |seen: &[SeenNetwork]| !seen.iter().any(|seen| seen.id == *network);
            wait(ctx, &format!("network {name} to be gone"), gone).await?;
            Ok((Output::None, vec![forget(ctx, network)]))
        }
    }
}

fn forget(ctx: &StepContext, id: &ProviderId) -> Fact {
    Fact::Forget { account: ctx.session.account.identity.clone(), kind: ObjectKind::Network, id: id.clone() }
}

async fn look_create(
    ctx: &StepContext,
    name: &NetworkName,
    spec: &NetworkSpec,
    known_ids: &[ProviderId],
    protect: bool,
) -> Result<Looked, StepError> {
    let account = &ctx.session.account.identity;
    let about = About::name(ObjectKind::Network, name.as_str());
    let facts = ctx.store().facts_about(account, &about).await.map_err(store_failed)?;
    let seen = ctx.session.watch.fresh_networks().await?;
    let ours = facts.owned.iter().find(|record| {
        record.infrastructure == ctx.infrastructure
            && !known_ids.contains(&record.id)
            && seen.iter().any(|network| network.id == record.id)
    });
    if let Some(record) = ours {
        return Ok(Looked::Act(Intent::Await(record.id.clone()), Vec::new()));
    }
    let open = facts
        .intents
        .into_iter()
        .find(|intent| intent.state == IntentState::Open && matches!(intent.wanted, Created::Network(_)));
    let mut changed = Vec::new();
    if let Some(open) = open {
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
    for network in ctx.session.watch.fresh_networks().await?.iter() {
        if network.name == spec.name && !known.contains(&network.id) {
            known.push(network.id.clone());
        }
    }
    let name = ServerName(name.as_str().to_owned());
    let intent = creation::intent(ctx, name, Created::Network(spec.clone()), known);
    changed.push(Fact::OpenIntent(Box::new(intent.clone())));
    Ok(Looked::Act(Intent::Create(Box::new(intent)), changed))
}

async fn candidates(ctx: &StepContext, intent: &CreationIntent) -> Result<Vec<ProviderId>, StepError> {
    let Created::Network(spec) = &intent.wanted else { return Ok(Vec::new()) };
    let seen = ctx.session.watch.fresh_networks().await?;
    let found = seen
        .iter()
        .filter(|network| {
            network.name == spec.name
                && !intent.known_ids.contains(&network.id)
                && (network.location.is_empty() || network.location == spec.location)
        })
        .map(|network| network.id.clone())
        .collect();
    unowned(ctx, ObjectKind::Network, found).await
}

fn made(
    ctx: &StepContext,
    intent: &CreationIntent,
    spec: &NetworkSpec,
    protect: bool,
    id: &ProviderId,
) -> Vec<Fact> {
    let record = creation::record(ctx, ObjectKind::Network, id, intent.name.clone(), &spec.name);
    creation::made(intent, Ownership { protect, ..record })
}

async fn act_create(
    ctx: &StepContext,
    name: &NetworkName,
    spec: &NetworkSpec,
    protect: bool,
    intent: Intent,
) -> Result<(Output, Vec<Fact>), StepError> {
    let id = match intent {
        Intent::Await(id) => id,
        Intent::Plain => return Err(StepError::refused("a create without an intent is never sent")),
        Intent::Create(intent) => match ctx.session.cloud.create_network(spec).await {
            Ok(network) => {
                ctx.say(
                    format!("network {name} is being made as id {}", network.id),
                    made(ctx, &intent, spec, protect, &network.id),
                )
                .await?;
                network.id
            }
            Err(error) => {
                let what = format!("the create of network {name}");
                return Err(creation::not_accepted(ctx, &intent, &what, error).await);
            }
        },
    };
    let wanted = id.clone();
    let ended = move |seen: &[SeenNetwork]| {
        seen.iter().find(|network| network.id == wanted).is_none_or(|network| network.state != "New")
    };
    wait(ctx, &format!("network {name} to be made"), ended).await?;
    let seen = ctx.session.watch.fresh_networks().await?;
    match seen.iter().find(|network| network.id == id) {
        Some(network) if network.ready => Ok((object(&id), Vec::new())),
        Some(network) => Err(StepError::refused(format!(
            "network {name} (id {id}) is {} at the provider instead of Active; look at the account's balance, then \
             run `muster infra update {}` again",
            network.state, ctx.infrastructure
        ))),
        None => Err(StepError::refused(format!("network {name} (id {id}) vanished at the provider"))),
    }
}

async fn wait(
    ctx: &StepContext,
    what: &str,
    done: impl Fn(&[SeenNetwork]) -> bool + Send,
) -> Result<(), StepError> {
    let limit = Duration::from_millis(ctx.session.account.settings.wait_timeout_ms);
    ctx.session.watch.wait_networks(what, limit, done).await?;
    Ok(())
}
