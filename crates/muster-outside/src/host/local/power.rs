//! Switching machines on and off, from outside of their keepers.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::Instant;

use super::argv::{self, Unit};
use super::cgroup;
use super::command::tail;
use super::error::{LocalError, file};
use super::keeper::{CONSOLE_TAIL, Launcher, console_tail, systemd_runs};
use super::lock::Lock;
use super::process::ProcessId;
use super::record::{Folder, MachineRecord, read, remove, text, write, write_bytes};

/// From power-on to sshd's greeting. Measured: 0.6 s alone, 74 s as the last of 200.
pub(super) const BOOT_LIMIT: Duration = Duration::from_secs(180);
/// For services to end; then the plug is pulled.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(60);
/// For a machine without power to be gone; then everything of it is killed.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(20);
/// After that there is nothing more to do.
const LAST_LIMIT: Duration = Duration::from_secs(10);
/// A keeper that has not even begun by then never will.
const KEEPER_LIMIT: Duration = Duration::from_secs(30);
pub(super) const POLL: Duration = Duration::from_millis(25);
/// One try to read sshd's greeting.
const GREETING_LIMIT: Duration = Duration::from_secs(2);
/// A machine that is just booting does not hear yet; it is asked again.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What can be seen of a machine from outside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub kept: bool,
    pub nspawn: Option<ProcessId>,
}

impl Look {
    pub(super) fn on(self) -> bool {
        self.kept || self.nspawn.is_some()
    }
}

/// Looks at a machine.
pub(super) fn look(folder: &Folder) -> Look {
    Look { kept: Lock::is_held(&folder.keeper_lock()), nspawn: ProcessId::recorded(&folder.nspawn_process()) }
}

/// Starts a keeper; it starts the machine, or watches the one that runs.
pub(super) fn launch(
    folder: &Folder,
    machine: &MachineRecord,
    launcher: &Launcher,
) -> Result<Child, LocalError> {
    remove(&folder.stop_mark())?;
    let path = folder.keeper_log();
    let log = std::fs::File::create(&path).map_err(file("create", &path))?;
    let errors = log.try_clone().map_err(file("create", &path))?;
    let unit = match systemd_runs() {
        true => {
            let name = unit_name(folder, &machine.label())?;
            Some(Unit { name, memory: machine.memory_bytes_max })
        }
        false => None,
    };
    let argv = argv::keeper(unit.as_ref(), &launcher.words(), &launcher.environment, &text(&folder.0));
    let mut command = argv.command();
    // It lives for months: it gets no secret from our environment, and none of our pipes.
    command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.envs(launcher.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    command.spawn().map_err(file("start", &launcher.program))
}

/// A name for each launch: the service of a keeper that was killed lives on as long as its machine does, and systemd
/// refuses a second one of its name.
fn unit_name(folder: &Folder, label: &str) -> Result<String, LocalError> {
    let launch = read::<u64>(&folder.launches())?.unwrap_or(0) + 1;
    write(&folder.launches(), &launch)?;
    Ok(format!("{label}.{}-{launch}", std::process::id()))
}

/// Waits until sshd greets, or the machine turns out to have gone off.
pub(super) async fn wait_up(
    folder: &Folder,
    machine: &MachineRecord,
    address: Ipv4Addr,
    mut child: Option<Child>,
) -> Result<(), LocalError> {
    let began = Instant::now();
    let mut seen = false;
    loop {
        if greets(address).await {
            return Ok(());
        }
        let now = look(folder);
        seen |= now.on();
        // Under systemd the child is only the one that asked systemd; its failure counts, its success does not.
        let ended = child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        let lost = ended.is_some_and(|status| !(status.success() && systemd_runs()));
        if !now.on() && (seen || lost || began.elapsed() > KEEPER_LIMIT) {
            return Err(LocalError::WentOff { name: machine.name.to_string(), console: last_words(folder) });
        }
        if began.elapsed() > BOOT_LIMIT {
            return Err(LocalError::TooLong {
                what: format!("booting the local machine {:?}", machine.name.as_str()),
                limit: BOOT_LIMIT,
                detail: format!("; the end of its console:\n{}", last_words(folder)),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

fn last_words(folder: &Folder) -> String {
    let log = std::fs::read_to_string(folder.keeper_log()).unwrap_or_default();
    format!("{}\n{}", console_tail(folder), tail(log.trim(), CONSOLE_TAIL)).trim().to_owned()
}

/// Whether an SSH server answers there.
pub(super) async fn greets(address: Ipv4Addr) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect((address, 22)).await.ok()?;
        let mut start = [0; 4];
        stream.read_exact(&mut start).await.ok()?;
        (&start == b"SSH-").then_some(())
    };
    tokio::time::timeout(GREETING_LIMIT, greeting).await.is_ok_and(|answer| answer.is_some())
}

/// Shuts the machine down; pulls the plug when it takes too long. True when it went down by itself.
pub(super) async fn shut_down(folder: &Folder) -> Result<bool, LocalError> {
    write_bytes(&folder.stop_mark(), b"")?;
    let began = Instant::now();
    let mut asked: Option<(ProcessId, Instant)> = None;
    while began.elapsed() < STOP_LIMIT {
        let now = look(folder);
        if !now.on() {
            return Ok(true);
        }
        if let Some(nspawn) = now.nspawn.filter(|nspawn| !nspawn.children().is_empty()) {
            match asked {
                Some((before, when)) if before == nspawn => {
                    if when.elapsed() > ASK_AGAIN {
                        // It was not listening yet. A reboot is a clean way down too, and with the stop mark the
                        // keeper leaves it at that; a machine on its way down already refuses it.
                        nspawn.children().into_iter().for_each(|init| init.signal(Signal::INT));
                        asked = Some((nspawn, Instant::now()));
                    }
                }
                // nspawn passes it on as a request to power off. Once only: after a second one it would leave the
                // machine alone.
                _ => {
                    nspawn.signal(Signal::TERM);
                    asked = Some((nspawn, Instant::now()));
                }
            }
        }
        tokio::time::sleep(POLL).await;
    }
    pull_plug(folder).await?;
    Ok(false)
}

/// Ends the machine as a power cut does: PID 1 is killed and everything inside ends with it. (Killing nspawn would
/// leave the machine running without it.)
pub(super) async fn pull_plug(folder: &Folder) -> Result<(), LocalError> {
    write_bytes(&folder.stop_mark(), b"")?;
    let began = Instant::now();
    while look(folder).on() {
        let now = look(folder);
        for child in now.nspawn.into_iter().flat_map(ProcessId::children) {
            child.signal(Signal::KILL);
        }
        if began.elapsed() > TEARDOWN_LIMIT {
            return destroy(folder).await;
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Kills keeper, nspawn and whatever is in the machine's groups.
async fn destroy(folder: &Folder) -> Result<(), LocalError> {
    tracing::warn!(folder = %folder.0.display(), "a local machine did not end; all its processes are killed");
    let began = Instant::now();
    while began.elapsed() < LAST_LIMIT {
        let keeper = ProcessId::recorded(&folder.keeper_process());
        for process in keeper.into_iter().chain(look(folder).nspawn) {
            process.signal(Signal::KILL);
        }
        let groups: Vec<PathBuf> = groups(folder);
        groups.iter().for_each(|group| cgroup::kill(group));
        if !look(folder).on() && groups.iter().all(|group| cgroup::processes(group).is_empty()) {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    Err(LocalError::TooLong {
        what: format!("ending the local machine in {}", folder.0.display()),
        limit: TEARDOWN_LIMIT + LAST_LIMIT,
        detail: ": the kernel does not end its processes".to_owned(),
    })
}

/// Removes the groups that a machine had, also when its keeper was killed.
pub(super) async fn remove_groups(folder: &Folder) {
    // systemd removes those of a service itself.
    let ours = if systemd_runs() { Vec::new() } else { groups(folder) };
    for group in ours {
        cgroup::remove(&group).await;
    }
}

pub(super) fn groups(folder: &Folder) -> Vec<PathBuf> {
    read(&folder.cgroups()).ok().flatten().unwrap_or_default()
}

/// Restarts the machine from inside, cleanly, and waits until it is back.
pub(super) async fn restart(
    folder: &Folder,
    machine: &MachineRecord,
    address: Ipv4Addr,
) -> Result<(), LocalError> {
    let Some(before) = look(folder).nspawn else {
        return Err(LocalError::WentOff { name: machine.name.to_string(), console: console_tail(folder) });
    };
    let began = Instant::now();
    let mut asked: Option<Instant> = None;
    while look(folder).nspawn.is_none_or(|now| now == before) {
        if asked.is_none_or(|asked| asked.elapsed() > ASK_AGAIN) {
            // To systemd as PID 1 this is Ctrl-Alt-Del, which Debian means as a reboot.
            before.children().into_iter().for_each(|init| init.signal(Signal::INT));
            asked = Some(Instant::now());
        }
        if !look(folder).on() {
            return Err(LocalError::WentOff { name: machine.name.to_string(), console: last_words(folder) });
        }
        if began.elapsed() > STOP_LIMIT {
            return Err(LocalError::TooLong {
                what: format!("shutting down the local machine {:?} for a reboot", machine.name.as_str()),
                limit: STOP_LIMIT,
                detail: String::new(),
            });
        }
        tokio::time::sleep(POLL).await;
    }
    wait_up(folder, machine, address, None).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_launch_is_a_service_of_its_own() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder(place.path().to_path_buf());
        let name = || unit_name(&folder, "muster-0-web").unwrap();
        let pid = std::process::id();
        assert_eq!(name(), format!("muster-0-web.{pid}-1"));
        assert_eq!(name(), format!("muster-0-web.{pid}-2"));
    }
}
