//! Runs: reading them, and what people want of them.

use jiff::Timestamp;
use muster_model::id::{PlanId, RunId, SpaceName};
use muster_model::plan::Subject;
use muster_model::run::{EntryKind, Run, RunState};
use rusqlite::{Connection, OptionalExtension, params};

use super::claim::take_lane;
use super::journal;
use crate::error::StoreError;
use crate::store::{Audit, Record, Want};
use crate::{refusal, word};

const COLUMNS: &str = "id, space, subject, plan, state, message, actor, started_at, ended_at";

fn run_of(found: &rusqlite::Row<'_>) -> Result<Run, StoreError> {
    Ok(Run {
        id: RunId(word::uuid_of(&found.get::<_, String>(0)?)?),
        space: found.get::<_, String>(1)?.into(),
        subject: word::subject_of(&found.get::<_, String>(2)?)?,
        plan: PlanId(word::uuid_of(&found.get::<_, String>(3)?)?),
        state: word::state_of(&found.get::<_, String>(4)?)?,
        message: found.get(5)?,
        actor: found.get(6)?,
        started_at: word::time_of(&found.get::<_, String>(7)?)?,
        ended_at: found.get::<_, Option<String>>(8)?.map(|text| word::time_of(&text)).transpose()?,
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

pub(super) fn count(db: &Connection) -> Result<Vec<(RunState, u64)>, StoreError> {
    let mut statement = db.prepare_cached("select state, count(*) from run group by state")?;
    let mut rows = statement.query([])?;
    let mut counts = Vec::new();
    while let Some(found) = rows.next()? {
        counts.push((word::state_of(&found.get::<_, String>(0)?)?, found.get::<_, i64>(1)? as u64));
    }
    Ok(counts)
}

pub(super) fn last_of(
    db: &Connection,
    space: &SpaceName,
    subject: &Subject,
) -> Result<Option<Run>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "select {COLUMNS} from run where space = ?1 and subject = ?2 order by number desc limit 1"
    ))?;
    let mut rows = statement.query([space.as_str(), word::subject_text(subject).as_str()])?;
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
        return Err(refusal::no_run(run));
    };
    if found.state.is_final() {
        return Err(refusal::has_ended(run, found.state));
    }
    if self::want(tx, run)? != want {
        tx.prepare_cached("update run set want = ?2 where id = ?1")?
            .execute([run.to_string().as_str(), word::want(want)])?;
        super::settings::write_audit(
            tx,
            &Audit {
                space: found.space.clone(),
                at,
                actor: actor.to_owned(),
                what: word::wish(want).into(),
                about: format!("run {run}"),
            },
        )?;
        if want != Want::Pause {
            super::lanes::wake_parked(tx, run)?;
        }
        if want == Want::Cancel {
            super::lanes::end_countdown(tx, run)?;
        }
    }
    // Also where it was wanted before: the run may have been interrupted before anybody acted on it.
    if want == Want::Cancel && found.state == RunState::Interrupted {
        let claim = take_lane(tx, run, None)?;
        let kind =
            EntryKind::Run { state: RunState::Cancelled, message: Some(format!("cancelled by {actor}")) };
        journal::append(tx, &claim, &[Record { at, kind, facts: Vec::new() }])?;
    }
    Ok(())
}

pub(super) fn want(db: &Connection, run: RunId) -> Result<Want, StoreError> {
    let word: Option<String> = db
        .prepare_cached("select want from run where id = ?1")?
        .query_row([run.to_string()], |found| found.get(0))
        .optional()?;
    word::want_of(&word.ok_or_else(|| refusal::no_run(run))?)
}
