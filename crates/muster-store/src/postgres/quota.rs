//! Quotas: limits across nodes, taken in blocks so that no step costs a transaction. The limit's row is locked
//! while its sum is read, so that two nodes never get the same place.

use deadpool_postgres::GenericClient;
use muster_model::id::NodeId;

use super::ask::{column, execute, row, rows};
use super::nodes;
use crate::error::StoreError;
use crate::lanes::{Holder, QuotaRow};

pub(super) async fn set<C: GenericClient>(tx: &C, key: &str, cap: Option<u32>) -> Result<(), StoreError> {
    match cap {
        Some(cap) => {
            let sql = "insert into quota (key, cap) values ($1, $2)
                       on conflict (key) do update set cap = excluded.cap";
            execute(tx, sql, &[&key, &(cap as i32)]).await?
        }
        None => execute(tx, "delete from quota where key = $1", &[&key]).await?,
    };
    Ok(())
}

pub(super) async fn take<C: GenericClient>(
    tx: &C,
    holder: &Holder,
    key: &str,
    wanted: u32,
) -> Result<u32, StoreError> {
    nodes::must_live(tx, holder).await?;
    let cap = row(tx, "select cap from quota where key = $1 for no key update", &[&key]).await?;
    let cap: Option<i32> = cap.map(|row| column(&row, 0)).transpose()?;
    let held = row(tx, "select coalesce(sum(n), 0) from quota_held where key = $1", &[&key]).await?;
    let held: i64 = held.map_or(Ok(0), |row| column(&row, 0))?;
    let granted = cap.map_or(wanted, |cap| wanted.min((i64::from(cap) - held).max(0) as u32));
    if granted > 0 {
        execute(
            tx,
            "insert into quota_held (key, node, epoch, n) values ($1, $2, $3, $4)
             on conflict (key, node) do update set n = quota_held.n + excluded.n, epoch = excluded.epoch",
            &[&key, &holder.node.0, &(holder.epoch as i64), &(granted as i32)],
        )
        .await?;
    }
    Ok(granted)
}

pub(super) async fn give<C: GenericClient>(
    tx: &C,
    node: NodeId,
    key: &str,
    number: u32,
) -> Result<(), StoreError> {
    let sql = "update quota_held set n = greatest(0, n - $3) where key = $1 and node = $2";
    execute(tx, sql, &[&key, &node.0, &(number as i32)]).await?;
    let sql = "delete from quota_held where key = $1 and node = $2 and n = 0";
    execute(tx, sql, &[&key, &node.0]).await?;
    Ok(())
}

pub(super) async fn all<C: GenericClient>(db: &C) -> Result<Vec<QuotaRow>, StoreError> {
    let found = rows(
        db,
        "select key, quota.cap, coalesce(h.held, 0)::int8
         from quota full join (select key, sum(n) as held from quota_held group by key) h using (key)
         order by key collate \"C\"",
        &[],
    )
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(QuotaRow {
                key: column(row, 0)?,
                cap: column::<Option<i32>>(row, 1)?.map(|cap| cap as u32),
                held: column::<i64>(row, 2)? as u32,
            })
        })
        .collect()
}
