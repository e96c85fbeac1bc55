//! Turns Ansible's events into ours: changes and failures into the journal, every line into the detail output.
//!
//! A run that was taken up tells its events from the first one on. How many of them are in the journal is counted
//! there, under the fence, so none is missing and none is twice; how many are in the output is a note in the run's
//! folder, so after a crash a few lines of output may stand there twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use muster_model::id::{Attempt, StepNumber};
use muster_model::run::{Entry, EntryKind, Fact};
use muster_outside::ansible::{AnsibleEvent, Events, Guard, HostTask, TaskOutcome};
use muster_outside::supervise::Child;
use tokio_util::sync::CancellationToken;

use super::super::{StepContext, StepError};
use crate::journal::{LaneJournal, Stop};
use crate::runner::OutputSink;

/// Entries collected before they are written in one commit.
const ENTRIES_AT_ONCE: usize = 32;

pub(super) struct Told {
    journal: Arc<LaneJournal>,
    output: Arc<OutputSink>,
    clock: Arc<dyn muster_model::world::Clock>,
    step: StepNumber,
    tasks: BTreeMap<u32, String>,
    waiting: Vec<(EntryKind, Vec<Fact>)>,
    stop: Option<Stop>,
    guard: Guard,
    cancel: CancellationToken,
    /// Events so far, and how many of them are in the output already.
    events: u64,
    events_told: u64,
    /// Results of hosts so far that are in the journal already.
    results_told: usize,
    is_taken_up: bool,
}

impl Told {
    /// Of a run with this guard; `cancel` ends it.
    pub(super) fn new(ctx: &StepContext, guard: Guard, cancel: CancellationToken) -> Told {
        Told {
            journal: ctx.journal.clone(),
            output: ctx.output.clone(),
            clock: ctx.world().clock.clone(),
            step: ctx.step.number,
            tasks: BTreeMap::new(),
            waiting: Vec::new(),
            stop: None,
            guard,
            cancel,
            events: 0,
            events_told: 0,
            results_told: 0,
            is_taken_up: false,
        }
    }

    /// Goes on where the last owner of this attempt stopped telling.
    pub(super) fn after(mut self, attempt: Attempt, entries: &[Entry]) -> Told {
        self.results_told = results_of(self.step, attempt, entries.iter().map(|entry| &entry.kind));
        self.events_told = self.guard.folder.taken();
        self.is_taken_up = true;
        self
    }

    pub(super) async fn flush(&mut self) -> Result<(), StepError> {
        self.write().await;
        match self.stop.take() {
            Some(stop) => Err(stop.into()),
            None => Ok(()),
        }
    }

    async fn write(&mut self) {
        if self.stop.is_some() {
            return;
        }
        if !self.waiting.is_empty()
            && let Err(stop) = self.journal.write_all(std::mem::take(&mut self.waiting)).await
        {
            match &stop {
                // The database is away. Whoever has the lane when it is back takes the run up.
                Stop::Store(_) if self.guard.outlives => self.guard.let_go.cancel(),
                // The lane is somebody else's, or will be, and there may be no trace of the run where they are.
                Stop::Fenced | Stop::Store(_) => self.cancel.cancel(),
                Stop::Refused(_) => {}
            }
            self.stop = Some(stop);
            return;
        }
        if self.events > self.events_told {
            self.output.flush().await;
            self.guard.folder.note_taken(self.events);
            self.events_told = self.events;
        }
    }

    fn line(&self, target: &str, text: &str) {
        if self.events > self.events_told {
            self.output.push(self.clock.now(), self.step, target, text);
        }
    }

    async fn host_task(&mut self, done: HostTask) {
        let task = self.tasks.get(&done.task).cloned().unwrap_or_default();
        let outcome = match done.outcome {
            TaskOutcome::Ok => "ok",
            TaskOutcome::Changed => "changed",
            TaskOutcome::Failed => "failed",
            TaskOutcome::Ignored => "ignored",
            TaskOutcome::Unreachable => "unreachable",
            TaskOutcome::Skipped => "skipped",
            TaskOutcome::Retry => "retry",
        };
        self.line(&done.host, &format!("{task}: {outcome} {}", done.message));
        for text in done.stdout.iter().chain(&done.stderr) {
            self.line(&done.host, text);
        }
        if self.results_told > 0 {
            self.results_told -= 1;
            return;
        }
        let kind = EntryKind::Task {
            step: self.step,
            host: done.host,
            task,
            outcome: outcome.to_owned(),
            message: done.message,
        };
        self.waiting.push((kind, Vec::new()));
        if self.waiting.len() >= ENTRIES_AT_ONCE {
            self.write().await;
        }
    }
}

/// How many results of this attempt are in the journal, whoever wrote them.
fn results_of<'e>(of: StepNumber, first: Attempt, entries: impl IntoIterator<Item = &'e EntryKind>) -> usize {
    let began = |entry: &&EntryKind| matches!(entry, EntryKind::Started { step, attempt } if *step == of && *attempt == first);
    let since = entries.into_iter().skip_while(|entry| !began(entry));
    since.filter(|entry| matches!(entry, EntryKind::Task { step, .. } if *step == of)).count()
}

#[async_trait]
impl Events for Told {
    async fn child(&mut self, child: &Child) {
        let Child { process, supervisor } = child;
        let how = if self.is_taken_up { "goes on as" } else { "is" };
        let message = format!(
            "Ansible {how} process {} of this machine, guarded by process {} (started at tick {}, boot {})",
            process.pid, supervisor.pid, process.start_ticks, process.boot
        );
        self.waiting.push((EntryKind::Progress { step: Some(self.step), message }, Vec::new()));
        self.write().await;
    }

    async fn event(&mut self, event: AnsibleEvent) {
        self.events += 1;
        match event {
            AnsibleEvent::Playbook { .. } | AnsibleEvent::Nobody | AnsibleEvent::Stats { .. } => {}
            AnsibleEvent::Play { name } => self.line("", &format!("play {name}")),
            AnsibleEvent::Task { number, name, .. } => {
                self.tasks.insert(number, name);
                // The task before it is over everywhere: whoever follows sees it now.
                self.write().await;
            }
            AnsibleEvent::Item(done) => {
                let item = done.item.clone().unwrap_or_default();
                self.line(&done.host, &format!("item {item} {}", done.message));
            }
            AnsibleEvent::Host(done) => self.host_task(done).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_journal_is_not_told_again() {
        let started =
            |step, attempt| EntryKind::Started { step: StepNumber(step), attempt: Attempt(attempt) };
        let task = |step| EntryKind::Task {
            step: StepNumber(step),
            host: "web-1".into(),
            task: "t".into(),
            outcome: "ok".into(),
            message: String::new(),
        };
        // Attempt 1 ended, attempt 2 was taken up as attempt 3.
        let journal =
            [started(1, 1), task(1), started(1, 2), task(1), task(2), task(1), started(1, 3), task(1)];
        assert_eq!(results_of(StepNumber(1), Attempt(2), &journal), 3);
        assert_eq!(results_of(StepNumber(1), Attempt(4), &journal), 0);
    }
}
