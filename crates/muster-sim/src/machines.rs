//! Real machines behind simulated servers: the trait, and the words it is spoken in.
//!
//! The simulator decides *when* something happens to a server; whoever implements [`Machines`] makes it happen to
//! a machine that others can reach. A server becomes `Active` only after its machine answered. Without an
//! implementation servers get addresses of 198.18.0.0/15 and exist on paper only.

pub mod local;

use std::net::IpAddr;

use async_trait::async_trait;
use muster_model::secret::Secret;

/// What a machine should be like when it starts for the first time, or again from another image.
#[derive(Clone, Debug)]
pub struct MachineSpec {
    /// Number of the server whose machine this is; unique in one simulator and never used twice.
    pub server: u64,
    /// Name of the server, as the account's owner wrote it. Free text: not a safe host name.
    pub name: String,
    /// Cores.
    pub cpu: u32,
    /// Memory in MB, the provider's 1024 × 1024.
    pub ram_mb: u32,
    /// Disk in GB.
    pub hdd_gb: u32,
    /// Technical name of the image.
    pub image: String,
    /// Lines for root's `authorized_keys`.
    pub authorized_keys: Vec<String>,
    /// Password of root.
    pub root_password: Secret,
    /// Interfaces beside the first one.
    pub interfaces: Vec<Interface>,
}

/// A second (third, …) interface of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Number of the private network that it is plugged into.
    pub network: u64,
    /// Hardware address; the cloud's wish begins with `00:50:56:`.
    pub mac: String,
    /// Address that the cloud intends for it. The guest is *not* configured: that is its owner's work.
    pub address: IpAddr,
    /// Length of the network's prefix.
    pub prefix: u8,
}

/// A machine that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The address that it answers on.
    pub address: IpAddr,
    /// Its interfaces beside the first one, as they really became.
    pub interfaces: Vec<Interface>,
}

/// A machine that could not be brought into the wanted condition.
#[derive(Debug, thiserror::Error)]
#[error("machine of server {server}: {attempted}: {reason}")]
pub struct MachineError {
    /// The server whose machine it is.
    pub server: u64,
    /// What was being attempted.
    pub attempted: &'static str,
    /// Why it failed, for a person.
    pub reason: String,
}

/// Whoever can make machines. Every method returns when the machine is in that condition, or fails within a bound
/// of its own; the simulator calls one method at a time for one server.
#[async_trait]
pub trait Machines: Send + Sync {
    /// Makes and starts a machine and waits until it answers on the returned address.
    async fn start(&self, spec: &MachineSpec) -> Result<Started, MachineError>;
    /// Wipes the machine and starts it again from `spec`, at the same address.
    async fn rebuild(&self, spec: &MachineSpec) -> Result<Started, MachineError>;
    /// Switches on and waits until it answers. Switched on already: nothing.
    async fn power_on(&self, server: u64) -> Result<(), MachineError>;
    /// Switches off, gracefully or at once. Switched off already: nothing.
    async fn power_off(&self, server: u64, graceful: bool) -> Result<(), MachineError>;
    /// Restarts, gracefully or at once, and waits until it answers.
    async fn reboot(&self, server: u64, graceful: bool) -> Result<(), MachineError>;
    /// Removes the machine and everything that belongs to it. Gone already: nothing.
    async fn delete(&self, server: u64) -> Result<(), MachineError>;
    /// Plugs an interface in, while the machine runs; gives it as it really became, which the API then shows.
    async fn add_interface(&self, server: u64, interface: &Interface) -> Result<Interface, MachineError>;
    /// Pulls the interface of that network out.
    async fn remove_interface(&self, server: u64, network: u64) -> Result<(), MachineError>;
}
