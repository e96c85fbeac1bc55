//! What a run says: the plugin's events, and the end of its standard error.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use muster_model::Secret;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::net::UnixListener;

use crate::ansible::event::read_line;
use crate::ansible::{AnsibleEvent, Events, HostResult, HostStats, TaskOutcome};

/// One line of the plugin: 200 lines of 2 KiB twice, and room.
const EVENT_BYTES_MAX: u64 = 4 << 20;
/// What is kept of the end of standard error.
const COMPLAINT_BYTES_MAX: usize = 16 << 10;

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

pub(super) async fn listen(
    listener: UnixListener,
    connected: &AtomicBool,
    hidden: &[Secret],
    heard: &mut Heard,
    events: &mut dyn Events,
) {
    // The plugin connects once, when Ansible has read its settings.
    let Ok((stream, _)) = listener.accept().await else { return };
    connected.store(true, Ordering::Relaxed);
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut reader).take(EVENT_BYTES_MAX);
        match limited.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        match read_line(&line, hidden) {
            Ok(event) => {
                heard.note(&event);
                events.event(event).await;
            }
            Err(error) => heard.nonsense = Some(error),
        }
    }
}

/// Reads to the end and keeps the last part.
pub(super) async fn keep_end(pipe: Option<impl AsyncRead + Unpin>, kept: &mut VecDeque<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        kept.extend(&buffer[..read]);
        let over = kept.len().saturating_sub(COMPLAINT_BYTES_MAX);
        kept.drain(..over);
    }
}
