//! Lanes between their holders: claimed by priority, released, waiting, woken, told something.

use jiff::Timestamp;
use muster_model::id::{Fence, LaneNumber, NodeId, RunId, Sequence, StepNumber};
use rusqlite::{Connection, params};

use super::claim::{hand_over, must_hold};
use super::nodes;
use crate::error::StoreError;
use crate::form::encode;
use crate::lanes::{ClaimNext, Deaths, LANE_DONE, LaneRow, LaneState, Signal, StepRange, Wait};
use crate::store::{Claim, Want};
use crate::{refusal, word};

pub(super) fn claim_next(tx: &Connection, wish: &ClaimNext) -> Result<Vec<Claim>, StoreError> {
    nodes::must_live(tx, &wish.holder)?;
    let only: Vec<String> = wish.only.iter().map(RunId::to_string).collect();
    let node = wish.holder.node;
    let mut found = Vec::new();
    {
        let mut statement = tx.prepare_cached(
            "select lane.run, lane.no from lane join run on run.id = lane.run
             where (lane.state = 'ready' or (lane.state = 'waiting' and lane.wake_at is not null
                     and unixepoch(lane.wake_at, 'subsec') <= unixepoch(?1, 'subsec')))
               and (lane.node is null or lane.node = ?2)
               and run.state in ('ready', 'running') and run.want <> 'pause'
               and run.form in (select value from json_each(?3))
               and (?4 = '[]' or run.id in (select value from json_each(?4)))
             order by lane.priority desc, run.number, lane.no limit ?5",
        )?;
        let mut rows = statement.query(params![
            wish.holder.now.to_string(),
            node.to_string(),
            encode("forms", &wish.forms)?,
            encode("runs", &only)?,
            wish.limit
        ])?;
        while let Some(row) = rows.next()? {
            found.push((RunId(word::uuid_of(&row.get::<_, String>(0)?)?), LaneNumber(row.get(1)?)));
        }
    }
    found.into_iter().map(|(run, lane)| hand_over(tx, run, lane, Some(node), "held")).collect()
}

pub(super) fn release(tx: &Connection, claim: &Claim, to: Option<NodeId>) -> Result<(), StoreError> {
    if let Some(node) = to {
        nodes::must_not_be_gone(tx, node)?;
    }
    must_hold(tx, claim)?;
    hand_over(tx, claim.run, claim.lane, to, "ready")?;
    Ok(())
}

/// For whom a lane that nobody executes is kept: for nobody after a worker, else for the node that had it.
const KEPT_FOR: &str = "(select node from lane l where l.run = ?1 and l.no = ?2 and not exists
    (select 1 from node n where n.id = l.node and n.kind in ('worker', 'server')))";

pub(super) fn park(tx: &Connection, claim: &Claim, wait: &Wait) -> Result<LaneState, StoreError> {
    must_hold(tx, claim)?;
    let run = claim.run.to_string();
    let told: u32 = tx
        .prepare_cached("select coalesce(max(number), 0) from signal where run = ?1")?
        .query_row([&run], |found| found.get(0))?;
    let state = if told > wait.signals_seen { LaneState::Ready } else { LaneState::Waiting };
    let waiting = state == LaneState::Waiting;
    tx.prepare_cached(&format!(
        "update lane set fence = fence + 1, state = ?3, wake_at = ?4, waits_for = ?5, node = {KEPT_FOR}
         where run = ?1 and no = ?2"
    ))?
    .execute(params![
        run,
        claim.lane.0,
        word::lane_state(state),
        wait.until.filter(|_| waiting).map(|until| until.to_string()),
        waiting.then_some("signal")
    ])?;
    Ok(state)
}

pub(super) fn finish(tx: &Connection, claim: &Claim, at: Timestamp) -> Result<(), StoreError> {
    must_hold(tx, claim)?;
    let done = hand_over(tx, claim.run, claim.lane, None, "done")?;
    // The fence makes it another signal if the lane is ever opened again.
    signal(tx, claim.run, LANE_DONE, &format!("{}:{}", claim.lane, done.fence), "", at)?;
    wake(tx, claim.run, LaneNumber(0))
}

pub(super) fn wake_all(tx: &Connection, claim: &Claim, lanes: &[LaneNumber]) -> Result<(), StoreError> {
    must_hold(tx, claim)?;
    lanes.iter().try_for_each(|lane| wake(tx, claim.run, *lane))
}

fn wake(tx: &Connection, run: RunId, lane: LaneNumber) -> Result<(), StoreError> {
    tx.prepare_cached(
        "update lane set state = 'ready', wake_at = null, waits_for = null
         where run = ?1 and no = ?2 and state = 'waiting'",
    )?
    .execute(params![run.to_string(), lane.0])?;
    Ok(())
}

/// A countdown is over, because somebody revokes the run.
pub(super) fn end_countdown(tx: &Connection, run: RunId) -> Result<(), StoreError> {
    tx.prepare_cached(
        "update lane set state = 'ready', wake_at = null, waits_for = null
         where run = ?1 and state = 'waiting' and waits_for = 'time'",
    )?
    .execute([run.to_string()])?;
    Ok(())
}

/// Lanes that wait for a signal or a time are ready; those that wait for lane 0 go on waiting.
pub(super) fn wake_parked(tx: &Connection, run: RunId) -> Result<(), StoreError> {
    tx.prepare_cached(
        "update lane set state = 'ready', wake_at = null, waits_for = null
         where run = ?1 and state = 'waiting' and waits_for = 'signal'",
    )?
    .execute([run.to_string()])?;
    Ok(())
}

pub(super) fn signal(
    tx: &Connection,
    run: RunId,
    name: &str,
    key: &str,
    body: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let Some(found) = super::runs::one(tx, run)? else {
        return Err(refusal::no_run(run));
    };
    if found.state.is_final() {
        return Err(refusal::has_ended(run, found.state));
    }
    let new = tx
        .prepare_cached(
            "insert or ignore into signal (run, name, key, number, body, at)
             values (?1, ?2, ?3, (select coalesce(max(number), 0) + 1 from signal where run = ?1), ?4, ?5)",
        )?
        .execute([run.to_string().as_str(), name, key, body, &at.to_string()])?;
    if new > 0 {
        wake_parked(tx, run)?;
    }
    Ok(new > 0)
}

pub(super) fn signals(db: &Connection, run: RunId, after: u32) -> Result<Vec<Signal>, StoreError> {
    let mut statement = db.prepare_cached(
        "select number, name, key, body, at from signal where run = ?1 and number > ?2 order by number",
    )?;
    let mut rows = statement.query(params![run.to_string(), after])?;
    let mut signals = Vec::new();
    while let Some(found) = rows.next()? {
        signals.push(Signal {
            number: found.get(0)?,
            name: found.get(1)?,
            key: found.get(2)?,
            body: found.get(3)?,
            at: word::time_of(&found.get::<_, String>(4)?)?,
        });
    }
    Ok(signals)
}

pub(super) fn of(db: &Connection, run: RunId) -> Result<Vec<LaneRow>, StoreError> {
    let mut statement = db.prepare_cached(
        "select no, state, node, fence, first_step, last_step, wake_at,
           (select coalesce(max(seq), 0) from journal where journal.run = lane.run and journal.lane = lane.no)
         from lane where run = ?1 order by no",
    )?;
    let mut rows = statement.query([run.to_string()])?;
    let mut lanes = Vec::new();
    while let Some(found) = rows.next()? {
        let steps: (Option<u32>, Option<u32>) = (found.get(4)?, found.get(5)?);
        lanes.push(LaneRow {
            lane: LaneNumber(found.get(0)?),
            state: word::lane_state_of(&found.get::<_, String>(1)?)?,
            node: found
                .get::<_, Option<String>>(2)?
                .map(|text| word::uuid_of(&text).map(NodeId))
                .transpose()?,
            fence: Fence(found.get::<_, i64>(3)? as u64),
            steps: match steps {
                (Some(first), Some(last)) => {
                    Some(StepRange { first: StepNumber(first), last: StepNumber(last) })
                }
                _ => None,
            },
            wake_at: found.get::<_, Option<String>>(6)?.map(|text| word::time_of(&text)).transpose()?,
            last: Sequence(found.get::<_, i64>(7)? as u64),
        });
    }
    Ok(lanes)
}

pub(super) fn deaths(db: &Connection, run: RunId) -> Result<Vec<Deaths>, StoreError> {
    let mut statement = db.prepare_cached(
        "select lane, step, count(*) from death where run = ?1 group by lane, step order by lane, step",
    )?;
    let rows = statement.query_map([run.to_string()], |found| {
        Ok(Deaths { lane: LaneNumber(found.get(0)?), step: StepNumber(found.get(1)?), times: found.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn wants(db: &Connection, node: NodeId) -> Result<Vec<(RunId, Want)>, StoreError> {
    let mut statement = db.prepare_cached(
        "select distinct run.id, run.want from lane join run on run.id = lane.run
         where lane.node = ?1 and lane.state = 'held' order by run.number",
    )?;
    let mut rows = statement.query([node.to_string()])?;
    let mut wants = Vec::new();
    while let Some(found) = rows.next()? {
        let run = RunId(word::uuid_of(&found.get::<_, String>(0)?)?);
        wants.push((run, word::want_of(&found.get::<_, String>(1)?)?));
    }
    Ok(wants)
}
