//! Steps on servers at the provider.

use std::time::Duration;

use muster_model::id::{ProviderId, ServerName};
use muster_model::ownership::ObjectKind;
use muster_model::plan::{DeleteServer, LinkNetwork, ResizeServer, ServerAction, SetPower, UnlinkNetwork};
use muster_model::run::{Fact, Output};
use muster_model::server::{Power, SeenServer, ServerState};
use muster_outside::cloud::watch::SeenServers;
use muster_outside::cloud::{CloudError, CloudErrorKind, GRACEFUL_STOP_WAIT};

use super::{Intent, Looked, StepContext, StepError, bandwidth, create};

/// Lists that may lack a server which exists, before a wait gives up.
const LAGGING_LISTS_MAX: u32 = 1_000;

pub(super) fn object(id: &ProviderId) -> Output {
    Output::Object { kind: "server".into(), id: id.clone() }
}

pub(super) async fn look(ctx: &StepContext, action: &ServerAction) -> Result<Looked, StepError> {
    match action {
        ServerAction::Create(create) => create::look(ctx, create).await,
        ServerAction::Resize(resize) => look_resize(ctx, resize).await,
        ServerAction::Power(power) => look_power(ctx, power).await,
        ServerAction::Link(link) => look_link(ctx, link).await,
        ServerAction::Unlink(unlink) => look_unlink(ctx, unlink).await,
        ServerAction::Bandwidth(speed) => bandwidth::look(ctx, speed).await,
        ServerAction::Delete(delete) => look_delete(ctx, delete).await,
    }
}

pub(super) async fn act(
    ctx: &StepContext,
    action: &ServerAction,
    intent: Intent,
) -> Result<(Output, Vec<Fact>), StepError> {
    match action {
        ServerAction::Create(create) => create::act(ctx, create, intent).await,
        ServerAction::Resize(resize) => act_resize(ctx, resize).await,
        ServerAction::Power(power) => act_power(ctx, power).await,
        ServerAction::Link(link) => act_link(ctx, link).await,
        ServerAction::Unlink(unlink) => act_unlink(ctx, unlink).await,
        ServerAction::Bandwidth(speed) => bandwidth::act(ctx, speed).await,
        ServerAction::Delete(delete) => act_delete(ctx, delete).await,
    }
}

pub(super) async fn fresh(ctx: &StepContext) -> Result<std::sync::Arc<SeenServers>, StepError> {
    Ok(ctx.session.watch.fresh().await?)
}

/// What a step looks at before it acts: of thousands of steps that look, those of one moment share one list. It
/// began after the run did, and after every list on which a step of this run ended its wait. After an attempt that
/// may have had an effect, nothing older than that attempt will do.
pub(super) async fn recent(ctx: &StepContext) -> Result<std::sync::Arc<SeenServers>, StepError> {
    match ctx.previous {
        Some(_) => fresh(ctx).await,
        None => Ok(ctx.session.watch.recent(ctx.began).await?),
    }
}

pub(super) async fn find(
    ctx: &StepContext,
    name: &ServerName,
    id: &ProviderId,
) -> Result<SeenServer, StepError> {
    let listed = recent(ctx).await?.get(id).cloned();
    // A list may lag behind a create; only the server's own address tells whether it is gone.
    let seen = if listed.is_some() { listed } else { ctx.session.cloud.server(id).await? };
    seen.ok_or_else(|| {
        StepError::refused(format!(
            "server {name} (id {id}) is gone at the provider; `muster infra update {}` plans anew",
            ctx.infrastructure
        ))
    })
}

/// What became of a change that was asked for because a list showed the need. The list may lag behind an earlier
/// attempt, and the provider refuses what is so already: the server's own address tells before it counts as failed.
pub(super) async fn accepted(
    ctx: &StepContext,
    id: &ProviderId,
    sent: Result<(), CloudError>,
    so: impl Fn(&SeenServer) -> bool,
) -> Result<(), StepError> {
    let Err(error) = sent else { return Ok(()) };
    if error.kind == CloudErrorKind::Refused
        && let Ok(Some(seen)) = ctx.session.cloud.server(id).await
        && so(&seen)
    {
        return Ok(());
    }
    Err(error.into())
}

/// Waits until a server is Active and has an address; any other end is told with what to do.
pub(super) async fn wait_made(
    ctx: &StepContext,
    name: &ServerName,
    id: &ProviderId,
) -> Result<SeenServer, StepError> {
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

// ---- waiting ----

/// Waits on the account's one shared list until the server is as wanted.
pub(super) async fn wait(
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
pub(super) async fn let_actions_end(
    ctx: &StepContext,
    name: &ServerName,
    id: &ProviderId,
) -> Result<(), StepError> {
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
    let to = resize.to.clone();
    let sent = ctx.session.cloud.resize_server(&id, &to).await;
    accepted(ctx, &id, sent, |server| server.size == to).await?;
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
    let sent = ctx.session.cloud.set_power(&id, to, graceful).await;
    accepted(ctx, &id, sent, |server| server.power() == to).await?;
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

pub(super) fn linked(server: &SeenServer, network: &ProviderId) -> Option<bool> {
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
        let sent = ctx.session.cloud.link_network(&id, &network).await;
        accepted(ctx, &id, sent, |server| linked(server, &network).is_some()).await?;
    }
    let what = format!("be linked to {}", link.network_name);
    wait(ctx, &link.name, &id, &what, move |server| linked(server, &network) == Some(true)).await?;
    Ok((object(&id), Vec::new()))
}

async fn look_unlink(ctx: &StepContext, unlink: &UnlinkNetwork) -> Result<Looked, StepError> {
    let id = ctx.resolve(&unlink.server)?;
    let_actions_end(ctx, &unlink.name, &id).await?;
    let list = recent(ctx).await?;
    match list.get(&id) {
        Some(seen) if linked(seen, &unlink.network).is_some() => Ok(Looked::Act(Intent::Plain, Vec::new())),
        Some(_) | None => Ok(Looked::Already(object(&id), Vec::new())),
    }
}

async fn act_unlink(ctx: &StepContext, unlink: &UnlinkNetwork) -> Result<(Output, Vec<Fact>), StepError> {
    let id = ctx.resolve(&unlink.server)?;
    let network = unlink.network.clone();
    let sent = ctx.session.cloud.unlink_network(&id, &network).await;
    accepted(ctx, &id, sent, |server| linked(server, &network).is_none()).await?;
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
    let list = recent(ctx).await?;
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
