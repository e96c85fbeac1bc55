//! Plans: what should be done, finished thinking. Never changed once saved.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::AccountIdentity;
use crate::field::Field;
use crate::id::{
    AccountName, Generation, InfrastructureName, LaneNumber, PlanId, ProviderId, SpaceName, StepNumber,
};
use crate::price::PlanCost;

pub mod action;
pub mod dns;
pub mod keys;
pub mod network;
pub mod object;
pub mod provision;
mod summary;
pub mod text;

pub use action::*;
pub use dns::*;
pub use keys::*;
pub use network::*;
pub use object::*;
pub use provision::*;
pub use summary::Summary;

/// What a plan is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The servers and networks of one infrastructure file.
    Infrastructure(InfrastructureName),
    /// Objects of one account, outside any file.
    Account(AccountName),
}

impl Subject {
    /// On whose behalf its steps act: the file, or `account:NAME`, which no file can be called.
    pub fn owner(&self) -> InfrastructureName {
        match self {
            Subject::Infrastructure(name) => name.clone(),
            Subject::Account(name) => InfrastructureName(format!("account:{name}")),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Infrastructure(name) => write!(out, "infrastructure {name}"),
            Subject::Account(name) => write!(out, "account {name}"),
        }
    }
}

/// A plan as the planner makes it: everything but its identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanDraft {
    /// What it is about.
    pub subject: Subject,
    /// The observed world it was decided from.
    pub based_on: Generation,
    /// The operations, numbered from 1 in a stable order; `after` only names smaller numbers.
    pub steps: Vec<Step>,
    /// Wanted, but not possible now, and why.
    pub waiting: Vec<Waiting>,
    /// Worth saying, nothing to do: strangers, late duplicates, changed meanings, claims.
    pub notes: Vec<Note>,
    /// Why this plan may not be carried out as it is; empty = it may.
    pub refusals: Vec<Refusal>,
    /// Locks it needs, sorted.
    pub locks: Vec<(LockKey, LockMode)>,
    /// The lane of each step, in the steps' order; empty = all in lane 0. Says who may carry out what, not what is
    /// done, and so is no part of the digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneNumber>,
    /// What a failed step means for those that do not wait for it.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Digest over steps, bundle digest, policy and the observed fields that were read (`SEMANTICS.md` §2).
    pub hash: PlanHash,
}

/// What a failed step means for those that do not wait for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Nothing further is begun.
    #[default]
    Stop,
    /// They are carried out all the same.
    Continue,
}

/// A saved plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// The Space it belongs to.
    pub space: SpaceName,
    /// The account it acts on.
    pub account: AccountName,
    /// Who that account is at the provider.
    pub identity: AccountIdentity,
    /// Everything that was decided.
    pub draft: PlanDraft,
    /// What it does to the monthly cost, where the account has prices. Says nothing about what is done, and so is no
    /// part of the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<PlanCost>,
}

/// One operation of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number, from 1.
    pub number: StepNumber,
    /// Steps that must have succeeded before.
    pub after: Vec<StepNumber>,
    /// What it touches, in one word for people: a server's or network's name, or the infrastructure's.
    pub target: String,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Fields that change, old and new.
    pub changes: Vec<FieldChange>,
    /// What could go wrong for the person's data or service.
    pub risk: Risk,
}

/// One field's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field.
    pub field: Field,
    /// What was seen; empty when there was nothing.
    pub old: String,
    /// What is wanted.
    pub new: String,
}

/// Why a step is in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The file has it and the provider does not.
    Missing,
    /// It was ours and is gone at the provider.
    Vanished,
    /// Fields differ from the file.
    Differs,
    /// It is ours and not in the file any more.
    NotInFile,
    /// No change in place exists for these fields.
    MustReplace {
        /// The fields that force it.
        fields: Vec<Field>,
    },
    /// The file is being taken down.
    Destroyed,
    /// It fits the file exactly and nobody made a record of it.
    Fits,
    /// A person asked for it.
    Asked,
    /// An earlier create whose answer was lost made it.
    SettlesIntent,
    /// Another step needs it.
    NeededBy,
    /// Provisioning has not reached it in this version.
    NotProvisioned,
    /// The last attempt failed.
    FailedBefore,
    /// The file's `deploy:` says so.
    Deploy,
    /// It is ours, the record says otherwise than the file.
    RecordDiffers,
}

/// What could go wrong for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Nothing is interrupted.
    None,
    /// The service may pause.
    Interrupts,
    /// Data is lost.
    Destroys,
}

/// Wanted, not possible now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What it is about.
    pub target: String,
    /// Why.
    pub why: WaitingReason,
    /// In words, with the next step for the person.
    pub message: String,
}

/// Why something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitingReason {
    /// A same-named stranger that differs from the file; `infra adopt` brings it under the file.
    Unclaimed,
    /// Only a replacement would do, and nobody consented.
    NeedsReplaceConsent,
    /// The claim does not allow it (claimed, not made by us).
    ClaimForbids,
    /// Protected, and so not deleted; `infra disown` gives it up.
    Protected,
    /// The provider says the balance does not suffice.
    NeedsMoney,
    /// The provider blocked it.
    Blocked,
    /// It is still being made or deleted, or in a state this version does not know.
    Unsettled,
    /// It was left out by `--only`.
    LeftOut,
    /// Something that is not ours still uses it (a network with a stranger's server in it).
    InUse,
}

/// Worth saying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What it is about.
    pub target: String,
    /// What kind of note.
    pub kind: NoteKind,
    /// In words.
    pub message: String,
}

/// What kind of note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// In the account, not ours, not touched.
    Stranger,
    /// A second object of a create whose answer was lost appeared later.
    LateDuplicate,
    /// The same words mean another image now.
    MeaningChanged,
    /// It fitted and was claimed.
    Claimed,
    /// Something an old file says and this version reads differently.
    Old,
    /// It is ours by its id, and somebody gave it another name at the provider, where names cannot be set back.
    Renamed,
    /// A create whose answer was lost, of a name that nobody wants any more, has made nothing visible yet.
    OpenIntent,
    /// Asked for, and there is nothing to do it on (no server of a `deploy:` entry runs).
    Skipped,
    /// Which revision the plan goes back to, and what of it.
    Rollback,
    /// What going back does not bring back.
    NotRestored,
    /// A firewall is otherwise than the file says, and only a person can mend it.
    Firewall,
}

/// Why a plan may not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What it is about.
    pub target: String,
    /// A short stable word for scripts: `disk-shrink`, `pool-missing`, `deletion-budget`, ….
    pub code: String,
    /// What, where, and what to do.
    pub message: String,
}

/// What a lock is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockKey {
    /// One infrastructure file.
    Infrastructure(InfrastructureName),
    /// One server at an account, by id.
    Server(String, ProviderId),
    /// One name at an account: a create of this name.
    Name(String, String),
}

impl fmt::Display for LockKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockKey::Infrastructure(name) => write!(out, "infrastructure:{name}"),
            LockKey::Server(account, id) => write!(out, "server:{account}:{id}"),
            LockKey::Name(account, name) => write!(out, "name:{account}:{name}"),
        }
    }
}

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockMode {
    /// With others.
    Shared,
    /// Alone.
    Exclusive,
}

/// A plan's digest: SHA-256, hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanHash(pub String);

impl fmt::Display for PlanHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl PlanDraft {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The step of this number. Numbers begin with 1 and have no gaps; a plan of another make is searched.
    pub fn step(&self, number: StepNumber) -> Option<&Step> {
        let near = self.steps.get((number.0 as usize).wrapping_sub(1)).filter(|step| step.number == number);
        near.or_else(|| self.steps.iter().find(|step| step.number == number))
    }

    /// The lane of a step.
    pub fn lane_of(&self, step: StepNumber) -> LaneNumber {
        let at = (step.0 as usize).wrapping_sub(1);
        self.lanes.get(at).copied().unwrap_or(LaneNumber(0))
    }

    /// The number of the last lane; an ordinary plan has lane 0 only.
    pub fn last_lane(&self) -> LaneNumber {
        self.lanes.iter().max().copied().unwrap_or(LaneNumber(0))
    }
}
