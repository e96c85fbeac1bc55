//! Making a server: settle what an earlier create may have left, write the intent down, send, record, wait.

use muster_model::id::ProviderId;
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::CreateServer;
use muster_model::run::{Fact, Output};
use muster_model::server::SeenServer;
use muster_planner::CLOCK_SKEW_MS;
use muster_store::About;

use super::server::{fresh, object, recent, store_failed, wait_made};
use super::settle::{Settled, settle, unowned};
use super::{Intent, Looked, StepContext, StepError, creation};

pub(super) async fn look(ctx: &StepContext, create: &CreateServer) -> Result<Looked, StepError> {
    let account = &ctx.session.account.identity;
    let about = About::name(ObjectKind::Server, create.name.as_str());
    let facts = ctx.store().facts_about(account, &about).await.map_err(store_failed)?;
    let mut list = recent(ctx).await?;
    let ours = facts
        .owned
        .iter()
        .find(|record| record.infrastructure == ctx.infrastructure && !create.known_ids.contains(&record.id));
    if let Some(record) = ours {
        // A list may lag behind a create; only the server's own address tells whether it is gone.
        let there = list.get(&record.id).is_some() || ctx.session.cloud.server(&record.id).await?.is_some();
        if there {
            return Ok(Looked::Act(Intent::Await(record.id.clone()), Vec::new()));
        }
    }
    let open = facts
        .intents
        .into_iter()
        .find(|intent| intent.state == IntentState::Open && matches!(intent.wanted, Created::Server(_)));
    let mut settled = Vec::new();
    let mut known = create.known_ids.clone();
    if let Some(open) = open {
        match settle(ctx, &open, || candidates(ctx, &open)).await? {
            Settled::Made(id) => {
                let facts = made(ctx, create, &open, &id);
                return Ok(Looked::Act(Intent::Await(id), facts));
            }
            Settled::Nothing => {
                settled.push(creation::close(&open, IntentState::GivenUp));
                list = fresh(ctx).await?;
            }
        }
    }
    for server in list.servers.iter().filter(|server| server.name == create.spec.name) {
        if !known.contains(&server.id) {
            known.push(server.id.clone());
        }
    }
    let wanted = Created::Server(Box::new(create.spec.clone()));
    let intent = creation::intent(ctx, create.name.clone(), wanted, known);
    settled.push(Fact::OpenIntent(Box::new(intent.clone())));
    Ok(Looked::Act(Intent::Create(Box::new(intent)), settled))
}

/// New ids of the intent's name that fit its specification and are not older than it.
async fn candidates(ctx: &StepContext, intent: &CreationIntent) -> Result<Vec<ProviderId>, StepError> {
    let Created::Server(spec) = &intent.wanted else { return Ok(Vec::new()) };
    let list = fresh(ctx).await?;
    let fits = |server: &&SeenServer| {
        server.name == spec.name
            && !intent.known_ids.contains(&server.id)
            && server.size == spec.size
            && server.location == spec.location
            && (server.image.is_empty() || server.image.eq_ignore_ascii_case(&spec.image))
            && server
                .created_at
                .is_none_or(|made| made.as_millisecond() >= intent.sent_at.as_millisecond() - CLOCK_SKEW_MS)
    };
    let found: Vec<ProviderId> = list.servers.iter().filter(fits).map(|server| server.id.clone()).collect();
    unowned(ctx, ObjectKind::Server, found).await
}

fn made(ctx: &StepContext, create: &CreateServer, intent: &CreationIntent, id: &ProviderId) -> Vec<Fact> {
    let record = creation::record(ctx, ObjectKind::Server, id, create.name.clone(), &create.spec.name);
    let record = Ownership {
        image_words: create.image_words.clone(),
        image: create.spec.image.clone(),
        protect: create.protect,
        ..record
    };
    creation::made(intent, record)
}

pub(super) async fn act(
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

async fn send_create(
    ctx: &StepContext,
    create: &CreateServer,
    intent: &CreationIntent,
) -> Result<ProviderId, StepError> {
    let keys = create.keys.iter().map(|key| ctx.resolve(key)).collect::<Result<Vec<_>, _>>()?;
    match ctx.session.cloud.create_server(&create.spec, &keys).await {
        Ok(server) => {
            // Durable at once.
            ctx.say(
                format!("server {} is being made as id {}", create.name, server.id),
                made(ctx, create, intent, &server.id),
            )
            .await?;
            Ok(server.id)
        }
        Err(error) => {
            let what = format!("the create of {}", create.name);
            Err(creation::not_accepted(ctx, intent, &what, error).await)
        }
    }
}
