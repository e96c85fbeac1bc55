//! Processes of this computer, told apart by more than their number, which is used again.

use rustix::process::{Pid, Signal};

/// What the kernel says of a process that runs (a zombie does not).
pub(crate) struct Stat {
    pub parent: i32,
    /// When it started, in ticks since the computer did.
    pub start_ticks: u64,
}

/// The process with this number now.
#[cfg(target_os = "linux")]
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Without /proc a number is all that is known of a process.
#[cfg(not(target_os = "linux"))]
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    rustix::process::test_kill_process(Pid::from_raw(pid)?).ok()?;
    Some(Stat { parent: 0, start_ticks: 0 })
}

/// The name in parentheses may hold anything.
#[cfg(any(test, target_os = "linux"))]
fn parse(line: &str) -> Option<Stat> {
    let mut fields = line.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    // Field 22 of the line; the parent is field 4.
    Some(Stat { parent, start_ticks: fields.nth(17)?.parse().ok()? })
}

/// Sends a signal to the process with this number if it is the one that is meant. The handle comes first, and from then
/// on the number cannot come to mean another process.
#[cfg(target_os = "linux")]
pub(crate) fn signal_if(pid: i32, signal: Signal, is_meant: impl Fn(i32) -> bool) -> bool {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

    let Some(number) = Pid::from_raw(pid) else { return false };
    let Ok(handle) = pidfd_open(number, PidfdFlags::empty()) else { return false };
    is_meant(pid) && pidfd_send_signal(handle, signal).is_ok()
}

/// Elsewhere the process group has to do.
#[cfg(not(target_os = "linux"))]
pub(crate) fn signal_if(_pid: i32, _signal: Signal, _is_meant: impl Fn(i32) -> bool) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines_with_strange_names() {
        let line = "7 (a) (b) S 5 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 100";
        let read = parse(line).unwrap();
        assert_eq!((read.parent, read.start_ticks), (5, 4711));
        assert!(parse(&line.replace(" S ", " Z ")).is_none(), "a zombie does not run");
        assert!(parse("").is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_the_one_that_is_meant_hears_it() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id().cast_signed();
        let started = stat(pid).unwrap().start_ticks;
        assert!(!signal_if(pid, Signal::KILL, |pid| stat(pid).is_some_and(|now| now.start_ticks != started)));
        assert!(stat(pid).is_some(), "another one of the same number would live on");
        assert!(signal_if(pid, Signal::KILL, |pid| stat(pid).is_some_and(|now| now.start_ticks == started)));
        assert!(!child.wait().unwrap().success());
    }
}
