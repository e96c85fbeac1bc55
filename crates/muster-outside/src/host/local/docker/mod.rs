//! Machines as Docker containers with systemd: the second of the two substrates, for computers where Muster is not
//! root but a Docker engine answers.
//!
//! The engine is the keeper: it holds containers and networks, starts a machine again when it reboots, and outlives
//! Muster. What is whose stands in labels. A container is never privileged. Its networks are internal ones: the
//! computer reaches a machine by the bridge's route, the machine reaches nothing outside.
//!
//! What differs from nspawn, by nature: further networks are bridges of the computer, so two homes cannot use the
//! same addresses in them; Docker chooses hardware addresses, and the order of interfaces beyond the second.

mod argv;
mod image;
mod machine;
mod network;
mod probe;

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::argv::HOST_KEY;
use super::base::{self, Base, Progress};
use super::command::{SHORT, run};
use super::disk::{self, make_file, make_folder};
use super::error::LocalError;
use super::leftovers::{self, Leftovers};
use super::record::{Folder, HomeRecord, Interface, Layout, MachineRecord, text};
use super::spec::MachineSpec;
use super::subnet::Subnet;
use super::substrate::Substrate;
pub(super) use probe::probe;

/// The technique of a computer with a Docker engine.
#[derive(Debug)]
pub(super) struct Docker {
    pub cache: PathBuf,
}

/// The machine's first process: what a container needs before systemd can be the same as on a server. A new random
/// `boot_id` for each boot is how Ansible sees that a reboot happened.
const INIT: &str = "\
#!/bin/sh
# On a pure cgroup v2 computer Docker mounts the machine's own part of the tree read-only; systemd must write to it.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then mount -o remount,bind,rw /sys/fs/cgroup; fi
cat /proc/sys/kernel/random/uuid >/run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
# Nothing leads outside; some versions of Docker set a default route although the network is internal.
ip -4 route flush exact 0.0.0.0/0
# As on a fresh server: the first boot makes the key by which the machine is known from then on.
if [ ! -e /etc/ssh/ssh_host_ed25519_key ]; then
  ssh-keygen -q -t ed25519 -N '' -C '' -f /etc/ssh/ssh_host_ed25519_key
fi
exec /sbin/init
";

/// How a machine ends, so that the engine can tell: a container cannot call reboot(2), and would end the same way
/// for all three. The engine starts again what ends with a failure.
const ENDS: [(&str, &str); 3] = [("reboot", "133"), ("poweroff", "0"), ("halt", "0")];

/// Writes what a container needs besides, into the folder that is copied into it.
fn dress(disk: &Path) -> Result<(), LocalError> {
    for folder in ["opt", "opt/muster", "etc/systemd", "etc/systemd/system"] {
        make_folder(&disk.join(folder), 0o755)?;
    }
    make_file(&disk.join("opt/muster/init"), INIT, 0o755)?;
    for (end, status) in ENDS {
        let folder = disk.join(format!("etc/systemd/system/systemd-{end}.service.d"));
        make_folder(&folder, 0o755)?;
        let unit = format!("[Unit]\nSuccessAction=exit-force\nSuccessActionExitStatus={status}\n");
        make_file(&folder.join("muster.conf"), &unit, 0o644)?;
    }
    Ok(())
}

#[async_trait]
impl Substrate for Docker {
    async fn ensure_base(&self, progress: Progress<'_>) -> Result<Base, LocalError> {
        image::ensure(&self.cache, progress).await
    }

    async fn acquire(
        &self,
        machines: &Path,
        preferred: Option<u32>,
        range: Subnet,
    ) -> Result<(u32, Subnet), LocalError> {
        network::acquire(&text(machines), preferred, range).await
    }

    async fn release(&self, machines: &Path) -> Result<(), LocalError> {
        network::sweep(&text(machines)).await
    }

    async fn taken(&self) -> Result<Vec<Subnet>, LocalError> {
        network::taken().await
    }

    async fn prepare(
        &self,
        layout: &Layout,
        home: &HomeRecord,
        machine: &MachineRecord,
        spec: &MachineSpec,
        base: &Base,
    ) -> Result<(), LocalError> {
        let (folder, label) = (layout.folder(&machine.name), machine.label());
        let hash = match &spec.root_password {
            Some(password) => {
                let command = argv::password_hash(&image::tag(base));
                Some(run(&command, password.expose(), machine::LIMIT).await?)
            }
            None => None,
        };
        disk::prepare(&folder, spec, Path::new(&machine.base_root), hash.as_deref())?;
        dress(&folder.disk())?;
        let owner = text(&layout.machines);
        run(&argv::create(machine, &image::tag(base), &owner), "", machine::LIMIT).await?;
        run(&argv::copy_in(&text(&folder.disk()), &label), "", machine::LIMIT).await?;
        // From now on the container has its own; it holds the password's hash, and nobody needs it twice.
        base::remove_tree(&folder.disk()).await?;
        for interface in machine.interfaces.iter().skip(1) {
            network::connect(&owner, home, &label, interface).await?;
        }
        Ok(())
    }

    async fn start(&self, folder: &Folder, machine: &mut MachineRecord) -> Result<(), LocalError> {
        machine::start(folder, machine).await?;
        learn(folder, machine).await
    }

    async fn shut_down(&self, _folder: &Folder, machine: &MachineRecord) -> Result<bool, LocalError> {
        machine::shut_down(machine).await
    }

    async fn pull_plug(&self, _folder: &Folder, machine: &MachineRecord) -> Result<(), LocalError> {
        machine::pull_plug(machine).await
    }

    async fn reboot(&self, folder: &Folder, machine: &mut MachineRecord) -> Result<(), LocalError> {
        machine::reboot(machine).await?;
        learn(folder, machine).await
    }

    async fn plug(
        &self,
        layout: &Layout,
        home: &HomeRecord,
        machine: &mut MachineRecord,
    ) -> Result<(), LocalError> {
        let label = machine.label();
        if let Some(interface) = machine.interfaces.last() {
            network::connect(&text(&layout.machines), home, &label, interface).await?;
        }
        if machine::state(&label).await?.is_some_and(|state| state.runs()) {
            run(&argv::no_way_out(&label), "", SHORT).await?;
            learn(&layout.folder(&machine.name), machine).await?;
        }
        Ok(())
    }

    async fn unplug(
        &self,
        home: &HomeRecord,
        machine: &MachineRecord,
        interface: &Interface,
    ) -> Result<(), LocalError> {
        network::disconnect(home, &machine.label(), interface).await
    }

    async fn limit_memory(
        &self,
        _folder: &Folder,
        machine: &MachineRecord,
        bytes: u64,
    ) -> Result<(), LocalError> {
        run(&argv::memory(&machine.label(), bytes), "", machine::LIMIT).await.map(drop)
    }

    async fn remove(
        &self,
        _folder: &Folder,
        _home: Option<&HomeRecord>,
        machine: Option<&MachineRecord>,
    ) -> Result<(), LocalError> {
        match machine {
            Some(machine) => machine::remove(&machine.label()).await,
            None => Ok(()), // the record is older than the container
        }
    }

    async fn remove_networks(&self, home: &HomeRecord, names: &[String]) -> Result<(), LocalError> {
        for network in names.iter().filter_map(|name| home.networks.get(name)) {
            network::remove(&network::further_name(home.slot, network.number)).await?;
        }
        Ok(())
    }

    async fn on(&self, layout: &Layout, machines: &[MachineRecord]) -> Result<Vec<bool>, LocalError> {
        if machines.is_empty() {
            return Ok(Vec::new());
        }
        let running = machine::running(&text(&layout.machines)).await?;
        Ok(machines.iter().map(|machine| running.contains(&machine.label())).collect())
    }

    async fn leftovers(&self, layout: &Layout, _slot: Option<u32>) -> Result<Leftovers, LocalError> {
        let owner = text(&layout.machines);
        let ours = |(name, home): (String, String)| {
            // Those of a home that is no more belong to nobody, so they are counted too.
            (home == owner || !Path::new(&home).exists()).then_some(name)
        };
        let mut files = Vec::new();
        leftovers::list(&layout.machines, &mut files);
        let containers = network::owned(&argv::containers(None)).await?;
        let networks = network::owned(&argv::networks(None)).await?;
        Ok(Leftovers {
            processes: leftovers::processes(&owner),
            containers: containers.into_iter().filter_map(ours).collect(),
            networks: networks.into_iter().filter_map(ours).collect(),
            files,
            ..Leftovers::default()
        })
    }
}

/// Takes over what only the running machine can say: the names and hardware addresses of its interfaces, and the
/// key of its sshd.
async fn learn(folder: &Folder, machine: &mut MachineRecord) -> Result<(), LocalError> {
    let label = machine.label();
    let told = run(&argv::addresses(&label), "", machine::LIMIT).await?;
    network::take_over(&told, &mut machine.interfaces)
        .map_err(|reason| LocalError::Damaged { path: folder.record(), reason })?;
    let key = run(&argv::host_key(&label), "", machine::LIMIT).await?;
    let path = folder.disk().join(format!("{}.pub", HOST_KEY.trim_start_matches('/')));
    make_folder(&folder.disk().join("etc/ssh"), 0o700)?;
    make_file(&path, &key, 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_dressed_like_a_server() {
        let folder = tempfile::tempdir().unwrap();
        dress(folder.path()).unwrap();
        let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
        assert!(read("opt/muster/init").ends_with("exec /sbin/init\n"));
        let unit = read("etc/systemd/system/systemd-reboot.service.d/muster.conf");
        assert_eq!(unit, "[Unit]\nSuccessAction=exit-force\nSuccessActionExitStatus=133\n");
        assert!(read("etc/systemd/system/systemd-poweroff.service.d/muster.conf").ends_with("Status=0\n"));
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path().join("opt/muster/init")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }
}
