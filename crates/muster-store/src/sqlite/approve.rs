//! Approval: the plan is ready and the newest, the locks are free, interrupted runs in the way end, the run appears.

use muster_model::id::RunId;
use muster_model::plan::{LockKey, LockMode};
use muster_model::run::{EntryKind, Run, RunState};
use rusqlite::{Connection, OptionalExtension, params};

use super::claim::{take_lane, take_locks};
use super::journal;
use crate::error::StoreError;
use crate::form::FORM;
use crate::store::{Approval, Audit, Record};
use crate::{refusal, word};

pub(super) fn approve(tx: &Connection, approval: &Approval) -> Result<RunId, StoreError> {
    let run = &approval.run;
    let subject = word::subject_text(&run.subject);
    if let Some(key) = &approval.idempotency_key {
        let earlier: Option<String> = tx
            .prepare_cached("select id from run where space = ?1 and idempotency_key = ?2")?
            .query_row([run.space.as_str(), key], |found| found.get(0))
            .optional()?;
        if let Some(id) = earlier {
            return Ok(RunId(word::uuid_of(&id)?));
        }
    }
    if let Some(node) = approval.node {
        super::nodes::must_not_be_gone(tx, node)?;
    }
    newest_and_ready(tx, approval, &subject)?;
    supersede(tx, &approval.locks, &subject, run)?;
    take_locks(tx, run.id, &approval.locks)?;
    tx.prepare_cached(
        "insert into run (id, number, space, subject, plan, state, message, actor, started_at, form, want,
           steps_total, idempotency_key, priority)
         values (?1, (select coalesce(max(number), 0) + 1 from run), ?2, ?3, ?4, 'ready', null, ?5, ?6, ?7, 'run',
           ?8, ?9, ?10)",
    )?
    .execute(params![
        run.id.to_string(),
        run.space.as_str(),
        subject,
        run.plan.to_string(),
        run.actor,
        run.started_at.to_string(),
        FORM,
        approval.steps_total,
        approval.idempotency_key,
        approval.priority
    ])?;
    insert_lanes(tx, approval)?;
    if let Some(revision) = &approval.revision {
        super::revision::insert(tx, run.id, revision)?;
    }
    super::settings::write_audit(
        tx,
        &Audit {
            space: run.space.clone(),
            at: run.started_at,
            actor: run.actor.clone(),
            what: "run.approved".into(),
            about: format!("run {} of plan {} for {}", run.id, run.plan, run.subject),
        },
    )?;
    Ok(run.id)
}

fn insert_lanes(tx: &Connection, approval: &Approval) -> Result<(), StoreError> {
    let mut insert = tx.prepare_cached(
        "insert into lane (run, no, state, node, fence, priority, first_step, last_step, waits_for, wake_at)
         values (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let run = approval.run.id.to_string();
    let node = approval.node.map(|node| node.to_string());
    let none: Option<u32> = None;
    let begins_at = approval.begins_at.map(|at| at.to_string());
    let (state, waits_for) = match begins_at {
        Some(_) => ("waiting", Some("time")),
        None => ("ready", None),
    };
    insert.execute(params![run, 0, state, node, approval.priority, none, none, waits_for, begins_at])?;
    for (lane, number) in approval.lanes.iter().zip(1u16..) {
        insert.execute(params![
            run,
            number,
            if lane.waits { "waiting" } else { "ready" },
            node,
            approval.priority,
            lane.steps.first.0,
            lane.steps.last.0,
            lane.waits.then_some("lane"),
            None::<&str>
        ])?;
    }
    Ok(())
}

fn newest_and_ready(tx: &Connection, approval: &Approval, subject: &str) -> Result<(), StoreError> {
    let run = &approval.run;
    let plan: Option<(String, i64)> = tx
        .prepare_cached("select state, number from plan where id = ?1 and space = ?2")?
        .query_row([run.plan.to_string().as_str(), run.space.as_str()], |found| {
            Ok((found.get(0)?, found.get(1)?))
        })
        .optional()?;
    let Some((state, number)) = plan else {
        return Err(refusal::no_plan(run.plan));
    };
    if state != "ready" {
        return Err(refusal::not_ready(run.plan, &state));
    }
    let mut statement = tx.prepare_cached(
        "select id, form, body from plan where space = ?1 and subject = ?2 and number > ?3 order by number desc",
    )?;
    let mut rows = statement.query(params![run.space.as_str(), subject, number])?;
    while let Some(newer) = rows.next()? {
        if refusal::is_overtaken(&run.subject, &approval.locks, newer.get(1)?, newer.get(2)?)? {
            return Err(refusal::not_newest(run.plan, &run.subject, newer.get::<_, String>(0)?));
        }
    }
    let used: Option<String> = tx
        .prepare_cached("select id from run where plan = ?1 limit 1")?
        .query_row([run.plan.to_string()], |found| found.get(0))
        .optional()?;
    match used {
        Some(used) => Err(refusal::carried_out(run.plan, used)),
        None => Ok(()),
    }
}

/// Interrupted runs on the subject or on any of these locks end: a later approval takes their place.
fn supersede(
    tx: &Connection,
    locks: &[(LockKey, LockMode)],
    subject: &str,
    by: &Run,
) -> Result<(), StoreError> {
    let mut interrupted = Vec::new();
    {
        let mut statement = tx.prepare_cached(
            "select run.id, run.subject, plan.form, plan.body from run join plan on plan.id = run.plan
             where run.state = 'interrupted' and run.space = ?1",
        )?;
        let mut rows = statement.query([by.space.as_str()])?;
        while let Some(found) = rows.next()? {
            let id = RunId(word::uuid_of(&found.get::<_, String>(0)?)?);
            let same = !refusal::goes_by_locks(&by.subject) && found.get::<_, String>(1)? == subject;
            let overlaps = match found.get::<_, Option<Vec<u8>>>(3)? {
                Some(packed) if !same => {
                    let plan: muster_model::plan::Plan =
                        crate::form::decode_packed("plan", found.get(2)?, &packed)?;
                    plan.draft.locks.iter().any(|(key, _)| locks.iter().any(|(wanted, _)| wanted == key))
                }
                Some(_) | None => false,
            };
            if same || overlaps {
                interrupted.push(id);
            }
        }
    }
    for id in interrupted {
        let claim = take_lane(tx, id, None)?;
        let message = format!("superseded by run {}", by.id);
        let kind = EntryKind::Run { state: RunState::Superseded, message: Some(message) };
        journal::append(tx, &claim, &[Record { at: by.started_at, kind, facts: Vec::new() }])?;
    }
    Ok(())
}
