//! Events as said: a journal entry with the names of what it touches, so that it reads alone.

use jiff::Timestamp;
use muster_model::run::{Entry, EntryKind, FailureClass, Output};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Said;
use crate::plan::PlanAttributes;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The run; the correlation id.
    pub run: String,
    /// The lane.
    pub lane: u16,
    /// Its number in the lane, from 1 without gaps.
    pub seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What the step touches, where it is about a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What the step does, where it is about a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: Happened,
}

impl Said for Event {
    const TYPE: &'static str = "events";
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Happened {
    /// The run changed its state.
    Run {
        /// The state it has now.
        state: String,
        /// Why.
        message: Option<String>,
    },
    /// A step is about to act.
    Started {
        /// The step's number.
        step: u32,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// A step reached its goal.
    Succeeded {
        /// The step's number.
        step: u32,
        /// Which attempt, from 1.
        attempt: u32,
        /// Whether it was so already.
        already: bool,
        /// What it made or found, in words; empty if there is nothing to say.
        output: String,
    },
    /// A step failed.
    Failed {
        /// The step's number.
        step: u32,
        /// Which attempt, from 1.
        attempt: u32,
        /// `transient`, `refused` or `unknown-outcome`.
        class: String,
        /// What was attempted, what went wrong, what to try next.
        message: String,
        /// Whether a further attempt follows by itself.
        again: bool,
    },
    /// A step was not begun.
    Skipped {
        /// The step's number.
        step: u32,
        /// Why.
        message: String,
    },
    /// Something worth knowing on the way.
    Progress {
        /// The step's number, or none for the run as a whole.
        step: Option<u32>,
        /// In words.
        message: String,
    },
    /// The result of one task on one host.
    Task {
        /// The step's number.
        step: u32,
        /// The host, by its name in the file.
        host: String,
        /// The task's name.
        task: String,
        /// `ok`, `changed`, `failed`, `unreachable`, `skipped`.
        outcome: String,
        /// A short message.
        message: String,
    },
}

impl Happened {
    /// The step it is about.
    pub fn step(&self) -> Option<u32> {
        match self {
            Happened::Run { .. } => None,
            Happened::Progress { step, .. } => *step,
            Happened::Started { step, .. }
            | Happened::Succeeded { step, .. }
            | Happened::Failed { step, .. }
            | Happened::Skipped { step, .. }
            | Happened::Task { step, .. } => Some(*step),
        }
    }
}

impl From<&EntryKind> for Happened {
    fn from(kind: &EntryKind) -> Happened {
        match kind {
            EntryKind::Run { state, message } => {
                Happened::Run { state: state.word().to_owned(), message: message.clone() }
            }
            EntryKind::Started { step, attempt } => Happened::Started { step: step.0, attempt: attempt.0 },
            EntryKind::Succeeded { step, attempt, already, output } => Happened::Succeeded {
                step: step.0,
                attempt: attempt.0,
                already: *already,
                output: output_words(output),
            },
            EntryKind::Failed { step, attempt, class, message, again } => Happened::Failed {
                step: step.0,
                attempt: attempt.0,
                class: class_word(*class).to_owned(),
                message: message.clone(),
                again: *again,
            },
            EntryKind::Skipped { step, message } => {
                Happened::Skipped { step: step.0, message: message.clone() }
            }
            EntryKind::Progress { step, message } => {
                Happened::Progress { step: step.map(|step| step.0), message: message.clone() }
            }
            EntryKind::Task { step, host, task, outcome, message } => Happened::Task {
                step: step.0,
                host: host.clone(),
                task: task.clone(),
                outcome: outcome.clone(),
                message: message.clone(),
            },
        }
    }
}

impl Event {
    /// The entry in the words of the API; the plan, where it is at hand, gives names to its step.
    pub fn new(entry: &Entry, plan: Option<&PlanAttributes>) -> Event {
        let what = Happened::from(&entry.kind);
        let step = what.step().and_then(|number| plan.and_then(|plan| plan.step(number)));
        Event {
            run: entry.run.to_string(),
            lane: entry.lane.0,
            seq: entry.seq.0,
            at: entry.at,
            target: step.map(|step| step.target.clone()),
            action: step.map(|step| step.action.clone()),
            what,
        }
    }
}

impl Event {
    /// What is searched: the names and words of it, in one line.
    pub fn text(&self) -> String {
        let (one, two, three) = match &self.what {
            Happened::Run { state, message } => (state.as_str(), message.as_deref().unwrap_or(""), ""),
            Happened::Started { .. } => ("started", "", ""),
            Happened::Succeeded { already: true, output, .. } => ("already", output.as_str(), ""),
            Happened::Succeeded { already: false, output, .. } => ("succeeded", output.as_str(), ""),
            Happened::Failed { class, message, .. } => ("failed", class.as_str(), message.as_str()),
            Happened::Skipped { message, .. } => ("skipped", message.as_str(), ""),
            Happened::Progress { message, .. } => (message.as_str(), "", ""),
            Happened::Task { task, outcome, message, .. } => {
                (task.as_str(), outcome.as_str(), message.as_str())
            }
        };
        let host = match &self.what {
            Happened::Task { host, .. } => host.as_str(),
            _ => "",
        };
        let (target, action) = (self.target.as_deref(), self.action.as_deref());
        let words = [target.unwrap_or(""), host, action.unwrap_or(""), one, two, three];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(" ")
    }

    /// Whether it is about this host or target.
    pub fn is_about(&self, name: &str) -> bool {
        self.target.as_deref() == Some(name)
            || matches!(&self.what, Happened::Task { host, .. } if host == name)
    }
}

fn class_word(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Refused => "refused",
        FailureClass::UnknownOutcome => "unknown-outcome",
    }
}

fn output_words(output: &Output) -> String {
    match output {
        Output::None => String::new(),
        Output::Object { kind, id } => format!("{kind} {id}"),
        Output::File { path } => path.clone(),
        Output::Built { files, bytes, .. } => format!("{files} files, {bytes} bytes"),
        Output::Hosts { changed, unchanged } => format!("{changed} changed, {unchanged} unchanged"),
    }
}
