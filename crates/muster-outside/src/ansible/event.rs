//! What Ansible tells while it runs, typed; and what is kept per host.

use std::collections::BTreeMap;

use muster_model::Secret;
use serde::{Deserialize, Serialize};

/// A message or line in an event is at most this long, in characters.
const TEXT_CHARACTERS_MAX: usize = 4096;
/// Lines of output in one event.
const LINES_MAX: usize = 201;
/// A shorter secret is not hidden: every text would be full of dots.
const HIDDEN_BYTES_MIN: usize = 4;
/// What stands in the place of a secret.
const DOTS: &str = "••••••";

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum AnsibleEvent {
    /// The playbook was read.
    Playbook {
        /// Its file name.
        file: String,
    },
    /// A play begins.
    Play {
        /// Its name, or its host pattern.
        name: String,
    },
    /// A task begins.
    Task {
        /// Counts from 1; [`HostTask::task`] refers to it.
        number: u32,
        /// Ordinary, or a handler.
        kind: TaskKind,
        /// Its name, or its module.
        name: String,
        /// The module.
        action: String,
        /// `file:line`
        path: String,
    },
    /// A task ended on one host.
    Host(HostTask),
    /// One turn of a task's loop ended on one host.
    Item(HostTask),
    /// A play had no hosts.
    Nobody,
    /// The end: what each host came to.
    Stats {
        /// By inventory name.
        hosts: BTreeMap<String, HostStats>,
    },
}

/// What kind of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Of the play.
    Task,
    /// Notified by others.
    Handler,
}

/// How one task went on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostTask {
    /// The inventory name.
    pub host: String,
    /// The task's number, 0 if it has none.
    pub task: u32,
    /// How it went.
    pub outcome: TaskOutcome,
    /// A sentence, may be empty; `hidden (no_log)` for tasks that must not be seen.
    #[serde(default)]
    pub message: String,
    /// Lines of standard output.
    #[serde(default)]
    pub stdout: Vec<String>,
    /// Lines of standard error.
    #[serde(default)]
    pub stderr: Vec<String>,
    /// The item of a loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// How often it has been tried, where it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
}

/// How a task went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskOutcome {
    /// Already so.
    Ok,
    /// Done now.
    Changed,
    /// It failed.
    Failed,
    /// It failed and the playbook says that it may.
    Ignored,
    /// The host could not be reached.
    Unreachable,
    /// Left out.
    Skipped,
    /// It failed and is tried again.
    Retry,
}

/// Counts at the end, as Ansible gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStats {
    /// Tasks that ended well, changed ones among them.
    pub ok: u32,
    /// Tasks that changed something.
    pub changed: u32,
    /// Tasks that failed.
    pub failures: u32,
    /// Times the host could not be reached.
    pub unreachable: u32,
    /// Tasks left out.
    pub skipped: u32,
    /// Failures that a `rescue` took care of.
    pub rescued: u32,
    /// Failures that may happen.
    pub ignored: u32,
}

impl HostStats {
    /// Neither failed nor unreachable.
    pub fn well(&self) -> bool {
        self.failures == 0 && self.unreachable == 0
    }
}

/// What a run came to on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostResult {
    /// The counts.
    pub stats: HostStats,
    /// The task that failed last, and what it said.
    pub failure: Option<(String, String)>,
}

/// Reads one line of the plugin, hides secrets and cuts what is too long.
pub(crate) fn read_line(line: &[u8], hidden: &[Secret]) -> Result<AnsibleEvent, String> {
    let mut event: AnsibleEvent = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let tidy = |text: &mut String| *text = cut(hide(std::mem::take(text), hidden));
    match &mut event {
        AnsibleEvent::Playbook { file } => tidy(file),
        AnsibleEvent::Play { name } => tidy(name),
        AnsibleEvent::Task { name, action, path, .. } => [name, action, path].into_iter().for_each(tidy),
        AnsibleEvent::Host(task) | AnsibleEvent::Item(task) => {
            tidy(&mut task.message);
            for lines in [&mut task.stdout, &mut task.stderr] {
                lines.truncate(LINES_MAX);
                lines.iter_mut().for_each(tidy);
            }
            task.item.iter_mut().for_each(tidy);
        }
        AnsibleEvent::Nobody | AnsibleEvent::Stats { .. } => {}
    }
    Ok(event)
}

/// The same event without what its task printed.
pub(crate) fn without_output(mut event: AnsibleEvent) -> AnsibleEvent {
    if let AnsibleEvent::Host(task) | AnsibleEvent::Item(task) = &mut event {
        task.stdout.clear();
        task.stderr = vec!["[output left out: this run has printed too much]".to_owned()];
    }
    event
}

/// Puts dots in the place of every secret; also line by line, and in the escaped form that JSON and shells print.
pub(crate) fn hide(mut text: String, hidden: &[Secret]) -> String {
    for secret in hidden {
        let whole = secret.expose();
        let lines = whole.lines().filter(|line| line.len() < whole.len());
        let escaped = serde_json::Value::from(whole).to_string();
        // Without the quotes around it.
        let escaped = &escaped[1..escaped.len() - 1];
        for part in [whole, escaped].into_iter().chain(lines) {
            if part.len() >= HIDDEN_BYTES_MIN && text.contains(part) {
                text = text.replace(part, DOTS);
            }
        }
    }
    text
}

fn cut(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARACTERS_MAX) {
        Some((at, _)) => format!("{} [cut]", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_secrets_whole_by_line_and_escaped() {
        let hidden = [Secret::new("hunter2"), Secret::new("first line\nsecond \"line\""), Secret::new("abc")];
        let text = "hunter2 xhunter2x; first line; first line\\nsecond \\\"line\\\"; abc".to_owned();
        assert_eq!(hide(text, &hidden), "•••••• x••••••x; ••••••; ••••••; abc");
    }

    #[test]
    fn cuts_long_texts_after_hiding() {
        let line = format!(
            r#"{{"event":"host","host":"a","task":1,"outcome":"ok","message":"{}hunter2"}}"#,
            "x".repeat(4090)
        );
        let AnsibleEvent::Host(task) = read_line(line.as_bytes(), &[Secret::new("hunter2")]).unwrap() else {
            panic!("not a host event")
        };
        assert!(task.message.ends_with("••••••") && !task.message.contains("hunter"));
    }
}
