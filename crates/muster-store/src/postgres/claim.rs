//! Claims: who may write a lane. The order in which rows are locked is the same everywhere: keys, plan, nodes,
//! lanes by (run, number), runs by id.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use muster_model::id::{Fence, LaneNumber, NodeId, RunId, Sequence};
use muster_model::plan::{LockKey, LockMode};
use muster_model::run::{EntryKind, Run, RunState};
use uuid::Uuid;

use super::approve::{guard_keys, take_locks};
use super::ask::{column, execute, row, rows};
use super::runs::locked;
use super::{journal, settings};
use crate::error::StoreError;
use crate::lanes::RETRIED;
use crate::store::{Audit, Claim};
use crate::{refusal, word};

/// Waits for everybody who changes these runs' lanes, and keeps them.
pub(super) async fn lock_lanes<C: GenericClient>(tx: &C, runs: &[Uuid]) -> Result<(), StoreError> {
    let sql = "select 1 from lane where run = any($1) order by run, no for no key update";
    rows(tx, sql, &[&runs]).await?;
    Ok(())
}

/// Raises the fence of lane 0 and hands it to a node (or to nobody).
pub(super) async fn take_lane<C: GenericClient>(
    tx: &C,
    run: RunId,
    node: Option<NodeId>,
) -> Result<Claim, StoreError> {
    hand_over(tx, run, LaneNumber(0), node, if node.is_some() { "held" } else { "ready" }).await
}

/// Raises a lane's fence and hands it to a node (or to nobody).
pub(super) async fn hand_over<C: GenericClient>(
    tx: &C,
    run: RunId,
    lane: LaneNumber,
    node: Option<NodeId>,
    state: &str,
) -> Result<Claim, StoreError> {
    let found = row(
        tx,
        "update lane set fence = fence + 1, node = $3, state = $4, waits_for = null, wake_at = null
         where run = $1 and no = $2 returning fence, last",
        &[&run.0, &i32::from(lane.0), &node.map(|node| node.0), &state],
    )
    .await?
    .ok_or_else(|| refusal::no_run(run))?;
    let number = |index| column::<i64>(&found, index).map(|number| number as u64);
    Ok(Claim { run, lane, fence: Fence(number(0)?), last: Sequence(number(1)?) })
}

/// Locks the claim's lane and refuses a claim that is not its newest.
pub(super) async fn must_hold<C: GenericClient>(tx: &C, claim: &Claim) -> Result<(), StoreError> {
    let sql = "select fence from lane where run = $1 and no = $2 for no key update";
    let found = row(tx, sql, &[&claim.run.0, &i32::from(claim.lane.0)]).await?;
    let fence: Option<i64> = found.map(|row| column(&row, 0)).transpose()?;
    if fence == Some(claim.fence.0 as i64) { Ok(()) } else { Err(StoreError::Fenced) }
}

pub(super) async fn claim<C: GenericClient>(
    tx: &C,
    run: RunId,
    node: NodeId,
    locks: &[(LockKey, LockMode)],
) -> Result<Claim, StoreError> {
    guard_keys(tx, locks).await?;
    super::nodes::must_not_be_gone(tx, node).await?;
    lock_lanes(tx, &[run.0]).await?;
    let found = locked(tx, run).await?;
    match found.state {
        RunState::Ready => {
            let held = row(tx, "select node from lane where run = $1 and no = 0", &[&run.0]).await?;
            let holder: Option<Uuid> = held.map_or(Ok(None), |row| column(&row, 0))?;
            if let Some(holder) = holder.filter(|holder| *holder != node.0) {
                return Err(refusal::held(run, holder));
            }
        }
        RunState::Interrupted => take_up(tx, &found, locks).await?,
        RunState::Running
        | RunState::Succeeded
        | RunState::Partly
        | RunState::Failed
        | RunState::Cancelled
        | RunState::Stale
        | RunState::Superseded => return Err(refusal::run_is(run, found.state)),
    }
    execute(
        tx,
        "update lane set node = $2 where run = $1 and no > 0 and state in ('ready', 'waiting') and node is null
           and not exists (select 1 from node where id = $2 and kind in ('worker', 'server'))",
        &[&run.0, &node.0],
    )
    .await?;
    take_lane(tx, run, Some(node)).await
}

/// An interrupted or failed run may go on: nothing came after it, and its locks are free.
async fn take_up<C: GenericClient>(
    tx: &C,
    run: &Run,
    locks: &[(LockKey, LockMode)],
) -> Result<(), StoreError> {
    let newer = row(
        tx,
        "select id from run where space = $1 and subject = $2
           and number > (select number from run where id = $3) order by number desc limit 1",
        &[&run.space.as_str(), &word::subject_text(&run.subject), &run.id.0],
    )
    .await?;
    if let Some(newer) = newer {
        return Err(refusal::overtaken(run.id, column::<Uuid>(&newer, 0)?));
    }
    take_locks(tx, run.id, locks).await
}

pub(super) async fn requeue<C: GenericClient>(
    tx: &C,
    run: RunId,
    locks: &[(LockKey, LockMode)],
    actor: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    guard_keys(tx, locks).await?;
    lock_lanes(tx, &[run.0]).await?;
    let found = locked(tx, run).await?;
    if found.state != RunState::Interrupted {
        return Err(refusal::run_is(run, found.state));
    }
    take_up(tx, &found, locks).await?;
    let claim = take_lane(tx, run, None).await?;
    let kind = EntryKind::Run { state: RunState::Running, message: Some(format!("taken up for {actor}")) };
    journal::append_one(tx, &claim, at, &kind).await?;
    let audit = Audit {
        space: found.space,
        at,
        actor: actor.to_owned(),
        what: "run.requeued".into(),
        about: format!("run {run}"),
    };
    settings::write_audit(tx, &audit).await
}

pub(super) async fn retry<C: GenericClient>(
    tx: &C,
    run: RunId,
    node: Option<NodeId>,
    locks: &[(LockKey, LockMode)],
    actor: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    guard_keys(tx, locks).await?;
    if let Some(node) = node {
        super::nodes::must_not_be_gone(tx, node).await?;
    }
    lock_lanes(tx, &[run.0]).await?;
    let found = locked(tx, run).await?;
    if found.state != RunState::Failed {
        return Err(refusal::not_failed(run, found.state));
    }
    let emptied = row(tx, "select pruned_at is not null from run where id = $1", &[&run.0]).await?;
    if emptied.is_some_and(|emptied| column(&emptied, 0).unwrap_or(true)) {
        return Err(refusal::emptied(run));
    }
    take_up(tx, &found, locks).await?;
    execute(tx, "update run set want = 'run' where id = $1", &[&run.0]).await?;
    execute(tx, "delete from death where run = $1", &[&run.0]).await?;
    execute(
        tx,
        "update lane set state = 'ready', node = $2, fence = fence + 1, waits_for = null, wake_at = null
         where run = $1 and no > 0",
        &[&run.0, &node.map(|node| node.0)],
    )
    .await?;
    let claim = hand_over(tx, run, LaneNumber(0), node, "ready").await?;
    let kind = EntryKind::Run { state: RunState::Running, message: Some(refusal::tried_again(actor)) };
    journal::append_one(tx, &claim, at, &kind).await?;
    super::lanes::signal(tx, run, RETRIED, &claim.fence.to_string(), "", at).await?;
    let audit = Audit {
        space: found.space,
        at,
        actor: actor.to_owned(),
        what: "run.retried".into(),
        about: format!("run {run}"),
    };
    settings::write_audit(tx, &audit).await
}
