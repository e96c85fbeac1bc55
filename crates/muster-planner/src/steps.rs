//! Steps as they get their numbers, and where each server stands in them.

use muster_model::id::{NetworkName, StepNumber};
use muster_model::plan::{Action, FieldChange, ObjectRef, Reason, Risk, Step};

use crate::server::ServerDecision;

/// The steps as they are numbered.
#[derive(Default)]
pub(crate) struct Steps {
    /// All of them.
    pub(crate) list: Vec<Step>,
    /// What everything else waits for.
    first: Vec<StepNumber>,
}

impl Steps {
    /// Appends a step and tells its number. `after` may repeat itself.
    pub(crate) fn push(
        &mut self,
        mut after: Vec<StepNumber>,
        target: &str,
        action: Action,
        why: Why,
    ) -> StepNumber {
        if after.is_empty() {
            after.clone_from(&self.first);
        }
        after.sort_unstable();
        after.dedup();
        let number = StepNumber(self.list.len() as u32 + 1);
        let Why { reason, changes, risk } = why;
        self.list.push(Step { number, after, target: target.to_owned(), action, reason, changes, risk });
        number
    }

    /// What was appended so far comes first: every later step waits for it.
    pub(crate) fn close_first(&mut self) {
        self.first = self.list.iter().map(|step| step.number).collect();
    }

    /// Steps that no other step waits for.
    pub(crate) fn ends(&self) -> Vec<StepNumber> {
        let mut waited = vec![false; self.list.len() + 1];
        for number in self.list.iter().flat_map(|step| &step.after) {
            waited[number.0 as usize] = true;
        }
        self.list.iter().map(|step| step.number).filter(|number| !waited[number.0 as usize]).collect()
    }
}

/// Why a step is there, and what it changes and risks.
pub(crate) struct Why {
    pub(crate) reason: Reason,
    pub(crate) changes: Vec<FieldChange>,
    pub(crate) risk: Risk,
}

impl Why {
    /// A step without field changes and without risk.
    pub(crate) fn plain(reason: Reason) -> Why {
        Why { reason, changes: Vec::new(), risk: Risk::None }
    }
}

/// Where each server of the file stands in the order: how to refer to it and its latest step.
pub(crate) struct Track {
    /// The step that makes it.
    pub(crate) made: Option<StepNumber>,
    /// Its latest step.
    pub(crate) last: Option<StepNumber>,
    /// Records of gone objects of its name that must be dropped before it is made.
    pub(crate) gone: Vec<StepNumber>,
    /// Networks that it is linked to by this plan.
    pub(crate) linked: Vec<(NetworkName, ObjectRef)>,
}

impl Track {
    /// How later steps refer to the server.
    pub(crate) fn refer(&self, decision: &ServerDecision<'_>) -> Option<ObjectRef> {
        match self.made {
            Some(step) => Some(ObjectRef::Made(step)),
            None => decision.seen.map(|seen| ObjectRef::Seen(seen.id.clone())),
        }
    }
}
