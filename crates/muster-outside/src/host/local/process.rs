//! Processes of this computer, named so that a reused number is never taken for the old process.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// A process: its number and when it started, in ticks since the computer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessId {
    pub pid: i32,
    start_ticks: u64,
}

impl ProcessId {
    /// The process with this number now.
    pub(super) fn of(pid: i32) -> Option<ProcessId> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, start_ticks) = parse_stat(&stat)?;
        (state != 'Z' && state != 'X').then_some(ProcessId { pid, start_ticks })
    }

    /// Whether it still runs (a zombie does not).
    pub(super) fn is_alive(self) -> bool {
        ProcessId::of(self.pid) == Some(self)
    }

    /// Sends a signal if it is still the same process.
    pub(super) fn signal(self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            // It may have ended just now.
            let _ = kill_process(pid, signal);
        }
    }

    /// Its children. nspawn's child is PID 1 of the machine.
    pub(super) fn children(self) -> Vec<ProcessId> {
        if !self.is_alive() {
            return Vec::new();
        }
        let path = format!("/proc/{0}/task/{0}/children", self.pid);
        let listed = std::fs::read_to_string(path).unwrap_or_default();
        listed.split_whitespace().filter_map(|pid| ProcessId::of(pid.parse().ok()?)).collect()
    }

    /// The one recorded in a file, if it still runs.
    pub(super) fn recorded(path: &Path) -> Option<ProcessId> {
        super::record::read::<ProcessId>(path).ok().flatten().filter(|process| process.is_alive())
    }
}

/// State and start of `/proc/PID/stat`; the name in parentheses may hold anything.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // Field 22 of the line; the state is field 3.
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines_with_strange_names() {
        let line = "7 (a) (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 100";
        assert_eq!(parse_stat(line), Some(('S', 4711)));
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn a_reused_number_is_another_process() {
        let me = ProcessId::of(std::process::id().cast_signed()).unwrap();
        assert!(me.is_alive());
        assert!(!ProcessId { start_ticks: me.start_ticks + 1, ..me }.is_alive());
    }
}
