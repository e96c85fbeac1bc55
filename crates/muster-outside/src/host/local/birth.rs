//! How machines begin and end: creation, and deletion without a trace. What happens between is in `machines`.

use super::LocalMachines;
use super::base::{self, Base};
use super::disk::make_folder;
use super::error::{LocalError, file};
use super::lock::Lock;
use super::network;
use super::record::{Folder, HomeRecord, MachineRecord, read, remove, text, write};
use super::spec::{Machine, MachineName, MachineSpec};

impl LocalMachines {
    /// Creates a machine and boots it; returns when its sshd greets. What a failed creation began is removed.
    ///
    /// # Errors
    /// [`LocalError::Exists`], a specification that cannot be, or a machine that does not come up.
    pub async fn create(&self, spec: &MachineSpec) -> Result<Machine, LocalError> {
        spec.check()?;
        let base = self.ensure_base(&|_| ()).await?;
        let lock = self.lock_machine(&spec.name).await?;
        let folder = self.layout.folder(&spec.name);
        if folder.0.exists() {
            return Err(LocalError::Exists(spec.name.to_string()));
        }
        match self.create_locked(spec, &base, &folder).await {
            Ok(machine) => self.describe(&machine).await,
            Err(error) => {
                if let Err(second) = self.delete_locked(&spec.name, lock).await {
                    tracing::warn!(machine = %spec.name, "a failed creation could not be cleaned up: {second}");
                }
                Err(error)
            }
        }
    }

    async fn create_locked(
        &self,
        spec: &MachineSpec,
        base: &Base,
        folder: &Folder,
    ) -> Result<MachineRecord, LocalError> {
        let (mut machine, home) = {
            let taken = self.substrate.taken().await?;
            let _home_lock = self.lock_home().await?;
            let mut home = self.ensure_home().await?;
            let others = self.layout.records()?;
            let limit = network::machines_max(home.subnet);
            let number = (1..=limit)
                .find(|number| others.iter().all(|other| other.number != *number))
                .ok_or(LocalError::Limit { what: "the number of local machines", limit })?;
            let mut machine = MachineRecord::new(
                spec.name.clone(),
                number,
                home.slot,
                spec.hostname.clone(),
                text(&base.root),
                text(&base.repository().folder),
                spec.memory_bytes_max,
                vec![network::main_interface(home.slot, home.subnet, number)?],
            );
            for further in &spec.networks {
                let interface = network::further_interface(&mut home, &others, &machine, further, &taken)?;
                machine.interfaces.push(interface);
            }
            write(&self.layout.home_record(), &home)?;
            make_folder(&folder.0, 0o700)?;
            write(&folder.record(), &machine)?;
            (machine, home)
        };
        self.substrate.prepare(&self.layout, &home, &machine, spec, base).await?;
        machine.complete = true;
        write(&folder.record(), &machine)?;
        self.power_on(folder, &mut machine).await?;
        Ok(machine)
    }

    /// Deletes a machine with its disk, and with the last one the private network. One that is not there is fine.
    ///
    /// # Errors
    /// When something of it cannot be removed; deleting again goes on from there.
    pub async fn delete(&self, name: &MachineName) -> Result<(), LocalError> {
        if !self.layout.folder(name).0.exists() && !self.layout.gone(name).exists() {
            return Ok(());
        }
        let lock = self.lock_machine(name).await?;
        self.delete_locked(name, lock).await
    }

    async fn delete_locked(&self, name: &MachineName, lock: Lock) -> Result<(), LocalError> {
        let folder = self.layout.folder(name);
        let home: Option<HomeRecord> = read(&self.layout.home_record())?;
        let gone = self.layout.gone(name);
        let machine: Option<MachineRecord> = match read(&folder.record())? {
            None => read(&Folder(gone.clone()).record())?,
            found => found,
        };
        self.substrate.remove(&folder, home.as_ref(), machine.as_ref()).await?;
        if folder.0.exists() {
            // Out of the list at once, then file by file: half a machine is never seen. What it is called now says
            // until the very end that this deletion is not over.
            base::remove_tree(&gone).await?;
            std::fs::rename(&folder.0, &gone).map_err(file("remove", &folder.0))?;
        }
        let home_lock = self.lock_home().await?;
        if let Some(home) = read::<HomeRecord>(&self.layout.home_record())? {
            self.forget_networks(home).await?;
        }
        let last = self.layout.names()?.is_empty();
        if last {
            self.substrate.release(&self.layout.machines).await?;
            remove(&self.layout.home_record())?;
            home_lock.remove();
        }
        base::remove_tree(&gone).await?;
        lock.remove();
        if last {
            // Refused when somebody creates the next machine just now; then it is in use.
            let _ = std::fs::remove_dir(&self.layout.machines);
        }
        Ok(())
    }
}
