//! Settings: accounts and secrets, each change one transaction with its audit line.

use muster_model::account::Account;
use muster_model::id::{SecretName, SpaceName};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;
use crate::form::{FORM, decode, encode};
use crate::store::Audit;

pub(super) fn put_account(
    tx: &Connection,
    space: &SpaceName,
    account: &Account,
    sealed_key: &[u8],
    audit: &Audit,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "insert or replace into account (space, name, identity, form, body, sealed_key, actor, changed_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        space.as_str(),
        account.name.as_str(),
        account.identity.to_string(),
        FORM,
        encode("account", account)?,
        sealed_key,
        audit.actor,
        audit.at.to_string()
    ])?;
    write_audit(tx, audit)
}

pub(super) fn accounts(db: &Connection, space: &SpaceName) -> Result<Vec<(Account, Vec<u8>)>, StoreError> {
    let mut statement =
        db.prepare_cached("select form, body, sealed_key from account where space = ?1 order by name")?;
    let mut rows = statement.query([space.as_str()])?;
    let mut accounts = Vec::new();
    while let Some(found) = rows.next()? {
        let account = decode("account", found.get(0)?, &found.get::<_, String>(1)?)?;
        accounts.push((account, found.get(2)?));
    }
    Ok(accounts)
}

pub(super) fn put_secret(
    tx: &Connection,
    space: &SpaceName,
    name: &SecretName,
    sealed: &[u8],
    audit: &Audit,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "insert or replace into secret (space, name, sealed, actor, changed_at) values (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![space.as_str(), name.as_str(), sealed, audit.actor, audit.at.to_string()])?;
    write_audit(tx, audit)
}

pub(super) fn keep_secret(
    tx: &Connection,
    space: &SpaceName,
    name: &SecretName,
    sealed: &[u8],
    audit: &Audit,
) -> Result<Vec<u8>, StoreError> {
    if let Some(stands) = secret(tx, space, name)? {
        return Ok(stands);
    }
    put_secret(tx, space, name, sealed, audit)?;
    Ok(sealed.to_vec())
}

pub(super) fn secret(
    db: &Connection,
    space: &SpaceName,
    name: &SecretName,
) -> Result<Option<Vec<u8>>, StoreError> {
    let found = db
        .prepare_cached("select sealed from secret where space = ?1 and name = ?2")?
        .query_row([space.as_str(), name.as_str()], |row| row.get(0))
        .optional()?;
    Ok(found)
}

pub(super) fn secrets(db: &Connection, space: &SpaceName) -> Result<Vec<SecretName>, StoreError> {
    let mut statement = db.prepare_cached("select name from secret where space = ?1 order by name")?;
    let names = statement.query_map([space.as_str()], |row| row.get::<_, String>(0))?;
    names.map(|name| Ok(SecretName(name?))).collect()
}

pub(super) fn delete_secret(
    tx: &Connection,
    space: &SpaceName,
    name: &SecretName,
    audit: &Audit,
) -> Result<bool, StoreError> {
    let count = tx
        .prepare_cached("delete from secret where space = ?1 and name = ?2")?
        .execute([space.as_str(), name.as_str()])?;
    if count > 0 {
        write_audit(tx, audit)?;
    }
    Ok(count > 0)
}

pub(super) fn write_audit(tx: &Connection, audit: &Audit) -> Result<(), StoreError> {
    tx.prepare_cached(
        "insert into audit (space, at, actor, what, form, body) values (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        audit.space.as_str(),
        audit.at.to_string(),
        audit.actor,
        audit.what,
        FORM,
        encode("audit line", audit)?
    ])?;
    Ok(())
}

pub(super) fn audits(db: &Connection, space: &SpaceName, limit: u32) -> Result<Vec<Audit>, StoreError> {
    let mut statement =
        db.prepare_cached("select form, body from audit where space = ?1 order by number desc limit ?2")?;
    let mut rows = statement.query(params![space.as_str(), limit])?;
    let mut audits = Vec::new();
    while let Some(found) = rows.next()? {
        audits.push(decode("audit line", found.get(0)?, &found.get::<_, String>(1)?)?);
    }
    Ok(audits)
}
