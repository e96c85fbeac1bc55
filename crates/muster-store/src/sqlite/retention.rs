//! Retention: ended runs lose their journal and inputs after a while, unless a kept revision needs them; the
//! run, its counts and the audit stay.

use jiff::Timestamp;
use muster_model::id::RunId;
use rusqlite::{Connection, params};

use super::{journal, runs, search};
use crate::error::StoreError;
use crate::form::encode;
use crate::lanes::PRUNE_RUNS_MAX;
use crate::revision::Keep;
use crate::word;

pub(super) fn prunable(db: &Connection, before: Timestamp, keep: Keep) -> Result<Vec<RunId>, StoreError> {
    let mut statement = db.prepare_cached(
        "select id from (
           select id, number, ended_at, pruned_at,
             row_number() over (partition by space, subject order by number desc) as age from run)
         where pruned_at is null and ended_at is not null and age > ?2
           and unixepoch(ended_at, 'subsec') < unixepoch(?1, 'subsec')
           and not exists (select 1 from revision v where v.run = id and v.number > (
             select max(n.number) - ?3 from revision n
             where n.space = v.space and n.infrastructure = v.infrastructure and n.account = v.account))
         order by number limit ?4",
    )?;
    let mut rows = statement.query(params![before.to_string(), keep.runs, keep.revisions, PRUNE_RUNS_MAX])?;
    let mut ids = Vec::new();
    while let Some(found) = rows.next()? {
        ids.push(RunId(word::uuid_of(&found.get::<_, String>(0)?)?));
    }
    Ok(ids)
}

pub(super) fn manifests(db: &Connection, after: u64, limit: u32) -> Result<Vec<(u64, String)>, StoreError> {
    let mut statement = db.prepare_cached(
        "select p.number, p.bundle from plan p left join run r on r.plan = p.id
         where p.number > ?1 and case
           when r.id is not null then r.pruned_at is null
           when exists (select 1 from queue q where q.plan = p.id and q.state = 'waiting') then true
           else not exists (select 1 from plan n
             where n.space = p.space and n.subject = p.subject and n.number > p.number) end
         order by p.number limit ?2",
    )?;
    let rows = statement.query_map(params![after as i64, limit], |found| {
        Ok((found.get::<_, i64>(0)? as u64, found.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn prune(tx: &Connection, ids: &[RunId], at: Timestamp) -> Result<(), StoreError> {
    for run in ids {
        if !runs::one(tx, *run)?.is_some_and(|run| run.state.is_final()) {
            continue;
        }
        let counts = encode("tally", &journal::tally(tx, *run)?)?;
        let id = run.to_string();
        for table in [
            "delete from journal where run = ?1",
            "delete from signal where run = ?1",
            "delete from death where run = ?1",
            "update plan set inputs = null where id = (select plan from run where id = ?1)",
            "update revision set applied = null where run = ?1",
        ] {
            tx.prepare_cached(table)?.execute([&id])?;
        }
        search::forget(tx, &id)?;
        tx.prepare_cached("update run set pruned_at = ?2, tally = ?3 where id = ?1")?.execute(params![
            id,
            at.to_string(),
            counts
        ])?;
    }
    Ok(())
}
