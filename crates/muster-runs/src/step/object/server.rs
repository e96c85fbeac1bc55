//! Servers that are made anew or copied by hand.

use muster_model::id::{ProviderId, ServerName};
use muster_model::intent::{Created, IntentState};
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::run::{Fact, Output};
use muster_model::server::ServerState;
use muster_outside::cloud::CloudError;
use muster_store::About;

use super::super::creation::{close, intent, not_accepted};
use super::super::past::past;
use super::super::server::{fresh, object, store_failed, wait_made};
use super::super::settle::{Settled, settle};
use super::super::{Intent, Looked, StepContext, StepError};
use super::Patience;

/// A rebuild wipes a disk. One whose outcome is not known is not begun again by itself.
pub(super) async fn look_rebuild(
    ctx: &StepContext,
    server: &ProviderId,
    name: &str,
) -> Result<Looked, StepError> {
    let seen = ctx.session.cloud.server(server).await?;
    let seen = seen
        .ok_or_else(|| StepError::refused(format!("server {name} (id {server}) is gone at the provider")))?;
    if seen.name != name {
        return Err(StepError::refused(format!(
            "server id {server} was called {name} when this was planned and is called {} now; it is not rebuilt",
            seen.name
        )));
    }
    let about = About::ids(ObjectKind::Server, vec![server.clone()]);
    let owned = ctx.store().facts_about(&ctx.session.account.identity, &about).await.map_err(store_failed)?;
    if let Some(record) = owned.owned.iter().find(|record| record.protect) {
        return Err(StepError::refused(format!(
            "{name} is protected in the file {} meanwhile; it is not rebuilt",
            record.infrastructure
        )));
    }
    let past = past(ctx).await?;
    if let Some(message) = past.unknown {
        return Err(StepError::unknown(message));
    }
    if past.open.is_some() {
        if ctx.session.cloud.action_in_progress(server).await? {
            // It is under way: wait for its end, and then for the rest.
            return Ok(Looked::Act(Intent::Await(server.clone()), Vec::new()));
        }
        return Err(StepError::unknown(format!(
            "a rebuild of {name} was asked for and its answer was lost; look whether the server is new, then say \
             `muster run retry`"
        )));
    }
    Ok(Looked::Act(Intent::Plain, Vec::new()))
}

pub(super) async fn rebuild(
    ctx: &StepContext,
    server: &ProviderId,
    image: &ProviderId,
    sysprep: bool,
    intent: Intent,
) -> Result<(Output, Vec<Fact>), StepError> {
    if !matches!(intent, Intent::Await(_)) {
        ctx.session.cloud.rebuild_server(server, image, sysprep).await?;
    }
    let what = format!("server {server} to be rebuilt");
    let patience = Patience::begin(ctx, &what);
    // It was accepted and its disk goes: a look that fails must not end in another rebuild.
    while !is_rebuilt(ctx, server).await {
        patience.pause().await?;
    }
    let account = &ctx.session.account.identity;
    let forgotten = ctx.engine.forget_server_passwords(account, server).await;
    forgotten.map_err(|error| StepError::unknown(error.to_string()))?;
    // Whatever was on it is gone: its host key, the keys of people, what playbooks did.
    let about = About::ids(ObjectKind::Server, vec![server.clone()]);
    let owned = ctx.store().facts_about(account, &about).await.map_err(store_failed)?.owned;
    let facts = owned.into_iter().map(|record| {
        Fact::Own(Box::new(Ownership { host_key: None, provisioned: Default::default(), ..record }))
    });
    Ok((object(server), facts.collect()))
}

/// Whether it stands again; also no, where nobody could tell.
async fn is_rebuilt(ctx: &StepContext, server: &ProviderId) -> bool {
    let looked = async {
        let busy = ctx.session.cloud.action_in_progress(server).await?;
        let seen = ctx.session.cloud.server(server).await?;
        Ok::<bool, CloudError>(
            !busy && seen.is_some_and(|seen| seen.state == ServerState::Active && seen.power_on),
        )
    };
    match looked.await {
        Ok(is_rebuilt) => is_rebuilt,
        Err(error) => {
            tracing::warn!("server {server} is being rebuilt and cannot be looked at: {error}");
            false
        }
    }
}

fn remembered_as(copy: &str) -> String {
    format!("copy {copy}")
}

pub(super) async fn look_copy(
    ctx: &StepContext,
    server: &ProviderId,
    copy: &str,
) -> Result<Looked, StepError> {
    let account = &ctx.session.account.identity;
    let about = About::name(ObjectKind::Object, &remembered_as(copy));
    let facts = ctx.store().facts_about(account, &about).await.map_err(store_failed)?;
    let mut changed = Vec::new();
    for open in facts.intents {
        match &open.state {
            IntentState::Made(id) if open.run == ctx.journal.run() => {
                return Ok(Looked::Act(Intent::Await(id.clone()), Vec::new()));
            }
            IntentState::Open => {
                let candidates = || async {
                    let list = fresh(ctx).await?;
                    let new = list.servers.iter().filter(|server| server.name == copy);
                    Ok(new
                        .map(|server| server.id.clone())
                        .filter(|id| !open.known_ids.contains(id))
                        .collect())
                };
                match settle(ctx, &open, candidates).await? {
                    Settled::Made(id) => {
                        let made = close(&open, IntentState::Made(id.clone()));
                        return Ok(Looked::Act(Intent::Await(id), vec![made]));
                    }
                    Settled::Nothing => changed.push(close(&open, IntentState::GivenUp)),
                }
            }
            IntentState::Made(_) | IntentState::Refused | IntentState::GivenUp => {}
        }
    }
    let list = fresh(ctx).await?;
    let known: Vec<ProviderId> =
        list.servers.iter().filter(|server| server.name == copy).map(|server| server.id.clone()).collect();
    if let Some(other) = known.first() {
        return Err(StepError::refused(format!(
            "there is a server {copy} (id {other}) meanwhile; choose another name"
        )));
    }
    let intent = intent(ctx, ServerName(remembered_as(copy)), Created::Copy(server.clone()), known);
    changed.push(Fact::OpenIntent(Box::new(intent.clone())));
    Ok(Looked::Act(Intent::Create(Box::new(intent)), changed))
}

pub(super) async fn copy(
    ctx: &StepContext,
    server: &ProviderId,
    copy: &str,
    network: Option<&ProviderId>,
    intent: Intent,
) -> Result<(Output, Vec<Fact>), StepError> {
    let id = match intent {
        Intent::Await(id) => id,
        Intent::Plain => return Err(StepError::refused("a create without an intent is never sent")),
        Intent::Create(intent) => match ctx.session.cloud.copy_server(server, copy, network).await {
            Ok(seen) => {
                let made = close(&intent, IntentState::Made(seen.id.clone()));
                ctx.say(format!("{copy} is being made as id {}", seen.id), vec![made]).await?;
                seen.id
            }
            Err(error) => {
                return Err(not_accepted(ctx, &intent, &format!("the copy {copy}"), error).await);
            }
        },
    };
    wait_made(ctx, &ServerName::from(copy), &id).await?;
    Ok((object(&id), Vec::new()))
}
