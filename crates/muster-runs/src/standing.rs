//! How a run and its store stand now: who holds its lanes, what is wanted, who lives. For *why does nothing happen*.

use jiff::Timestamp;
use muster_model::id::{NodeId, RunId};
use muster_model::intent::IntentState;
use muster_model::rights::{Authority, Wish, may};
pub use muster_store::{LaneState, NodeRow, Want};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::limits::Limit;

/// One lane of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneStanding {
    /// Its number.
    pub lane: u16,
    /// How it stands.
    pub state: LaneState,
    /// Who holds it, or for whom it is kept.
    pub node: Option<NodeId>,
    /// When it becomes ready by itself.
    pub wake_at: Option<Timestamp>,
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is wanted of it.
    pub want: Want,
    /// Its lanes.
    pub lanes: Vec<LaneStanding>,
    /// Nodes that live, as far as their rows tell.
    pub nodes: Vec<NodeRow>,
    /// Limits that are used up and that its steps count towards.
    pub limits: Vec<Limit>,
    /// When this was true.
    pub now: Timestamp,
}

/// What `doctor` wants to know of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkup {
    /// This node.
    pub node: NodeId,
    /// Whether its lease is held.
    pub leased: bool,
    /// All nodes.
    pub nodes: Vec<NodeRow>,
    /// Runs that are neither ended nor interrupted, with nobody holding them.
    pub stranded: Vec<RunId>,
    /// Interrupted runs that can be resumed.
    pub interrupted: Vec<RunId>,
    /// Creations that are not settled, as `NAME at ACCOUNT`, with the time they were sent.
    pub open_intents: Vec<(String, Timestamp)>,
    /// This node's clock.
    pub now: Timestamp,
}

/// Runs looked at for a checkup.
const RUNS_LOOKED_AT: u32 = 200;

impl Engine {
    /// How a run stands now.
    pub async fn standing(&self, authority: &Authority, run: RunId) -> Result<Standing, EngineError> {
        let store = &self.inner.store;
        let row = store.run(run).await?;
        let row = row.ok_or_else(|| EngineError::NotFound(format!("there is no run {run}")))?;
        may(authority, Wish::Read, &row.space).map_err(EngineError::Denied)?;
        let lanes = store.lanes(run).await?.into_iter().map(|lane| LaneStanding {
            lane: lane.lane.0,
            state: lane.state,
            node: lane.node,
            wake_at: lane.wake_at,
        });
        let limits = match row.state.holds_locks() {
            true => self.inner.limits_used_up(run).await?,
            false => Vec::new(),
        };
        Ok(Standing {
            want: store.want(run).await?,
            lanes: lanes.collect(),
            nodes: store.nodes().await?,
            limits,
            now: self.inner.world.clock.now(),
        })
    }

    /// Looks over the store: who lives, what nobody carries out, what is not settled.
    pub async fn checkup(
        &self,
        authority: &Authority,
        space: &muster_model::id::SpaceName,
    ) -> Result<Checkup, EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        let inner = &self.inner;
        let nodes = inner.store.nodes().await?;
        let mut stranded = Vec::new();
        let mut interrupted = Vec::new();
        for run in inner.store.runs(space, RUNS_LOOKED_AT).await? {
            if run.state == muster_model::run::RunState::Interrupted {
                interrupted.push(run.id);
            } else if !run.state.is_final() {
                let lanes = inner.store.lanes(run.id).await?;
                let lives = |node: NodeId| nodes.iter().any(|row| row.id == node);
                let waits = lanes.iter().all(|lane| match lane.state {
                    LaneState::Ready => {
                        !nodes.iter().any(NodeRow::is_worker) && !lane.node.is_some_and(lives)
                    }
                    LaneState::Held => !lane.node.is_some_and(lives),
                    LaneState::Waiting => false,
                    LaneState::Done => true,
                });
                if waits {
                    stranded.push(run.id);
                }
            }
        }
        let mut open_intents = Vec::new();
        for account in self.reads().accounts(space).await? {
            let facts = inner.store.facts(&account.identity).await?;
            let open = facts.intents.into_iter().filter(|intent| intent.state == IntentState::Open);
            open_intents
                .extend(open.map(|intent| (format!("{} at {}", intent.name, account.name), intent.sent_at)));
        }
        Ok(Checkup {
            node: inner.node,
            leased: !inner.lease.is_lost(),
            nodes,
            stranded,
            interrupted,
            open_intents,
            now: inner.world.clock.now(),
        })
    }
}
