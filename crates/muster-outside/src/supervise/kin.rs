//! Processes that belong together, and how none of them is left.
//!
//! A process group is not enough: Ansible's workers (since 2.19) and `ssh`'s shared connections leave it for sessions
//! of their own. The supervisor is their subreaper: whoever loses its parent becomes the supervisor's child, so "no
//! children" there is the kernel's own word that nobody is left. Where the supervisor itself is dead, what they cannot
//! leave is the environment that they inherited, and in it their folder's path, which no other child ever has. (A
//! shared connection overwrites its environment with a title: `ssh: SOCKET [mux]`; it is known by that.)

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;

use rustix::process::Signal;

use crate::process::{Stat, signal_if, stat};

/// The variable in a child's environment that names its folder.
const MARK_VARIABLE: &str = "MUSTER_CHILD";

/// What is put into a child's environment, so that it is known.
pub(super) fn process_mark(folder: &Path) -> (&'static str, &OsStr) {
    (MARK_VARIABLE, folder.as_os_str())
}

fn everybody() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Kills all that descend from this process, as they are now. Those they start meanwhile are found the next time.
pub(super) fn kill_descendants(root: i32) {
    let all: HashMap<i32, Stat> = everybody().filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let descends = |pid: i32| {
        let mut at = pid;
        // Deeper than any real tree; a table read while it changes may hold a ring.
        for _ in 0..1_000 {
            match all.get(&at).map(|found| found.parent) {
                Some(parent) if parent == root => return true,
                Some(parent) if parent > 1 => at = parent,
                Some(_) | None => return false,
            }
        }
        false
    };
    for (pid, seen) in all.iter().filter(|(pid, _)| descends(**pid)) {
        // Its parent may have died since, and then it is the subreaper's; its number may be another process's.
        signal_if(*pid, Signal::KILL, |pid| stat(pid).is_some_and(|now| now.start_ticks == seen.start_ticks));
    }
}

/// Kills every process that bears the mark of this folder, and connections shared through sockets below these
/// directories. True once there was none.
pub(super) fn kill_marked(folder: &Path, directories: &[std::path::PathBuf]) -> bool {
    use std::os::unix::ffi::OsStrExt;

    /// One that starts another while we look is found in the next round.
    const ROUNDS_MAX: usize = 20;
    let mark = [MARK_VARIABLE.as_bytes(), b"=", folder.as_os_str().as_bytes(), b"\0"].concat();
    let titles: Vec<Vec<u8>> = directories
        .iter()
        .map(|directory| [b"ssh: ", directory.as_os_str().as_bytes(), b"/"].concat())
        .collect();
    let is_meant = |pid: i32| {
        let file = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        file("environ").windows(mark.len()).any(|window| window == mark.as_slice())
            || titles.iter().any(|title| file("cmdline").starts_with(title))
    };
    for _ in 0..ROUNDS_MAX {
        let found: Vec<i32> = everybody().filter(|pid| stat(*pid).is_some() && is_meant(*pid)).collect();
        if found.is_empty() {
            return true;
        }
        for pid in found {
            signal_if(pid, Signal::KILL, is_meant);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    false
}

/// Whoever loses its parent below this process becomes its child.
#[cfg(target_os = "linux")]
pub(super) fn become_subreaper() -> std::io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Elsewhere there is no such thing.
#[cfg(not(target_os = "linux"))]
pub(super) fn become_subreaper() -> std::io::Result<()> {
    Ok(())
}

/// What became of our children since the last time.
pub(super) struct Reaped {
    /// The leader's exit status; negative: a signal.
    pub leader: Option<i32>,
    /// Whether nobody is left, by the kernel's word.
    pub nobody_left: bool,
}

/// Collects every child that has ended.
pub(super) fn reap(leader: i32) -> Reaped {
    use rustix::process::{WaitOptions, wait};

    let mut reaped = Reaped { leader: None, nobody_left: false };
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == leader => {
                let signal = status.terminating_signal().map(|signal| -signal);
                reaped.leader = status.exit_status().or(signal).or(Some(-1));
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return reaped,
            Err(_) => {
                reaped.nobody_left = true;
                return reaped;
            }
        }
    }
}
