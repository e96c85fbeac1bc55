//! Settings: accounts and secrets, each change one transaction with its audit line.

use deadpool_postgres::GenericClient;
use muster_model::account::Account;
use muster_model::id::{SecretName, SpaceName};

use super::ask::{column, execute, row, rows};
use super::form_of;
use crate::error::StoreError;
use crate::form::{FORM, decode, encode};
use crate::store::Audit;

pub(super) async fn put_account<C: GenericClient>(
    tx: &C,
    space: &SpaceName,
    account: &Account,
    sealed_key: &[u8],
    audit: &Audit,
) -> Result<(), StoreError> {
    execute(
        tx,
        "insert into account (space, name, identity, form, body, sealed_key, actor, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (space, name) do update set identity = excluded.identity, form = excluded.form,
           body = excluded.body, sealed_key = excluded.sealed_key, actor = excluded.actor,
           changed_at = excluded.changed_at",
        &[
            &space.as_str(),
            &account.name.as_str(),
            &account.identity.to_string(),
            &i32::from(FORM),
            &encode("account", account)?,
            &sealed_key,
            &audit.actor,
            &audit.at,
        ],
    )
    .await?;
    write_audit(tx, audit).await
}

pub(super) async fn accounts<C: GenericClient>(
    db: &C,
    space: &SpaceName,
) -> Result<Vec<(Account, Vec<u8>)>, StoreError> {
    let found = rows(
        db,
        "select form, body, sealed_key from account where space = $1 order by name",
        &[&space.as_str()],
    )
    .await?;
    found
        .iter()
        .map(|row| {
            let body: String = column(row, 1)?;
            Ok((decode("account", form_of(row, 0)?, &body)?, column(row, 2)?))
        })
        .collect()
}

pub(super) async fn put_secret<C: GenericClient>(
    tx: &C,
    space: &SpaceName,
    name: &SecretName,
    sealed: &[u8],
    audit: &Audit,
) -> Result<(), StoreError> {
    execute(
        tx,
        "insert into secret (space, name, sealed, actor, changed_at) values ($1, $2, $3, $4, $5)
         on conflict (space, name) do update set sealed = excluded.sealed, actor = excluded.actor,
           changed_at = excluded.changed_at",
        &[&space.as_str(), &name.as_str(), &sealed, &audit.actor, &audit.at],
    )
    .await?;
    write_audit(tx, audit).await
}

pub(super) async fn keep_secret<C: GenericClient>(
    tx: &C,
    space: &SpaceName,
    name: &SecretName,
    sealed: &[u8],
    audit: &Audit,
) -> Result<Vec<u8>, StoreError> {
    // Whoever inserts the same at the same time is waited for.
    let kept = execute(
        tx,
        "insert into secret (space, name, sealed, actor, changed_at) values ($1, $2, $3, $4, $5)
         on conflict (space, name) do nothing",
        &[&space.as_str(), &name.as_str(), &sealed, &audit.actor, &audit.at],
    )
    .await?;
    if kept == 0
        && let Some(stands) = secret(tx, space, name).await?
    {
        return Ok(stands);
    }
    write_audit(tx, audit).await?;
    Ok(sealed.to_vec())
}

pub(super) async fn secret<C: GenericClient>(
    db: &C,
    space: &SpaceName,
    name: &SecretName,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "select sealed from secret where space = $1 and name = $2";
    let found = row(db, sql, &[&space.as_str(), &name.as_str()]).await?;
    found.map(|row| column(&row, 0)).transpose()
}

pub(super) async fn secrets<C: GenericClient>(
    db: &C,
    space: &SpaceName,
) -> Result<Vec<SecretName>, StoreError> {
    // "C": the same order as in the other database, whatever this one's collation is.
    let sql = "select name from secret where space = $1 order by name collate \"C\"";
    let found = rows(db, sql, &[&space.as_str()]).await?;
    found.iter().map(|row| Ok(SecretName(column(row, 0)?))).collect()
}

pub(super) async fn delete_secret<C: GenericClient>(
    tx: &C,
    space: &SpaceName,
    name: &SecretName,
    audit: &Audit,
) -> Result<bool, StoreError> {
    let sql = "delete from secret where space = $1 and name = $2";
    let count = execute(tx, sql, &[&space.as_str(), &name.as_str()]).await?;
    if count > 0 {
        write_audit(tx, audit).await?;
    }
    Ok(count > 0)
}

pub(super) async fn write_audit<C: GenericClient>(tx: &C, audit: &Audit) -> Result<(), StoreError> {
    execute(
        tx,
        "insert into audit (space, at, actor, what, form, body) values ($1, $2, $3, $4, $5, $6)",
        &[
            &audit.space.as_str(),
            &audit.at,
            &audit.actor,
            &audit.what,
            &i32::from(FORM),
            &encode("audit line", audit)?,
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn audits<C: GenericClient>(
    db: &C,
    space: &SpaceName,
    limit: u32,
) -> Result<Vec<Audit>, StoreError> {
    let sql = "select form, body from audit where space = $1 order by number desc limit $2";
    let found = rows(db, sql, &[&space.as_str(), &i64::from(limit)]).await?;
    found
        .iter()
        .map(|row| {
            let body: String = column(row, 1)?;
            decode("audit line", form_of(row, 0)?, &body)
        })
        .collect()
}
