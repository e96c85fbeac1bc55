//! Runs: reading them, and what people want of them.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use muster_model::id::{PlanId, RunId, SpaceName};
use muster_model::plan::Subject;
use muster_model::run::{EntryKind, Run, RunState};
use tokio_postgres::Row;

use super::ask::{column, execute, row, rows};
use super::claim::{lock_lanes, take_lane};
use super::{journal, lanes, settings};
use crate::error::StoreError;
use crate::store::{Audit, Want};
use crate::{refusal, word};

const BY_ID: &str = "select id, space, subject, plan, state, message, actor, started_at, ended_at from run
    where id = $1";
const BY_ID_LOCKED: &str =
    "select id, space, subject, plan, state, message, actor, started_at, ended_at from run
    where id = $1 for no key update";
const NEWEST: &str = "select id, space, subject, plan, state, message, actor, started_at, ended_at from run
    where space = $1 order by number desc limit $2";
const LAST_OF: &str = "select id, space, subject, plan, state, message, actor, started_at, ended_at from run
    where space = $1 and subject = $2 order by number desc limit 1";

fn run_of(found: &Row) -> Result<Run, StoreError> {
    let text = |index| column::<String>(found, index);
    Ok(Run {
        id: RunId(column(found, 0)?),
        space: text(1)?.into(),
        subject: word::subject_of(&text(2)?)?,
        plan: PlanId(column(found, 3)?),
        state: word::state_of(&text(4)?)?,
        message: column(found, 5)?,
        actor: text(6)?,
        started_at: column(found, 7)?,
        ended_at: column(found, 8)?,
    })
}

pub(super) async fn one<C: GenericClient>(db: &C, id: RunId) -> Result<Option<Run>, StoreError> {
    row(db, BY_ID, &[&id.0]).await?.map(|found| run_of(&found)).transpose()
}

/// One run that exists, kept from others. Its lanes are locked before, see `claim.rs`.
pub(super) async fn locked<C: GenericClient>(tx: &C, id: RunId) -> Result<Run, StoreError> {
    let found = row(tx, BY_ID_LOCKED, &[&id.0]).await?;
    run_of(&found.ok_or_else(|| refusal::no_run(id))?)
}

pub(super) async fn newest<C: GenericClient>(
    db: &C,
    space: &SpaceName,
    limit: u32,
) -> Result<Vec<Run>, StoreError> {
    rows(db, NEWEST, &[&space.as_str(), &i64::from(limit)]).await?.iter().map(run_of).collect()
}

pub(super) async fn count<C: GenericClient>(db: &C) -> Result<Vec<(RunState, u64)>, StoreError> {
    let of = |found: &Row| {
        let state = word::state_of(&column::<String>(found, 0)?)?;
        Ok((state, column::<i64>(found, 1)? as u64))
    };
    rows(db, "select state, count(*) from run group by state", &[]).await?.iter().map(of).collect()
}

pub(super) async fn last_of<C: GenericClient>(
    db: &C,
    space: &SpaceName,
    subject: &Subject,
) -> Result<Option<Run>, StoreError> {
    let found = row(db, LAST_OF, &[&space.as_str(), &word::subject_text(subject)]).await?;
    found.map(|found| run_of(&found)).transpose()
}

pub(super) async fn set_want<C: GenericClient>(
    tx: &C,
    run: RunId,
    want: Want,
    actor: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    lock_lanes(tx, &[run.0]).await?;
    let found = locked(tx, run).await?;
    if found.state.is_final() {
        return Err(refusal::has_ended(run, found.state));
    }
    if self::want(tx, run).await? != want {
        execute(tx, "update run set want = $2 where id = $1", &[&run.0, &word::want(want)]).await?;
        let audit = Audit {
            space: found.space.clone(),
            at,
            actor: actor.to_owned(),
            what: word::wish(want).into(),
            about: format!("run {run}"),
        };
        settings::write_audit(tx, &audit).await?;
        if want != Want::Pause {
            lanes::wake_parked(tx, run).await?;
        }
        if want == Want::Cancel {
            lanes::end_countdown(tx, run).await?;
        }
    }
    // Also where it was wanted before: the run may have been interrupted before anybody acted on it.
    if want == Want::Cancel && found.state == RunState::Interrupted {
        let claim = take_lane(tx, run, None).await?;
        let kind =
            EntryKind::Run { state: RunState::Cancelled, message: Some(format!("cancelled by {actor}")) };
        journal::append_one(tx, &claim, at, &kind).await?;
    }
    Ok(())
}

pub(super) async fn want<C: GenericClient>(db: &C, run: RunId) -> Result<Want, StoreError> {
    let found = row(db, "select want from run where id = $1", &[&run.0]).await?;
    word::want_of(&column::<String>(&found.ok_or_else(|| refusal::no_run(run))?, 0)?)
}
