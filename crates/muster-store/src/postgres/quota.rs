//! Quotas: limits across nodes, taken in blocks so that no step costs a transaction. The limit's row is locked
//! while its sum is read, so that two nodes never get the same place.

use deadpool_postgres::GenericClient;

use super::ask::{column, execute, row, rows};
use super::{nodes, settings};
use crate::error::StoreError;
use crate::lanes::{Holder, QuotaRow, QuotaWish, granted};
use crate::store::Audit;

pub(super) async fn set<C: GenericClient>(
    tx: &C,
    key: &str,
    cap: Option<u32>,
    audit: &Audit,
) -> Result<bool, StoreError> {
    let was = cap_of(tx, key).await?.is_some();
    match cap {
        Some(cap) => {
            let sql = "insert into quota (key, cap) values ($1, $2)
                       on conflict (key) do update set cap = excluded.cap";
            execute(tx, sql, &[&key, &(cap as i32)]).await?
        }
        None => execute(tx, "delete from quota where key = $1", &[&key]).await?,
    };
    if was || cap.is_some() {
        settings::write_audit(tx, audit).await?;
    }
    Ok(was)
}

async fn cap_of<C: GenericClient>(tx: &C, key: &str) -> Result<Option<u32>, StoreError> {
    let cap = row(tx, "select cap from quota where key = $1 for no key update", &[&key]).await?;
    let cap: Option<i32> = cap.map(|row| column(&row, 0)).transpose()?;
    Ok(cap.map(|cap| cap as u32))
}

pub(super) async fn hold<C: GenericClient>(
    tx: &C,
    holder: &Holder,
    wish: &QuotaWish,
) -> Result<u32, StoreError> {
    nodes::must_live(tx, holder).await?;
    let cap = match (cap_of(tx, &wish.key).await?, &wish.or_else) {
        (None, Some(other)) => cap_of(tx, other).await?,
        (cap, _) => cap,
    };
    let sums = row(
        tx,
        "select coalesce(sum(n), 0)::int8, coalesce(sum(n) filter (where node = $2), 0)::int8
         from quota_held where key = $1",
        &[&wish.key, &holder.node.0],
    )
    .await?;
    let (all, own): (i64, i64) = match sums {
        Some(sums) => (column(&sums, 0)?, column(&sums, 1)?),
        None => (0, 0),
    };
    let held = granted(cap, all as u32, own as u32, wish.number);
    if held == 0 {
        let sql = "delete from quota_held where key = $1 and node = $2";
        execute(tx, sql, &[&wish.key, &holder.node.0]).await?;
    } else if i64::from(held) != own {
        execute(
            tx,
            "insert into quota_held (key, node, epoch, n) values ($1, $2, $3, $4)
             on conflict (key, node) do update set n = excluded.n, epoch = excluded.epoch",
            &[&wish.key, &holder.node.0, &(holder.epoch as i64), &(held as i32)],
        )
        .await?;
    }
    Ok(held)
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
