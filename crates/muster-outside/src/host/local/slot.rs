//! Slots: which Muster home uses which namespace and subnet of this computer.
//!
//! Several homes (two people's, tests side by side) must not collide, so each takes a numbered slot, written
//! below `/run/muster` under a lock. The record is written before the namespace is made and removed after it is
//! gone, so a namespace without a record does not happen, and a crash leaves a record that can be cleaned up.
//! Two settings of the whole computer are made with the first slot and undone with the last.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::argv;
use super::command::{SHORT, run};
use super::error::{LocalError, file};
use super::lock::Lock;
use super::record::{read, remove, text, write};
use super::subnet::{Subnet, routes};
use super::{cgroup, network, process::ProcessId};

/// Where the slots are written. Volatile, like the namespaces.
const RUN: &str = "/run/muster";
/// Each slot is a network of this size: 1,013 machines.
pub(super) const SLOT_PREFIX: u8 = 22;
/// More homes than this on one computer are a mistake, also below a wide range.
pub(super) const SLOTS_MAX: u32 = 64;
/// A slot is taken or given back in well under a second; several may queue.
const LOCK_LIMIT: Duration = Duration::from_secs(60);
/// Each machine needs a handful of inotify instances; the kernel's 128 end at some twenty machines.
const INOTIFY_INSTANCES: u64 = 8192;
const INOTIFY_FILE: &str = "/proc/sys/fs/inotify/max_user_instances";
/// nspawn wants this folder on a tmpfs (`/run` is one under systemd, not everywhere).
const NSPAWN_FOLDER: &str = "/run/systemd/nspawn";

/// Who holds a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SlotRecord {
    machines: PathBuf,
    subnet: Subnet,
}

/// What was changed on the computer itself.
#[derive(Debug, Default, Serialize, Deserialize)]
struct ComputerRecord {
    inotify_before: Option<u64>,
    nspawn_tmpfs: bool,
}

fn run_path(name: &str) -> PathBuf {
    Path::new(RUN).join(name)
}

fn slot_path(slot: u32) -> PathBuf {
    run_path(&format!("slot-{slot}.json"))
}

/// Takes the lock under which slots and their namespaces change.
pub(super) async fn lock() -> Result<Lock, LocalError> {
    Lock::take(&run_path("lock"), LOCK_LIMIT).await
}

/// Gives the home its slot, an old one if it has one, and makes the slot's namespace and bridge.
pub(super) async fn acquire(
    machines: &Path,
    preferred: Option<u32>,
    range: Subnet,
) -> Result<(u32, Subnet), LocalError> {
    let _lock = lock().await?;
    let holders = holders()?;
    if let Some((slot, record)) = holders.iter().find(|(_, record)| record.machines == machines) {
        network::ensure_hub(*slot, record.subnet).await?;
        return Ok((*slot, record.subnet));
    }
    prepare_computer(&holders)?;
    let taken = routes(&run(&argv::routes(), "", SHORT).await?);
    let slots = (0..SLOTS_MAX).take_while(|slot| range.part(SLOT_PREFIX, *slot).is_some()).count() as u32;
    for slot in preferred.into_iter().filter(|slot| *slot < slots).chain(0..slots) {
        let Some(subnet) = range.part(SLOT_PREFIX, slot) else { continue };
        let holder = holders.iter().find(|(number, _)| *number == slot);
        match holder {
            // Its home was removed without deleting its machines.
            Some((_, record)) if !record.machines.exists() => sweep(slot).await?,
            Some(_) => continue,
            None if taken.iter().any(|route| route.overlaps(subnet)) => continue,
            None => {}
        }
        write(&slot_path(slot), &SlotRecord { machines: machines.to_path_buf(), subnet })?;
        network::ensure_hub(slot, subnet).await?;
        return Ok((slot, subnet));
    }
    Err(LocalError::NoFreeNetwork { slots, range: range.to_string() })
}

/// Gives the home's slot back: namespace, bridge and veth go, and with the last slot the computer's settings.
pub(super) async fn release(machines: &Path) -> Result<(), LocalError> {
    let lock = lock().await?;
    for (slot, record) in holders()? {
        if record.machines == machines {
            network::remove_hub(slot).await?;
            remove(&slot_path(slot))?;
        }
    }
    if holders()?.is_empty() {
        restore_computer()?;
        lock.remove();
        // Not empty when somebody else put something there.
        let _ = std::fs::remove_dir(RUN);
    }
    Ok(())
}

/// All slots in use.
fn holders() -> Result<Vec<(u32, SlotRecord)>, LocalError> {
    let mut found = Vec::new();
    for slot in 0..SLOTS_MAX {
        if let Some(record) = read::<SlotRecord>(&slot_path(slot))? {
            found.push((slot, record));
        }
    }
    Ok(found)
}

/// The numbers of all slots in use.
pub(super) fn numbers() -> Result<Vec<u32>, LocalError> {
    Ok(holders()?.into_iter().map(|(slot, _)| slot).collect())
}

/// Ends what a vanished home left running.
async fn sweep(slot: u32) -> Result<(), LocalError> {
    tracing::warn!(slot, "the Muster home of slot {slot} is gone; its machines are ended");
    let prefix = format!("muster-{slot}-");
    for process in nspawns(&prefix) {
        for child in process.children() {
            child.signal(rustix::process::Signal::KILL);
        }
        process.signal(rustix::process::Signal::KILL);
    }
    for namespace in network::namespaces() {
        if namespace.starts_with(&prefix) {
            network::remove_namespace(&namespace).await?;
        }
    }
    network::remove_hub(slot).await?;
    for group in cgroup::find(|name| name.starts_with(&prefix)) {
        cgroup::remove(&group).await;
    }
    remove(&slot_path(slot))
}

/// nspawn processes whose machine's name starts so.
fn nspawns(prefix: &str) -> Vec<ProcessId> {
    let wanted = format!("--machine={prefix}");
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|word| word.starts_with(wanted.as_bytes()))
        })
        .filter_map(ProcessId::of)
        .collect()
}

fn prepare_computer(holders: &[(u32, SlotRecord)]) -> Result<(), LocalError> {
    if !holders.is_empty() {
        return Ok(());
    }
    let mut record: ComputerRecord = read(&run_path("computer.json"))?.unwrap_or_default();
    let now = std::fs::read_to_string(INOTIFY_FILE).ok().and_then(|text| text.trim().parse::<u64>().ok());
    if now.is_some_and(|now| now < INOTIFY_INSTANCES) {
        std::fs::write(INOTIFY_FILE, INOTIFY_INSTANCES.to_string()).map_err(file("write", INOTIFY_FILE))?;
        record.inotify_before = record.inotify_before.or(now);
    }
    std::fs::create_dir_all(NSPAWN_FOLDER).map_err(file("create", NSPAWN_FOLDER))?;
    let status =
        rustix::fs::statfs(NSPAWN_FOLDER).map_err(|error| file("read", NSPAWN_FOLDER)(error.into()))?;
    if status.f_type != libc_tmpfs_magic() {
        use rustix::mount::MountFlags;
        rustix::mount::mount("tmpfs", NSPAWN_FOLDER, "tmpfs", MountFlags::empty(), c"mode=755")
            .map_err(|error| file("mount", NSPAWN_FOLDER)(error.into()))?;
        record.nspawn_tmpfs = true;
    }
    write(&run_path("computer.json"), &record)
}

/// `TMPFS_MAGIC` of `linux/magic.h`.
fn libc_tmpfs_magic() -> rustix::fs::FsWord {
    0x0102_1994
}

fn restore_computer() -> Result<(), LocalError> {
    let path = run_path("computer.json");
    let record: ComputerRecord = read(&path)?.unwrap_or_default();
    let now = std::fs::read_to_string(INOTIFY_FILE).unwrap_or_default();
    if let Some(before) = record.inotify_before
        && now.trim() == INOTIFY_INSTANCES.to_string()
    {
        std::fs::write(INOTIFY_FILE, before.to_string()).map_err(file("write", INOTIFY_FILE))?;
    }
    if record.nspawn_tmpfs {
        rustix::mount::unmount(NSPAWN_FOLDER, rustix::mount::UnmountFlags::DETACH)
            .map_err(|error| file("unmount", NSPAWN_FOLDER)(error.into()))?;
    }
    remove(&path)
}

/// What nspawn leaves below its folder for one machine.
pub(super) fn remove_nspawn_remnants(label: &str) {
    for folder in ["propagate", "unix-export"] {
        // Removed by a clean nspawn already; never holds anything.
        let _ = std::fs::remove_dir(Path::new(NSPAWN_FOLDER).join(folder).join(label));
    }
}

/// Slots whose home is this one, as text; for counting leftovers.
pub(super) fn held_by(machines: &Path) -> Vec<String> {
    let held = holders().unwrap_or_default();
    held.into_iter()
        .filter(|(_, record)| record.machines == machines)
        .map(|(slot, _)| text(&slot_path(slot)))
        .collect()
}
