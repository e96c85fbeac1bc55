//! Machines by systemd-nspawn over overlayfs: the first of the two substrates. The work is in `slot`, `network`,
//! `power`, `keeper` and `cgroup`.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::argv;
use super::base::{self, Base, Progress};
use super::command::{SHORT, run};
use super::disk;
use super::error::LocalError;
use super::keeper::Launcher;
use super::leftovers::{self, Leftovers};
use super::record::{Folder, HomeRecord, Interface, Layout, MachineRecord};
use super::spec::MachineSpec;
use super::subnet::Subnet;
use super::substrate::Substrate;
use super::{memory, network, power, slot};

/// The technique of a computer where Muster is root.
#[derive(Debug)]
pub(super) struct Nspawn {
    pub cache: PathBuf,
    pub launcher: Launcher,
}

#[async_trait]
impl Substrate for Nspawn {
    async fn ensure_base(&self, progress: Progress<'_>) -> Result<Base, LocalError> {
        base::ensure(&self.cache, progress).await
    }

    async fn acquire(
        &self,
        machines: &Path,
        preferred: Option<u32>,
        range: Subnet,
    ) -> Result<(u32, Subnet), LocalError> {
        slot::acquire(machines, preferred, range).await
    }

    async fn release(&self, machines: &Path) -> Result<(), LocalError> {
        slot::release(machines).await
    }

    async fn taken(&self) -> Result<Vec<Subnet>, LocalError> {
        // Further networks are bridges in a namespace of the home's own: they meet nobody else's.
        Ok(Vec::new())
    }

    async fn prepare(
        &self,
        layout: &Layout,
        _home: &HomeRecord,
        machine: &MachineRecord,
        spec: &MachineSpec,
        _base: &Base,
    ) -> Result<(), LocalError> {
        let root = Path::new(&machine.base_root);
        let hash = match &spec.root_password {
            Some(password) => {
                Some(run(&argv::password_hash(&machine.base_root), password.expose(), SHORT).await?)
            }
            None => None,
        };
        disk::prepare(&layout.folder(&machine.name), spec, root, hash.as_deref())
    }

    async fn start(&self, folder: &Folder, machine: &mut MachineRecord) -> Result<(), LocalError> {
        network::ensure_machine(machine).await?;
        let now = power::look(folder);
        let child = if now.kept { None } else { Some(power::launch(folder, machine, &self.launcher)?) };
        power::wait_up(folder, machine, machine.address(), child).await
    }

    async fn shut_down(&self, folder: &Folder, _machine: &MachineRecord) -> Result<bool, LocalError> {
        let clean = !power::look(folder).on() || power::shut_down(folder).await?;
        power::remove_groups(folder).await;
        Ok(clean)
    }

    async fn pull_plug(&self, folder: &Folder, _machine: &MachineRecord) -> Result<(), LocalError> {
        power::pull_plug(folder).await?;
        power::remove_groups(folder).await;
        Ok(())
    }

    async fn reboot(&self, folder: &Folder, machine: &mut MachineRecord) -> Result<(), LocalError> {
        power::restart(folder, machine, machine.address()).await
    }

    async fn plug(
        &self,
        _layout: &Layout,
        home: &HomeRecord,
        machine: &mut MachineRecord,
    ) -> Result<(), LocalError> {
        network::ensure_machine(machine).await?;
        network::plug(home, machine).await
    }

    async fn unplug(
        &self,
        _home: &HomeRecord,
        machine: &MachineRecord,
        interface: &Interface,
    ) -> Result<(), LocalError> {
        network::unplug_interface(machine, interface).await
    }

    async fn limit_memory(
        &self,
        folder: &Folder,
        _machine: &MachineRecord,
        bytes: u64,
    ) -> Result<(), LocalError> {
        memory::limit(&power::groups(folder), bytes)
    }

    async fn remove(
        &self,
        folder: &Folder,
        home: Option<&HomeRecord>,
        machine: Option<&MachineRecord>,
    ) -> Result<(), LocalError> {
        if folder.0.exists() {
            power::pull_plug(folder).await?;
            power::remove_groups(folder).await;
        }
        if let (Some(home), Some(machine)) = (home, machine) {
            network::unplug(home, machine).await?;
            slot::remove_nspawn_remnants(&machine.label());
        }
        Ok(())
    }

    async fn remove_networks(&self, home: &HomeRecord, names: &[String]) -> Result<(), LocalError> {
        network::remove_bridges(home, names).await
    }

    async fn on(&self, layout: &Layout, machines: &[MachineRecord]) -> Result<Vec<bool>, LocalError> {
        Ok(machines.iter().map(|machine| power::look(&layout.folder(&machine.name)).on()).collect())
    }

    async fn leftovers(&self, layout: &Layout, slot: Option<u32>) -> Result<Leftovers, LocalError> {
        leftovers::count(&layout.machines, slot).await
    }
}
