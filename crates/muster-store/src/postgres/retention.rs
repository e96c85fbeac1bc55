//! Retention: ended runs lose their journal and inputs after a while, unless a kept revision needs them; the
//! run, its counts and the audit stay.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use muster_model::id::RunId;

use super::ask::{column, execute, rows};
use super::claim::lock_lanes;
use super::{journal, runs, search};
use crate::error::StoreError;
use crate::form::encode;
use crate::lanes::PRUNE_RUNS_MAX;
use crate::revision::Keep;

pub(super) async fn prunable<C: GenericClient>(
    db: &C,
    before: Timestamp,
    keep: Keep,
) -> Result<Vec<RunId>, StoreError> {
    let found = rows(
        db,
        "select id from (
           select id, number, ended_at, pruned_at,
             row_number() over (partition by space, subject order by number desc) as age from run) runs
         where pruned_at is null and ended_at < $1 and age > $2
           and not exists (select 1 from revision v where v.run = id and v.number > (
             select max(n.number) - $3::int8 from revision n
             where n.space = v.space and n.infrastructure = v.infrastructure and n.account = v.account))
         order by number limit $4",
        &[&before, &i64::from(keep.runs), &i64::from(keep.revisions), &i64::from(PRUNE_RUNS_MAX)],
    )
    .await?;
    found.iter().map(|row| Ok(RunId(column(row, 0)?))).collect()
}

pub(super) async fn manifests<C: GenericClient>(
    db: &C,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, String)>, StoreError> {
    let found = rows(
        db,
        "select p.number, p.bundle from plan p left join run r on r.plan = p.id
         where p.number > $1 and case
           when r.id is not null then r.pruned_at is null
           when exists (select 1 from queue q where q.plan = p.id and q.state = 'waiting') then true
           else not exists (select 1 from plan n
             where n.space = p.space and n.subject = p.subject and n.number > p.number) end
         order by p.number limit $2",
        &[&(after as i64), &i64::from(limit)],
    )
    .await?;
    found.iter().map(|row| Ok((column::<i64>(row, 0)? as u64, column(row, 1)?))).collect()
}

pub(super) async fn prune<C: GenericClient>(tx: &C, ids: &[RunId], at: Timestamp) -> Result<(), StoreError> {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    for run in sorted {
        lock_lanes(tx, &[run.0]).await?;
        if !runs::one(tx, run).await?.is_some_and(|run| run.state.is_final()) {
            continue;
        }
        let counts = encode("tally", &journal::tally(tx, run).await?)?;
        for table in [
            "delete from journal where run = $1",
            "delete from signal where run = $1",
            "delete from death where run = $1",
            "update plan set inputs = null where id = (select plan from run where id = $1)",
            "update revision set applied = null where run = $1",
        ] {
            execute(tx, table, &[&run.0]).await?;
        }
        search::forget(tx, run).await?;
        execute(tx, "update run set pruned_at = $2, tally = $3 where id = $1", &[&run.0, &at, &counts])
            .await?;
    }
    Ok(())
}
