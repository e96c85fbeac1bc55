//! The stand-in: answers playbook runs as a test tells it, and remembers them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{
    Ansible, AnsibleError, AnsibleEvent, EarlierRun, Events, HostResult, HostStats, PlaybookRun, RunOutcome,
};

type Answer = Result<(Vec<AnsibleEvent>, RunOutcome), AnsibleError>;

/// Ansible in memory. Without other orders every host of the inventory ends well with nothing changed.
#[derive(Default)]
pub struct ScriptedAnsible {
    answers: Mutex<VecDeque<Answer>>,
    runs: Mutex<Vec<PlaybookRun>>,
}

impl ScriptedAnsible {
    /// One that lets everything succeed.
    pub fn new() -> ScriptedAnsible {
        ScriptedAnsible::default()
    }

    /// The next run answers so; several queue up.
    pub fn answer(&self, answer: Answer) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer);
    }

    /// The runs so far.
    pub fn runs(&self) -> Vec<PlaybookRun> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Ansible for ScriptedAnsible {
    async fn run(&self, run: &PlaybookRun, events: &mut dyn Events) -> Result<RunOutcome, AnsibleError> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).push(run.clone());
        let told = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let (said, outcome) = match told {
            Some(answer) => answer?,
            None => {
                let named = |name: &str| run.limit.is_empty() || run.limit.iter().any(|limit| limit == name);
                let hosts = run.inventory.hosts().filter(|host| {
                    named(&host.name) || host.groups.iter().any(|group| named(&group.replace('-', "_")))
                });
                let stats = HostStats { ok: 1, ..HostStats::default() };
                let stats: BTreeMap<String, HostStats> =
                    hosts.map(|host| (host.name.clone(), stats)).collect();
                let result = |stats: &HostStats| HostResult { stats: *stats, failure: None };
                let hosts = stats.iter().map(|(name, stats)| (name.clone(), result(stats))).collect();
                let outcome = RunOutcome { hosts, exit_status: 0, complaint: String::new() };
                (vec![AnsibleEvent::Stats { hosts: stats }], outcome)
            }
        };
        for event in said {
            events.event(event).await;
        }
        Ok(outcome)
    }

    /// Its runs are over as soon as they are begun, so nothing is ever found.
    async fn take_up(
        &self,
        _earlier: &EarlierRun,
        _events: &mut dyn Events,
    ) -> Result<Option<RunOutcome>, AnsibleError> {
        Ok(None)
    }
}
