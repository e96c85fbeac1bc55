//! Steps on records in DNS that lead to servers: look at the server's address and at what the domain says, then change
//! what is ours, make what is missing, leave everything else.

use muster_model::dns::{ADDRESS_TYPES, PublicAddresses, SeenRecord, ServerRecord};
use muster_model::id::{ProviderId, ServerName};
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::object::ObjectClass;
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::plan::{DeleteRecord, DnsAction, PointName};
use muster_model::run::{Fact, Output};
use muster_store::About;

use super::object::wait;
use super::server::{find, object, store_failed, wait as wait_server};
use super::settle::{Settled, settle, unowned};
use super::{Intent, Looked, StepContext, StepError, creation};
use crate::journal::Stop;
use crate::names::{recent_records, records};

pub(super) async fn look(ctx: &StepContext, action: &DnsAction) -> Result<Looked, StepError> {
    match action {
        DnsAction::Point(point) => {
            let id = ctx.resolve(&point.server)?;
            // Of hundreds of names those of one moment share one list; before anything is changed it is read anew.
            let list = match ctx.previous {
                Some(_) => records(&ctx.session, &point.zone, &point.zone_name).await?,
                None => recent_records(&ctx.session, ctx.began, &point.zone, &point.zone_name).await?,
            };
            let (work, facts) = decide(ctx, point, &id, &list).await?;
            Ok(match work.is_empty() {
                true => Looked::Already(object(&id), facts),
                false => Looked::Act(Intent::Plain, facts),
            })
        }
        DnsAction::Delete(delete) => look_delete(ctx, delete).await,
    }
}

pub(super) async fn act(ctx: &StepContext, action: &DnsAction) -> Result<(Output, Vec<Fact>), StepError> {
    match action {
        DnsAction::Point(point) => {
            let id = ctx.resolve(&point.server)?;
            let list = records(&ctx.session, &point.zone, &point.zone_name).await?;
            let (work, mut facts) = decide(ctx, point, &id, &list).await?;
            for work in work {
                facts.extend(carry_out(ctx, point, work).await?);
            }
            Ok((object(&id), facts))
        }
        DnsAction::Delete(delete) => {
            let was = delete.record.draft(&delete.value, None);
            ctx.session.cloud.delete_object(&was, &delete.id).await?;
            let what = format!("record {} {} to be gone", delete.record.name, delete.record.kind);
            wait(ctx, &was, &delete.id, &what, |seen| seen.is_none()).await?;
            Ok((Output::None, gone(ctx, delete)))
        }
    }
}

/// What has to be done about one record.
enum Work {
    /// There is none yet.
    Make { dns: ServerRecord, value: String, known_ids: Vec<ProviderId> },
    /// Ours says something else.
    Change { record: Box<Ownership>, dns: ServerRecord, value: String, seen: SeenRecord },
    /// Ours says an address that the server does not have any more, nor another of its kind.
    Delete { dns: ServerRecord, id: ProviderId, value: String },
}

/// Compares the server's addresses with the domain. What comes back besides are facts about records that are as they
/// should be.
async fn decide(
    ctx: &StepContext,
    point: &PointName,
    server: &ProviderId,
    list: &[SeenRecord],
) -> Result<(Vec<Work>, Vec<Fact>), StepError> {
    let addresses = addresses(ctx, &point.name, server).await?;
    let named: Vec<&SeenRecord> = list.iter().filter(|seen| seen.name == point.record).collect();
    let (mut work, mut facts) = (Vec::new(), Vec::new());
    for kind in ADDRESS_TYPES {
        let dns = ServerRecord {
            server: point.name.clone(),
            zone: point.zone.clone(),
            zone_name: point.zone_name.clone(),
            name: point.record.clone(),
            kind,
        };
        let mut about = About::name(ObjectKind::Record, dns.owned_as().as_str());
        about.ids = point.ours.iter().filter(|ours| ours.kind == kind).map(|ours| ours.id.clone()).collect();
        let mut alive = None;
        for record in facts_about(ctx, &about).await?.owned {
            if record.infrastructure != ctx.infrastructure {
                continue;
            }
            match seen_of(ctx, list, &record).await? {
                Some(seen) if alive.is_none() => alive = Some((record, seen)),
                Some(_) => {}
                None => facts.push(forget(ctx, &record.id)),
            }
        }
        match (addresses.value(kind), alive) {
            (None, None) => {}
            (None, Some((record, seen))) if record.claim.may_delete() => {
                work.push(Work::Delete { dns, id: record.id, value: seen.value });
            }
            (None, Some(_)) => {}
            (Some(value), Some((record, seen))) => {
                if seen.says(&value, point.ttl) && seen.name == point.record {
                    if record.dns.as_deref() != Some(&dns) {
                        facts.push(Fact::Own(Box::new(renamed(record, &dns))));
                    }
                } else {
                    as_expected(point, &seen, &value)?;
                    work.push(Work::Change { record: Box::new(record), dns, value, seen });
                }
            }
            (Some(value), None) => {
                let same = named.iter().find(|seen| seen.kind == kind && seen.value == value);
                match same {
                    Some(seen) => facts.extend(recognise(ctx, point, &dns, seen, &value).await?),
                    None => {
                        let known_ids = named.iter().map(|seen| seen.id.clone()).collect();
                        work.push(Work::Make { dns, value, known_ids });
                    }
                }
            }
        }
    }
    Ok((work, facts))
}

/// The server's addresses; one that has none yet is waited for.
async fn addresses(
    ctx: &StepContext,
    name: &ServerName,
    id: &ProviderId,
) -> Result<PublicAddresses, StepError> {
    let seen = find(ctx, name, id).await?;
    let found = PublicAddresses::of(&seen);
    if !found.is_empty() {
        return Ok(found);
    }
    let has_one = |seen: &muster_model::server::SeenServer| !PublicAddresses::of(seen).is_empty();
    Ok(PublicAddresses::of(&wait_server(ctx, name, id, "have a public address", has_one).await?))
}

/// A record of ours as it is now. A list may lag behind; only the record's own address tells whether it is gone.
async fn seen_of(
    ctx: &StepContext,
    list: &[SeenRecord],
    record: &Ownership,
) -> Result<Option<SeenRecord>, StepError> {
    if let Some(seen) = list.iter().find(|seen| seen.id == record.id) {
        return Ok(Some(seen.clone()));
    }
    let Some(dns) = &record.dns else { return Ok(None) };
    let seen = ctx.session.cloud.object(ObjectClass::Record, Some(&dns.zone), &record.id).await?;
    Ok(seen.and_then(|seen| SeenRecord::of(&dns.zone_name, &seen)))
}

/// What it said when planned, or what it is to say.
fn as_expected(point: &PointName, seen: &SeenRecord, value: &str) -> Result<(), StepError> {
    let planned = point.ours.iter().find(|ours| ours.id == seen.id).and_then(|ours| ours.value.as_deref());
    match planned {
        Some(planned) if planned != seen.value && seen.value != value => Err(StepError::refused(format!(
            "the record {} {} (id {}) said {planned} when this was planned and says {} now; plan anew",
            seen.name, seen.kind, seen.id, seen.value
        ))),
        Some(_) | None => Ok(()),
    }
}

/// A record that says what is wanted and is nobody's: made by a create whose answer was lost, or claimed.
async fn recognise(
    ctx: &StepContext,
    point: &PointName,
    dns: &ServerRecord,
    seen: &SeenRecord,
    value: &str,
) -> Result<Vec<Fact>, StepError> {
    let owner = facts_about(ctx, &About::ids(ObjectKind::Record, vec![seen.id.clone()])).await?.owned;
    if let Some(owner) = owner.first() {
        return Err(StepError::transient(format!(
            "the record {} {} {value} (id {}) belongs to {} of the file {}",
            seen.name, seen.kind, seen.id, owner.name, owner.infrastructure
        )));
    }
    if let Some(intent) = open_intent(ctx, dns, value).await?
        && !intent.known_ids.contains(&seen.id)
    {
        return Ok(made(ctx, dns, &intent, &seen.id));
    }
    if !seen.says(value, point.ttl) {
        return Err(StepError::refused(format!(
            "a record {} {} {value} (id {}) is there, is not ours, and has another ttl; `muster infra adopt {} {}` \
             brings it under the file",
            seen.name, seen.kind, seen.id, ctx.infrastructure, seen.name
        )));
    }
    Ok(vec![Fact::Own(Box::new(owned(ctx, dns, &seen.id, Claim::Claimed)))])
}

async fn carry_out(ctx: &StepContext, point: &PointName, work: Work) -> Result<Vec<Fact>, StepError> {
    // A step may hold several requests; each begins only if this node may still act for as long as one takes.
    if !ctx.engine.lease.may_start().await {
        return Err(Stop::Fenced.into());
    }
    match work {
        Work::Make { dns, value, known_ids } => make(ctx, point, &dns, &value, known_ids).await,
        Work::Change { record, dns, value, seen } => {
            let draft = dns.draft(&value, point.ttl.or(seen.ttl));
            let (zone, name) = (Some(&dns.zone), draft.name.as_str());
            ctx.session
                .cloud
                .change_object(ObjectClass::Record, zone, &record.id, name, &draft.fields)
                .await?;
            Ok(vec![Fact::Own(Box::new(renamed(*record, &dns)))])
        }
        Work::Delete { dns, id, value } => {
            ctx.session.cloud.delete_object(&dns.draft(&value, None), &id).await?;
            Ok(vec![forget(ctx, &id)])
        }
    }
}

async fn make(
    ctx: &StepContext,
    point: &PointName,
    dns: &ServerRecord,
    value: &str,
    known_ids: Vec<ProviderId>,
) -> Result<Vec<Fact>, StepError> {
    let words = format!("record {} {} {value}", dns.name, dns.kind);
    let mut facts = Vec::new();
    if let Some(open) = open_intent(ctx, dns, value).await? {
        match settle(ctx, &open, || candidates(ctx, dns, value, &open)).await? {
            Settled::Made(id) => return Ok(made(ctx, dns, &open, &id)),
            Settled::Nothing => {
                facts.push(creation::close(&open, IntentState::GivenUp));
            }
        }
    }
    let wanted = Created::Record { record: Box::new(dns.clone()), value: value.to_owned() };
    let intent = creation::intent(ctx, dns.created_as(value), wanted, known_ids);
    // Durable before the request leaves.
    facts.push(Fact::OpenIntent(Box::new(intent.clone())));
    ctx.say(format!("{words} is asked for"), facts).await?;
    match ctx.session.cloud.create_object(&dns.draft(value, point.ttl)).await {
        Ok(told) => {
            let id = told.seen.id;
            ctx.say(format!("{words} is made as id {id}"), made(ctx, dns, &intent, &id)).await?;
            Ok(Vec::new())
        }
        Err(error) => Err(creation::not_accepted(ctx, &intent, &words, error).await),
    }
}

async fn open_intent(
    ctx: &StepContext,
    dns: &ServerRecord,
    value: &str,
) -> Result<Option<CreationIntent>, StepError> {
    let about = About::name(ObjectKind::Record, dns.created_as(value).as_str());
    let intents = facts_about(ctx, &about).await?.intents;
    Ok(intents.into_iter().find(|intent| intent.state == IntentState::Open))
}

async fn candidates(
    ctx: &StepContext,
    dns: &ServerRecord,
    value: &str,
    intent: &CreationIntent,
) -> Result<Vec<ProviderId>, StepError> {
    let list = records(&ctx.session, &dns.zone, &dns.zone_name).await?;
    let fits =
        |seen: &&SeenRecord| dns.is_of(seen) && seen.value == value && !intent.known_ids.contains(&seen.id);
    let found = list.iter().filter(fits).map(|seen| seen.id.clone()).collect();
    unowned(ctx, ObjectKind::Record, found).await
}

async fn look_delete(ctx: &StepContext, delete: &DeleteRecord) -> Result<Looked, StepError> {
    let dns = &delete.record;
    let seen = ctx.session.cloud.object(ObjectClass::Record, Some(&dns.zone), &delete.id).await?;
    let Some(seen) = seen else { return Ok(Looked::Already(Output::None, gone(ctx, delete))) };
    match SeenRecord::of(&dns.zone_name, &seen) {
        Some(seen) if dns.is_of(&seen) && seen.value == delete.value => {
            Ok(Looked::Act(Intent::Plain, Vec::new()))
        }
        seen => Err(StepError::refused(format!(
            "record id {} was {} {} {} when its deletion was planned and is {} now; it stays, plan anew",
            delete.id,
            dns.name,
            dns.kind,
            delete.value,
            seen.map_or_else(
                || "something else".to_owned(),
                |seen| format!("{} {} {}", seen.name, seen.kind, seen.value)
            )
        ))),
    }
}

/// Whether a record of ours is there, whatever a list says.
pub(super) async fn is_there(ctx: &StepContext, id: &ProviderId) -> Result<bool, StepError> {
    for record in facts_about(ctx, &About::ids(ObjectKind::Record, vec![id.clone()])).await?.owned {
        if seen_of(ctx, &[], &record).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn facts_about(ctx: &StepContext, about: &About) -> Result<muster_store::Facts, StepError> {
    ctx.store().facts_about(&ctx.session.account.identity, about).await.map_err(store_failed)
}

fn owned(ctx: &StepContext, dns: &ServerRecord, id: &ProviderId, claim: Claim) -> Ownership {
    let record = creation::record(ctx, ObjectKind::Record, id, dns.owned_as(), &dns.name);
    Ownership { claim, dns: Some(Box::new(dns.clone())), ..record }
}

/// The same record of a server that is called otherwise now.
fn renamed(record: Ownership, dns: &ServerRecord) -> Ownership {
    Ownership {
        name: dns.owned_as(),
        provider_name: dns.name.clone(),
        dns: Some(Box::new(dns.clone())),
        ..record
    }
}

fn made(ctx: &StepContext, dns: &ServerRecord, intent: &CreationIntent, id: &ProviderId) -> Vec<Fact> {
    creation::made(intent, owned(ctx, dns, id, Claim::Created))
}

fn forget(ctx: &StepContext, id: &ProviderId) -> Fact {
    Fact::Forget { account: ctx.session.account.identity.clone(), kind: ObjectKind::Record, id: id.clone() }
}

fn gone(ctx: &StepContext, delete: &DeleteRecord) -> Vec<Fact> {
    let settled = delete.settles.as_ref().map(|intent| Fact::CloseIntent {
        intent: intent.clone(),
        state: IntentState::Made(delete.id.clone()),
    });
    settled.into_iter().chain([forget(ctx, &delete.id)]).collect()
}
