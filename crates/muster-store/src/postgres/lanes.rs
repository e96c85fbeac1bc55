//! Lanes between their holders: claimed by priority, released, waiting, woken, told something.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use muster_model::id::{Fence, LaneNumber, NodeId, RunId, Sequence, StepNumber};
use uuid::Uuid;

use super::ask::{column, execute, row, rows};
use super::claim::{hand_over, lock_lanes, must_hold};
use super::nodes;
use crate::error::StoreError;
use crate::lanes::{ClaimNext, Deaths, LANE_DONE, LaneRow, LaneState, Signal, StepRange, Wait};
use crate::store::{Claim, Want};
use crate::{refusal, word};

pub(super) async fn claim_next<C: GenericClient>(tx: &C, wish: &ClaimNext) -> Result<Vec<Claim>, StoreError> {
    nodes::must_live(tx, &wish.holder).await?;
    let forms: Vec<i32> = wish.forms.iter().map(|form| i32::from(*form)).collect();
    let only: Vec<Uuid> = wish.only.iter().map(|run| run.0).collect();
    let found = rows(
        tx,
        "with next as (
           select lane.run, lane.no from lane join run on run.id = lane.run
           where (lane.state = 'ready' or (lane.state = 'waiting' and lane.wake_at <= clock_timestamp()))
             and (lane.node is null or lane.node = $1)
             and run.state in ('ready', 'running') and run.want <> 'pause' and run.form = any($2)
             and (cardinality($3::uuid[]) = 0 or run.id = any($3))
           order by lane.priority desc, run.number, lane.no limit $4
           for no key update of lane skip locked)
         update lane set fence = fence + 1, node = $1, state = 'held', waits_for = null, wake_at = null
         from next where lane.run = next.run and lane.no = next.no
         returning lane.run, lane.no, lane.fence, lane.last",
        &[&wish.holder.node.0, &forms, &only, &i64::from(wish.limit)],
    )
    .await?;
    let mut claims = Vec::new();
    for row in &found {
        claims.push(Claim {
            run: RunId(column(row, 0)?),
            lane: LaneNumber(column::<i32>(row, 1)? as u16),
            fence: Fence(column::<i64>(row, 2)? as u64),
            last: Sequence(column::<i64>(row, 3)? as u64),
        });
    }
    claims.sort_unstable_by_key(|claim| (claim.run, claim.lane));
    Ok(claims)
}

pub(super) async fn release<C: GenericClient>(
    tx: &C,
    claim: &Claim,
    to: Option<NodeId>,
) -> Result<(), StoreError> {
    if let Some(node) = to {
        nodes::must_not_be_gone(tx, node).await?;
    }
    must_hold(tx, claim).await?;
    hand_over(tx, claim.run, claim.lane, to, "ready").await?;
    Ok(())
}

pub(super) async fn park<C: GenericClient>(
    tx: &C,
    claim: &Claim,
    wait: &Wait,
) -> Result<LaneState, StoreError> {
    // The lane is locked first: a signal that comes now waits for this lane, and then wakes it.
    must_hold(tx, claim).await?;
    let told = row(tx, "select coalesce(max(number), 0) from signal where run = $1", &[&claim.run.0]).await?;
    let told: i32 = told.map_or(Ok(0), |row| column(&row, 0))?;
    let state = if told as u32 > wait.signals_seen { LaneState::Ready } else { LaneState::Waiting };
    let waiting = state == LaneState::Waiting;
    // After a worker it is kept for nobody, else for the node that had it.
    execute(
        tx,
        "update lane set fence = fence + 1, state = $3, wake_at = $4, waits_for = $5,
           node = case when exists (select 1 from node n where n.id = lane.node and n.kind in ('worker', 'server'))
                  then null else node end
         where run = $1 and no = $2",
        &[
            &claim.run.0,
            &i32::from(claim.lane.0),
            &word::lane_state(state),
            &wait.until.filter(|_| waiting),
            &waiting.then_some("signal"),
        ],
    )
    .await?;
    Ok(state)
}

pub(super) async fn finish<C: GenericClient>(tx: &C, claim: &Claim, at: Timestamp) -> Result<(), StoreError> {
    // Lane 0 is changed too, and lanes are locked in order.
    lock_lanes(tx, &[claim.run.0]).await?;
    must_hold(tx, claim).await?;
    let done = hand_over(tx, claim.run, claim.lane, None, "done").await?;
    // The fence makes it another signal if the lane is ever opened again.
    signal(tx, claim.run, LANE_DONE, &format!("{}:{}", claim.lane, done.fence), "", at).await?;
    wake(tx, claim.run, &[0]).await
}

pub(super) async fn wake_all<C: GenericClient>(
    tx: &C,
    claim: &Claim,
    lanes: &[LaneNumber],
) -> Result<(), StoreError> {
    lock_lanes(tx, &[claim.run.0]).await?;
    must_hold(tx, claim).await?;
    let lanes: Vec<i32> = lanes.iter().map(|lane| i32::from(lane.0)).collect();
    wake(tx, claim.run, &lanes).await
}

async fn wake<C: GenericClient>(tx: &C, run: RunId, lanes: &[i32]) -> Result<(), StoreError> {
    execute(
        tx,
        "update lane set state = 'ready', wake_at = null, waits_for = null
         where run = $1 and no = any($2) and state = 'waiting'",
        &[&run.0, &lanes],
    )
    .await?;
    Ok(())
}

/// A countdown is over, because somebody revokes the run.
pub(super) async fn end_countdown<C: GenericClient>(tx: &C, run: RunId) -> Result<(), StoreError> {
    execute(
        tx,
        "update lane set state = 'ready', wake_at = null, waits_for = null
         where run = $1 and state = 'waiting' and waits_for = 'time'",
        &[&run.0],
    )
    .await?;
    Ok(())
}

/// Lanes that wait for a signal or a time are ready; those that wait for lane 0 go on waiting.
pub(super) async fn wake_parked<C: GenericClient>(tx: &C, run: RunId) -> Result<(), StoreError> {
    execute(
        tx,
        "update lane set state = 'ready', wake_at = null, waits_for = null
         where run = $1 and state = 'waiting' and waits_for = 'signal'",
        &[&run.0],
    )
    .await?;
    Ok(())
}

pub(super) async fn signal<C: GenericClient>(
    tx: &C,
    run: RunId,
    name: &str,
    key: &str,
    body: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    // Lanes before the run, and the run before its signals: two signals at once get two numbers.
    lock_lanes(tx, &[run.0]).await?;
    let found = super::runs::locked(tx, run).await?;
    if found.state.is_final() {
        return Err(refusal::has_ended(run, found.state));
    }
    let new = execute(
        tx,
        "insert into signal (run, name, key, number, body, at)
         select $1, $2, $3, coalesce(max(number), 0) + 1, $4, $5 from signal where run = $1
         on conflict (run, name, key) do nothing",
        &[&run.0, &name, &key, &body, &at],
    )
    .await?;
    if new > 0 {
        wake_parked(tx, run).await?;
    }
    Ok(new > 0)
}

pub(super) async fn signals<C: GenericClient>(
    db: &C,
    run: RunId,
    after: u32,
) -> Result<Vec<Signal>, StoreError> {
    let sql = "select number, name, key, body, at from signal where run = $1 and number > $2 order by number";
    let found = rows(db, sql, &[&run.0, &(after as i32)]).await?;
    found
        .iter()
        .map(|row| {
            Ok(Signal {
                number: column::<i32>(row, 0)? as u32,
                name: column(row, 1)?,
                key: column(row, 2)?,
                body: column(row, 3)?,
                at: column(row, 4)?,
            })
        })
        .collect()
}

pub(super) async fn of<C: GenericClient>(db: &C, run: RunId) -> Result<Vec<LaneRow>, StoreError> {
    let sql = "select no, state, node, fence, first_step, last_step, wake_at, last from lane where run = $1
               order by no";
    let found = rows(db, sql, &[&run.0]).await?;
    found
        .iter()
        .map(|row| {
            let step = |index| column::<Option<i32>>(row, index).map(|step| step.map(|step| step as u32));
            Ok(LaneRow {
                lane: LaneNumber(column::<i32>(row, 0)? as u16),
                state: word::lane_state_of(&column::<String>(row, 1)?)?,
                node: column::<Option<Uuid>>(row, 2)?.map(NodeId),
                fence: Fence(column::<i64>(row, 3)? as u64),
                steps: match (step(4)?, step(5)?) {
                    (Some(first), Some(last)) => {
                        Some(StepRange { first: StepNumber(first), last: StepNumber(last) })
                    }
                    _ => None,
                },
                wake_at: column(row, 6)?,
                last: Sequence(column::<i64>(row, 7)? as u64),
            })
        })
        .collect()
}

pub(super) async fn deaths<C: GenericClient>(db: &C, run: RunId) -> Result<Vec<Deaths>, StoreError> {
    let sql = "select lane, step, count(*) from death where run = $1 group by lane, step order by lane, step";
    let found = rows(db, sql, &[&run.0]).await?;
    found
        .iter()
        .map(|row| {
            Ok(Deaths {
                lane: LaneNumber(column::<i32>(row, 0)? as u16),
                step: StepNumber(column::<i32>(row, 1)? as u32),
                times: column::<i64>(row, 2)? as u32,
            })
        })
        .collect()
}

pub(super) async fn wants<C: GenericClient>(db: &C, node: NodeId) -> Result<Vec<(RunId, Want)>, StoreError> {
    let found = rows(
        db,
        "select run.id, run.want from run
         where exists (select 1 from lane where lane.run = run.id and lane.node = $1 and lane.state = 'held')
         order by run.number",
        &[&node.0],
    )
    .await?;
    found.iter().map(|row| Ok((RunId(column(row, 0)?), word::want_of(&column::<String>(row, 1)?)?))).collect()
}
