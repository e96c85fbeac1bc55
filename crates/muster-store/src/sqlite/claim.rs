//! Claims and locks: who may write a lane, and what its run keeps others from.

use jiff::Timestamp;
use muster_model::id::{Fence, LaneNumber, NodeId, RunId, Sequence};
use muster_model::plan::{LockKey, LockMode};
use muster_model::run::{EntryKind, Run, RunState};
use rusqlite::{Connection, OptionalExtension, params};

use super::runs::one;
use super::{journal, settings};
use crate::error::StoreError;
use crate::lanes::RETRIED;
use crate::store::{Audit, Claim, Record};
use crate::{refusal, word};

pub(super) fn take_locks(
    tx: &Connection,
    run: RunId,
    locks: &[(LockKey, LockMode)],
) -> Result<(), StoreError> {
    let mut sorted = locks.to_vec();
    sorted.sort();
    for (key, mode) in &sorted {
        let text = key.to_string();
        let held: Option<(String, String, String)> = tx
            .prepare_cached(
                "select lock.run, run.subject, run.actor from lock join run on run.id = lock.run
                 where lock.key = ?1 and lock.run <> ?2 and (lock.mode = 'exclusive' or ?3 = 'exclusive') limit 1",
            )?
            .query_row(params![text, run.to_string(), word::mode(*mode)], |found| {
                Ok((found.get(0)?, found.get(1)?, found.get(2)?))
            })
            .optional()?;
        if let Some((holder, subject, actor)) = held {
            return Err(refusal::busy(holder, &subject, &actor, &text));
        }
        tx.prepare_cached("insert or replace into lock (key, run, mode) values (?1, ?2, ?3)")?
            .execute(params![text, run.to_string(), word::mode(*mode)])?;
    }
    Ok(())
}

/// Raises the fence of lane 0 and hands it to a node (or to nobody).
pub(super) fn take_lane(tx: &Connection, run: RunId, node: Option<NodeId>) -> Result<Claim, StoreError> {
    hand_over(tx, run, LaneNumber(0), node, if node.is_some() { "held" } else { "ready" })
}

/// Raises a lane's fence and hands it to a node (or to nobody).
pub(super) fn hand_over(
    tx: &Connection,
    run: RunId,
    lane: LaneNumber,
    node: Option<NodeId>,
    state: &str,
) -> Result<Claim, StoreError> {
    let fence: Option<i64> = tx
        .prepare_cached(
            "update lane set fence = fence + 1, node = ?3, state = ?4, waits_for = null, wake_at = null
             where run = ?1 and no = ?2 returning fence",
        )?
        .query_row(params![run.to_string(), lane.0, node.map(|node| node.to_string()), state], |found| {
            found.get(0)
        })
        .optional()?;
    let Some(fence) = fence else {
        return Err(refusal::no_run(run));
    };
    let last: i64 = tx
        .prepare_cached("select coalesce(max(seq), 0) from journal where run = ?1 and lane = ?2")?
        .query_row(params![run.to_string(), lane.0], |found| found.get(0))?;
    Ok(Claim { run, lane, fence: Fence(fence as u64), last: Sequence(last as u64) })
}

/// Whether this claim is the newest one of its lane.
pub(super) fn must_hold(tx: &Connection, claim: &Claim) -> Result<(), StoreError> {
    let fence: Option<i64> = tx
        .prepare_cached("select fence from lane where run = ?1 and no = ?2")?
        .query_row(params![claim.run.to_string(), claim.lane.0], |found| found.get(0))
        .optional()?;
    if fence == Some(claim.fence.0 as i64) { Ok(()) } else { Err(StoreError::Fenced) }
}

pub(super) fn claim(
    tx: &Connection,
    run: RunId,
    node: NodeId,
    locks: &[(LockKey, LockMode)],
) -> Result<Claim, StoreError> {
    super::nodes::must_not_be_gone(tx, node)?;
    let Some(found) = one(tx, run)? else {
        return Err(refusal::no_run(run));
    };
    match found.state {
        RunState::Ready => {
            let holder: Option<String> = tx
                .prepare_cached("select node from lane where run = ?1 and no = 0")?
                .query_row([run.to_string()], |found| found.get(0))?;
            if let Some(holder) = holder.filter(|holder| *holder != node.to_string()) {
                return Err(refusal::held(run, holder));
            }
        }
        RunState::Interrupted => take_up(tx, &found, locks)?,
        RunState::Running
        | RunState::Succeeded
        | RunState::Partly
        | RunState::Failed
        | RunState::Cancelled
        | RunState::Stale
        | RunState::Superseded => return Err(refusal::run_is(run, found.state)),
    }
    tx.prepare_cached(
        "update lane set node = ?2 where run = ?1 and no > 0 and state in ('ready', 'waiting') and node is null
           and not exists (select 1 from node where id = ?2 and kind in ('worker', 'server'))",
    )?
    .execute([run.to_string(), node.to_string()])?;
    take_lane(tx, run, Some(node))
}

/// An interrupted or failed run may go on: nothing came after it, and its locks are free.
fn take_up(tx: &Connection, run: &Run, locks: &[(LockKey, LockMode)]) -> Result<(), StoreError> {
    let newer: Option<String> = tx
        .prepare_cached(
            "select id from run where space = ?1 and subject = ?2
               and number > (select number from run where id = ?3) order by number desc limit 1",
        )?
        .query_row(
            params![run.space.as_str(), word::subject_text(&run.subject), run.id.to_string()],
            |found| found.get(0),
        )
        .optional()?;
    if let Some(newer) = newer {
        return Err(refusal::overtaken(run.id, newer));
    }
    take_locks(tx, run.id, locks)
}

pub(super) fn requeue(
    tx: &Connection,
    run: RunId,
    locks: &[(LockKey, LockMode)],
    actor: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(found) = one(tx, run)? else {
        return Err(refusal::no_run(run));
    };
    if found.state != RunState::Interrupted {
        return Err(refusal::run_is(run, found.state));
    }
    take_up(tx, &found, locks)?;
    let claim = take_lane(tx, run, None)?;
    let kind = EntryKind::Run { state: RunState::Running, message: Some(format!("taken up for {actor}")) };
    journal::append(tx, &claim, &[Record { at, kind, facts: Vec::new() }])?;
    let audit = Audit {
        space: found.space,
        at,
        actor: actor.to_owned(),
        what: "run.requeued".into(),
        about: format!("run {run}"),
    };
    settings::write_audit(tx, &audit)
}

pub(super) fn retry(
    tx: &Connection,
    run: RunId,
    node: Option<NodeId>,
    locks: &[(LockKey, LockMode)],
    actor: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    if let Some(node) = node {
        super::nodes::must_not_be_gone(tx, node)?;
    }
    let Some(found) = one(tx, run)? else {
        return Err(refusal::no_run(run));
    };
    if found.state != RunState::Failed {
        return Err(refusal::not_failed(run, found.state));
    }
    let id = run.to_string();
    let emptied: bool = tx
        .prepare_cached("select pruned_at is not null from run where id = ?1")?
        .query_row([&id], |found| found.get(0))?;
    if emptied {
        return Err(refusal::emptied(run));
    }
    take_up(tx, &found, locks)?;
    tx.prepare_cached("update run set want = 'run' where id = ?1")?.execute([&id])?;
    tx.prepare_cached("delete from death where run = ?1")?.execute([&id])?;
    tx.prepare_cached(
        "update lane set state = 'ready', node = ?2, fence = fence + 1, waits_for = null, wake_at = null
         where run = ?1 and no > 0",
    )?
    .execute(params![id, node.map(|node| node.to_string())])?;
    let claim = hand_over(tx, run, LaneNumber(0), node, "ready")?;
    let kind = EntryKind::Run { state: RunState::Running, message: Some(refusal::tried_again(actor)) };
    journal::append(tx, &claim, &[Record { at, kind, facts: Vec::new() }])?;
    super::lanes::signal(tx, run, RETRIED, &claim.fence.to_string(), "", at)?;
    let audit = Audit {
        space: found.space,
        at,
        actor: actor.to_owned(),
        what: "run.retried".into(),
        about: format!("run {run}"),
    };
    settings::write_audit(tx, &audit)
}
