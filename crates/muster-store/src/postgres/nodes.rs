//! Nodes: who executes lanes, for how long he may, and what happens when he is gone. The clock is the database's.

use std::time::Duration;

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use muster_model::id::{LaneNumber, NodeId, PlanId, RunId};
use muster_model::run::{EntryKind, RunState};
use uuid::Uuid;

use super::ask::{column, execute, row, rows};
use super::claim::{lock_lanes, take_lane};
use super::{journal, runs};
use crate::error::StoreError;
use crate::lanes::{GONE_KEPT, Holder, Lease, TAKE_OVER_NODES_MAX, TakenOver, is_worker};
use crate::refusal;
use crate::store::NodeRow;

pub(super) async fn join<C: GenericClient>(tx: &C, node: &NodeRow) -> Result<(), StoreError> {
    let ttl_s = node.lease_until.duration_since(node.started_at).as_secs_f64();
    execute(
        tx,
        "insert into node (id, epoch, lease_until, kind, pid, host, version, started_at)
         values ($1, $2, clock_timestamp() + make_interval(secs => $3), $4, $5, $6, $7, $8)
         on conflict (id) do update set epoch = excluded.epoch, lease_until = excluded.lease_until,
           kind = excluded.kind, pid = excluded.pid, host = excluded.host, version = excluded.version,
           started_at = excluded.started_at, gone_at = null",
        &[
            &node.id.0,
            &(node.epoch as i64),
            &ttl_s,
            &node.kind,
            &i64::from(node.pid),
            &node.host,
            &node.version,
            &node.started_at,
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn all<C: GenericClient>(db: &C) -> Result<Vec<NodeRow>, StoreError> {
    let found = rows(
        db,
        "select id, epoch, lease_until, kind, pid, host, version, started_at from node
         where gone_at is null order by started_at, id",
        &[],
    )
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(NodeRow {
                id: NodeId(column(row, 0)?),
                epoch: column::<i64>(row, 1)? as u64,
                lease_until: column(row, 2)?,
                kind: column(row, 3)?,
                pid: column::<i64>(row, 4)? as u32,
                host: column(row, 5)?,
                version: column(row, 6)?,
                started_at: column(row, 7)?,
            })
        })
        .collect()
}

pub(super) async fn heartbeat<C: GenericClient>(
    db: &C,
    holder: &Holder,
    ttl: Duration,
) -> Result<Lease, StoreError> {
    let renewed = execute(
        db,
        "update node set lease_until = clock_timestamp() + make_interval(secs => $3)
         where id = $1 and epoch = $2 and gone_at is null and lease_until > clock_timestamp()",
        &[&holder.node.0, &(holder.epoch as i64), &ttl.as_secs_f64()],
    )
    .await?;
    Ok(if renewed == 1 { Lease::Held } else { Lease::Lost })
}

/// Refuses a node without a lease, and keeps it from being taken over until this transaction ends. (A heartbeat
/// does not wait for this lock, a takeover does.)
pub(super) async fn must_live<C: GenericClient>(tx: &C, holder: &Holder) -> Result<(), StoreError> {
    let sql = "select 1 from node where id = $1 and epoch = $2 and gone_at is null
                 and lease_until > clock_timestamp() for key share";
    match row(tx, sql, &[&holder.node.0, &(holder.epoch as i64)]).await? {
        Some(_) => Ok(()),
        None => Err(refusal::no_lease(holder.node)),
    }
}

/// Refuses a node that was taken over.
pub(super) async fn must_not_be_gone<C: GenericClient>(tx: &C, node: NodeId) -> Result<(), StoreError> {
    let found = row(tx, "select gone_at is null from node where id = $1 for key share", &[&node.0]).await?;
    match found.map(|row| column::<bool>(&row, 0)).transpose()? {
        Some(true) | None => Ok(()),
        Some(false) => Err(refusal::no_lease(node)),
    }
}

pub(super) async fn take_over<C: GenericClient>(
    tx: &C,
    now: Timestamp,
    why: &str,
) -> Result<TakenOver, StoreError> {
    let mut done = TakenOver::default();
    let lapsed = rows(
        tx,
        "select id, kind from node where gone_at is null and lease_until <= clock_timestamp()
         order by id limit $1 for update skip locked",
        &[&i64::from(TAKE_OVER_NODES_MAX)],
    )
    .await?;
    for found in lapsed {
        let node = NodeId(column(&found, 0)?);
        end(tx, node, is_worker(&column::<String>(&found, 1)?), now, why, &mut done).await?;
        let sql = "update node set epoch = epoch + 1, gone_at = clock_timestamp() where id = $1";
        execute(tx, sql, &[&node.0]).await?;
        done.nodes.push(node);
    }
    let kept_s = GONE_KEPT.as_secs_f64();
    let sql = "delete from node where gone_at < clock_timestamp() - make_interval(secs => $1)";
    execute(tx, sql, &[&kept_s]).await?;
    Ok(done)
}

pub(super) async fn bury<C: GenericClient>(
    tx: &C,
    node: NodeId,
    at: Timestamp,
    why: &str,
) -> Result<Vec<RunId>, StoreError> {
    let found = row(tx, "select kind from node where id = $1 for update", &[&node.0]).await?;
    let kind: Option<String> = found.map(|row| column(&row, 0)).transpose()?;
    let mut done = TakenOver::default();
    end(tx, node, kind.is_some_and(|kind| is_worker(&kind)), at, why, &mut done).await?;
    execute(tx, "delete from node where id = $1", &[&node.0]).await?;
    Ok(done.interrupted)
}

/// Takes everything from a node.
async fn end<C: GenericClient>(
    tx: &C,
    node: NodeId,
    worker: bool,
    at: Timestamp,
    why: &str,
    done: &mut TakenOver,
) -> Result<(), StoreError> {
    let sql = "select distinct run from lane where node = $1";
    let found = rows(tx, sql, &[&node.0]).await?;
    let mut held: Vec<Uuid> = found.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
    held.sort_unstable();
    lock_lanes(tx, &held).await?;
    count_deaths(tx, node, at).await?;
    if worker {
        let ready = rows(
            tx,
            "update lane set fence = fence + 1, node = null, state = 'ready', waits_for = null, wake_at = null
             where node = $1 and state <> 'done' returning run, no",
            &[&node.0],
        )
        .await?;
        for row in &ready {
            done.ready.push((RunId(column(row, 0)?), LaneNumber(column::<i32>(row, 1)? as u16)));
        }
        done.ready.sort_unstable();
    } else {
        for run in held {
            let run = RunId(run);
            if !runs::locked(tx, run).await?.state.holds_locks() {
                continue;
            }
            // The fence rises first, so that a late write of the dead node is refused.
            let claim = take_lane(tx, run, None).await?;
            let kind = EntryKind::Run { state: RunState::Interrupted, message: Some(why.to_owned()) };
            journal::append_one(tx, &claim, at, &kind).await?;
            done.interrupted.push(run);
        }
    }
    let refused = rows(
        tx,
        "update plan set state = 'refused', message = $2 where node = $1 and state = 'observing' returning id",
        &[&node.0, &refusal::LOOKER_DIED],
    )
    .await?;
    for row in &refused {
        done.refused.push(PlanId(column(row, 0)?));
    }
    execute(tx, "delete from quota_held where node = $1", &[&node.0]).await?;
    Ok(())
}

/// The steps that were under way may be what killed it.
async fn count_deaths<C: GenericClient>(tx: &C, node: NodeId, at: Timestamp) -> Result<(), StoreError> {
    execute(
        tx,
        "insert into death (run, lane, step, fence, node, at)
         select run, lane, step, fence, $1, $2 from (
           select distinct on (j.run, j.lane, j.step) j.run, j.lane, j.step, j.kind, lane.fence, j.fence as begun
           from lane join journal j on j.run = lane.run and j.lane = lane.no
           where lane.node = $1 and lane.state = 'held' and j.step is not null
             and j.kind in ('started', 'succeeded', 'failed', 'skipped')
           order by j.run, j.lane, j.step, j.seq desc) steps
         where kind = 'started' and begun = fence on conflict do nothing",
        &[&node.0, &at],
    )
    .await?;
    Ok(())
}
