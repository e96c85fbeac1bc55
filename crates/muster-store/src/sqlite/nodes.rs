//! Nodes: who executes lanes, for how long he may, and what happens when he is gone.

use std::time::Duration;

use jiff::Timestamp;
use muster_model::id::{LaneNumber, NodeId, PlanId, RunId};
use muster_model::run::{EntryKind, RunState};
use rusqlite::{Connection, OptionalExtension, params};

use super::{claim, journal};
use crate::error::StoreError;
use crate::lanes::{GONE_KEPT, Holder, Lease, TAKE_OVER_NODES_MAX, TakenOver, is_worker};
use crate::store::{NodeRow, Record};
use crate::{refusal, word};

pub(super) fn join(tx: &Connection, node: &NodeRow) -> Result<(), StoreError> {
    tx.prepare_cached(
        "insert or replace into node (id, epoch, lease_until, kind, pid, host, version, started_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        node.id.to_string(),
        node.epoch as i64,
        node.lease_until.to_string(),
        node.kind,
        node.pid,
        node.host,
        node.version,
        node.started_at.to_string()
    ])?;
    Ok(())
}

pub(super) fn all(db: &Connection) -> Result<Vec<NodeRow>, StoreError> {
    let mut statement = db.prepare_cached(
        "select id, epoch, lease_until, kind, pid, host, version, started_at from node
         where gone_at is null order by started_at, id",
    )?;
    let mut rows = statement.query([])?;
    let mut nodes = Vec::new();
    while let Some(found) = rows.next()? {
        nodes.push(NodeRow {
            id: NodeId(word::uuid_of(&found.get::<_, String>(0)?)?),
            epoch: found.get::<_, i64>(1)? as u64,
            lease_until: word::time_of(&found.get::<_, String>(2)?)?,
            kind: found.get(3)?,
            pid: found.get(4)?,
            host: found.get(5)?,
            version: found.get(6)?,
            started_at: word::time_of(&found.get::<_, String>(7)?)?,
        });
    }
    Ok(nodes)
}

/// Until when this node may act, if it may.
fn lease(tx: &Connection, holder: &Holder) -> Result<Option<Timestamp>, StoreError> {
    let until: Option<String> = tx
        .prepare_cached("select lease_until from node where id = ?1 and epoch = ?2 and gone_at is null")?
        .query_row(params![holder.node.to_string(), holder.epoch as i64], |found| found.get(0))
        .optional()?;
    let until = until.map(|text| word::time_of(&text)).transpose()?;
    Ok(until.filter(|until| *until > holder.now))
}

/// Refuses a node without a lease.
pub(super) fn must_live(tx: &Connection, holder: &Holder) -> Result<(), StoreError> {
    match lease(tx, holder)? {
        Some(_) => Ok(()),
        None => Err(refusal::no_lease(holder.node)),
    }
}

/// Refuses a node that was taken over.
pub(super) fn must_not_be_gone(tx: &Connection, node: NodeId) -> Result<(), StoreError> {
    let gone = tx
        .prepare_cached("select 1 from node where id = ?1 and gone_at is not null")?
        .query_row([node.to_string()], |_| Ok(()))
        .optional()?;
    if gone.is_some() { Err(refusal::no_lease(node)) } else { Ok(()) }
}

pub(super) fn heartbeat(tx: &Connection, holder: &Holder, ttl: Duration) -> Result<Lease, StoreError> {
    if lease(tx, holder)?.is_none() {
        return Ok(Lease::Lost);
    }
    let until = holder.now.checked_add(ttl).unwrap_or(holder.now);
    tx.prepare_cached("update node set lease_until = ?2 where id = ?1")?
        .execute([holder.node.to_string(), until.to_string()])?;
    Ok(Lease::Held)
}

pub(super) fn take_over(tx: &Connection, now: Timestamp, why: &str) -> Result<TakenOver, StoreError> {
    let mut done = TakenOver::default();
    let lapsed = all(tx)?.into_iter().filter(|node| node.lease_until <= now);
    for node in lapsed.take(TAKE_OVER_NODES_MAX as usize) {
        end(tx, node.id, is_worker(&node.kind), now, why, &mut done)?;
        tx.prepare_cached("update node set epoch = epoch + 1, gone_at = ?2 where id = ?1")?
            .execute([node.id.to_string(), now.to_string()])?;
        done.nodes.push(node.id);
    }
    let forgotten = now.checked_sub(GONE_KEPT).unwrap_or(now);
    tx.prepare_cached(
        "delete from node where gone_at is not null and unixepoch(gone_at, 'subsec') < unixepoch(?1, 'subsec')",
    )?
    .execute([forgotten.to_string()])?;
    Ok(done)
}

pub(super) fn bury(
    tx: &Connection,
    node: NodeId,
    at: Timestamp,
    why: &str,
) -> Result<Vec<RunId>, StoreError> {
    let kind: Option<String> = tx
        .prepare_cached("select kind from node where id = ?1")?
        .query_row([node.to_string()], |found| found.get(0))
        .optional()?;
    let mut done = TakenOver::default();
    end(tx, node, kind.is_some_and(|kind| is_worker(&kind)), at, why, &mut done)?;
    tx.prepare_cached("delete from node where id = ?1")?.execute([node.to_string()])?;
    Ok(done.interrupted)
}

/// Takes everything from a node.
fn end(
    tx: &Connection,
    node: NodeId,
    worker: bool,
    at: Timestamp,
    why: &str,
    done: &mut TakenOver,
) -> Result<(), StoreError> {
    let id = node.to_string();
    let mut held = Vec::new();
    {
        let mut statement = tx.prepare_cached(
            "select lane.run, lane.no, lane.state from lane join run on run.id = lane.run
             where lane.node = ?1 and run.state in ('ready', 'running') order by run.number, lane.no",
        )?;
        let mut rows = statement.query([&id])?;
        while let Some(found) = rows.next()? {
            let run = RunId(word::uuid_of(&found.get::<_, String>(0)?)?);
            held.push((run, LaneNumber(found.get(1)?), found.get::<_, String>(2)? == "held"));
        }
    }
    for (run, lane, executing) in held {
        if executing {
            count_deaths(tx, run, lane, node, at)?;
        }
        if worker {
            claim::hand_over(tx, run, lane, None, "ready")?;
            done.ready.push((run, lane));
        } else if done.interrupted.last() != Some(&run) {
            // The fence rises first, so that a late write of the dead node is refused.
            let claim = claim::take_lane(tx, run, None)?;
            let kind = EntryKind::Run { state: RunState::Interrupted, message: Some(why.to_owned()) };
            journal::append(tx, &claim, &[Record { at, kind, facts: Vec::new() }])?;
            done.interrupted.push(run);
        }
    }
    let mut statement = tx.prepare_cached(
        "update plan set state = 'refused', message = ?2 where node = ?1 and state = 'observing' returning id",
    )?;
    let mut rows = statement.query([id.as_str(), refusal::LOOKER_DIED])?;
    while let Some(found) = rows.next()? {
        done.refused.push(PlanId(word::uuid_of(&found.get::<_, String>(0)?)?));
    }
    tx.prepare_cached("delete from quota_held where node = ?1")?.execute([&id])?;
    Ok(())
}

/// The steps that were under way may be what killed it.
fn count_deaths(
    tx: &Connection,
    run: RunId,
    lane: LaneNumber,
    node: NodeId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut insert = tx.prepare_cached(
        "insert or ignore into death (run, lane, step, fence, node, at)
         select ?1, ?2, ?3, fence, ?4, ?5 from lane where run = ?1 and no = ?2",
    )?;
    for step in journal::under_way(tx, run, lane)? {
        insert.execute(params![run.to_string(), lane.0, step, node.to_string(), at.to_string()])?;
    }
    Ok(())
}
