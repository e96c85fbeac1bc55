//! Reading: the only way to the store from outside this crate. Rights are decided by the server before.

use muster_model::account::Account;
use muster_model::id::{InfrastructureName, PlanId, RunId, SecretName, SpaceName};
use muster_model::ownership::Ownership;
use muster_model::plan::{Plan, Subject};
use muster_model::run::{Entry, Run};

/// How a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanState {
    /// The world is being looked at.
    Observing,
    /// It can be approved (or has nothing to do).
    Ready,
    /// It may not be carried out; the reasons are in it or in the message.
    Refused,
}

/// A plan with its circumstances.
#[derive(Clone, Debug)]
pub struct PlanView {
    /// Its id.
    pub id: PlanId,
    /// The Space.
    pub space: SpaceName,
    /// What it is about.
    pub subject: Subject,
    /// How it stands.
    pub state: PlanState,
    /// Why it was refused, when that is not in the plan (a provider that did not answer).
    pub message: Option<String>,
    /// The plan, once it was made.
    pub plan: Option<Plan>,
    /// Warnings of the document (old spellings), rendered.
    pub warnings: Vec<String>,
    /// Who proposed it.
    pub actor: String,
    /// When.
    pub created_at: jiff::Timestamp,
}

/// Counts of a run's steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepCounts {
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

/// A run with its counts.
#[derive(Clone, Debug)]
pub struct RunView {
    /// The run.
    pub run: Run,
    /// Its steps.
    pub steps: StepCounts,
}

/// What one file owns.
#[derive(Clone, Debug)]
pub struct InfrastructureView {
    /// Its name.
    pub name: InfrastructureName,
    /// Its records.
    pub records: Vec<Ownership>,
    /// Its newest run.
    pub last_run: Option<Run>,
}

/// Read access to what the engine remembers.
#[derive(Clone)]
pub struct Reads {
    pub(crate) engine: crate::Engine,
}

/// A line of detail output.
#[derive(Clone, Debug)]
pub struct OutputLine {
    /// When.
    pub at: jiff::Timestamp,
    /// The step's number.
    pub step: u32,
    /// The host or target it came from.
    pub target: String,
    /// The text.
    pub text: String,
}

/// Kinds of results that reads give; errors are the store's.
pub type ReadResult<T> = Result<T, crate::EngineError>;

impl Reads {
    /// One plan.
    pub async fn plan(&self, id: PlanId) -> ReadResult<Option<PlanView>> {
        let _ = (&self.engine, id);
        todo!()
    }
    /// One run.
    pub async fn run(&self, id: RunId) -> ReadResult<Option<RunView>> {
        let _ = id;
        todo!()
    }
    /// The newest runs first.
    pub async fn runs(&self, space: &SpaceName, limit: u32) -> ReadResult<Vec<RunView>> {
        let _ = (space, limit);
        todo!()
    }
    /// Journal entries of a run with a sequence number above the cursor, in order.
    pub async fn entries(&self, run: RunId, after: u64, limit: u32) -> ReadResult<Vec<Entry>> {
        let _ = (run, after, limit);
        todo!()
    }
    /// Detail output of a run, in order.
    pub async fn output(
        &self,
        run: RunId,
        step: Option<u32>,
        after: u64,
        limit: u32,
    ) -> ReadResult<Vec<OutputLine>> {
        let _ = (run, step, after, limit);
        todo!()
    }
    /// Registered accounts (and the one from the environment).
    pub async fn accounts(&self, space: &SpaceName) -> ReadResult<Vec<Account>> {
        let _ = space;
        todo!()
    }
    /// Names of sealed secrets.
    pub async fn secrets(&self, space: &SpaceName) -> ReadResult<Vec<SecretName>> {
        let _ = space;
        todo!()
    }
    /// Infrastructures that own something or had a run.
    pub async fn infrastructures(&self, space: &SpaceName) -> ReadResult<Vec<InfrastructureView>> {
        let _ = space;
        todo!()
    }
    /// Which of these blobs (SHA-256, hex) are not stored yet.
    pub async fn missing_blobs(&self, digests: &[String]) -> ReadResult<Vec<String>> {
        let _ = digests;
        todo!()
    }
}
