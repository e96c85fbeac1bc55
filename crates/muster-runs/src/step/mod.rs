//! Steps: each kind of action has `look` (already so, or the intent to journal) and `act` (called after
//! *started* is durable). The outer `match` over actions stands here and nowhere else in this crate.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_model::id::{Attempt, InfrastructureName, ProviderId, StepNumber};
use muster_model::intent::CreationIntent;
use muster_model::plan::{Action, HostAction, ObjectRef, Plan, ProvisionAction, Step};
use muster_model::run::{Fact, FailureClass, Output};
use muster_model::{Secret, World};
use muster_outside::cloud::watch::WaitError;
use muster_outside::cloud::{CloudError, CloudErrorKind};
use muster_store::Store;
use tokio_util::sync::CancellationToken;

use crate::account::Session;
use crate::engine::Inner;
use crate::journal::{LaneJournal, Stop};
use crate::runner::{History, OutputSink};

mod bandwidth;
mod build;
mod code;
mod create;
mod creation;
mod dns;
mod host;
mod interface;
mod key;
mod network;
mod object;
mod past;
mod playbook;
mod provision;
mod public_network;
mod reachable;
mod record;
mod server;
mod settle;

/// Why a step did not reach its goal.
#[derive(Debug)]
pub(crate) enum StepError {
    /// The step failed: in this class, with this message.
    Failed(FailureClass, String),
    /// What the step began goes on, and another node takes it up: there is no outcome to write.
    LetGo,
    /// The lane is lost or the journal cannot be written: nothing further may be started.
    Stop(Stop),
}

impl StepError {
    pub(crate) fn refused(message: impl Into<String>) -> StepError {
        StepError::Failed(FailureClass::Refused, message.into())
    }

    pub(crate) fn transient(message: impl Into<String>) -> StepError {
        StepError::Failed(FailureClass::Transient, message.into())
    }

    pub(crate) fn unknown(message: impl Into<String>) -> StepError {
        StepError::Failed(FailureClass::UnknownOutcome, message.into())
    }

    /// The same with more to say.
    fn with(self, more: &str) -> StepError {
        match self {
            StepError::Failed(class, message) => StepError::Failed(class, message + more),
            StepError::LetGo | StepError::Stop(_) => self,
        }
    }

    /// What it says to people.
    fn words(&self) -> String {
        match self {
            StepError::Failed(_, message) => message.clone(),
            StepError::LetGo => "it was let go of".to_owned(),
            StepError::Stop(stop) => format!("{stop:?}"),
        }
    }
}

impl From<Stop> for StepError {
    fn from(stop: Stop) -> StepError {
        match stop {
            Stop::Refused(message) => StepError::refused(message),
            Stop::Fenced | Stop::Store(_) => StepError::Stop(stop),
        }
    }
}

impl From<CloudError> for StepError {
    fn from(error: CloudError) -> StepError {
        let class = match error.kind {
            CloudErrorKind::Transient => FailureClass::Transient,
            CloudErrorKind::Refused | CloudErrorKind::Unauthorized | CloudErrorKind::NotFound => {
                FailureClass::Refused
            }
            CloudErrorKind::UnknownOutcome => FailureClass::UnknownOutcome,
        };
        StepError::Failed(class, error.to_string())
    }
}

impl From<WaitError> for StepError {
    fn from(error: WaitError) -> StepError {
        // Whatever the wait was for is under way; a further attempt looks first and goes on waiting.
        StepError::Failed(FailureClass::UnknownOutcome, error.to_string())
    }
}

/// What a look found.
pub(crate) enum Looked {
    /// It is already so; facts may still have to be written down.
    Already(Output, Vec<Fact>),
    /// There is something to do; the facts become durable together with *started*.
    Act(Intent, Vec<Fact>),
}

/// What `look` hands to `act`.
pub(crate) enum Intent {
    /// Nothing beyond the action itself.
    Plain,
    /// Send a create under this intent.
    Create(Box<CreationIntent>),
    /// The object exists; only wait for it.
    Await(ProviderId),
}

/// What a step may use.
pub(crate) struct StepContext {
    pub(crate) engine: Arc<Inner>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) infrastructure: InfrastructureName,
    pub(crate) session: Arc<Session>,
    pub(crate) journal: Arc<LaneJournal>,
    /// What the journals tell of attempts so far.
    pub(crate) history: Arc<History>,
    pub(crate) output: Arc<OutputSink>,
    pub(crate) step: Step,
    /// Lists of the account that began before this mark are older than the run.
    pub(crate) began: u64,
    /// Outputs of the steps that its action refers to.
    pub(crate) made: BTreeMap<StepNumber, Output>,
    /// Cancelled when another node is about to go on with this lane.
    pub(crate) hand_over: CancellationToken,
    /// Cancelled when nothing further is to begin.
    pub(crate) halted: CancellationToken,
    /// Nodes that died while this step was under way.
    pub(crate) died: u32,
    /// The attempt under way.
    pub(crate) attempt: Attempt,
    /// The attempt before, if there was one: it may have had an effect.
    pub(crate) previous: Option<Attempt>,
    /// Whether a person asked that it begins again after that one, whatever became of it.
    pub(crate) asked_again: bool,
}

impl StepContext {
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.engine.store
    }

    pub(crate) fn world(&self) -> &World {
        &self.engine.world
    }

    /// Resolves a reference from the journal.
    pub(crate) fn resolve(&self, object: &ObjectRef) -> Result<ProviderId, StepError> {
        match object {
            ObjectRef::Seen(id) => Ok(id.clone()),
            ObjectRef::Made(step) => match self.made.get(step) {
                Some(Output::Object { id, .. }) => Ok(id.clone()),
                Some(Output::None | Output::File { .. } | Output::Hosts { .. } | Output::Built { .. })
                | None => {
                    Err(StepError::refused(format!("step {step} made nothing that this step could use")))
                }
            },
        }
    }

    /// A value that the client sent with the plan.
    pub(crate) async fn value_of_environment(&self, name: &str) -> Result<Option<Secret>, StepError> {
        let found = self.engine.environment_value(self.plan.id, name).await;
        found.map_err(|error| StepError::refused(error.to_string()))
    }

    /// Says something about this step, durably.
    pub(crate) async fn say(&self, message: impl Into<String>, facts: Vec<Fact>) -> Result<(), StepError> {
        Ok(self.journal.progress(self.step.number, message.into(), facts).await?)
    }
}

/// Looks: is it already so?
pub(crate) async fn look(ctx: &StepContext) -> Result<Looked, StepError> {
    match &ctx.step.action {
        Action::Server(action) => server::look(ctx, action).await,
        Action::Network(action) => network::look(ctx, action).await,
        Action::Key(action) => key::look(ctx, action).await,
        Action::Object(action) => object::look(ctx, action).await,
        Action::Dns(action) => dns::look(ctx, action).await,
        Action::Record(action) => record::look(ctx, action).await,
        Action::Host(HostAction::Reach { .. } | HostAction::Release(_) | HostAction::Password { .. }) => {
            Ok(Looked::Act(Intent::Plain, Vec::new()))
        }
        Action::Host(HostAction::Configure(configure)) => interface::look(ctx, configure).await,
        Action::Host(HostAction::Exec { .. }) => {
            host::may_begin(ctx).await?;
            Ok(Looked::Act(Intent::Plain, Vec::new()))
        }
        Action::Provision(action) => provision::look(ctx, action).await,
    }
}

/// Acts. *Started* is durable when this is called.
pub(crate) async fn act(ctx: &StepContext, intent: Intent) -> Result<(Output, Vec<Fact>), StepError> {
    match &ctx.step.action {
        Action::Server(action) => server::act(ctx, action, intent).await,
        Action::Network(action) => network::act(ctx, action, intent).await,
        Action::Key(action) => key::act(ctx, action).await,
        Action::Object(action) => object::act(ctx, action, intent).await,
        Action::Dns(action) => dns::act(ctx, action).await,
        Action::Record(action) => record::act(ctx, action).await,
        Action::Host(action) => host::act(ctx, action).await,
        Action::Provision(action) => provision::act(ctx, action).await,
    }
}

/// The outcome is durable: what was kept, so that whoever came after us could have learned it, goes.
pub(crate) fn settled(ctx: &StepContext) {
    match &ctx.step.action {
        Action::Provision(ProvisionAction::Playbook { .. }) => playbook::settled(ctx),
        Action::Provision(ProvisionAction::Build(_)) => build::settled(ctx),
        _ => {}
    }
}

/// What is said of an attempt at an opaque step that nobody knows the end of.
pub(crate) fn outcome_unknown(step: &Step, attempt: Attempt) -> String {
    let Step { number, target, .. } = step;
    format!(
        "step {number} ({target}) was started (attempt {attempt}) and its outcome is not known; it is not marked \
         `repeatable: true`, so it is not started again by itself. Look at {target}, then say `muster run retry`"
    )
}

/// Whether an opaque action leaves a trace where it ran, so that a further attempt can ask what became of it.
pub(crate) fn can_be_asked(action: &Action) -> bool {
    matches!(
        action,
        Action::Host(HostAction::Exec { .. }) | Action::Provision(ProvisionAction::Playbook { .. })
    )
}

/// The steps whose outputs a step needs: those that its action refers to, and for a playbook those of the whole
/// inventory.
pub(crate) fn references(plan: &Plan, step: &Step) -> Vec<StepNumber> {
    let mut all = step.action.references();
    if let Action::Provision(ProvisionAction::Playbook { playbook, .. }) = &step.action
        && let Some(hosts) = playbook::inventory_hosts(&plan.draft, playbook)
    {
        all.extend(hosts.iter().filter_map(|host| match &host.server {
            ObjectRef::Made(step) => Some(*step),
            ObjectRef::Seen(_) => None,
        }));
    }
    all
}
