//! What commands give back: data, not text.

use muster_api::account::{AccountAttributes, AccountTestAttributes, OffersAttributes};
use muster_api::document::Resource;
use muster_api::event::Event;
use muster_api::infrastructure::InfrastructureAttributes;
use muster_api::limit::LimitAttributes;
use muster_api::object::ObjectAttributes;
use muster_api::plan::PlanAttributes;
use muster_api::price::{CostAttributes, PricesAttributes};
use muster_api::queue::QueuedAttributes;
use muster_api::release::ReleasesAttributes;
use muster_api::revision::{DifferenceAttributes, RevisionAttributes};
use muster_api::run::{OutputAttributes, RunAttributes};
use muster_api::secret::SecretAttributes;
use muster_api::server::ServerAttributes;
use muster_api::stats::StatsAttributes;
use muster_model::object::{Fields, ObjectClass};
use serde::Serialize;

/// A resource as machines get it from a command: its id among its attributes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row<T> {
    /// The id.
    pub id: String,
    /// The rest.
    #[serde(flatten)]
    pub said: T,
}

impl<T> From<Resource<T>> for Row<T> {
    fn from(resource: Resource<T>) -> Row<T> {
        Row { id: resource.id, said: resource.attributes }
    }
}

/// Rows of resources.
pub fn rows<T>(resources: Vec<Resource<T>>) -> Vec<Row<T>> {
    resources.into_iter().map(Row::from).collect()
}

/// What became of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// There is nothing to do.
    NothingToDo,
    /// It was only shown.
    Shown,
    /// It was only shown, and there are differences.
    Differences,
    /// It may not be carried out.
    Refused,
    /// The person said no.
    Declined,
    /// It was carried out; the run tells how.
    Ran,
    /// It is being carried out; nobody waits for it here.
    Detached,
    /// Something was in its way; it waits for its turn, and nobody waits for it here.
    Queued,
}

/// A plan and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Planned {
    /// What became of it.
    pub outcome: Outcome,
    /// The plan.
    pub plan: Row<PlanAttributes>,
    /// The run, where there was one.
    pub run: Option<Row<RunAttributes>>,
}

/// A file that was found here, or that owns something.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KnownFile {
    /// Its name.
    pub name: String,
    /// Where it lies; none if it is not here.
    pub path: Option<String>,
    /// Servers that it owns.
    pub servers: u32,
    /// Networks that it owns.
    pub networks: u32,
    /// Its newest run.
    pub last_run: Option<String>,
    /// How that stands.
    pub last_run_state: Option<String>,
}

/// A file that can be used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Validated {
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub path: String,
    /// Servers that it wants.
    pub servers: usize,
    /// Networks that it wants.
    pub networks: usize,
    /// Files of its bundle.
    pub files: usize,
    /// Worth saying.
    pub warnings: Vec<muster_model::diagnostic::Diagnostic>,
}

/// An old file in today's form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Converted {
    /// The infrastructure's name.
    pub name: String,
    /// Where the old file lies.
    pub from: String,
    /// Where the new one was written; none if it is only shown.
    pub to: Option<String>,
    /// The new file.
    pub text: String,
    /// Servers that both want.
    pub servers: usize,
    /// Networks that both want.
    pub networks: usize,
    /// What had to be decided, and what is left to do.
    pub warnings: Vec<muster_model::diagnostic::Diagnostic>,
    /// The next steps, in words.
    pub next: Vec<String>,
}

/// One step of a run, explained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepExplained {
    /// Its number.
    pub number: u32,
    /// What it touches.
    pub target: String,
    /// What it does.
    pub action: String,
    /// Why it is in the plan.
    pub why: String,
    /// How it stands.
    pub state: String,
    /// What was last said of it, or what it waits for.
    pub last: String,
}

/// A run, explained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// The run.
    pub run: Row<RunAttributes>,
    /// Why it stands as it does.
    pub because: Vec<String>,
    /// Its steps.
    pub steps: Vec<StepExplained>,
}

/// A control plane that commands can be sent to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KnownContext {
    /// Its name.
    pub name: String,
    /// Its address; none is this machine.
    pub url: Option<String>,
    /// Whether commands go there.
    pub current: bool,
}

/// One thing that `doctor` looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What.
    pub what: String,
    /// Whether it is well.
    pub well: bool,
    /// Whether Muster works without it.
    pub needed: bool,
    /// In words, with the next step where it is not well.
    pub message: String,
}

/// What a command gives back.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Nothing to draw.
    Nothing,
    /// A text that is the answer (a schema, a completion script), drawn as it is.
    Text(String),
    /// Something was done; one sentence, and the same for machines.
    Did(String),
    /// A plan and what became of it.
    Planned(Box<Planned>),
    /// One run.
    Run(Box<Row<RunAttributes>>),
    /// Runs.
    Runs(Vec<Row<RunAttributes>>),
    /// Queued requests.
    Queue(Vec<Row<QueuedAttributes>>),
    /// A journal.
    Events(Vec<Event>),
    /// Events of several runs.
    Found(Vec<Event>),
    /// Output.
    Output(Vec<OutputAttributes>),
    /// One account.
    Account(Box<Row<AccountAttributes>>),
    /// Accounts.
    Accounts(Vec<Row<AccountAttributes>>),
    /// What the provider says about an account.
    AccountTest(Box<Row<AccountTestAttributes>>),
    /// Why a run stands as it does.
    Explained(Box<Explained>),
    /// Contexts.
    Contexts(Vec<KnownContext>),
    /// What an account's provider offers.
    Offers(Box<OffersAttributes>),
    /// The prices of an account.
    Prices(Box<Row<PricesAttributes>>),
    /// What an account's servers cost.
    Cost(Box<Row<CostAttributes>>),
    /// One server.
    Server(Box<Row<ServerAttributes>>),
    /// Servers.
    Servers(Vec<Row<ServerAttributes>>),
    /// What a file owns.
    Infrastructure(Box<Row<InfrastructureAttributes>>),
    /// The history of a file.
    Revisions(Vec<Row<RevisionAttributes>>),
    /// One revision.
    Revision(Box<Row<RevisionAttributes>>),
    /// How a revision differs.
    Differences(Box<Row<DifferenceAttributes>>),
    /// Files.
    Files(Vec<KnownFile>),
    /// Names of secrets.
    Secrets(Vec<Row<SecretAttributes>>),
    /// Limits of concurrency.
    Limits(Vec<Row<LimitAttributes>>),
    /// Objects of a class.
    Objects(ObjectClass, Vec<Row<ObjectAttributes>>),
    /// One object.
    Object(Box<Row<ObjectAttributes>>),
    /// What a provider tells, by its words.
    Details(Fields),
    /// Releases that servers keep.
    Releases(Vec<Row<ReleasesAttributes>>),
    /// Load of servers.
    Stats(Vec<Row<StatsAttributes>>),
    /// A file that can be used.
    Validated(Box<Validated>),
    /// An old file in today's form.
    Converted(Box<Converted>),
    /// What `doctor` looked at.
    Checks(Vec<Check>),
}
