//! All local machines of a Muster home: the room's front door.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::argv::HOST_KEY;
use super::base::{self, Base, Progress};
use super::error::{LocalError, file};
use super::keeper::Launcher;
use super::leftovers::{self, Leftovers};
use super::lock::Lock;
use super::network;
use super::power;
use super::probe::{self, Technique};
use super::record::{Folder, HomeRecord, Interface, Layout, MachineRecord, read, write};
use super::repository::Repository;
use super::slot;
use super::spec::{Machine, MachineName, MachineState, NetworkSpec};
use super::subnet::Subnet;
use super::{Missing, disk::make_folder};

/// The private range from which each home gets a part; `MUSTER_MACHINE_NETWORK` sets another.
const RANGE: &str = "10.210.0.0/16";
/// Numbers and networks change in well under a second; hundreds may queue.
const HOME_LOCK_LIMIT: Duration = Duration::from_secs(120);
/// An operation on one machine: its own limits, one after the other.
const MACHINE_LOCK_LIMIT: Duration = Duration::from_secs(300);

/// The local machines of one Muster home. All state is in files and in the kernel: values of this type may be
/// dropped, opened anew and used side by side, also by several processes.
#[derive(Debug, Clone)]
pub struct LocalMachines {
    pub(super) layout: Layout,
    cache: PathBuf,
    range: Subnet,
    launcher: Launcher,
    technique: Technique,
}

impl LocalMachines {
    /// Opens the machines below `home` (`MUSTER_HOME`). Makes nothing yet.
    ///
    /// # Errors
    /// [`LocalError::Missing`] when this computer cannot hold local machines; [`LocalError::Invalid`] for a home
    /// or a `MUSTER_MACHINE_NETWORK` that cannot be used.
    pub async fn open(home: &Path, launcher: Launcher) -> Result<LocalMachines, LocalError> {
        let technique = LocalMachines::probe()?;
        make_home(home)?;
        let home = std::fs::canonicalize(home).map_err(file("find", home))?;
        let range = match std::env::var("MUSTER_MACHINE_NETWORK") {
            Ok(range) if !range.is_empty() => range,
            _ => RANGE.to_owned(),
        };
        let range = range.parse().map_err(|reason| LocalError::Invalid {
            what: "MUSTER_MACHINE_NETWORK",
            value: range.clone(),
            reason,
        })?;
        let cache = base::cache_folder();
        for path in [&home, &cache] {
            check_path(path)?;
        }
        let layout = Layout { machines: home.join("machines") };
        Ok(LocalMachines { layout, cache, range, launcher, technique })
    }

    /// Finds out by which technique this computer can hold local machines.
    ///
    /// # Errors
    /// One sentence that says what is missing and what to do.
    pub fn probe() -> Result<Technique, Missing> {
        probe::probe()
    }

    /// The technique in use.
    pub fn technique(&self) -> Technique {
        self.technique
    }

    /// Builds the root that all machines share, if it is not in the cache; [`LocalMachines::create`] does so too.
    ///
    /// # Errors
    /// When it cannot be built or the cache cannot be written.
    pub async fn ensure_base(&self, progress: Progress<'_>) -> Result<Base, LocalError> {
        base::ensure(&self.cache, progress).await
    }

    /// Makes packages, with all their dependencies, installable on the machines (`apt-get update && apt-get
    /// install` inside). Machines that run already see them too.
    ///
    /// # Errors
    /// When a package is unknown or cannot be downloaded.
    pub async fn ensure_repository(
        &self,
        packages: &[&str],
        progress: Progress<'_>,
    ) -> Result<Repository, LocalError> {
        let base = self.ensure_base(progress).await?;
        let repository = base.repository();
        repository.ensure(&base, packages, progress).await?;
        Ok(repository)
    }

    /// Starts a machine and waits until its sshd greets. One that runs already is left as it is; if its keeper was
    /// killed, it gets a new one.
    ///
    /// # Errors
    /// When it does not exist or does not come up.
    pub async fn start(&self, name: &MachineName) -> Result<Machine, LocalError> {
        let (_lock, folder, _) = self.take(name).await?;
        {
            let _home_lock = self.lock_home().await?;
            self.ensure_home().await?;
        }
        // Read again: after a restart of the computer the home may have got another slot.
        let machine = self.record(name)?;
        self.power_on(&folder, &machine).await?;
        Ok(self.describe(&machine, &folder))
    }

    pub(super) async fn power_on(&self, folder: &Folder, machine: &MachineRecord) -> Result<(), LocalError> {
        network::ensure_machine(machine).await?;
        let now = power::look(folder);
        let child = if now.kept { None } else { Some(power::launch(folder, machine, &self.launcher)?) };
        power::wait_up(folder, machine, address(machine), child).await
    }

    /// Shuts a machine down and waits until it is off; its disk is kept. One that does not end by itself within a
    /// minute loses its power.
    ///
    /// # Errors
    /// When it does not exist or cannot be ended.
    pub async fn stop(&self, name: &MachineName) -> Result<(), LocalError> {
        let (_lock, folder, _) = self.take(name).await?;
        if power::look(&folder).on() && !power::shut_down(&folder).await? {
            tracing::warn!(machine = %name, "the local machine {name} did not shut down; its power was cut");
        }
        power::remove_groups(&folder).await;
        Ok(())
    }

    /// Cuts a machine's power; its disk is kept. (The kernel's write cache survives, so this does not test fsync.)
    ///
    /// # Errors
    /// When it does not exist or cannot be ended.
    pub async fn kill(&self, name: &MachineName) -> Result<(), LocalError> {
        let (_lock, folder, _) = self.take(name).await?;
        power::pull_plug(&folder).await?;
        power::remove_groups(&folder).await;
        Ok(())
    }

    /// Reboots a machine cleanly and waits until its sshd greets again.
    ///
    /// # Errors
    /// When it does not exist, is off, or does not come back.
    pub async fn reboot(&self, name: &MachineName) -> Result<Machine, LocalError> {
        let (_lock, folder, machine) = self.take(name).await?;
        power::restart(&folder, &machine, address(&machine)).await?;
        Ok(self.describe(&machine, &folder))
    }

    /// All machines, sorted by name.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub async fn list(&self) -> Result<Vec<Machine>, LocalError> {
        let records = self.layout.records()?;
        Ok(records.iter().map(|machine| self.describe(machine, &self.layout.folder(&machine.name))).collect())
    }

    /// One machine; `None` when there is none of this name.
    ///
    /// # Errors
    /// When its record cannot be read.
    pub async fn get(&self, name: &MachineName) -> Result<Option<Machine>, LocalError> {
        let folder = self.layout.folder(name);
        Ok(read::<MachineRecord>(&folder.record())?.map(|machine| self.describe(&machine, &folder)))
    }

    /// The address at which this computer reaches a machine.
    ///
    /// # Errors
    /// [`LocalError::NotFound`].
    pub async fn address(&self, name: &MachineName) -> Result<Ipv4Addr, LocalError> {
        Ok(address(&self.record(name)?))
    }

    /// Plugs a machine into a further network, also while it runs. In that network already: the interface it has.
    ///
    /// # Errors
    /// When the machine does not exist or the network cannot be.
    pub async fn add_interface(
        &self,
        name: &MachineName,
        network: &NetworkSpec,
    ) -> Result<Interface, LocalError> {
        let (_lock, folder, mut machine) = self.take(name).await?;
        if let Some(there) =
            machine.interfaces.iter().find(|one| one.network.as_deref() == Some(&network.name))
        {
            return Ok(there.clone());
        }
        let _home_lock = self.lock_home().await?;
        let mut home = self.ensure_home().await?;
        let interface = network::further_interface(&mut home, &self.layout.records()?, &machine, network)?;
        machine.interfaces.push(interface.clone());
        write(&self.layout.home_record(), &home)?;
        write(&folder.record(), &machine)?;
        network::ensure_machine(&machine).await?;
        network::plug(&home, &machine).await?;
        Ok(interface)
    }

    /// Takes a machine out of a further network, also while it runs. Not in it: nothing to do.
    ///
    /// # Errors
    /// When the machine does not exist or the interface cannot be removed.
    pub async fn remove_interface(&self, name: &MachineName, network: &str) -> Result<(), LocalError> {
        let (_lock, folder, mut machine) = self.take(name).await?;
        let _home_lock = self.lock_home().await?;
        let Some(place) = machine.interfaces.iter().position(|one| one.network.as_deref() == Some(network))
        else {
            return Ok(());
        };
        network::unplug_interface(&machine, &machine.interfaces[place]).await?;
        machine.interfaces.remove(place);
        write(&folder.record(), &machine)?;
        let mut home = self.ensure_home().await?;
        network::remove_unused(&mut home, &self.layout.records()?).await?;
        write(&self.layout.home_record(), &home)
    }

    /// What is on this computer because of this home's machines; nothing when there are none.
    ///
    /// # Errors
    /// When it cannot be counted.
    pub async fn leftovers(&self) -> Result<Leftovers, LocalError> {
        let home: Option<HomeRecord> = read(&self.layout.home_record())?;
        leftovers::count(&self.layout.machines, home.map(|home| home.slot)).await
    }

    pub(super) async fn lock_home(&self) -> Result<Lock, LocalError> {
        make_folder(&self.layout.machines, 0o700)?;
        Lock::take(&self.layout.home_lock(), HOME_LOCK_LIMIT).await
    }

    pub(super) async fn lock_machine(&self, name: &MachineName) -> Result<Lock, LocalError> {
        make_folder(&self.layout.machines, 0o700)?;
        Lock::take(&self.layout.machine_lock(name), MACHINE_LOCK_LIMIT).await
    }

    /// Takes a machine for an operation.
    async fn take(&self, name: &MachineName) -> Result<(Lock, Folder, MachineRecord), LocalError> {
        self.record(name)?;
        let lock = self.lock_machine(name).await?;
        // Again: it may have been deleted meanwhile.
        let machine = match self.record(name) {
            Ok(machine) => machine,
            Err(error) => {
                lock.remove();
                return Err(error);
            }
        };
        if !machine.complete {
            return Err(LocalError::Incomplete(name.to_string()));
        }
        Ok((lock, self.layout.folder(name), machine))
    }

    fn record(&self, name: &MachineName) -> Result<MachineRecord, LocalError> {
        read(&self.layout.folder(name).record())?.ok_or_else(|| LocalError::NotFound(name.to_string()))
    }

    /// Makes sure that the home has its slot and the slot its namespace. Call with the home's lock.
    pub(super) async fn ensure_home(&self) -> Result<HomeRecord, LocalError> {
        let before: Option<HomeRecord> = read(&self.layout.home_record())?;
        let preferred = before.as_ref().map(|home| home.slot);
        let (slot, subnet) = slot::acquire(&self.layout.machines, preferred, self.range).await?;
        match before {
            Some(home) if home.slot == slot && home.subnet == subnet => Ok(home),
            before => {
                let mut home = HomeRecord::new(slot, subnet);
                home.networks = before.map(|home| home.networks).unwrap_or_default();
                // The computer was restarted and another home was quicker: the machines, all off, move over.
                for mut machine in self.layout.records()? {
                    machine.slot = slot;
                    if let Some(main) = machine.interfaces.first_mut() {
                        *main = network::main_interface(slot, subnet, machine.number)?;
                    }
                    write(&self.layout.folder(&machine.name).record(), &machine)?;
                }
                write(&self.layout.home_record(), &home)?;
                Ok(home)
            }
        }
    }

    pub(super) fn describe(&self, machine: &MachineRecord, folder: &Folder) -> Machine {
        let state = match (machine.complete, power::look(folder).on()) {
            (false, _) => MachineState::Incomplete,
            (true, true) => MachineState::Running,
            (true, false) => MachineState::Stopped,
        };
        let key = folder.disk().join(format!("{}.pub", HOST_KEY.trim_start_matches('/')));
        Machine {
            name: machine.name.clone(),
            hostname: machine.hostname.clone(),
            state,
            address: address(machine),
            interfaces: machine.interfaces.clone(),
            host_key: std::fs::read_to_string(key)
                .ok()
                .map(|key| key.trim().to_owned())
                .filter(|key| !key.is_empty()),
        }
    }
}

/// The address of `eth0`.
fn address(machine: &MachineRecord) -> Ipv4Addr {
    machine.interfaces.first().map_or(Ipv4Addr::UNSPECIFIED, |main| main.address)
}

fn make_home(home: &Path) -> Result<(), LocalError> {
    std::fs::create_dir_all(home).map_err(file("create", home))
}

/// Mount data and nspawn's options give these characters a meaning.
fn check_path(path: &Path) -> Result<(), LocalError> {
    let invalid = |reason: &str| LocalError::Invalid {
        what: "folder",
        value: path.display().to_string(),
        reason: reason.to_owned(),
    };
    let text = path.to_str().ok_or_else(|| invalid("must be UTF-8"))?;
    if text.contains([':', ',', '\\', '"', '%']) || text.contains(char::is_control) {
        return Err(invalid("must not hold ':', ',', '\\', '\"', '%' or control characters"));
    }
    Ok(())
}
