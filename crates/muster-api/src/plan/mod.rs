//! Plans as said, and the requests for them. How an action and a reason are put in words: [`words`].

use jiff::Timestamp;
use muster_model::plan::{
    Action, NoteKind, Plan, PlanDraft, Refusal, Risk, Step, Summary, Waiting, WaitingReason,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Said;
use crate::price::PlanCostSaid;

mod request;
pub mod words;

pub use request::{PlanRequest, PolicySaid, PurposeSaid};

/// The Space of a request that names none.
pub fn default_space() -> String {
    "default".to_owned()
}

/// What is said about a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanAttributes {
    /// The Space.
    pub space: String,
    /// What it is about, for people: `infrastructure shop`.
    pub subject: String,
    /// The file it is about.
    pub infrastructure: Option<String>,
    /// `observing`, `ready` or `refused`.
    pub state: String,
    /// Why it was refused, where that is not under `refusals`.
    pub message: Option<String>,
    /// The revision that it goes back to.
    #[serde(default)]
    pub rollback_to: Option<u32>,
    /// The account it acts on; none while observing.
    pub account: Option<String>,
    /// Who that account is at the provider; none while observing.
    pub identity: Option<String>,
    /// Its digest over itself and the observed world; none while observing.
    pub hash: Option<String>,
    /// Which observation it was decided from.
    pub generation: Option<u64>,
    /// The operations, in order.
    pub steps: Vec<StepSaid>,
    /// Wanted, and not possible now.
    pub waiting: Vec<WaitingSaid>,
    /// Worth saying, nothing to do.
    pub notes: Vec<NoteSaid>,
    /// Why it may not be carried out.
    pub refusals: Vec<RefusalSaid>,
    /// How many of what.
    pub summary: SummarySaid,
    /// What it does to the monthly cost; none where the account has no prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<PlanCostSaid>,
    /// Warnings about the document.
    pub warnings: Vec<String>,
    /// Who proposed it.
    pub actor: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl Said for PlanAttributes {
    const TYPE: &'static str = "plans";
}

impl PlanAttributes {
    /// The step of a number.
    pub fn step(&self, number: u32) -> Option<&StepSaid> {
        // Numbers rise from 1 without gaps, so the index is the number less one; looked up anyway if not.
        let guess = self.steps.get(number.saturating_sub(1) as usize);
        guess
            .filter(|step| step.number == number)
            .or_else(|| self.steps.iter().find(|step| step.number == number))
    }

    /// Fills in what was decided.
    pub fn decided(&mut self, plan: &Plan) {
        let PlanDraft {
            subject: _,
            based_on,
            steps,
            waiting,
            notes,
            refusals,
            locks: _,
            lanes: _,
            on_failure: _,
            hash,
        } = &plan.draft;
        self.account = Some(plan.account.to_string());
        self.identity = Some(plan.identity.to_string());
        self.hash = Some(hash.to_string());
        self.generation = Some(based_on.0);
        self.steps = steps.iter().map(StepSaid::from).collect();
        self.waiting = waiting.iter().map(WaitingSaid::from).collect();
        self.notes = notes
            .iter()
            .map(|note| NoteSaid {
                target: note.target.clone(),
                kind: note_word(note.kind).to_owned(),
                message: note.message.clone(),
            })
            .collect();
        self.refusals = refusals.iter().map(RefusalSaid::from).collect();
        self.summary = SummarySaid::from(plan.draft.summary());
        self.cost = plan.cost.as_ref().map(PlanCostSaid::from);
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepSaid {
    /// Its number, from 1.
    pub number: u32,
    /// What it touches: a server's or network's name, or the infrastructure's.
    pub target: String,
    /// What is done, in words: `create server`.
    pub action: String,
    /// More about it: sizes, places, names.
    pub detail: String,
    /// The stable word for scripts: `server.create`.
    pub kind: String,
    /// What it can change: `provider`, `inside` (of servers), `record` (only ours).
    pub touches: Touches,
    /// How it reads in a list: `+` made, `~` changed, `-` deleted, `±` replaced, `.` the rest.
    pub sign: Sign,
    /// Why, in words.
    pub reason: String,
    /// The stable word of the reason: `missing`.
    pub reason_code: String,
    /// Fields that change.
    pub changes: Vec<ChangeSaid>,
    /// `none`, `interrupts` or `destroys`.
    pub risk: String,
    /// Steps that must have succeeded before.
    pub after: Vec<u32>,
}

/// What a step can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Touches {
    /// Something at the provider.
    Provider,
    /// The inside of servers.
    Inside,
    /// Our own records and files only.
    Record,
}

/// How a step reads in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// Something is made.
    Create,
    /// Something is changed in place.
    Change,
    /// Something is replaced.
    Replace,
    /// Something is deleted.
    Delete,
    /// Work inside servers.
    Provision,
    /// A record of ours.
    Record,
}

/// One field's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeSaid {
    /// The field's word.
    pub field: String,
    /// What was seen; empty when there was nothing.
    pub old: String,
    /// What is wanted.
    pub new: String,
}

impl From<&Step> for StepSaid {
    fn from(step: &Step) -> StepSaid {
        let said = words::action(&step.action, &step.reason);
        StepSaid {
            number: step.number.0,
            target: step.target.clone(),
            action: said.action,
            detail: said.detail,
            kind: said.kind.to_owned(),
            touches: touches(&step.action),
            sign: said.sign,
            reason: words::reason(&step.reason),
            reason_code: words::reason_code(&step.reason).to_owned(),
            changes: step
                .changes
                .iter()
                .map(|change| ChangeSaid {
                    field: change.field.word().to_owned(),
                    old: change.old.clone(),
                    new: change.new.clone(),
                })
                .collect(),
            risk: match step.risk {
                Risk::None => "none",
                Risk::Interrupts => "interrupts",
                Risk::Destroys => "destroys",
            }
            .to_owned(),
            after: step.after.iter().map(|number| number.0).collect(),
        }
    }
}

fn touches(action: &Action) -> Touches {
    if action.writes_to_provider() {
        return Touches::Provider;
    }
    match words::inside(action) {
        true => Touches::Inside,
        false => Touches::Record,
    }
}

/// Wanted, not possible now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingSaid {
    /// What it is about.
    pub target: String,
    /// The stable word: `unclaimed`, `left-out`, ….
    pub why: String,
    /// In words, with the next step.
    pub message: String,
}

/// The word of a waiting thing that was left out by `--only`, which is no failing of the run.
pub const LEFT_OUT: &str = "left-out";

impl From<&Waiting> for WaitingSaid {
    fn from(waiting: &Waiting) -> WaitingSaid {
        let why = match waiting.why {
            WaitingReason::Unclaimed => "unclaimed",
            WaitingReason::NeedsReplaceConsent => "needs-replace-consent",
            WaitingReason::ClaimForbids => "claim-forbids",
            WaitingReason::Protected => "protected",
            WaitingReason::NeedsMoney => "needs-money",
            WaitingReason::Blocked => "blocked",
            WaitingReason::Unsettled => "unsettled",
            WaitingReason::LeftOut => LEFT_OUT,
            WaitingReason::InUse => "in-use",
        };
        WaitingSaid { target: waiting.target.clone(), why: why.to_owned(), message: waiting.message.clone() }
    }
}

/// Worth saying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoteSaid {
    /// What it is about.
    pub target: String,
    /// `stranger`, `late-duplicate`, `meaning-changed`, `claimed`, `old`, `renamed`, `open-intent`, `skipped`,
    /// `rollback` (which revision the plan goes back to), `not-restored` (what that does not bring back).
    pub kind: String,
    /// In words.
    pub message: String,
}

/// The kind of a note that says what going back to a revision does not bring back.
pub const NOT_RESTORED: &str = "not-restored";

fn note_word(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Stranger => "stranger",
        NoteKind::LateDuplicate => "late-duplicate",
        NoteKind::MeaningChanged => "meaning-changed",
        NoteKind::Claimed => "claimed",
        NoteKind::Old => "old",
        NoteKind::Renamed => "renamed",
        NoteKind::OpenIntent => "open-intent",
        NoteKind::Skipped => "skipped",
        NoteKind::Rollback => "rollback",
        NoteKind::NotRestored => NOT_RESTORED,
        NoteKind::Firewall => "firewall",
    }
}

/// Why a plan may not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusalSaid {
    /// What it is about.
    pub target: String,
    /// A stable word: `disk-shrink`, `deletion-budget`, ….
    pub code: String,
    /// What, where, and what to do.
    pub message: String,
}

impl From<&Refusal> for RefusalSaid {
    fn from(refusal: &Refusal) -> RefusalSaid {
        RefusalSaid {
            target: refusal.target.clone(),
            code: refusal.code.clone(),
            message: refusal.message.clone(),
        }
    }
}

/// How many of what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SummarySaid {
    /// Servers and networks made.
    pub create: u32,
    /// Servers changed in place.
    pub change: u32,
    /// Servers replaced.
    pub replace: u32,
    /// Servers and networks deleted (replacements apart).
    pub delete: u32,
    /// Records made or changed.
    pub record: u32,
    /// Provisioning steps.
    pub provision: u32,
    /// Wanted and not possible now.
    pub waiting: u32,
    /// The same as one line.
    pub text: String,
}

impl From<Summary> for SummarySaid {
    fn from(summary: Summary) -> SummarySaid {
        SummarySaid {
            create: summary.create,
            change: summary.change,
            replace: summary.replace,
            delete: summary.delete,
            record: summary.record,
            provision: summary.provision,
            waiting: summary.waiting,
            text: summary.to_string(),
        }
    }
}
