//! Runs as said, their output, and the requests about them.

use jiff::Timestamp;
use muster_model::plan::Subject;
use muster_model::run::Run;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{Resource, Said};
use crate::limit::LimitAttributes;

/// What is said about a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunAttributes {
    /// The Space.
    pub space: String,
    /// What it is about, for people: `infrastructure shop`.
    pub subject: String,
    /// The file it is about.
    pub infrastructure: Option<String>,
    /// The plan it carries out.
    pub plan: String,
    /// `ready`, `running`, `interrupted`, `succeeded`, `partly`, `failed`, `cancelled`, `stale`, `superseded`.
    pub state: String,
    /// Whether nothing follows.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Why it ended so.
    pub message: Option<String>,
    /// Who started it.
    pub actor: String,
    /// When it was approved.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// When it begins, while it waits in its countdown.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub begins_at: Option<Timestamp>,
    /// Seconds until then.
    pub begins_in_seconds: Option<u64>,
    /// Its steps.
    pub steps: StepCountsSaid,
}

impl Said for RunAttributes {
    const TYPE: &'static str = "runs";
}

/// How many steps stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepCountsSaid {
    /// In the plan.
    pub total: u32,
    /// Succeeded.
    pub succeeded: u32,
    /// Failed.
    pub failed: u32,
    /// Begun and without outcome.
    pub running: u32,
    /// Left out because the run ended before.
    pub skipped: u32,
}

impl RunAttributes {
    /// The run in the words of the API.
    pub fn resource(run: &Run, steps: StepCountsSaid) -> Resource<RunAttributes> {
        let said = RunAttributes {
            space: run.space.to_string(),
            subject: run.subject.to_string(),
            infrastructure: infrastructure_of(&run.subject),
            plan: run.plan.to_string(),
            state: run.state.word().to_owned(),
            is_final: run.state.is_final(),
            message: run.message.clone(),
            actor: run.actor.clone(),
            started_at: run.started_at,
            ended_at: run.ended_at,
            begins_at: None,
            begins_in_seconds: None,
            steps,
        };
        Resource::new(run.id.to_string(), said)
    }
}

/// The file that a subject is about, where it is about one.
pub fn infrastructure_of(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Infrastructure(name) => Some(name.to_string()),
        Subject::Account(_) => None,
    }
}

impl RunAttributes {
    /// How it stands, in words for people: a run in its countdown says how long it waits.
    pub fn state_words(&self) -> String {
        match self.begins_in_seconds {
            Some(left) => format!("waiting, begins in {left} s"),
            None => self.state.clone(),
        }
    }
}

/// Approve a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// The plan's id.
    pub plan: String,
    /// Seconds that the run waits with its locks before it begins, a day at most; until then it can be cancelled with
    /// nothing done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub countdown_seconds: Option<u64>,
    /// Which of several runs that wait for a worker begins first.
    #[serde(default)]
    pub priority: PrioritySaid,
}

/// Which of several runs that wait for a worker begins first; among equals the older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrioritySaid {
    /// After the others.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Before the others.
    High,
}

impl Said for RunRequest {
    const TYPE: &'static str = "runs";
}

/// A line of detail output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputAttributes {
    /// The run; the correlation id.
    #[serde(default)]
    pub run: String,
    /// The lane that wrote it.
    #[serde(default)]
    pub lane: u16,
    /// Its number in the lane's output, from 0 without gaps.
    #[serde(default)]
    pub line: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The step's number.
    pub step: u32,
    /// The host or target it came from.
    pub target: String,
    /// The text.
    pub text: String,
}

impl Said for OutputAttributes {
    const TYPE: &'static str = "output-lines";
}

/// How a run stands now: for *why does nothing happen*.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StandingAttributes {
    /// What is wanted of it: `run`, `pause` or `cancel`.
    pub want: String,
    /// Its lanes.
    pub lanes: Vec<LaneSaid>,
    /// Nodes that live, as far as their rows tell.
    pub nodes: Vec<NodeSaid>,
    /// Limits that are used up and that its steps count towards.
    #[serde(default)]
    pub limits: Vec<LimitAttributes>,
    /// When this was true.
    #[schema(value_type = String, format = DateTime)]
    pub now: Timestamp,
}

impl Said for StandingAttributes {
    const TYPE: &'static str = "standings";
}

/// One lane of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LaneSaid {
    /// Its number.
    pub lane: u16,
    /// `ready`, `held`, `waiting` or `done`.
    pub state: String,
    /// Who holds it, or for whom it is kept.
    pub node: Option<String>,
    /// When it becomes ready by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub wake_at: Option<Timestamp>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeSaid {
    /// Its id.
    pub id: String,
    /// `foreground`, `server` or `api`.
    pub kind: String,
    /// Whether it takes runs of others.
    pub worker: bool,
    /// Its host.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// Its version of Muster.
    pub version: String,
    /// Until when it may act.
    #[schema(value_type = String, format = DateTime)]
    pub lease_until: Timestamp,
}

/// What `doctor` wants to know of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckupAttributes {
    /// The node that answers.
    pub node: String,
    /// Whether its lease is held.
    pub leased: bool,
    /// All nodes.
    pub nodes: Vec<NodeSaid>,
    /// Runs that nobody carries out although they are under way.
    pub stranded: Vec<String>,
    /// Interrupted runs.
    pub interrupted: Vec<String>,
    /// Creations that are not settled.
    pub open_intents: Vec<OpenIntentSaid>,
    /// The node's clock.
    #[schema(value_type = String, format = DateTime)]
    pub now: Timestamp,
}

/// A creation that is not settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenIntentSaid {
    /// Of what.
    pub of: String,
    /// When its request was sent.
    #[schema(value_type = String, format = DateTime)]
    pub sent_at: Timestamp,
}

impl Said for CheckupAttributes {
    const TYPE: &'static str = "checkups";
}
