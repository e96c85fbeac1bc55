//! The processes of one run, and how none of them outlives it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use tokio::time::timeout;

use super::EVENTS_VARIABLE;

/// Between the polite and the hard end of a run.
const ENDING_LIMIT: Duration = Duration::from_secs(5);

/// A run's processes; killed when dropped, unless they have ended.
///
/// The process group is not enough: Ansible's workers (since 2.19) and `ssh`'s shared connections leave it for
/// sessions of their own. What they cannot leave is the environment that they inherited, and in it the path of this
/// run's event socket, which no other process ever has. (A shared connection overwrites its environment with a title
/// of its own: `ssh: SOCKET [mux]`; it is known by that.)
pub(super) struct Group {
    pub(super) child: Child,
    pub(super) leader: Option<Pid>,
    pub(super) socket: PathBuf,
}

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // Nobody left to hear it is fine.
            let _ = kill_process_group(leader, signal);
        }
    }

    /// Waits for the leader, then ends whoever it left behind.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.force();
        Ok(status)
    }

    /// Asks to end, then forces.
    pub(super) async fn end(&mut self) {
        self.signal(Signal::TERM);
        if timeout(ENDING_LIMIT, self.child.wait()).await.is_err() {
            self.signal(Signal::KILL);
            let _ = self.child.wait().await;
        }
        self.force();
    }

    fn force(&mut self) {
        if self.leader.is_some() {
            self.signal(Signal::KILL);
            kill_inheritors(&self.socket);
            self.leader = None;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.force();
    }
}

/// Kills every process whose environment names this run's socket.
#[cfg(target_os = "linux")]
fn kill_inheritors(socket: &Path) {
    use std::os::unix::ffi::OsStrExt;

    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

    /// One that starts another while we look is found in the next round.
    const ROUNDS_MAX: usize = 5;
    let mark = [EVENTS_VARIABLE.as_bytes(), b"=", socket.as_os_str().as_bytes(), b"\0"].concat();
    let directory = socket.parent().unwrap_or(socket).as_os_str().as_bytes();
    let title = [b"ssh: ", directory, b"/"].concat();
    for _ in 0..ROUNDS_MAX {
        let mut killed = false;
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let number = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
            let Some(pid) = number.and_then(Pid::from_raw) else { continue };
            // The handle first: from then on the number cannot come to mean another process.
            let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let shared =
                || std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line.starts_with(&title));
            if environment.windows(mark.len()).any(|window| window == mark.as_slice()) || shared() {
                killed |= pidfd_send_signal(handle, Signal::KILL).is_ok();
            }
        }
        if !killed {
            return;
        }
    }
}

/// Elsewhere the process group has to do.
#[cfg(not(target_os = "linux"))]
fn kill_inheritors(_socket: &Path) {}
