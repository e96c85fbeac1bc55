//! The seam between what all local machines share and the two ways to make one.
//!
//! Shared (`machines`, `birth`): names, numbers, records, locks, addresses, the order of steps. A substrate knows
//! how its machines get a disk, power and cables, and nothing else; it decides nothing about them. `probe` chooses
//! one for a home, the home's record keeps the choice.

use std::fmt::Debug;
use std::path::Path;

use async_trait::async_trait;

use super::base::{Base, Progress};
use super::error::LocalError;
use super::leftovers::Leftovers;
use super::record::{Folder, HomeRecord, Interface, Layout, MachineRecord};
use super::spec::MachineSpec;
use super::subnet::Subnet;

/// One technique at work. Everything here looks first and acts then, so it may run twice.
#[async_trait]
pub(super) trait Substrate: Debug + Send + Sync {
    /// Finds or makes what all machines start from.
    async fn ensure_base(&self, progress: Progress<'_>) -> Result<Base, LocalError>;

    /// Gives the home its slot and makes the network that all its machines have. Call with the home's lock.
    async fn acquire(
        &self,
        machines: &Path,
        preferred: Option<u32>,
        range: Subnet,
    ) -> Result<(u32, Subnet), LocalError>;

    /// Gives the home's slot back. Call with the home's lock.
    async fn release(&self, machines: &Path) -> Result<(), LocalError>;

    /// Subnets that a further network of our choice must not overlap.
    async fn taken(&self) -> Result<Vec<Subnet>, LocalError>;

    /// Makes a new machine's disk; the machine stays off.
    async fn prepare(
        &self,
        layout: &Layout,
        home: &HomeRecord,
        machine: &MachineRecord,
        spec: &MachineSpec,
        base: &Base,
    ) -> Result<(), LocalError>;

    /// Switches a machine on and waits until its sshd greets; corrects what the record says of its interfaces.
    async fn start(&self, folder: &Folder, machine: &mut MachineRecord) -> Result<(), LocalError>;

    /// Shuts a machine down; cuts its power when that takes too long. False when it had to.
    async fn shut_down(&self, folder: &Folder, machine: &MachineRecord) -> Result<bool, LocalError>;

    /// Cuts a machine's power.
    async fn pull_plug(&self, folder: &Folder, machine: &MachineRecord) -> Result<(), LocalError>;

    /// Restarts a machine from inside, cleanly, and waits until its sshd greets again.
    async fn reboot(&self, folder: &Folder, machine: &mut MachineRecord) -> Result<(), LocalError>;

    /// Plugs in the last of a machine's interfaces, also while it runs.
    async fn plug(
        &self,
        layout: &Layout,
        home: &HomeRecord,
        machine: &mut MachineRecord,
    ) -> Result<(), LocalError>;

    /// Takes an interface out, also while the machine runs.
    async fn unplug(
        &self,
        home: &HomeRecord,
        machine: &MachineRecord,
        interface: &Interface,
    ) -> Result<(), LocalError>;

    /// Limits the memory of a machine that exists; what cannot be done to a running one is done at its next start.
    async fn limit_memory(
        &self,
        folder: &Folder,
        machine: &MachineRecord,
        bytes: u64,
    ) -> Result<(), LocalError>;

    /// Ends a machine and removes what it has outside of its folder. Without its records, what can be found of it.
    async fn remove(
        &self,
        folder: &Folder,
        home: Option<&HomeRecord>,
        machine: Option<&MachineRecord>,
    ) -> Result<(), LocalError>;

    /// Removes the networks with these names, which no machine is in any more; they are still in the record.
    async fn remove_networks(&self, home: &HomeRecord, names: &[String]) -> Result<(), LocalError>;

    /// Which of these machines are on, in their order.
    async fn on(&self, layout: &Layout, machines: &[MachineRecord]) -> Result<Vec<bool>, LocalError>;

    /// Counts what is on the computer because of this home.
    async fn leftovers(&self, layout: &Layout, slot: Option<u32>) -> Result<Leftovers, LocalError>;
}
