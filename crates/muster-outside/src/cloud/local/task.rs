//! What is to be done to a server of the account `local`, and what could not be.

use jiff::Timestamp;
use muster_model::id::ProviderId;
use muster_model::server::Size;
use serde::{Deserialize, Serialize};

/// One thing to be done to a server's machine. Each may be done twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Task {
    /// Make the machine and boot it.
    Make,
    /// Switch it on.
    On,
    /// Ask it to end.
    ShutDown,
    /// Cut its power.
    CutPower,
    /// Give it another size.
    Resize(Size),
    /// Plug it into a network.
    Link(ProviderId),
    /// Take it out of a network.
    Unlink(ProviderId),
    /// Remove it with its disk.
    Delete,
}

/// A task with its number, by which whoever asked recognizes how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbered {
    pub number: u64,
    pub task: Task,
}

/// A task that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failed {
    pub number: u64,
    pub doing: String,
    pub reason: String,
    pub at: Timestamp,
}
