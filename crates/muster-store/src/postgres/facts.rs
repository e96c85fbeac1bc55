//! Facts: ownership records and creation intents, changed only together with a journal entry.

use deadpool_postgres::GenericClient;
use muster_model::account::AccountIdentity;
use muster_model::id::{ProviderId, RunId, SpaceName};
use muster_model::intent::{CreationIntent, IntentState};
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::run::Fact;

use super::ask::{column, execute, row, rows};
use super::form_of;
use crate::error::StoreError;
use crate::form::{FORM, decode, encode};
use crate::store::{About, Facts};
use crate::{refusal, word};

pub(super) async fn apply<C: GenericClient>(tx: &C, run: RunId, fact: &Fact) -> Result<(), StoreError> {
    match fact {
        Fact::OpenIntent(intent) => put_intent(tx, intent).await,
        Fact::CloseIntent { intent, state } => {
            let mut closed = intent.as_ref().clone();
            closed.state = state.clone();
            put_intent(tx, &closed).await
        }
        Fact::Own(record) => put_ownership(tx, run, record).await,
        Fact::Forget { account, kind, id } => {
            let sql = "delete from ownership where account = $1 and kind = $2 and id = $3";
            execute(tx, sql, &[&account.to_string(), &word::kind(*kind), &id.as_str()]).await?;
            Ok(())
        }
        Fact::Amend { account, kind, id, name, protect } => {
            amend(tx, account, *kind, id, |record| {
                record.name = name.clone();
                record.protect = *protect;
            })
            .await
        }
        Fact::Provisioned { account, id, key, outcome } => {
            amend(tx, account, ObjectKind::Server, id, |record| {
                record.provisioned.insert(key.clone(), outcome.clone());
            })
            .await
        }
        Fact::HostKey { account, id, host_key } => {
            amend(tx, account, ObjectKind::Server, id, |record| record.host_key = Some(host_key.clone()))
                .await
        }
        Fact::Applied(applied) => super::revision::put_applied(tx, run, applied).await,
    }
}

async fn put_intent<C: GenericClient>(tx: &C, intent: &CreationIntent) -> Result<(), StoreError> {
    let account = intent.account.to_string();
    let kind = word::made(&intent.wanted);
    if intent.state == IntentState::Open {
        // One open intent per (account, name): a second one would hide the first from settlement. (Two at the same
        // time meet at the index `intent_open`; the later one is tried again and sees the earlier one here.)
        let other = row(
            tx,
            "select sent_at::text from intent where account = $1 and kind = $2 and name = $3 and state = 'open'
               and sent_at <> $4",
            &[&account, &kind, &intent.name.as_str(), &intent.sent_at],
        )
        .await?;
        if let Some(other) = other {
            return Err(refusal::unsettled(&intent.name, &account, column::<String>(&other, 0)?));
        }
    }
    execute(
        tx,
        "insert into intent (account, kind, name, sent_at, state, form, body) values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (account, kind, name, sent_at) do update
           set state = excluded.state, form = excluded.form, body = excluded.body",
        &[
            &account,
            &kind,
            &intent.name.as_str(),
            &intent.sent_at,
            &word::intent_state(&intent.state),
            &i32::from(FORM),
            &encode("creation intent", intent)?,
        ],
    )
    .await?;
    Ok(())
}

async fn put_ownership<C: GenericClient>(tx: &C, run: RunId, record: &Ownership) -> Result<(), StoreError> {
    let found = row(tx, "select space from run where id = $1", &[&run.0]).await?;
    let space: String = column(&found.ok_or_else(|| refusal::no_run(run))?, 0)?;
    write_ownership(tx, &space, record).await
}

async fn write_ownership<C: GenericClient>(
    tx: &C,
    space: &str,
    record: &Ownership,
) -> Result<(), StoreError> {
    execute(
        tx,
        "insert into ownership (account, kind, id, space, infrastructure, name, form, body)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (account, kind, id) do update set space = excluded.space,
           infrastructure = excluded.infrastructure, name = excluded.name, form = excluded.form,
           body = excluded.body",
        &[
            &record.account.to_string(),
            &word::kind(record.kind),
            &record.id.as_str(),
            &space,
            &record.infrastructure.as_str(),
            &record.name.as_str(),
            &i32::from(FORM),
            &encode("ownership record", record)?,
        ],
    )
    .await?;
    Ok(())
}

/// Changes one record; one that is gone stays gone.
async fn amend<C: GenericClient>(
    tx: &C,
    account: &AccountIdentity,
    kind: ObjectKind,
    id: &ProviderId,
    change: impl FnOnce(&mut Ownership) + Send,
) -> Result<(), StoreError> {
    let found = row(
        tx,
        "select space, form, body from ownership where account = $1 and kind = $2 and id = $3 for update",
        &[&account.to_string(), &word::kind(kind), &id.as_str()],
    )
    .await?;
    let Some(found) = found else { return Ok(()) };
    let mut record = record_of(&found, 1)?;
    change(&mut record);
    write_ownership(tx, &column::<String>(&found, 0)?, &record).await
}

fn record_of(row: &tokio_postgres::Row, form: usize) -> Result<Ownership, StoreError> {
    let body: String = column(row, form + 1)?;
    decode("ownership record", form_of(row, form)?, &body)
}

fn intent_of(row: &tokio_postgres::Row) -> Result<CreationIntent, StoreError> {
    let body: String = column(row, 1)?;
    decode("creation intent", form_of(row, 0)?, &body)
}

pub(super) async fn about<C: GenericClient>(
    db: &C,
    account: &AccountIdentity,
    about: &About,
) -> Result<Facts, StoreError> {
    let (account, kind) = (account.to_string(), word::kind(about.kind));
    let ids: Vec<&str> = about.ids.iter().map(ProviderId::as_str).collect();
    let owned = rows(
        db,
        "select form, body from ownership where account = $1 and kind = $2 and (id = any($3) or name = $4)
         order by array_position($3, id) nulls last, length(id), id collate \"C\"",
        &[&account, &kind, &ids, &about.name],
    )
    .await?;
    let intents = rows(
        db,
        "select form, body from intent where account = $1 and kind = $2 and name = $3
           and state in ('open', 'given-up') order by sent_at",
        &[&account, &kind, &about.name],
    )
    .await?;
    Ok(Facts {
        owned: owned.iter().map(|row| record_of(row, 0)).collect::<Result<_, _>>()?,
        intents: intents.iter().map(intent_of).collect::<Result<_, _>>()?,
    })
}

pub(super) async fn of<C: GenericClient>(db: &C, account: &AccountIdentity) -> Result<Facts, StoreError> {
    let account = account.to_string();
    let owned = rows(
        db,
        "select form, body from ownership where account = $1 order by kind, length(id), id collate \"C\"",
        &[&account],
    )
    .await?;
    let intents = rows(
        db,
        "select form, body from intent where account = $1 and state in ('open', 'given-up')
         order by kind, name collate \"C\", sent_at",
        &[&account],
    )
    .await?;
    Ok(Facts {
        owned: owned.iter().map(|row| record_of(row, 0)).collect::<Result<_, _>>()?,
        intents: intents.iter().map(intent_of).collect::<Result<_, _>>()?,
    })
}

pub(super) async fn owned<C: GenericClient>(db: &C, space: &SpaceName) -> Result<Vec<Ownership>, StoreError> {
    let found = rows(
        db,
        "select form, body from ownership where space = $1
         order by infrastructure collate \"C\", kind, length(name), name collate \"C\"",
        &[&space.as_str()],
    )
    .await?;
    found.iter().map(|row| record_of(row, 0)).collect()
}
