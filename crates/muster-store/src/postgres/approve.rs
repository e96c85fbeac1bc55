//! Approval: the plan is ready and the newest, the locks are free, interrupted runs in the way end, the run appears.
//!
//! Two approvals at the same time meet at the plan's row and at the advisory locks of their keys, both taken
//! before anything is looked at; keys in sorted order, so that they never wait for each other in a circle.

use deadpool_postgres::GenericClient;
use muster_model::id::RunId;
use muster_model::plan::{LockKey, LockMode};
use muster_model::run::{EntryKind, Run, RunState};
use uuid::Uuid;

use super::ask::{column, execute, row, rows};
use super::claim::{lock_lanes, take_lane};
use super::{journal, revision, settings};
use crate::error::StoreError;
use crate::form::FORM;
use crate::store::{Approval, Audit};
use crate::{refusal, word};

pub(super) async fn approve<C: GenericClient>(tx: &C, approval: &Approval) -> Result<RunId, StoreError> {
    let run = &approval.run;
    let subject = word::subject_text(&run.subject);
    guard_keys(tx, &approval.locks).await?;
    if let Some(node) = approval.node {
        super::nodes::must_not_be_gone(tx, node).await?;
    }
    let sql = "select state, number from plan where id = $1 and space = $2 for update";
    let plan = row(tx, sql, &[&run.plan.0, &run.space.as_str()]).await?;
    if let Some(key) = &approval.idempotency_key {
        let sql = "select id from run where space = $1 and idempotency_key = $2";
        if let Some(earlier) = row(tx, sql, &[&run.space.as_str(), key]).await? {
            return Ok(RunId(column(&earlier, 0)?));
        }
    }
    let plan = plan.ok_or_else(|| refusal::no_plan(run.plan))?;
    newest_and_ready(tx, approval, &subject, &column::<String>(&plan, 0)?, column(&plan, 1)?).await?;
    let keys: Vec<String> = approval.locks.iter().map(|(key, _)| key.to_string()).collect();
    supersede(tx, &keys, &subject, run).await?;
    take_locks(tx, run.id, &approval.locks).await?;
    execute(
        tx,
        "insert into run (id, space, subject, plan, state, actor, started_at, form, want, steps_total,
           idempotency_key, priority, lock_keys)
         values ($1, $2, $3, $4, 'ready', $5, $6, $7, 'run', $8, $9, $10, $11)",
        &[
            &run.id.0,
            &run.space.as_str(),
            &subject,
            &run.plan.0,
            &run.actor,
            &run.started_at,
            &i32::from(FORM),
            &(approval.steps_total as i32),
            &approval.idempotency_key,
            &i32::from(approval.priority),
            &keys,
        ],
    )
    .await?;
    insert_lanes(tx, approval).await?;
    if let Some(new) = &approval.revision {
        revision::insert(tx, run.id, new).await?;
    }
    settings::write_audit(
        tx,
        &Audit {
            space: run.space.clone(),
            at: run.started_at,
            actor: run.actor.clone(),
            what: "run.approved".into(),
            about: format!("run {} of plan {} for {}", run.id, run.plan, run.subject),
        },
    )
    .await?;
    Ok(run.id)
}

async fn insert_lanes<C: GenericClient>(tx: &C, approval: &Approval) -> Result<(), StoreError> {
    let node = approval.node.map(|node| node.0);
    let mut first: Vec<Option<i32>> = vec![None];
    let mut last: Vec<Option<i32>> = vec![None];
    let mut waits = vec![false];
    for lane in &approval.lanes {
        first.push(Some(lane.steps.first.0 as i32));
        last.push(Some(lane.steps.last.0 as i32));
        waits.push(lane.waits);
    }
    execute(
        tx,
        "insert into lane (run, no, state, node, fence, priority, first_step, last_step, waits_for, wake_at)
         select $1, n - 1, case when waits or (n = 1 and $7::timestamptz is not null) then 'waiting' else 'ready' end,
           $2, 0, $3, first, last,
           case when waits then 'lane' when n = 1 and $7::timestamptz is not null then 'time' end,
           case when n = 1 then $7::timestamptz end
         from unnest($4::int4[], $5::int4[], $6::bool[]) with ordinality l (first, last, waits, n)",
        &[&approval.run.id.0, &node, &i32::from(approval.priority), &first, &last, &waits, &approval.begins_at],
    )
    .await?;
    Ok(())
}

async fn newest_and_ready<C: GenericClient>(
    tx: &C,
    approval: &Approval,
    subject: &str,
    state: &str,
    number: i64,
) -> Result<(), StoreError> {
    let run = &approval.run;
    if state != "ready" {
        return Err(refusal::not_ready(run.plan, state));
    }
    // Where the newest one decides, no other is read.
    let most: i64 = if refusal::goes_by_locks(&run.subject) { i64::MAX } else { 1 };
    let newer = rows(
        tx,
        "select id, form, body from plan where space = $1 and subject = $2 and number > $3
         order by number desc limit $4",
        &[&run.space.as_str(), &subject, &number, &most],
    )
    .await?;
    for newer in newer {
        let (form, body) = (super::form_of(&newer, 1)?, column(&newer, 2)?);
        if refusal::is_overtaken(&run.subject, &approval.locks, form, body)? {
            return Err(refusal::not_newest(run.plan, &run.subject, column::<Uuid>(&newer, 0)?));
        }
    }
    match row(tx, "select id from run where plan = $1", &[&run.plan.0]).await? {
        Some(used) => Err(refusal::carried_out(run.plan, column::<Uuid>(&used, 0)?)),
        None => Ok(()),
    }
}

/// Interrupted runs on the subject or on any of these locks end: a later approval takes their place.
async fn supersede<C: GenericClient>(
    tx: &C,
    keys: &[String],
    subject: &str,
    by: &Run,
) -> Result<(), StoreError> {
    let sql = "select id from run where state = 'interrupted' and space = $1 and ((subject = $2 and not $4)
               or lock_keys && $3) order by id";
    let by_locks = refusal::goes_by_locks(&by.subject);
    let found = rows(tx, sql, &[&by.space.as_str(), &subject, &keys, &by_locks]).await?;
    let runs: Vec<Uuid> = found.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
    if runs.is_empty() {
        return Ok(());
    }
    lock_lanes(tx, &runs).await?;
    let sql = "select id from run where id = any($1) and state = 'interrupted' order by id for no key update";
    for found in rows(tx, sql, &[&runs]).await? {
        let claim = take_lane(tx, RunId(column(&found, 0)?), None).await?;
        let message = format!("superseded by run {}", by.id);
        let kind = EntryKind::Run { state: RunState::Superseded, message: Some(message) };
        journal::append_one(tx, &claim, by.started_at, &kind).await?;
    }
    Ok(())
}

/// Whoever takes any of these locks waits here for whoever takes one of them now.
pub(super) async fn guard_keys<C: GenericClient>(
    tx: &C,
    locks: &[(LockKey, LockMode)],
) -> Result<(), StoreError> {
    let mut numbers: Vec<i64> = locks.iter().map(|(key, _)| key_number(&key.to_string())).collect();
    // By number, not by key: two keys of one number would otherwise be taken in different orders.
    numbers.sort_unstable();
    numbers.dedup();
    rows(tx, "select pg_advisory_xact_lock(number) from unnest($1::int8[]) number", &[&numbers]).await?;
    Ok(())
}

/// FNV-1a. A number that two keys share only makes one of them wait for nothing.
fn key_number(key: &str) -> i64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    key.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)) as i64
}

/// Takes all locks or none. The caller holds [`guard_keys`].
pub(super) async fn take_locks<C: GenericClient>(
    tx: &C,
    run: RunId,
    locks: &[(LockKey, LockMode)],
) -> Result<(), StoreError> {
    let mut sorted = locks.to_vec();
    sorted.sort();
    let keys: Vec<String> = sorted.iter().map(|(key, _)| key.to_string()).collect();
    let modes: Vec<&str> = sorted.iter().map(|(_, mode)| word::mode(*mode)).collect();
    let held = row(
        tx,
        "select lock.run, run.subject, run.actor, lock.key
         from unnest($1::text[], $2::text[]) with ordinality wanted (key, mode, n)
         join lock on lock.key = wanted.key and lock.run <> $3
           and (lock.mode = 'exclusive' or wanted.mode = 'exclusive')
         join run on run.id = lock.run order by n limit 1",
        &[&keys, &modes, &run.0],
    )
    .await?;
    if let Some(held) = held {
        let text = |index| column::<String>(&held, index);
        return Err(refusal::busy(column::<Uuid>(&held, 0)?, &text(1)?, &text(2)?, &text(3)?));
    }
    execute(
        tx,
        "insert into lock (key, run, mode) select key, $3, mode from unnest($1::text[], $2::text[]) l (key, mode)
         on conflict (key, run) do update set mode = excluded.mode",
        &[&keys, &modes, &run.0],
    )
    .await?;
    Ok(())
}
