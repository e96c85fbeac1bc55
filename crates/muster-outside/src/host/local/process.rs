//! Processes of this computer, named so that a reused number is never taken for the old process.

use std::path::Path;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::process::{signal_if, stat};

/// A process: its number and when it started, in ticks since the computer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessId {
    pub pid: i32,
    start_ticks: u64,
}

impl ProcessId {
    /// The process with this number now.
    pub(super) fn of(pid: i32) -> Option<ProcessId> {
        Some(ProcessId { pid, start_ticks: stat(pid)?.start_ticks })
    }

    /// Whether it still runs (a zombie does not).
    pub(super) fn is_alive(self) -> bool {
        ProcessId::of(self.pid) == Some(self)
    }

    /// Sends a signal if it is still the same process.
    pub(super) fn signal(self, signal: Signal) {
        // It may have ended just now.
        signal_if(self.pid, signal, |pid| ProcessId::of(pid) == Some(self));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_number_is_another_process() {
        let me = ProcessId::of(std::process::id().cast_signed()).unwrap();
        assert!(me.is_alive());
        assert!(!ProcessId { start_ticks: me.start_ticks + 1, ..me }.is_alive());
    }
}
