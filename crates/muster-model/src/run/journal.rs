//! The journal: what happened in a run, in order. *Started* is durable before an effect, an outcome after it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{Attempt, Fence, LaneNumber, ProviderId, RunId, Sequence, ServerName, StepNumber};
use crate::intent::{CreationIntent, IntentState};
use crate::ownership::{ObjectKind, Ownership, Provisioned};
use crate::revision::Applied;
use crate::run::RunState;

/// One entry. `seq` is dense per lane and assigned by the lane's owner at commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The run.
    pub run: RunId,
    /// The lane.
    pub lane: LaneNumber,
    /// Its number in the lane, from 1 without gaps.
    pub seq: Sequence,
    /// The fence under which it was written.
    pub fence: Fence,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EntryKind,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum EntryKind {
    /// The run changed its state.
    Run {
        /// The state it has now.
        state: RunState,
        /// Why, in words.
        message: Option<String>,
    },
    /// A step is about to act. Durable before the effect.
    Started {
        /// The step.
        step: StepNumber,
        /// Which attempt.
        attempt: Attempt,
    },
    /// A step reached its goal.
    Succeeded {
        /// The step.
        step: StepNumber,
        /// Which attempt.
        attempt: Attempt,
        /// Whether it was already so, and nothing was done.
        already: bool,
        /// What later steps may refer to.
        output: Output,
    },
    /// A step failed; the run ends or tries again.
    Failed {
        /// The step.
        step: StepNumber,
        /// Which attempt.
        attempt: Attempt,
        /// What kind of failure.
        class: FailureClass,
        /// What was attempted, what went wrong, what to try next.
        message: String,
        /// Whether a further attempt follows by itself.
        again: bool,
    },
    /// A step was not begun, because the run ended before.
    Skipped {
        /// The step.
        step: StepNumber,
        /// Why.
        message: String,
    },
    /// Something worth knowing about a step under way.
    Progress {
        /// The step, or none for the run as a whole.
        step: Option<StepNumber>,
        /// In words.
        message: String,
    },
    /// The result of one task on one host (Ansible) or one delivery.
    Task {
        /// The step.
        step: StepNumber,
        /// The host, by its name in the file.
        host: String,
        /// The task's name.
        task: String,
        /// `ok`, `changed`, `failed`, `unreachable`, `skipped`.
        outcome: String,
        /// A short message, without secrets.
        message: String,
    },
}

/// What a step made or found, for later steps and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// Nothing to refer to.
    None,
    /// An object at the provider.
    Object {
        /// Server, network or key.
        kind: String,
        /// Its id.
        id: ProviderId,
    },
    /// A file that was written here.
    File {
        /// Its path.
        path: String,
    },
    /// Counts of a provisioning step.
    Hosts {
        /// Hosts on which something changed.
        changed: u32,
        /// Hosts on which nothing needed to change.
        unchanged: u32,
    },
    /// Code that was built here.
    Built {
        /// SHA-256 of its manifest, hex: the content that says what it holds.
        manifest: String,
        /// How many files it has.
        files: u32,
        /// How large they are together.
        bytes: u64,
    },
}

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// Trying again may help, within a bound.
    Transient,
    /// It will not work like this; the run stops.
    Refused,
    /// Whether it took effect is not known; look before anything else.
    UnknownOutcome,
}

/// A change of our facts that is committed together with a journal entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// An intent is opened (with *started*). An older open one of this (account, name) is replaced.
    OpenIntent(Box<CreationIntent>),
    /// The intent of this (account, name, sent at) got this state.
    CloseIntent {
        /// Which.
        intent: Box<CreationIntent>,
        /// How it stands now.
        state: IntentState,
    },
    /// This object is ours (inserted or replaced, by account, kind and id).
    Own(Box<Ownership>),
    /// This object is not ours any more.
    Forget {
        /// The account, by its identity as text.
        account: crate::account::AccountIdentity,
        /// Server or network.
        kind: ObjectKind,
        /// Its id.
        id: ProviderId,
    },
    /// The record gets another name in the file, or another protection.
    Amend {
        /// The account.
        account: crate::account::AccountIdentity,
        /// Server or network.
        kind: ObjectKind,
        /// Its id.
        id: ProviderId,
        /// Its name in the file.
        name: ServerName,
        /// Its protection.
        protect: bool,
    },
    /// What provisioning reached on an owned server.
    Provisioned {
        /// The account.
        account: crate::account::AccountIdentity,
        /// The server's id.
        id: ProviderId,
        /// The playbook's key.
        key: String,
        /// The outcome.
        outcome: Provisioned,
    },
    /// A server's host key, recorded at first contact.
    HostKey {
        /// The account.
        account: crate::account::AccountIdentity,
        /// The server's id.
        id: ProviderId,
        /// The OpenSSH line.
        host_key: String,
    },
    /// What the run's revision brought about (with the run's good end). A run without a revision forgets it.
    Applied(Box<Applied>),
}
