//! Quotas: limits across nodes, taken in blocks so that no step costs a transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::{nodes, settings};
use crate::error::StoreError;
use crate::lanes::{Holder, QuotaRow, QuotaWish, granted};
use crate::store::Audit;

pub(super) fn set(tx: &Connection, key: &str, cap: Option<u32>, audit: &Audit) -> Result<bool, StoreError> {
    let was = cap_of(tx, key)?.is_some();
    match cap {
        Some(cap) => tx
            .prepare_cached("insert or replace into quota (key, cap) values (?1, ?2)")?
            .execute(params![key, cap])?,
        None => tx.prepare_cached("delete from quota where key = ?1")?.execute([key])?,
    };
    if was || cap.is_some() {
        settings::write_audit(tx, audit)?;
    }
    Ok(was)
}

fn cap_of(tx: &Connection, key: &str) -> Result<Option<u32>, StoreError> {
    let cap = tx
        .prepare_cached("select cap from quota where key = ?1")?
        .query_row([key], |found| found.get(0))
        .optional()?;
    Ok(cap)
}

pub(super) fn hold(tx: &Connection, holder: &Holder, wish: &QuotaWish) -> Result<u32, StoreError> {
    nodes::must_live(tx, holder)?;
    let node = holder.node.to_string();
    let cap = match (cap_of(tx, &wish.key)?, &wish.or_else) {
        (None, Some(other)) => cap_of(tx, other)?,
        (cap, _) => cap,
    };
    let (all, own): (u32, u32) = tx
        .prepare_cached(
            "select coalesce(sum(n), 0), coalesce(sum(case when node = ?2 then n end), 0)
             from quota_held where key = ?1",
        )?
        .query_row(params![wish.key, node], |found| Ok((found.get(0)?, found.get(1)?)))?;
    let held = granted(cap, all, own, wish.number);
    if held == 0 {
        tx.prepare_cached("delete from quota_held where key = ?1 and node = ?2")?
            .execute(params![wish.key, node])?;
    } else if held != own {
        tx.prepare_cached(
            "insert into quota_held (key, node, epoch, n) values (?1, ?2, ?3, ?4)
             on conflict (key, node) do update set n = excluded.n, epoch = excluded.epoch",
        )?
        .execute(params![wish.key, node, holder.epoch as i64, held])?;
    }
    Ok(held)
}

pub(super) fn all(db: &Connection) -> Result<Vec<QuotaRow>, StoreError> {
    let mut statement = db.prepare_cached(
        "select k.key, quota.cap, (select coalesce(sum(n), 0) from quota_held h where h.key = k.key)
         from (select key from quota union select key from quota_held) k left join quota on quota.key = k.key
         order by k.key",
    )?;
    let rows = statement.query_map([], |found| {
        Ok(QuotaRow { key: found.get(0)?, cap: found.get(1)?, held: found.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
