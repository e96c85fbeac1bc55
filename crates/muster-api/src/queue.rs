//! Requests that found their file or servers busy and wait for their turn.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Said;
use crate::run::PrioritySaid;

/// Let a ready plan wait until nothing is in its way. When its turn comes, the same wish is planned anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueRequest {
    /// The plan's id.
    pub plan: String,
    /// Seconds after which it is dropped, a day at most.
    pub limit_seconds: u64,
    /// As in a request for a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub countdown_seconds: Option<u64>,
    /// As in a request for a run.
    #[serde(default)]
    pub priority: PrioritySaid,
}

impl Said for QueueRequest {
    const TYPE: &'static str = "queued-requests";
}

/// A queued request; its id is that of the plan that had to wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueuedAttributes {
    /// What it is about, for people.
    pub subject: String,
    /// `waiting`, `begun`, `needless` (nothing was left to do) or `dropped`.
    pub state: String,
    /// Why it stands so.
    pub message: Option<String>,
    /// Its run, once it began.
    pub run: Option<String>,
    /// Who asked.
    pub actor: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub asked_at: Timestamp,
    /// When it is dropped.
    #[schema(value_type = String, format = DateTime)]
    pub give_up_at: Timestamp,
}

impl Said for QueuedAttributes {
    const TYPE: &'static str = "queued-requests";
}
