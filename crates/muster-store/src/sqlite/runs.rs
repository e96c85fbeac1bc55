//! Runs: approval, locks and claims, each in one transaction.

use jiff::Timestamp;
use muster_model::id::{Fence, LaneNumber, NodeId, PlanId, RunId, Sequence, SpaceName};
use muster_model::plan::{LockKey, LockMode, Subject};
use muster_model::run::{EntryKind, Run, RunState};
use rusqlite::{Connection, OptionalExtension, params};

use super::{journal, row};
use crate::error::StoreError;
use crate::form::FORM;
use crate::store::{Approval, Audit, Claim, Record, Want};

pub(super) fn approve(tx: &Connection, approval: &Approval) -> Result<RunId, StoreError> {
    let run = &approval.run;
    let subject = row::subject_text(&run.subject);
    if let Some(key) = &approval.idempotency_key {
        let earlier: Option<String> = tx
            .prepare_cached("select id from run where space = ?1 and idempotency_key = ?2")?
            .query_row([run.space.as_str(), key], |found| found.get(0))
            .optional()?;
        if let Some(id) = earlier {
            return Ok(RunId(row::uuid_of(&id)?));
        }
    }
    newest_and_ready(tx, run, &subject)?;
    supersede(tx, &approval.locks, &subject, run)?;
    take_locks(tx, run.id, &approval.locks)?;
    tx.prepare_cached(
        "insert into run (id, number, space, subject, plan, state, message, actor, started_at, form, want,
           steps_total, idempotency_key)
         values (?1, (select coalesce(max(number), 0) + 1 from run), ?2, ?3, ?4, 'ready', null, ?5, ?6, ?7, 'run',
           ?8, ?9)",
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
        approval.idempotency_key
    ])?;
    tx.prepare_cached("insert into lane (run, no, state, node, fence) values (?1, 0, 'ready', ?2, 0)")?
        .execute(params![run.id.to_string(), approval.node.map(|node| node.to_string())])?;
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

fn newest_and_ready(tx: &Connection, run: &Run, subject: &str) -> Result<(), StoreError> {
    let plan: Option<(String, i64)> = tx
        .prepare_cached("select state, number from plan where id = ?1 and space = ?2")?
        .query_row([run.plan.to_string().as_str(), run.space.as_str()], |found| {
            Ok((found.get(0)?, found.get(1)?))
        })
        .optional()?;
    let Some((state, number)) = plan else {
        return Err(StoreError::NotFound(format!("there is no plan {}", run.plan)));
    };
    if state != "ready" {
        return Err(StoreError::Conflict(format!("plan {} is {state}, not ready", run.plan)));
    }
    let newer: Option<String> = tx
        .prepare_cached(
            "select id from plan where space = ?1 and subject = ?2 and number > ?3 order by number desc limit 1",
        )?
        .query_row(params![run.space.as_str(), subject, number], |found| found.get(0))
        .optional()?;
    if let Some(newer) = newer {
        return Err(StoreError::Conflict(format!(
            "plan {} is not the newest one of {}: {newer} is; look at that one",
            run.plan, run.subject
        )));
    }
    let used: Option<String> = tx
        .prepare_cached("select id from run where plan = ?1 limit 1")?
        .query_row([run.plan.to_string()], |found| found.get(0))
        .optional()?;
    match used {
        Some(used) => Err(StoreError::Conflict(format!("plan {} was carried out by run {used}", run.plan))),
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
            let id = RunId(row::uuid_of(&found.get::<_, String>(0)?)?);
            let same = found.get::<_, String>(1)? == subject;
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

fn take_locks(tx: &Connection, run: RunId, locks: &[(LockKey, LockMode)]) -> Result<(), StoreError> {
    let mut sorted = locks.to_vec();
    sorted.sort();
    for (key, mode) in &sorted {
        let text = key.to_string();
        let held: Option<(String, String, String)> = tx
            .prepare_cached(
                "select lock.run, run.subject, run.actor from lock join run on run.id = lock.run
                 where lock.key = ?1 and lock.run <> ?2 and (lock.mode = 'exclusive' or ?3 = 'exclusive') limit 1",
            )?
            .query_row(params![text, run.to_string(), mode_word(*mode)], |found| {
                Ok((found.get(0)?, found.get(1)?, found.get(2)?))
            })
            .optional()?;
        if let Some((holder, subject, actor)) = held {
            return Err(StoreError::Conflict(format!(
                "busy: run {holder} ({subject}, started by {actor}) holds {text}; \
                 follow it with `muster run attach {holder}` or try again when it has ended"
            )));
        }
        tx.prepare_cached("insert or replace into lock (key, run, mode) values (?1, ?2, ?3)")?
            .execute(params![text, run.to_string(), mode_word(*mode)])?;
    }
    Ok(())
}

fn mode_word(mode: LockMode) -> &'static str {
    match mode {
        LockMode::Shared => "shared",
        LockMode::Exclusive => "exclusive",
    }
}

/// Raises the lane's fence and hands it to a node (or to nobody).
pub(super) fn take_lane(tx: &Connection, run: RunId, node: Option<NodeId>) -> Result<Claim, StoreError> {
    let fence: Option<i64> = tx
        .prepare_cached(
            "update lane set fence = fence + 1, node = ?2, state = ?3 where run = ?1 and no = 0 returning fence",
        )?
        .query_row(
            params![
                run.to_string(),
                node.map(|node| node.to_string()),
                if node.is_some() { "held" } else { "ready" }
            ],
            |found| found.get(0),
        )
        .optional()?;
    let Some(fence) = fence else {
        return Err(StoreError::NotFound(format!("there is no run {run}")));
    };
    let last: i64 = tx
        .prepare_cached("select coalesce(max(seq), 0) from journal where run = ?1 and lane = 0")?
        .query_row([run.to_string()], |found| found.get(0))?;
    Ok(Claim { run, lane: LaneNumber(0), fence: Fence(fence as u64), last: Sequence(last as u64) })
}

pub(super) fn claim(
    tx: &Connection,
    run: RunId,
    node: NodeId,
    locks: &[(LockKey, LockMode)],
) -> Result<Claim, StoreError> {
    let Some(found) = one(tx, run)? else {
        return Err(StoreError::NotFound(format!("there is no run {run}")));
    };
    match found.state {
        RunState::Ready => {
            let holder: Option<String> = tx
                .prepare_cached("select node from lane where run = ?1 and no = 0")?
                .query_row([run.to_string()], |found| found.get(0))?;
            if let Some(holder) = holder.filter(|holder| *holder != node.to_string()) {
                return Err(StoreError::Conflict(format!("run {run} is held by node {holder}")));
            }
        }
        RunState::Interrupted => {
            let newer: Option<String> = tx
                .prepare_cached(
                    "select id from run where space = ?1 and subject = ?2
                       and number > (select number from run where id = ?3) order by number desc limit 1",
                )?
                .query_row(
                    params![found.space.as_str(), row::subject_text(&found.subject), run.to_string()],
                    |found| found.get(0),
                )
                .optional()?;
            if let Some(newer) = newer {
                return Err(StoreError::Conflict(format!(
                    "run {run} cannot be resumed: run {newer} came after it"
                )));
            }
            take_locks(tx, run, locks)?;
        }
        RunState::Running
        | RunState::Succeeded
        | RunState::Partly
        | RunState::Failed
        | RunState::Cancelled
        | RunState::Stale
        | RunState::Superseded => {
            return Err(StoreError::Conflict(format!("run {run} is {}", found.state.word())));
        }
    }
    take_lane(tx, run, Some(node))
}

const COLUMNS: &str = "id, space, subject, plan, state, message, actor, started_at, ended_at";

fn run_of(found: &rusqlite::Row<'_>) -> Result<Run, StoreError> {
    Ok(Run {
        id: RunId(row::uuid_of(&found.get::<_, String>(0)?)?),
        space: found.get::<_, String>(1)?.into(),
        subject: row::subject_of(&found.get::<_, String>(2)?)?,
        plan: PlanId(row::uuid_of(&found.get::<_, String>(3)?)?),
        state: row::state_of(&found.get::<_, String>(4)?)?,
        message: found.get(5)?,
        actor: found.get(6)?,
        started_at: row::time_of(&found.get::<_, String>(7)?)?,
        ended_at: found.get::<_, Option<String>>(8)?.map(|text| row::time_of(&text)).transpose()?,
    })
}

pub(super) fn one(db: &Connection, id: RunId) -> Result<Option<Run>, StoreError> {
    let mut statement = db.prepare_cached(&format!("select {COLUMNS} from run where id = ?1"))?;
    let mut rows = statement.query([id.to_string()])?;
    rows.next()?.map(run_of).transpose()
}

pub(super) fn newest(db: &Connection, space: &SpaceName, limit: u32) -> Result<Vec<Run>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "select {COLUMNS} from run where space = ?1 order by number desc limit ?2"
    ))?;
    let mut rows = statement.query(params![space.as_str(), limit])?;
    let mut runs = Vec::new();
    while let Some(found) = rows.next()? {
        runs.push(run_of(found)?);
    }
    Ok(runs)
}

pub(super) fn last_of(
    db: &Connection,
    space: &SpaceName,
    subject: &Subject,
) -> Result<Option<Run>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "select {COLUMNS} from run where space = ?1 and subject = ?2 order by number desc limit 1"
    ))?;
    let mut rows = statement.query([space.as_str(), row::subject_text(subject).as_str()])?;
    rows.next()?.map(run_of).transpose()
}

pub(super) fn set_want(
    tx: &Connection,
    run: RunId,
    want: Want,
    actor: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(found) = one(tx, run)? else {
        return Err(StoreError::NotFound(format!("there is no run {run}")));
    };
    if found.state.is_final() {
        return Err(StoreError::Conflict(format!("run {run} has ended: it is {}", found.state.word())));
    }
    let word = match want {
        Want::Run => "run",
        Want::Cancel => "cancel",
    };
    tx.prepare_cached("update run set want = ?2 where id = ?1")?.execute([run.to_string().as_str(), word])?;
    if want == Want::Cancel {
        super::settings::write_audit(
            tx,
            &Audit {
                space: found.space.clone(),
                at,
                actor: actor.to_owned(),
                what: "run.cancelled".into(),
                about: format!("run {run}"),
            },
        )?;
        if found.state == RunState::Interrupted {
            let claim = take_lane(tx, run, None)?;
            let kind =
                EntryKind::Run { state: RunState::Cancelled, message: Some(format!("cancelled by {actor}")) };
            journal::append(tx, &claim, &[Record { at, kind, facts: Vec::new() }])?;
        }
    }
    Ok(())
}

pub(super) fn want(db: &Connection, run: RunId) -> Result<Want, StoreError> {
    let word: Option<String> = db
        .prepare_cached("select want from run where id = ?1")?
        .query_row([run.to_string()], |found| found.get(0))
        .optional()?;
    match word.as_deref() {
        Some("cancel") => Ok(Want::Cancel),
        Some(_) => Ok(Want::Run),
        None => Err(StoreError::NotFound(format!("there is no run {run}"))),
    }
}
