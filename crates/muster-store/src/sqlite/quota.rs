//! Quotas: limits across nodes, taken in blocks so that no step costs a transaction.

use muster_model::id::NodeId;
use rusqlite::{Connection, OptionalExtension, params};

use super::nodes;
use crate::error::StoreError;
use crate::lanes::{Holder, QuotaRow};

pub(super) fn set(tx: &Connection, key: &str, cap: Option<u32>) -> Result<(), StoreError> {
    match cap {
        Some(cap) => tx
            .prepare_cached("insert or replace into quota (key, cap) values (?1, ?2)")?
            .execute(params![key, cap])?,
        None => tx.prepare_cached("delete from quota where key = ?1")?.execute([key])?,
    };
    Ok(())
}

pub(super) fn take(tx: &Connection, holder: &Holder, key: &str, wanted: u32) -> Result<u32, StoreError> {
    nodes::must_live(tx, holder)?;
    let cap: Option<u32> = tx
        .prepare_cached("select cap from quota where key = ?1")?
        .query_row([key], |found| found.get(0))
        .optional()?;
    let held: u32 = tx
        .prepare_cached("select coalesce(sum(n), 0) from quota_held where key = ?1")?
        .query_row([key], |found| found.get(0))?;
    let granted = cap.map_or(wanted, |cap| wanted.min(cap.saturating_sub(held)));
    if granted > 0 {
        tx.prepare_cached(
            "insert into quota_held (key, node, epoch, n) values (?1, ?2, ?3, ?4)
             on conflict (key, node) do update set n = n + excluded.n, epoch = excluded.epoch",
        )?
        .execute(params![key, holder.node.to_string(), holder.epoch as i64, granted])?;
    }
    Ok(granted)
}

pub(super) fn give(tx: &Connection, node: NodeId, key: &str, number: u32) -> Result<(), StoreError> {
    tx.prepare_cached("update quota_held set n = max(0, n - ?3) where key = ?1 and node = ?2")?
        .execute(params![key, node.to_string(), number])?;
    tx.prepare_cached("delete from quota_held where key = ?1 and node = ?2 and n = 0")?
        .execute(params![key, node.to_string()])?;
    Ok(())
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
