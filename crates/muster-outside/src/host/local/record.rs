//! The plain files below `MUSTER_HOME/machines` that say which machines and networks there are.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{LocalError, file};
use super::probe::Technique;
use super::spec::MachineName;
use super::subnet::Subnet;

/// The form of these files; another one is refused.
const FORM: u16 = 1;

/// One network interface of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name inside, e.g. `eth0`.
    pub device: String,
    /// The network it is in; `None` is the one that every machine has.
    pub network: Option<String>,
    /// Its address.
    pub address: Ipv4Addr,
    /// The network's addresses.
    pub subnet: Subnet,
    /// Its hardware address.
    pub mac: String,
}

/// A machine's own file, `NAME/machine.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MachineRecord {
    form: u16,
    pub name: MachineName,
    /// Number in the home; its address follows from it.
    pub number: u32,
    pub hostname: String,
    /// The read-only root below its disk.
    pub base_root: String,
    /// The package repository that it sees.
    pub repository: String,
    pub memory_bytes_max: Option<u64>,
    /// The slot whose namespaces it is plugged into.
    pub slot: u32,
    pub interfaces: Vec<Interface>,
    /// False until its disk is prepared.
    pub complete: bool,
}

impl MachineRecord {
    /// What it is called on this computer: namespace, nspawn's name, cgroup, service.
    pub(super) fn label(&self) -> String {
        label(self.slot, &self.name)
    }

    /// The address of `eth0`, at which this computer reaches it.
    pub(super) fn address(&self) -> Ipv4Addr {
        self.interfaces.first().map_or(Ipv4Addr::UNSPECIFIED, |main| main.address)
    }

    #[allow(clippy::too_many_arguments, reason = "the one place where a record is made; each is a field")]
    pub(super) fn new(
        name: MachineName,
        number: u32,
        slot: u32,
        hostname: String,
        base_root: String,
        repository: String,
        memory_bytes_max: Option<u64>,
        interfaces: Vec<Interface>,
    ) -> MachineRecord {
        MachineRecord {
            form: FORM,
            name,
            number,
            hostname,
            base_root,
            repository,
            memory_bytes_max,
            slot,
            interfaces,
            complete: false,
        }
    }
}

/// `muster-SLOT-NAME`.
pub(super) fn label(slot: u32, name: &MachineName) -> String {
    format!("muster-{slot}-{name}")
}

/// A further network of the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NetworkRecord {
    /// Number in the home, from 1; its bridge is `brN`.
    pub number: u32,
    pub subnet: Subnet,
}

/// The home's file, `machines.json`: its slot and its further networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HomeRecord {
    form: u16,
    pub slot: u32,
    pub subnet: Subnet,
    pub networks: BTreeMap<String, NetworkRecord>,
    /// How its machines are made; homes are older than the choice.
    #[serde(default)]
    pub technique: Technique,
}

impl HomeRecord {
    pub(super) fn new(slot: u32, subnet: Subnet, technique: Technique) -> HomeRecord {
        HomeRecord { form: FORM, slot, subnet, networks: BTreeMap::new(), technique }
    }
}

/// Where everything is.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// `MUSTER_HOME/machines`.
    pub machines: PathBuf,
}

impl Layout {
    pub(super) fn home_record(&self) -> PathBuf {
        self.machines.join("machines.json")
    }

    /// Held while numbers, networks and the slot change.
    pub(super) fn home_lock(&self) -> PathBuf {
        self.machines.join("lock")
    }

    /// Held during an operation on one machine. Beside its folder, as it must outlive it.
    pub(super) fn machine_lock(&self, name: &MachineName) -> PathBuf {
        self.machines.join(format!(".{name}.lock"))
    }

    pub(super) fn folder(&self, name: &MachineName) -> Folder {
        Folder(self.machines.join(name.as_str()))
    }

    /// What the folder of a machine is called while the machine is being deleted.
    pub(super) fn gone(&self, name: &MachineName) -> PathBuf {
        self.machines.join(format!(".{name}.gone"))
    }

    /// All machines' names, sorted.
    pub(super) fn names(&self) -> Result<Vec<MachineName>, LocalError> {
        let entries = match std::fs::read_dir(&self.machines) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(file("read", &self.machines)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(file("read", &self.machines))?;
            let name = entry.file_name().to_str().and_then(|name| MachineName::parse(name).ok());
            if entry.path().is_dir() {
                names.extend(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// All machines' records; folders without one (creation interrupted at its very start) are left out.
    pub(super) fn records(&self) -> Result<Vec<MachineRecord>, LocalError> {
        let mut records = Vec::new();
        for name in self.names()? {
            records.extend(read::<MachineRecord>(&self.folder(&name).record())?);
        }
        Ok(records)
    }
}

/// The folder of one machine.
#[derive(Debug, Clone)]
pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub(super) fn record(&self) -> PathBuf {
        self.0.join("machine.json")
    }
    /// Its disk: what differs from the base.
    pub(super) fn disk(&self) -> PathBuf {
        self.0.join("up")
    }
    pub(super) fn work(&self) -> PathBuf {
        self.0.join("work")
    }
    /// Where the keeper mounts it, visible to the keeper only.
    pub(super) fn root(&self) -> PathBuf {
        self.0.join("root")
    }
    /// Held by the keeper as long as it lives.
    pub(super) fn keeper_lock(&self) -> PathBuf {
        self.0.join("keeper.lock")
    }
    pub(super) fn keeper_log(&self) -> PathBuf {
        self.0.join("keeper.log")
    }
    /// Who the keeper is.
    pub(super) fn keeper_process(&self) -> PathBuf {
        self.0.join("keeper.json")
    }
    /// How often a keeper was started as a service.
    pub(super) fn launches(&self) -> PathBuf {
        self.0.join("launches.json")
    }
    /// Who runs the machine now.
    pub(super) fn nspawn_process(&self) -> PathBuf {
        self.0.join("nspawn.json")
    }
    /// While this is there, the machine is not started again.
    pub(super) fn stop_mark(&self) -> PathBuf {
        self.0.join("stop")
    }
    pub(super) fn console(&self) -> PathBuf {
        self.0.join("console.log")
    }
    /// The cgroups made for it.
    pub(super) fn cgroups(&self) -> PathBuf {
        self.0.join("cgroups.json")
    }
}

/// A path as text. [`super::LocalMachines::open`] checked the home, so all paths below it are.
pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Reads a file of ours; `None` when it is not there.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LocalError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file("read", path)(error)),
    };
    let damaged = |reason: String| LocalError::Damaged { path: path.to_path_buf(), reason };
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    match value.get("form").and_then(serde_json::Value::as_u64) {
        Some(form) if form != u64::from(FORM) => {
            return Err(damaged(format!("it has form {form}, this Muster knows {FORM}")));
        }
        _ => {}
    }
    serde_json::from_value(value).map(Some).map_err(|error| damaged(error.to_string()))
}

/// Writes a file of ours so that a reader sees the old or the new one, never half of it.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), LocalError> {
    let bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| LocalError::Damaged { path: path.to_path_buf(), reason: error.to_string() })?;
    write_bytes(path, &bytes)
}

/// The same for bytes.
pub(super) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), LocalError> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let mut handle = std::fs::File::create(&new).map_err(file("create", &new))?;
    std::io::Write::write_all(&mut handle, bytes).map_err(file("write", &new))?;
    handle.sync_all().map_err(file("write", &new))?;
    std::fs::rename(&new, path).map_err(file("write", path))
}

/// Removes a file; already gone is fine.
pub(crate) fn remove(path: &Path) -> Result<(), LocalError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_and_other_forms_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("machines.json");
        assert_eq!(read::<HomeRecord>(&path).unwrap(), None);
        let record = HomeRecord::new(3, "10.210.12.0/22".parse().unwrap(), Technique::Docker);
        write(&path, &record).unwrap();
        assert_eq!(read(&path).unwrap(), Some(record));
        write_bytes(&path, br#"{"form": 2}"#).unwrap();
        let error = read::<HomeRecord>(&path).unwrap_err().to_string();
        assert!(error.contains("it has form 2, this Muster knows 1"), "{error}");
        write_bytes(&path, b"{").unwrap();
        assert!(matches!(read::<HomeRecord>(&path), Err(LocalError::Damaged { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
