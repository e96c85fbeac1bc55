//! Counts what is on the computer because of a Muster home's machines. After the last delete it must be nothing.

use std::path::Path;

use super::command::{SHORT, run};
use super::error::LocalError;
use super::{argv, cgroup, network, slot};

/// What is there, by kind. Things that bear Muster's names but belong to no home at all are counted too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Mount points below the home.
    pub mounts: Vec<String>,
    /// Network namespaces.
    pub namespaces: Vec<String>,
    /// Network interfaces of the computer.
    pub interfaces: Vec<String>,
    /// Processes that work below the home, as `PID command line`.
    pub processes: Vec<String>,
    /// Control groups.
    pub cgroups: Vec<String>,
    /// Docker containers.
    pub containers: Vec<String>,
    /// Docker networks.
    pub networks: Vec<String>,
    /// Files below the home's `machines`, and slots held.
    pub files: Vec<String>,
}

impl Leftovers {
    /// How many there are.
    pub fn total(&self) -> usize {
        let kinds = [
            &self.mounts,
            &self.namespaces,
            &self.interfaces,
            &self.processes,
            &self.cgroups,
            &self.containers,
            &self.networks,
            &self.files,
        ];
        kinds.iter().map(|kind| kind.len()).sum()
    }
}

/// Counts. `own` is the slot of this home, if it has one.
pub(super) async fn count(machines: &Path, own: Option<u32>) -> Result<Leftovers, LocalError> {
    // Slots and their namespaces change under this lock only.
    let lock = slot::lock().await?;
    let held = slot::numbers()?;
    // Every name of ours has a slot's number; others may begin with `muster-` too.
    let ours =
        |number: Option<u32>| number.is_some_and(|number| own == Some(number) || !held.contains(&number));
    let links = network::link_names(&run(&argv::links(), "", SHORT).await?);
    let slot_of = |name: &str, prefix: &str| -> Option<Option<u32>> {
        let rest = name.strip_prefix(prefix)?;
        Some(rest.split('-').next().and_then(|number| number.parse().ok()))
    };
    let folder = machines.to_string_lossy().into_owned();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut files = slot::held_by(machines);
    list(machines, &mut files);
    let found = Leftovers {
        mounts: mounts.lines().filter(|line| line.contains(&folder)).map(str::to_owned).collect(),
        namespaces: network::namespaces()
            .into_iter()
            .filter(|name| slot_of(name, "muster-").is_some_and(ours))
            .collect(),
        interfaces: links.into_iter().filter(|name| slot_of(name, "muster").is_some_and(ours)).collect(),
        processes: processes(&folder),
        cgroups: cgroup::find(|name| slot_of(name, "muster-").is_some_and(ours))
            .iter()
            .map(|group| group.to_string_lossy().into_owned())
            .collect(),
        files,
        ..Leftovers::default()
    };
    if held.is_empty() {
        lock.remove();
        let _ = std::fs::remove_dir("/run/muster");
    }
    Ok(found)
}

/// Paths below a folder, itself included, a thousand at most.
pub(super) fn list(path: &Path, found: &mut Vec<String>) {
    const FILES_MAX: usize = 1000;
    if found.len() >= FILES_MAX || !path.exists() {
        return;
    }
    found.push(path.to_string_lossy().into_owned());
    if let Ok(entries) = std::fs::read_dir(path) {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                list(&entry.path(), found);
            } else if found.len() < FILES_MAX {
                found.push(entry.path().to_string_lossy().into_owned());
            }
        }
    }
}

pub(super) fn processes(folder: &str) -> Vec<String> {
    let me = std::process::id().to_string();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| *name != me && name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(folder).then(|| format!("{pid} {line}"))
        })
        .collect()
}
