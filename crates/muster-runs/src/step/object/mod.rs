//! Steps on objects of an account that a person asked for one by one.

use std::time::Duration;

use muster_model::id::{ProviderId, ServerName};
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::object::{ObjectClass, ObjectDraft, ObjectVerb, SeenObject};
use muster_model::ownership::ObjectKind;
use muster_model::plan::ObjectAction;
use muster_model::run::{Fact, Output};
use muster_outside::cloud::Told;
use muster_planner::intent_name;
use muster_store::About;

use super::creation::{close, intent, not_accepted};
use super::server::store_failed;
use super::settle::{Settled, settle};
use super::{Intent, Looked, StepContext, StepError};

mod meanwhile;
mod server;

use meanwhile::{look_change, still_free, still_harmless};

fn object(class: ObjectClass, id: &ProviderId) -> Output {
    Output::Object { kind: class.word().into(), id: id.clone() }
}

pub(super) async fn look(ctx: &StepContext, action: &ObjectAction) -> Result<Looked, StepError> {
    match action {
        ObjectAction::Create { draft, known_ids } => look_create(ctx, draft, known_ids).await,
        ObjectAction::Change { class, id, name, of, rename, expected, to } => {
            let seen = ctx.session.cloud.object(*class, of.as_ref(), id).await?;
            let seen = seen.ok_or_else(|| gone(*class, name, id))?;
            let looked = look_change(&seen, name, rename.as_deref(), expected, to)?;
            if let (Looked::Act(..), Some(new)) = (&looked, rename) {
                still_free(ctx, *class, id, new).await?;
            }
            Ok(looked)
        }
        ObjectAction::Delete { was, id } => {
            match ctx.session.cloud.object(was.class, was.of.as_ref(), id).await? {
                None => Ok(Looked::Already(Output::None, Vec::new())),
                Some(seen) if !was.class.same_name(&seen.name, &was.name) => {
                    Err(StepError::refused(format!(
                        "{} id {id} was called {} when its deletion was planned and is called {} now; it stays",
                        was.class.word(),
                        was.name,
                        seen.name
                    )))
                }
                Some(seen) => {
                    still_harmless(ctx, was, &seen).await?;
                    Ok(Looked::Act(Intent::Plain, Vec::new()))
                }
            }
        }
        ObjectAction::Do { class, id, name, verb } => {
            let seen = ctx.session.cloud.object(*class, None, id).await?;
            let seen = seen.ok_or_else(|| gone(*class, name, id))?;
            match verb {
                ObjectVerb::Block if seen.state.eq_ignore_ascii_case("Blocked") => {
                    Ok(Looked::Already(object(*class, id), Vec::new()))
                }
                ObjectVerb::Unblock if seen.state.eq_ignore_ascii_case("Active") => {
                    Ok(Looked::Already(object(*class, id), Vec::new()))
                }
                ObjectVerb::Block | ObjectVerb::Unblock | ObjectVerb::ChangePassword => {
                    Ok(Looked::Act(Intent::Plain, Vec::new()))
                }
            }
        }
        ObjectAction::Rebuild { server, name, .. } => server::look_rebuild(ctx, server, name).await,
        ObjectAction::Copy { server, copy, .. } => server::look_copy(ctx, server, copy).await,
    }
}

pub(super) async fn act(
    ctx: &StepContext,
    action: &ObjectAction,
    intent: Intent,
) -> Result<(Output, Vec<Fact>), StepError> {
    let cloud = &ctx.session.cloud;
    match action {
        ObjectAction::Create { draft, .. } => act_create(ctx, draft, intent).await,
        ObjectAction::Change { class, id, name, of, rename, to, .. } => {
            let name = rename.as_deref().unwrap_or(name);
            cloud.change_object(*class, of.as_ref(), id, name, to).await?;
            Ok((object(*class, id), Vec::new()))
        }
        ObjectAction::Delete { was, id } => {
            cloud.delete_object(was, id).await?;
            let what = format!("{} {} to be gone", was.class.word(), was.name);
            wait(ctx, was, id, &what, |seen| seen.is_none()).await?;
            if was.class == ObjectClass::StorageUser {
                let forgotten = ctx.engine.forget_object_password(&ctx.session.account.identity, id).await;
                forgotten.map_err(|error| StepError::transient(error.to_string()))?;
            }
            Ok((Output::None, Vec::new()))
        }
        ObjectAction::Do { class, id, verb, .. } => {
            let told = cloud.tell_object(*class, id, *verb).await?;
            keep_password(ctx, &told).await?;
            Ok((object(*class, id), Vec::new()))
        }
        ObjectAction::Rebuild { server, image, sysprep, .. } => {
            server::rebuild(ctx, server, image, *sysprep, intent).await
        }
        ObjectAction::Copy { server, copy, network, .. } => {
            server::copy(ctx, server, copy, network.as_ref(), intent).await
        }
    }
}

fn gone(class: ObjectClass, name: &str, id: &ProviderId) -> StepError {
    StepError::refused(format!("{} {name} (id {id}) is gone at the provider", class.word()))
}

async fn look_create(
    ctx: &StepContext,
    draft: &ObjectDraft,
    known_ids: &[ProviderId],
) -> Result<Looked, StepError> {
    let name = intent_name(draft);
    let account = &ctx.session.account.identity;
    let about = About::name(ObjectKind::Object, &name);
    let facts = ctx.store().facts_about(account, &about).await.map_err(store_failed)?;
    // Of hundreds of records that are made in one run, those of one moment share one list; after an attempt that may have
    // had an effect nothing older than that will do.
    let watch = &ctx.session.watch;
    let list = match ctx.previous {
        Some(_) => watch.fresh_objects(draft.class, draft.of.as_ref()).await?,
        None => watch.recent_objects(ctx.began, draft.class, draft.of.as_ref()).await?,
    };
    let (mut known, mut changed) = (known_ids.to_vec(), Vec::new());
    for intent in facts.intents {
        match &intent.state {
            IntentState::Made(id) if intent.run == ctx.journal.run() => {
                return Ok(Looked::Act(Intent::Await(id.clone()), Vec::new()));
            }
            IntentState::Open => {
                known.extend(intent.known_ids.iter().cloned());
                match settle(ctx, &intent, || candidates(ctx, draft, &intent)).await? {
                    Settled::Made(id) => {
                        let made = close(&intent, IntentState::Made(id.clone()));
                        return Ok(Looked::Act(Intent::Await(id), vec![made]));
                    }
                    Settled::Nothing => changed.push(close(&intent, IntentState::GivenUp)),
                }
            }
            IntentState::Made(_) | IntentState::Refused | IntentState::GivenUp => {}
        }
    }
    let there = list.iter().find(|seen| draft.fits(seen) && !known.contains(&seen.id));
    if let Some(there) = there {
        // Somebody else made it meanwhile: it is as wanted.
        return Ok(Looked::Already(object(draft.class, &there.id), changed));
    }
    let same_name = list.iter().filter(|seen| draft.class.same_name(&seen.name, &draft.name));
    known.extend(same_name.map(|seen| seen.id.clone()));
    known.sort();
    known.dedup();
    let intent = intent(ctx, ServerName(name), Created::Object(Box::new(draft.clone())), known);
    changed.push(Fact::OpenIntent(Box::new(intent.clone())));
    Ok(Looked::Act(Intent::Create(Box::new(intent)), changed))
}

async fn candidates(
    ctx: &StepContext,
    draft: &ObjectDraft,
    intent: &CreationIntent,
) -> Result<Vec<ProviderId>, StepError> {
    let seen = ctx.session.watch.fresh_objects(draft.class, draft.of.as_ref()).await?;
    let fits = |seen: &&SeenObject| draft.fits(seen) && !intent.known_ids.contains(&seen.id);
    Ok(seen.iter().filter(fits).map(|seen| seen.id.clone()).collect())
}

async fn act_create(
    ctx: &StepContext,
    draft: &ObjectDraft,
    intent: Intent,
) -> Result<(Output, Vec<Fact>), StepError> {
    let (class, name) = (draft.class, &draft.name);
    let id = match intent {
        Intent::Await(id) => {
            if class == ObjectClass::StorageUser && !has_password(ctx, &id).await? {
                ctx.say(
                    format!("the answer with the password of {name} was lost; `muster storage user password {name}` makes another one"),
                    Vec::new(),
                )
                .await?;
            }
            id
        }
        Intent::Plain => return Err(StepError::refused("a create without an intent is never sent")),
        Intent::Create(intent) => match ctx.session.cloud.create_object(draft).await {
            Ok(told) => {
                keep_password(ctx, &told).await?;
                let made = close(&intent, IntentState::Made(told.seen.id.clone()));
                ctx.say(format!("{} {name} is being made as id {}", class.word(), told.seen.id), vec![made])
                    .await?;
                told.seen.id
            }
            Err(error) => {
                let what = format!("the create of {} {name}", class.word());
                return Err(not_accepted(ctx, &intent, &what, error).await);
            }
        },
    };
    // A record is served when its domain is; waiting for hundreds of them would help nobody.
    if class != ObjectClass::Record {
        let what = format!("{} {name} to be made", class.word());
        let seen =
            wait(ctx, draft, &id, &what, |seen| seen.is_none_or(|seen| !seen.is_in_the_making())).await?;
        match seen {
            None => {
                return Err(StepError::refused(format!(
                    "{} {name} (id {id}) vanished at the provider",
                    class.word()
                )));
            }
            Some(seen) if seen.state.eq_ignore_ascii_case("NeedMoney") => {
                return Err(StepError::refused(format!(
                    "{} {name} (id {id}) waits for money: the balance did not suffice; top the account up",
                    class.word()
                )));
            }
            Some(_) => {}
        }
    }
    Ok((object(class, &id), Vec::new()))
}

/// Whether the password of a storage user was heard and sealed.
async fn has_password(ctx: &StepContext, id: &ProviderId) -> Result<bool, StepError> {
    let kept = ctx.engine.kept_object_password(&ctx.session.account.identity, id).await;
    kept.map(|password| password.is_some()).map_err(|error| StepError::transient(error.to_string()))
}

/// A password is sealed before anything else can fail: the provider does not show it again.
async fn keep_password(ctx: &StepContext, told: &Told) -> Result<(), StepError> {
    let Some(password) = &told.password else { return Ok(()) };
    let account = &ctx.session.account.identity;
    let kept = ctx.engine.keep_object_password(account, &told.seen.id, password).await;
    kept.map_err(|error| {
        StepError::unknown(format!("the password of {} could not be kept: {error}", told.seen.name))
    })
}

/// Looks again and again until an object is as wanted.
pub(super) async fn wait(
    ctx: &StepContext,
    of: &ObjectDraft,
    id: &ProviderId,
    what: &str,
    done: impl Fn(Option<&SeenObject>) -> bool,
) -> Result<Option<SeenObject>, StepError> {
    let patience = Patience::begin(ctx, what);
    loop {
        let seen = ctx.session.cloud.object(of.class, of.of.as_ref(), id).await?;
        if done(seen.as_ref()) {
            return Ok(seen);
        }
        patience.pause().await?;
    }
}

/// How long a step waits for something, within the account's bound.
struct Patience<'a> {
    ctx: &'a StepContext,
    what: &'a str,
    limit: Duration,
    began: Duration,
}

impl<'a> Patience<'a> {
    fn begin(ctx: &'a StepContext, what: &'a str) -> Self {
        let limit = Duration::from_millis(ctx.session.account.settings.wait_timeout_ms);
        Self { ctx, what, limit, began: ctx.world().clock.monotonic() }
    }

    /// Rests until it is time to ask again.
    ///
    /// # Errors
    ///
    /// Of unknown outcome, when the bound has been reached.
    async fn pause(&self) -> Result<(), StepError> {
        if self.ctx.world().clock.monotonic().saturating_sub(self.began) >= self.limit {
            let (seconds, what) = (self.limit.as_secs(), self.what);
            return Err(StepError::unknown(format!("waited {seconds} s for {what}")));
        }
        tokio::time::sleep(Duration::from_millis(self.ctx.session.poll_ms)).await;
        Ok(())
    }
}
