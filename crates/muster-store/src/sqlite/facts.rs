//! Facts: ownership records and creation intents, changed only together with a journal entry.

use muster_model::account::AccountIdentity;
use muster_model::id::{ProviderId, RunId, SpaceName};
use muster_model::intent::{CreationIntent, IntentState};
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::run::Fact;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;
use crate::form::{FORM, decode, encode};
use crate::store::{About, Facts};
use crate::{refusal, word};

pub(super) fn apply(tx: &Connection, run: RunId, fact: &Fact) -> Result<(), StoreError> {
    match fact {
        Fact::OpenIntent(intent) => put_intent(tx, intent),
        Fact::CloseIntent { intent, state } => {
            let mut closed = intent.as_ref().clone();
            closed.state = state.clone();
            put_intent(tx, &closed)
        }
        Fact::Own(record) => put_ownership(tx, run, record),
        Fact::Forget { account, kind, id } => {
            tx.prepare_cached("delete from ownership where account = ?1 and kind = ?2 and id = ?3")?
                .execute([account.to_string().as_str(), word::kind(*kind), id.as_str()])?;
            Ok(())
        }
        Fact::Amend { account, kind, id, name, protect } => amend(tx, account, *kind, id, |record| {
            record.name = name.clone();
            record.protect = *protect;
        }),
        Fact::Provisioned { account, id, key, outcome } => {
            amend(tx, account, ObjectKind::Server, id, |record| {
                record.provisioned.insert(key.clone(), outcome.clone());
            })
        }
        Fact::HostKey { account, id, host_key } => amend(tx, account, ObjectKind::Server, id, |record| {
            record.host_key = Some(host_key.clone());
        }),
        Fact::Applied(applied) => super::revision::put_applied(tx, run, applied),
    }
}

fn put_intent(tx: &Connection, intent: &CreationIntent) -> Result<(), StoreError> {
    let account = intent.account.to_string();
    let kind = word::made(&intent.wanted);
    if intent.state == IntentState::Open {
        // One open intent per (account, name): a second one would hide the first from settlement.
        let other: Option<String> = tx
            .prepare_cached(
                "select sent_at from intent where account = ?1 and kind = ?2 and name = ?3 and state = 'open'
                   and sent_at <> ?4",
            )?
            .query_row([&account, kind, intent.name.as_str(), &intent.sent_at.to_string()], |found| {
                found.get(0)
            })
            .optional()?;
        if let Some(other) = other {
            return Err(refusal::unsettled(&intent.name, &account, other));
        }
    }
    tx.prepare_cached(
        "insert or replace into intent (account, kind, name, sent_at, state, form, body)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        account,
        kind,
        intent.name.as_str(),
        intent.sent_at.to_string(),
        word::intent_state(&intent.state),
        FORM,
        encode("creation intent", intent)?
    ])?;
    Ok(())
}

fn put_ownership(tx: &Connection, run: RunId, record: &Ownership) -> Result<(), StoreError> {
    let space: String = tx
        .prepare_cached("select space from run where id = ?1")?
        .query_row([run.to_string()], |found| found.get(0))?;
    write_ownership(tx, &space, record)
}

fn write_ownership(tx: &Connection, space: &str, record: &Ownership) -> Result<(), StoreError> {
    tx.prepare_cached(
        "insert or replace into ownership (account, kind, id, space, infrastructure, name, form, body)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        record.account.to_string(),
        word::kind(record.kind),
        record.id.as_str(),
        space,
        record.infrastructure.as_str(),
        record.name.as_str(),
        FORM,
        encode("ownership record", record)?
    ])?;
    Ok(())
}

/// Changes one record; one that is gone stays gone.
fn amend(
    tx: &Connection,
    account: &AccountIdentity,
    kind: ObjectKind,
    id: &ProviderId,
    change: impl FnOnce(&mut Ownership),
) -> Result<(), StoreError> {
    let found: Option<(String, u16, String)> = tx
        .prepare_cached(
            "select space, form, body from ownership where account = ?1 and kind = ?2 and id = ?3",
        )?
        .query_row([account.to_string().as_str(), word::kind(kind), id.as_str()], |found| {
            Ok((found.get(0)?, found.get(1)?, found.get(2)?))
        })
        .optional()?;
    if let Some((space, form, body)) = found {
        let mut record: Ownership = decode("ownership record", form, &body)?;
        change(&mut record);
        write_ownership(tx, &space, &record)?;
    }
    Ok(())
}

pub(super) fn about(db: &Connection, account: &AccountIdentity, about: &About) -> Result<Facts, StoreError> {
    let account = account.to_string();
    let kind = word::kind(about.kind);
    let mut facts = Facts::default();
    let mut by_id =
        db.prepare_cached("select form, body from ownership where account = ?1 and kind = ?2 and id = ?3")?;
    for id in &about.ids {
        let mut rows = by_id.query([&account, kind, id.as_str()])?;
        if let Some(found) = rows.next()? {
            facts.owned.push(decode("ownership record", found.get(0)?, &found.get::<_, String>(1)?)?);
        }
    }
    let Some(name) = about.name.as_deref() else { return Ok(facts) };
    let mut by_name = db.prepare_cached(
        "select form, body from ownership where account = ?1 and kind = ?2 and name = ?3 order by length(id), id",
    )?;
    let mut rows = by_name.query([&account, kind, name])?;
    while let Some(found) = rows.next()? {
        let record: Ownership = decode("ownership record", found.get(0)?, &found.get::<_, String>(1)?)?;
        if !about.ids.contains(&record.id) {
            facts.owned.push(record);
        }
    }
    let mut statement = db.prepare_cached(
        "select form, body from intent where account = ?1 and kind = ?2 and name = ?3
           and state in ('open', 'given-up') order by sent_at",
    )?;
    let mut rows = statement.query([&account, kind, name])?;
    while let Some(found) = rows.next()? {
        facts.intents.push(decode("creation intent", found.get(0)?, &found.get::<_, String>(1)?)?);
    }
    Ok(facts)
}

pub(super) fn of(db: &Connection, account: &AccountIdentity) -> Result<Facts, StoreError> {
    let account = account.to_string();
    let mut facts = Facts::default();
    let mut statement = db.prepare_cached(
        "select form, body from ownership where account = ?1 order by kind, length(id), id",
    )?;
    let mut rows = statement.query([&account])?;
    while let Some(found) = rows.next()? {
        facts.owned.push(decode("ownership record", found.get(0)?, &found.get::<_, String>(1)?)?);
    }
    let mut statement = db.prepare_cached(
        "select form, body from intent where account = ?1 and state in ('open', 'given-up')
         order by kind, name, sent_at",
    )?;
    let mut rows = statement.query([&account])?;
    while let Some(found) = rows.next()? {
        facts.intents.push(decode("creation intent", found.get(0)?, &found.get::<_, String>(1)?)?);
    }
    Ok(facts)
}

pub(super) fn owned(db: &Connection, space: &SpaceName) -> Result<Vec<Ownership>, StoreError> {
    let mut statement = db.prepare_cached(
        "select form, body from ownership where space = ?1 order by infrastructure, kind, length(name), name",
    )?;
    let mut rows = statement.query([space.as_str()])?;
    let mut records = Vec::new();
    while let Some(found) = rows.next()? {
        records.push(decode("ownership record", found.get(0)?, &found.get::<_, String>(1)?)?);
    }
    Ok(records)
}
