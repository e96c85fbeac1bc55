//! Steps on servers at the provider.

use std::time::Duration;

use muster_model::id::{ProviderId, ServerName};
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::plan::{
    CreateServer, DeleteServer, LinkNetwork, ResizeServer, ServerAction, SetPower, UnlinkNetwork,
};
use muster_model::run::{Fact, Output};
use muster_model::server::{Power, SeenServer, ServerState};
use muster_outside::cloud::watch::SeenServers;
use muster_outside::cloud::{CloudErrorKind, GRACEFUL_STOP_WAIT};

use super::settle::{Settled, settle};
use super::{Intent, Looked, StepContext, StepError};

/// How much older than its intent a server may say it is: clocks differ.
const CLOCK_SKEW_MS: i64 = 300_000;
/// Lists that may lack a server which exists, before a wait gives up.
const LAGGING_LISTS_MAX: u32 = 1_000;

fn object(id: &ProviderId) -> Output {
    Output::Object { kind: "server".into(), id: id.clone() }
}

pub(super) async fn look(ctx: &StepContext, action: &ServerAction) -> Result<Looked, StepError> {
    match action {
        ServerAction::Create(create) => look_create(ctx, create).await,
        ServerAction::Resize(resize) => look_resize(ctx, resize).await,
        ServerAction::Power(power) => look_power(ctx, power).await,
        ServerAction::Link(link) => look_link(ctx, link).await,
        ServerAction::Unlink(unlink) => look_unlink(ctx, unlink).await,
        ServerAction::Delete(delete) => look_delete(ctx, delete).await,
    }
}

pub(super) async fn act(
    ctx: &StepContext,
    action: &ServerAction,
    intent: Intent,
) -> Result<(Output, Vec<Fact>), StepError> {
    match action {
        ServerAction::Create(create) => act_create(ctx, create, intent).await,
        ServerAction::Resize(resize) => act_resize(ctx, resize).await,
        ServerAction::Power(power) => act_power(ctx, power).await,
        ServerAction::Link(link) => act_link(ctx, link).await,
        ServerAction::Unlink(unlink) => act_unlink(ctx, unlink).await,
        ServerAction::Delete(delete) => act_delete(ctx, delete).await,
    }
}

async fn fresh(ctx: &StepContext) -> Result<std::sync::Arc<SeenServers>, StepError> {
    Ok(ctx.session.watch.fresh().await?)
}

async fn find(ctx: &StepContext, name: &ServerName, id: &ProviderId) -> Result<SeenServer, StepError> {
    let list = fresh(ctx).await?;
    list.get(id).cloned().ok_or_else(|| {
        StepError::refused(format!(
            "server {name} (id {id}) is gone at the provider; `muster infra update {}` plans anew",
            ctx.infrastructure
        ))
    })
}

// ---- create ----

async fn look_create(ctx: &StepContext, create: &CreateServer) -> Result<Looked, StepError> {
    let facts = ctx.store().facts(&ctx.session.account.identity).await.map_err(store_failed)?;
    let mut list = fresh(ctx).await?;
    let ours = facts.owned.iter().find(|record| {
        record.kind == ObjectKind::Server
            && record.infrastructure == ctx.infrastructure
            && record.name == create.name
            && !create.known_ids.contains(&record.id)
            && list.get(&record.id).is_some()
    });
    if let Some(record) = ours {
        return Ok(Looked::Act(Intent::Await(record.id.clone()), Vec::new()));
    }
    let open = facts.intents.into_iter().find(|intent| {
        intent.state == IntentState::Open
            && intent.name == create.name
            && matches!(intent.wanted, Created::Server(_))
    });
    let mut settled = Vec::new();
    let mut known = create.known_ids.clone();
    if let Some(open) = open {
        match settle(ctx, &open, || candidates(ctx, &open)).await? {
            Settled::Made(id) => {
                let facts = made(ctx, create, &open, &id);
                return Ok(Looked::Act(Intent::Await(id), facts));
            }
            Settled::Nothing => {
                settled.push(Fact::CloseIntent { intent: Box::new(open), state: IntentState::GivenUp });
                list = fresh(ctx).await?;
            }
        }
    }
    for server in list.servers.iter().filter(|server| server.name == create.spec.name) {
        if !known.contains(&server.id) {
            known.push(server.id.clone());
        }
    }
    let intent = CreationIntent {
        account: ctx.session.account.identity.clone(),
        infrastructure: ctx.infrastructure.clone(),
        name: create.name.clone(),
        wanted: Created::Server(Box::new(create.spec.clone())),
        known_ids: known,
        sent_at: ctx.world().clock.now(),
        run: ctx.journal.run(),
        state: IntentState::Open,
    };
    settled.push(Fact::OpenIntent(Box::new(intent.clone())));
    Ok(Looked::Act(Intent::Create(Box::new(intent)), settled))
}

/// New ids of the intent's name that fit its specification and are not older than it.
async fn candidates(ctx: &StepContext, intent: &CreationIntent) -> Result<Vec<ProviderId>, StepError> {
    let Created::Server(spec) = &intent.wanted else { return Ok(Vec::new()) };
    let owned = ctx.store().facts(&intent.account).await.map_err(store_failed)?.owned;
    let list = fresh(ctx).await?;
    let fits = |server: &&SeenServer| {
        server.name == spec.name
            && !intent.known_ids.contains(&server.id)
            && !owned.iter().any(|record| record.kind == ObjectKind::Server && record.id == server.id)
            && server.size == spec.size
            && server.location == spec.location
            && (server.image.is_empty() || server.image.eq_ignore_ascii_case(&spec.image))
            && server
                .created_at
                .is_none_or(|made| made.as_millisecond() >= intent.sent_at.as_millisecond() - CLOCK_SKEW_MS)
    };
    Ok(list.servers.iter().filter(fits).map(|server| server.id.clone()).collect())
}

fn made(ctx: &StepContext, create: &CreateServer, intent: &CreationIntent, id: &ProviderId) -> Vec<Fact> {
    let record = Ownership {
        account: intent.account.clone(),
        kind: ObjectKind::Server,
        id: id.clone(),
        infrastructure: ctx.infrastructure.clone(),
        name: create.name.clone(),
        provider_name: create.spec.name.clone(),
        claim: Claim::Created,
        image_words: create.image_words.clone(),
        image: create.spec.image.clone(),
        protect: create.protect,
        since: ctx.world().clock.now(),
        host_key: None,
        provisioned: Default::default(),
    };
    vec![
        Fact::CloseIntent { intent: Box::new(intent.clone()), state: IntentState::Made(id.clone()) },
        Fact::Own(Box::new(record)),
    ]
}

async fn act_create(
    ctx: &StepContext,
    create: &CreateServer,
    intent: Intent,
) -> Result<(Output, Vec<Fact>), StepError> {
    let id = match intent {
        Intent::Await(id) => id,
        Intent::Create(intent) => send_create(ctx, create, &intent).await?,
        Intent::Plain => return Err(StepError::refused("a create without an intent is never sent")),
    };
    wait_made(ctx, &create.name, &id).await?;
    Ok((object(&id), Vec::new()))
}

/// Waits until a server is Active and has an address; any other end is told with what to do.
async fn wait_made(ctx: &StepContext, name: &ServerName, id: &ProviderId) -> Result<SeenServer, StepError> {
    let seen = wait(ctx, name, id, "be made", |server| match server.state {
        ServerState::New | ServerState::Other(_) => false,
        ServerState::Active => server.address.is_some(),
        ServerState::NeedMoney | ServerState::Blocked | ServerState::Deleting => true,
    })
    .await?;
    match seen.state {
        ServerState::Active => Ok(seen),
        ServerState::NeedMoney => Err(StepError::refused(format!(
            "server {name} (id {id}) waits for money: the balance did not suffice; top the account up and run \
             `muster infra update {}` again",
            ctx.infrastructure
        ))),
        ServerState::Blocked | ServerState::Deleting | ServerState::New | ServerState::Other(_) => {
            Err(StepError::refused(format!(
                "server {name} (id {id}) is {} at the provider instead of Active; look at it in the provider's \
                 panel, then run `muster infra update {}` again",
                seen.state, ctx.infrastructure
            )))
        }
    }
}

async fn send_create(
    ctx: &StepContext,
    create: &CreateServer,
    intent: &CreationIntent,
) -> Result<ProviderId, StepError> {
    let keys = create.keys.iter().map(|key| ctx.resolve(key)).collect::<Result<Vec<_>, _>>()?;
    match ctx.session.cloud.create_server(&create.spec, &keys).await {
        Ok(server) => {
            // Durable at once: from here on the object is found by its record, not by its name.
            ctx.say(
                format!("server {} is being made as id {}", create.name, server.id),
                made(ctx, create, intent, &server.id),
            )
            .await?;
            Ok(server.id)
        }
        Err(error) => {
            if error.kind != CloudErrorKind::UnknownOutcome {
                // It certainly had no effect, so nothing is left to settle.
                let closed =
                    Fact::CloseIntent { intent: Box::new(intent.clone()), state: IntentState::Refused };
                ctx.say(format!("the create of {} was not accepted", create.name), vec![closed]).await?;
            }
            Err(error.into())
        }
    }
}

// ---- waiting ----

/// Waits on the account's one shared list until the server is as wanted.
async fn wait(
    ctx: &StepContext,
    name: &ServerName,
    id: &ProviderId,
    what: &str,
    done: impl Fn(&SeenServer) -> bool + Send + Sync,
) -> Result<SeenServer, StepError> {
    let limit = Duration::from_millis(ctx.session.account.settings.wait_timeout_ms);
    let words = format!("server {name} to {what}");
    for _ in 0..LAGGING_LISTS_MAX {
        let waited = ctx.session.watch.wait_server(id, &words, limit, |seen| seen.is_none_or(&done));
        if let Some(server) = waited.await? {
            return Ok(server);
        }
        // A list may lag behind a create; only the server's own address tells whether it is gone.
        if ctx.session.cloud.server(id).await?.is_none() {
            return Err(StepError::refused(format!(
                "server {name} (id {id}) vanished at the provider while waiting for it to {what}; \
                 `muster infra update {}` plans anew",
                ctx.infrastructure
            )));
        }
        tokio::time::sleep(Duration::from_millis(ctx.session.poll_ms)).await;
    }
    Err(StepError::unknown(format!(
        "the provider's list has lacked server {name} (id {id}) {LAGGING_LISTS_MAX} times, and it exists"
    )))
}

/// After a lost answer or a crash the earlier request may still be under way: let it end before looking.
async fn let_actions_end(ctx: &StepContext, name: &ServerName, id: &ProviderId) -> Result<(), StepError> {
    if ctx.previous.is_none() {
        return Ok(());
    }
    let polls = ctx.session.account.settings.wait_timeout_ms / ctx.session.poll_ms.max(1);
    for _ in 0..polls.max(1) {
        if !ctx.session.cloud.action_in_progress(id).await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(ctx.session.poll_ms)).await;
    }
    Err(StepError::transient(format!("an action on server {name} (id {id}) does not end at the provider")))
}

// ---- size ----

async fn look_resize(ctx: &StepContext, resize: &ResizeServer) -> Result<Looked, StepError> {
    let id = ctx.resolve(&resize.server)?;
    let_actions_end(ctx, &resize.name, &id).await?;
    let seen = find(ctx, &resize.name, &id).await?;
    if seen.size == resize.to {
        return Ok(Looked::Already(object(&id), Vec::new()));
    }
    if seen.size != resize.expected {
        return Err(StepError::refused(format!(
            "server {} is not as planned any more: somebody changed its size meanwhile; \
             `muster infra update {}` plans anew",
            resize.name, ctx.infrastructure
        )));
    }
    Ok(Looked::Act(Intent::Plain, Vec::new()))
}

async fn act_resize(ctx: &StepContext, resize: &ResizeServer) -> Result<(Output, Vec<Fact>), StepError> {
    let id = ctx.resolve(&resize.server)?;
    ctx.session.cloud.resize_server(&id, &resize.to).await?;
    let to = resize.to.clone();
    wait(ctx, &resize.name, &id, "have its new size", move |server| server.size == to).await?;
    Ok((object(&id), Vec::new()))
}

// ---- power ----

async fn look_power(ctx: &StepContext, power: &SetPower) -> Result<Looked, StepError> {
    let id = ctx.resolve(&power.server)?;
    let_actions_end(ctx, &power.name, &id).await?;
    let seen = find(ctx, &power.name, &id).await?;
    if seen.power() == power.to && seen.state == ServerState::Active {
        return Ok(Looked::Already(object(&id), Vec::new()));
    }
    Ok(Looked::Act(Intent::Plain, Vec::new()))
}

async fn act_power(ctx: &StepContext, power: &SetPower) -> Result<(Output, Vec<Fact>), StepError> {
    // One of ours that an interrupted run left in the making is waited for like a fresh one.
    if wait_made(ctx, &power.name, &ctx.resolve(&power.server)?).await?.power() == power.to {
        return Ok((object(&ctx.resolve(&power.server)?), Vec::new()));
    }
    let id = ctx.resolve(&power.server)?;
    let to = power.to;
    let graceful = to == Power::Stopped;
    ctx.session.cloud.set_power(&id, to, graceful).await?;
    if graceful {
        let stopped = ctx
            .session
            .watch
            .wait_server(
                &id,
                &format!("server {} to stop by itself", power.name),
                GRACEFUL_STOP_WAIT,
                |server| server.is_none_or(|server| !server.power_on),
            )
            .await;
        match stopped {
            Ok(Some(_)) => return Ok((object(&id), Vec::new())),
            Ok(None) => {
                return Err(StepError::refused(format!("server {} vanished at the provider", power.name)));
            }
            Err(_) => {
                ctx.say(
                    format!("server {} did not stop by itself; cutting its power", power.name),
                    Vec::new(),
                )
                .await?;
                ctx.session.cloud.set_power(&id, to, false).await?;
            }
        }
    }
    wait(ctx, &power.name, &id, &format!("be {to}"), move |server| server.power() == to).await?;
    Ok((object(&id), Vec::new()))
}

// ---- networks ----

fn linked(server: &SeenServer, network: &ProviderId) -> Option<bool> {
    server.links.iter().find(|link| link.network == *network).map(|link| link.ready)
}

async fn look_link(ctx: &StepContext, link: &LinkNetwork) -> Result<Looked, StepError> {
    let id = ctx.resolve(&link.server)?;
    let network = ctx.resolve(&link.network)?;
    let_actions_end(ctx, &link.name, &id).await?;
    let seen = find(ctx, &link.name, &id).await?;
    match linked(&seen, &network) {
        Some(true) => Ok(Looked::Already(object(&id), Vec::new())),
        Some(false) => Ok(Looked::Act(Intent::Await(network), Vec::new())),
        None => Ok(Looked::Act(Intent::Plain, Vec::new())),
    }
}

async fn act_link(ctx: &StepContext, link: &LinkNetwork) -> Result<(Output, Vec<Fact>), StepError> {
    let id = ctx.resolve(&link.server)?;
    let network = ctx.resolve(&link.network)?;
    if linked(&find(ctx, &link.name, &id).await?, &network).is_none() {
        ctx.session.cloud.link_network(&id, &network).await?;
    }
    let what = format!("be linked to {}", link.network_name);
    wait(ctx, &link.name, &id, &what, move |server| linked(server, &network) == Some(true)).await?;
    Ok((object(&id), Vec::new()))
}

async fn look_unlink(ctx: &StepContext, unlink: &UnlinkNetwork) -> Result<Looked, StepError> {
    let id = ctx.resolve(&unlink.server)?;
    let_actions_end(ctx, &unlink.name, &id).await?;
    let list = fresh(ctx).await?;
    match list.get(&id) {
        Some(seen) if linked(seen, &unlink.network).is_some() => Ok(Looked::Act(Intent::Plain, Vec::new())),
        Some(_) | None => Ok(Looked::Already(object(&id), Vec::new())),
    }
}

async fn act_unlink(ctx: &StepContext, unlink: &UnlinkNetwork) -> Result<(Output, Vec<Fact>), StepError> {
    let id = ctx.resolve(&unlink.server)?;
    let network = unlink.network.clone();
    ctx.session.cloud.unlink_network(&id, &network).await?;
    let what = format!("be unlinked from {}", unlink.network_name);
    wait(ctx, &unlink.name, &id, &what, move |server| linked(server, &network).is_none()).await?;
    Ok((object(&id), Vec::new()))
}

// ---- delete ----

fn forget(ctx: &StepContext, delete: &DeleteServer) -> Vec<Fact> {
    vec![Fact::Forget {
        account: ctx.session.account.identity.clone(),
        kind: ObjectKind::Server,
        id: delete.server.clone(),
    }]
}

async fn look_delete(ctx: &StepContext, delete: &DeleteServer) -> Result<Looked, StepError> {
    let list = fresh(ctx).await?;
    let Some(seen) = list.get(&delete.server) else {
        return Ok(Looked::Already(Output::None, forget(ctx, delete)));
    };
    if seen.name != delete.expected_name {
        return Err(StepError::refused(format!(
            "server id {} was called {} when the deletion was planned and is called {} now; \
             not deleting it. `muster infra update {}` plans anew",
            delete.server, delete.expected_name, seen.name, ctx.infrastructure
        )));
    }
    Ok(Looked::Act(Intent::Plain, Vec::new()))
}

async fn act_delete(ctx: &StepContext, delete: &DeleteServer) -> Result<(Output, Vec<Fact>), StepError> {
    ctx.session.cloud.delete_server(&delete.server).await?;
    let limit = Duration::from_millis(ctx.session.account.settings.wait_timeout_ms);
    let what = format!("server {} to be gone", delete.name);
    match ctx.session.watch.wait_server(&delete.server, &what, limit, |seen| seen.is_none()).await? {
        None => Ok((Output::None, forget(ctx, delete))),
        Some(_) => Err(StepError::unknown(format!("server {} is still there", delete.name))),
    }
}

pub(super) fn store_failed(error: muster_store::StoreError) -> StepError {
    StepError::Stop(crate::journal::Stop::Store(error.to_string()))
}
