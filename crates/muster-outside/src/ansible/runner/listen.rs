//! What a run says, read from its folder: the plugin's events, as its supervisor keeps them.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::super::{AnsibleEvent, Events, HostResult, HostStats, TaskOutcome};
use crate::supervise::{Folder, NONSENSE};

/// Read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// What was heard so far.
#[derive(Default)]
pub(super) struct Heard {
    tasks: BTreeMap<u32, String>,
    failures: BTreeMap<String, (String, String)>,
    pub(super) hosts: Option<BTreeMap<String, HostResult>>,
    pub(super) started: bool,
    pub(super) nonsense: Option<String>,
}

impl Heard {
    fn note(&mut self, event: &AnsibleEvent) {
        match event {
            AnsibleEvent::Task { number, name, .. } => {
                self.started = true;
                self.tasks.insert(*number, name.clone());
            }
            AnsibleEvent::Host(task)
                if matches!(task.outcome, TaskOutcome::Failed | TaskOutcome::Unreachable) =>
            {
                let name = self.tasks.get(&task.task).cloned().unwrap_or_default();
                let said = match (task.message.as_str(), task.stderr.last().or(task.stdout.last())) {
                    ("", Some(line)) => line.clone(),
                    ("non-zero return code", Some(line)) => format!("non-zero return code: {line}"),
                    (message, _) => message.to_owned(),
                };
                self.failures.insert(task.host.clone(), (name, said));
            }
            AnsibleEvent::Stats { hosts } => {
                let result = |(name, stats): (&String, &HostStats)| {
                    let failure = if stats.well() { None } else { self.failures.get(name).cloned() };
                    (name.clone(), HostResult { stats: *stats, failure })
                };
                self.hosts = Some(hosts.iter().map(result).collect());
            }
            AnsibleEvent::Host(_)
            | AnsibleEvent::Item(_)
            | AnsibleEvent::Playbook { .. }
            | AnsibleEvent::Play { .. }
            | AnsibleEvent::Nobody => {}
        }
    }
}

/// Reads the events of a folder, as far as they go.
pub(super) struct Reader {
    folder: Folder,
    file: Option<std::fs::File>,
    /// The beginning of a line whose end is not written yet.
    rest: Vec<u8>,
}

impl Reader {
    pub(super) fn new(folder: &Folder) -> Reader {
        Reader { folder: folder.clone(), file: None, rest: Vec::new() }
    }

    /// The whole lines of what has come since; none: nothing has.
    fn lines(&mut self) -> io::Result<Option<Vec<Vec<u8>>>> {
        if self.file.is_none() {
            self.file = self.folder.open_events()?;
        }
        let Some(file) = &mut self.file else { return Ok(None) };
        let mut chunk = vec![0; CHUNK_BYTES];
        let count = file.read(&mut chunk)?;
        if count == 0 {
            return Ok(None);
        }
        let mut lines = Vec::new();
        for byte in &chunk[..count] {
            match byte {
                b'\n' => lines.push(std::mem::take(&mut self.rest)),
                byte => self.rest.push(*byte),
            }
        }
        Ok(Some(lines))
    }

    /// Tells what has come since. False: there was nothing.
    pub(super) async fn tell(
        &mut self,
        heard: &mut Heard,
        events: &mut dyn Events,
        is_over: impl Fn() -> bool,
    ) -> io::Result<bool> {
        let Some(lines) = self.lines()? else { return Ok(false) };
        for line in lines {
            match serde_json::from_slice(&line) {
                Ok(event) => {
                    // Between two events, so that whoever goes on misses none.
                    if is_over() {
                        return Ok(true);
                    }
                    heard.note(&event);
                    events.event(event).await;
                }
                Err(error) => {
                    let text = String::from_utf8_lossy(&line);
                    let said = text.strip_prefix(NONSENSE).map_or_else(|| error.to_string(), str::to_owned);
                    heard.nonsense = Some(said);
                }
            }
        }
        Ok(true)
    }
}
