//! All local machines of a Muster home: the room's front door.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::argv::HOST_KEY;
use super::base::{self, Base, Progress};
use super::docker::Docker;
use super::error::{LocalError, file};
use super::keeper::Launcher;
use super::leftovers::Leftovers;
use super::lock::Lock;
use super::network;
use super::nspawn::Nspawn;
use super::probe::{self, Technique};
use super::record::{Folder, HomeRecord, Interface, Layout, MachineRecord, read, write};
use super::repository::Repository;
use super::spec::{Machine, MachineName, MachineState, NetworkSpec};
use super::subnet::Subnet;
use super::substrate::Substrate;
use super::wish::Wish;
use super::{Missing, disk::make_folder};

/// Numbers and networks change in well under a second; hundreds may queue.
const HOME_LOCK_LIMIT: Duration = Duration::from_secs(120);
/// An operation on one machine: its own limits, one after the other.
const MACHINE_LOCK_LIMIT: Duration = Duration::from_secs(300);

/// The local machines of one Muster home. All state is in files and in the kernel: values of this type may be
/// dropped, opened anew and used side by side, also by several processes.
#[derive(Debug, Clone)]
pub struct LocalMachines {
    pub(super) layout: Layout,
    range: Subnet,
    pub(super) technique: Technique,
    pub(super) substrate: Arc<dyn Substrate>,
}

impl LocalMachines {
    /// Opens the machines below `home` (`MUSTER_HOME`), as the environment wishes. Makes nothing yet.
    ///
    /// # Errors
    /// [`LocalError::Missing`] when this computer cannot hold local machines; [`LocalError::Invalid`] for a home
    /// or a variable that cannot be used.
    pub async fn open(home: &Path, launcher: Launcher) -> Result<LocalMachines, LocalError> {
        LocalMachines::open_as(home, launcher, &Wish::from_environment()?).await
    }

    /// The same with a wish of the caller's.
    ///
    /// # Errors
    /// As [`LocalMachines::open`]; also when the home's machines are made in another way than is wished.
    pub async fn open_as(home: &Path, launcher: Launcher, wish: &Wish) -> Result<LocalMachines, LocalError> {
        make_home(home)?;
        let home = std::fs::canonicalize(home).map_err(file("find", home))?;
        let layout = Layout { machines: home.join("machines") };
        let before = read::<HomeRecord>(&layout.home_record())?.map(|record| record.technique);
        let wanted = wish.technique_for(before)?;
        // It asks the Docker engine, which may take its time to say nothing.
        let technique = tokio::task::spawn_blocking(move || probe::probe(wanted)).await;
        let technique =
            technique.map_err(|lost| file("ask", "the computer")(std::io::Error::other(lost)))??;
        let cache = base::cache_folder();
        for path in [&home, &cache] {
            check_path(path)?;
        }
        let substrate: Arc<dyn Substrate> = match technique {
            Technique::Nspawn => Arc::new(Nspawn { cache, launcher }),
            Technique::Docker => Arc::new(Docker { cache }),
        };
        Ok(LocalMachines { layout, range: wish.range, technique, substrate })
    }

    /// Finds out by which technique this computer can hold local machines, as the environment wishes.
    ///
    /// # Errors
    /// One sentence that says what is missing and what to do.
    pub fn probe() -> Result<Technique, Missing> {
        match Wish::from_environment() {
            Ok(wish) => LocalMachines::probe_as(&wish),
            Err(wrong) => Err(Missing::new(wrong.to_string(), "correct that variable, or unset it")),
        }
    }

    /// The same with a wish of the caller's.
    ///
    /// # Errors
    /// One sentence that says what is missing and what to do.
    pub fn probe_as(wish: &Wish) -> Result<Technique, Missing> {
        probe::probe(wish.technique)
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
        self.substrate.ensure_base(progress).await
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
        let mut machine = self.record(name)?;
        self.power_on(&folder, &mut machine).await?;
        self.describe(&machine).await
    }

    pub(super) async fn power_on(
        &self,
        folder: &Folder,
        machine: &mut MachineRecord,
    ) -> Result<(), LocalError> {
        let before = machine.clone();
        self.substrate.start(folder, machine).await?;
        if *machine == before { Ok(()) } else { write(&folder.record(), machine) }
    }

    /// Shuts a machine down and waits until it is off; its disk is kept. One that does not end by itself within a
    /// minute loses its power.
    ///
    /// # Errors
    /// When it does not exist or cannot be ended.
    pub async fn stop(&self, name: &MachineName) -> Result<(), LocalError> {
        let (_lock, folder, machine) = self.take(name).await?;
        if !self.substrate.shut_down(&folder, &machine).await? {
            tracing::warn!(machine = %name, "the local machine {name} did not shut down; its power was cut");
        }
        Ok(())
    }

    /// Cuts a machine's power; its disk is kept. (The kernel's write cache survives, so this does not test fsync.)
    ///
    /// # Errors
    /// When it does not exist or cannot be ended.
    pub async fn kill(&self, name: &MachineName) -> Result<(), LocalError> {
        let (_lock, folder, machine) = self.take(name).await?;
        self.substrate.pull_plug(&folder, &machine).await
    }

    /// Reboots a machine cleanly and waits until its sshd greets again.
    ///
    /// # Errors
    /// When it does not exist, is off, or does not come back.
    pub async fn reboot(&self, name: &MachineName) -> Result<Machine, LocalError> {
        let (_lock, folder, mut machine) = self.take(name).await?;
        let before = machine.clone();
        self.substrate.reboot(&folder, &mut machine).await?;
        if machine != before {
            write(&folder.record(), &machine)?;
        }
        self.describe(&machine).await
    }

    /// All machines, sorted by name.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub async fn list(&self) -> Result<Vec<Machine>, LocalError> {
        let records = self.layout.records()?;
        let on = self.substrate.on(&self.layout, &records).await?;
        Ok(records.iter().zip(on).map(|(machine, on)| self.picture(machine, on)).collect())
    }

    /// One machine; `None` when there is none of this name.
    ///
    /// # Errors
    /// When its record cannot be read.
    pub async fn get(&self, name: &MachineName) -> Result<Option<Machine>, LocalError> {
        match read::<MachineRecord>(&self.layout.folder(name).record())? {
            Some(machine) => self.describe(&machine).await.map(Some),
            None => Ok(None),
        }
    }

    /// The address at which this computer reaches a machine.
    ///
    /// # Errors
    /// [`LocalError::NotFound`].
    pub async fn address(&self, name: &MachineName) -> Result<Ipv4Addr, LocalError> {
        Ok(self.record(name)?.address())
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
        let taken = self.substrate.taken().await?;
        let others = self.layout.records()?;
        let interface = network::further_interface(&mut home, &others, &machine, network, &taken)?;
        machine.interfaces.push(interface.clone());
        write(&self.layout.home_record(), &home)?;
        write(&folder.record(), &machine)?;
        self.substrate.plug(&self.layout, &home, &mut machine).await?;
        write(&folder.record(), &machine)?;
        Ok(machine.interfaces.pop().unwrap_or(interface))
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
        let home = self.ensure_home().await?;
        self.substrate.unplug(&home, &machine, &machine.interfaces[place]).await?;
        machine.interfaces.remove(place);
        write(&folder.record(), &machine)?;
        self.forget_networks(home).await
    }

    /// What is on this computer because of this home's machines; nothing when there are none.
    ///
    /// # Errors
    /// When it cannot be counted.
    pub async fn leftovers(&self) -> Result<Leftovers, LocalError> {
        let home: Option<HomeRecord> = read(&self.layout.home_record())?;
        self.substrate.leftovers(&self.layout, home.map(|home| home.slot)).await
    }

    /// Removes further networks that no machine is in. Call with the home's lock.
    pub(super) async fn forget_networks(&self, mut home: HomeRecord) -> Result<(), LocalError> {
        let unused = network::unused(&home, &self.layout.records()?);
        if unused.is_empty() {
            return Ok(());
        }
        self.substrate.remove_networks(&home, &unused).await?;
        home.networks.retain(|name, _| !unused.contains(name));
        write(&self.layout.home_record(), &home)
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
    pub(super) async fn take(&self, name: &MachineName) -> Result<(Lock, Folder, MachineRecord), LocalError> {
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
        let (slot, subnet) = self.substrate.acquire(&self.layout.machines, preferred, self.range).await?;
        match before {
            Some(home) if home.slot == slot && home.subnet == subnet => Ok(home),
            before => {
                let mut home = HomeRecord::new(slot, subnet, self.technique);
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

    pub(super) async fn describe(&self, machine: &MachineRecord) -> Result<Machine, LocalError> {
        let on = self.substrate.on(&self.layout, std::slice::from_ref(machine)).await?;
        Ok(self.picture(machine, on.first().is_some_and(|on| *on)))
    }

    fn picture(&self, machine: &MachineRecord, on: bool) -> Machine {
        let state = match (machine.complete, on) {
            (false, _) => MachineState::Incomplete,
            (true, true) => MachineState::Running,
            (true, false) => MachineState::Stopped,
        };
        let disk = self.layout.folder(&machine.name).disk();
        let key = disk.join(format!("{}.pub", HOST_KEY.trim_start_matches('/')));
        Machine {
            name: machine.name.clone(),
            hostname: machine.hostname.clone(),
            state,
            address: machine.address(),
            interfaces: machine.interfaces.clone(),
            host_key: std::fs::read_to_string(key)
                .ok()
                .map(|key| key.trim().to_owned())
                .filter(|key| !key.is_empty()),
        }
    }
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
