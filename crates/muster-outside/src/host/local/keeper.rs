//! The keeper of a machine: what the hidden `muster __machine FOLDER` runs.
//!
//! It outlives whoever started it, mounts the machine's disk (in its own mount namespace, see `argv::keeper`),
//! starts nspawn, and starts it again when the machine asked for a reboot. It takes no orders: it ends when its
//! machine went off, or after a reboot when there is a `stop` mark. If a keeper was killed, the next one watches
//! the machine that still runs instead of starting a second one.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::time::Instant;

use super::argv::{self, Boot, HOST_KEY};
use super::cgroup::Groups;
use super::command::{Argv, SHORT, run, tail};
use super::error::{LocalError, file};
use super::lock::Lock;
use super::network;
use super::process::ProcessId;
use super::record::{Folder, HomeRecord, MachineRecord, read, remove, text, write};

/// With this status nspawn says that the machine wants to be started again (`systemd-nspawn(1)`).
const REBOOT: i32 = 133;
/// The words with which nspawn says the same on the console.
const REBOOT_WORDS: &str = "is being rebooted";
/// The console's file is emptied beyond this size.
const CONSOLE_BYTES_MAX: u64 = 4 * 1024 * 1024;
const CONSOLE_CHECK: Duration = Duration::from_secs(5);
/// How much of the console's end is searched or shown.
pub(super) const CONSOLE_TAIL: usize = 2000;
/// A machine that reboots faster than this is held back, so that it cannot eat a core for ever.
const REBOOT_GAP: Duration = Duration::from_secs(1);
/// A look at the lock by others holds it for a moment.
const LOCK_LIMIT: Duration = Duration::from_secs(2);
/// The last mount of a disk may take a moment to vanish.
const MOUNT_TRIES: u32 = 50;
const WATCH: Duration = Duration::from_millis(200);

/// How to start the hidden command that keeps a machine.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The executable.
    pub program: PathBuf,
    /// Arguments before the machine's folder, e.g. `__machine`.
    pub arguments: Vec<String>,
    /// Its whole environment besides `PATH`.
    pub environment: Vec<(String, String)>,
}

impl Launcher {
    /// The running executable with the hidden subcommand.
    ///
    /// # Errors
    /// When the system cannot say which executable runs.
    pub fn muster() -> std::io::Result<Launcher> {
        let program = std::env::current_exe()?;
        Ok(Launcher { program, arguments: vec!["__machine".to_owned()], environment: Vec::new() })
    }

    pub(super) fn words(&self) -> Vec<String> {
        let mut words = vec![text(&self.program)];
        words.extend(self.arguments.iter().cloned());
        words
    }
}

/// The body of the hidden `muster __machine FOLDER`; `arguments` are what follows `__machine`. Gives the exit code:
/// 0 when the machine went off, 1 when it could not be kept, 2 for wrong arguments. Needs a tokio runtime.
pub async fn machine_supervisor_main(arguments: impl IntoIterator<Item = String>) -> i32 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let [folder] = &arguments[..] else {
        eprintln!("usage: __machine FOLDER (Muster starts this itself)");
        return 2;
    };
    match keep(&Folder(folder.into())).await {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error}{}", causes(&error));
            1
        }
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |cause| cause.source()).map(|cause| format!(": {cause}")).collect()
}

async fn keep(folder: &Folder) -> Result<(), LocalError> {
    let _lock = Lock::take(&folder.keeper_lock(), LOCK_LIMIT).await?;
    let me = ProcessId::of(std::process::id().cast_signed());
    write(&folder.keeper_process(), &me)?;
    let machine: MachineRecord =
        read(&folder.record())?.ok_or_else(|| LocalError::NotFound(text(&folder.0)))?;
    let groups = Groups::plan(&machine.label(), systemd_runs())?;
    let mut paths = groups.paths();
    if ProcessId::recorded(&folder.nspawn_process()).is_some() {
        // A machine that an earlier keeper started stays in that one's groups until it boots again.
        let before: Vec<PathBuf> = read(&folder.cgroups())?.unwrap_or_default();
        paths.extend(before.into_iter().filter(|path| !groups.paths().contains(path)));
    }
    write(&folder.cgroups(), &paths)?;
    groups.enter("keeper")?;
    let kept = rounds(folder, &machine, &groups).await;
    groups.leave().await;
    kept
}

/// Starts the machine, and again after each reboot.
async fn rounds(folder: &Folder, machine: &MachineRecord, groups: &Groups) -> Result<(), LocalError> {
    let mut mounted = false;
    loop {
        let began = Instant::now();
        let reboot = match ProcessId::recorded(&folder.nspawn_process()) {
            Some(running) => watch(folder, running).await,
            None => {
                if folder.stop_mark().exists() {
                    return Ok(());
                }
                if !mounted {
                    mount_disk(folder, machine).await?;
                    mounted = true;
                }
                boot(folder, groups).await?
            }
        };
        remove(&folder.nspawn_process())?;
        if !reboot || folder.stop_mark().exists() {
            return Ok(());
        }
        tokio::time::sleep_until(began + REBOOT_GAP).await;
    }
}

/// Whether this computer's PID 1 is systemd, by systemd's own test (`sd_booted(3)`).
pub(super) fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

async fn mount_disk(folder: &Folder, machine: &MachineRecord) -> Result<(), LocalError> {
    let root = folder.root();
    let data = argv::overlay_data(&machine.base_root, &text(&folder.0));
    let data = std::ffi::CString::new(data)
        .map_err(|error| LocalError::Damaged { path: folder.record(), reason: error.to_string() })?;
    let mut tries = 0;
    loop {
        let flags = rustix::mount::MountFlags::empty();
        match rustix::mount::mount("overlay", &root, "overlay", flags, data.as_c_str()) {
            Ok(()) => break,
            Err(rustix::io::Errno::BUSY) if tries < MOUNT_TRIES => tries += 1,
            Err(error) => return Err(file("mount", &root)(error.into())),
        }
        tokio::time::sleep(WATCH).await;
    }
    // As on a fresh server: the first boot makes the key by which the machine is known from then on.
    if !root.join(HOST_KEY.trim_start_matches('/')).exists() {
        run(&argv::host_key(&text(&root)), "", SHORT).await?;
    }
    Ok(())
}

/// One boot, from power-on to off; true when the machine wants to be started again.
async fn boot(folder: &Folder, groups: &Groups) -> Result<bool, LocalError> {
    // Read anew: interfaces may have been added since.
    let machine: MachineRecord =
        read(&folder.record())?.ok_or_else(|| LocalError::NotFound(text(&folder.0)))?;
    let home = folder.0.parent().map(|home| home.join("machines.json")).unwrap_or_default();
    let home: HomeRecord = read(&home)?.ok_or_else(|| LocalError::NotFound(text(&home)))?;
    network::plug(&home, &machine).await?;
    let (label, root) = (machine.label(), text(&folder.root()));
    let command: Argv = argv::nspawn(&Boot {
        label: &label,
        hostname: &machine.hostname,
        root: &root,
        repository: &machine.repository,
    });
    let path = folder.console();
    let console = OpenOptions::new().create(true).append(true).open(&path).map_err(file("open", &path))?;
    let errors = console.try_clone().map_err(file("open", &path))?;
    // A child starts in its parent's groups, so the keeper steps into the machine's for the moment of the start.
    groups.enter("machine")?;
    let child = command.command().stdin(Stdio::null()).stdout(console).stderr(errors).spawn();
    groups.enter("keeper")?;
    let mut child = child.map_err(file("start", "systemd-nspawn"))?;
    if let Some(process) = child.id().and_then(|id| ProcessId::of(id.cast_signed())) {
        write(&folder.nspawn_process(), &process)?;
    }
    if let Some(bytes) = machine.memory_bytes_max {
        groups.limit_memory(bytes)?;
    }
    let mut check = tokio::time::interval(CONSOLE_CHECK);
    loop {
        tokio::select! {
            status = child.wait() => {
                return Ok(status.map_err(file("wait for", "systemd-nspawn"))?.code() == Some(REBOOT));
            }
            _ = check.tick() => empty_when_large(&path),
        }
    }
}

/// nspawn appends, so emptying the file under it is safe.
fn empty_when_large(path: &Path) {
    if std::fs::metadata(path).is_ok_and(|data| data.len() > CONSOLE_BYTES_MAX)
        && let Ok(console) = OpenOptions::new().write(true).open(path)
    {
        // The next check tries again.
        let _ = console.set_len(0);
    }
}

/// Waits for a machine that an earlier keeper started. Its exit status is lost, nspawn's last words are not.
async fn watch(folder: &Folder, running: ProcessId) -> bool {
    while running.is_alive() {
        empty_when_large(&folder.console());
        tokio::time::sleep(WATCH).await;
    }
    console_tail(folder).lines().last().is_some_and(|line| line.contains(REBOOT_WORDS))
}

/// The end of a machine's console.
pub(super) fn console_tail(folder: &Folder) -> String {
    let console = std::fs::read(folder.console()).unwrap_or_default();
    tail(String::from_utf8_lossy(&console).trim_end(), CONSOLE_TAIL).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        std::fs::write(&path, "short").unwrap();
        empty_when_large(&path);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "short");
        std::fs::File::options().write(true).open(&path).unwrap().set_len(CONSOLE_BYTES_MAX + 1).unwrap();
        empty_when_large(&path);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }

    #[tokio::test]
    async fn wrong_arguments_and_missing_folders_end_at_once() {
        assert_eq!(machine_supervisor_main([]).await, 2);
        let folder = tempfile::tempdir().unwrap();
        let nothing = folder.path().join("machine").to_string_lossy().into_owned();
        assert_eq!(machine_supervisor_main([nothing]).await, 1);
    }
}
