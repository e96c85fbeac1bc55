//! Nodes: who executes lanes, and what happens when one is gone.

use jiff::Timestamp;
use muster_model::id::{NodeId, RunId};
use muster_model::run::{EntryKind, RunState};
use rusqlite::{Connection, params};

use super::{journal, row};
use crate::error::StoreError;
use crate::store::{NodeRow, Record};

pub(super) fn join(tx: &Connection, node: &NodeRow) -> Result<(), StoreError> {
    tx.prepare_cached(
        "insert or replace into node (id, epoch, lease_until, kind, pid, host, version, started_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        node.id.to_string(),
        node.epoch as i64,
        node.lease_until.to_string(),
        node.kind,
        node.pid,
        node.host,
        node.version,
        node.started_at.to_string()
    ])?;
    Ok(())
}

pub(super) fn all(db: &Connection) -> Result<Vec<NodeRow>, StoreError> {
    let mut statement = db.prepare_cached(
        "select id, epoch, lease_until, kind, pid, host, version, started_at from node order by started_at, id",
    )?;
    let mut rows = statement.query([])?;
    let mut nodes = Vec::new();
    while let Some(found) = rows.next()? {
        nodes.push(NodeRow {
            id: NodeId(row::uuid_of(&found.get::<_, String>(0)?)?),
            epoch: found.get::<_, i64>(1)? as u64,
            lease_until: row::time_of(&found.get::<_, String>(2)?)?,
            kind: found.get(3)?,
            pid: found.get(4)?,
            host: found.get(5)?,
            version: found.get(6)?,
            started_at: row::time_of(&found.get::<_, String>(7)?)?,
        });
    }
    Ok(nodes)
}

pub(super) fn bury(
    tx: &Connection,
    node: NodeId,
    at: Timestamp,
    why: &str,
) -> Result<Vec<RunId>, StoreError> {
    let id = node.to_string();
    let mut held = Vec::new();
    {
        let mut statement = tx.prepare_cached(
            "select lane.run from lane join run on run.id = lane.run
             where lane.node = ?1 and run.state in ('ready', 'running') order by run.number",
        )?;
        let mut rows = statement.query([&id])?;
        while let Some(found) = rows.next()? {
            held.push(RunId(row::uuid_of(&found.get::<_, String>(0)?)?));
        }
    }
    for run in &held {
        // The fence rises first, so that a late write of the dead node is refused.
        let claim = super::runs::take_lane(tx, *run, None)?;
        let record = Record {
            at,
            kind: EntryKind::Run { state: RunState::Interrupted, message: Some(why.to_owned()) },
            facts: Vec::new(),
        };
        journal::append(tx, &claim, &[record])?;
    }
    tx.prepare_cached(
        "update plan set state = 'refused', message = ?2 where node = ?1 and state = 'observing'",
    )?
    .execute(params![id, "interrupted: the process that looked at the world ended"])?;
    tx.prepare_cached("delete from node where id = ?1")?.execute([&id])?;
    Ok(held)
}
