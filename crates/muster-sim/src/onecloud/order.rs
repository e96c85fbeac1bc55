//! What the world asks of the machines behind it, and how the asking is carried out.
//!
//! The world only writes orders down; [`carry_out`] speaks to [`Machines`]. So the world stays free of waiting.

use std::net::IpAddr;

use crate::machines::{Interface, MachineError, MachineSpec, Machines};

/// What is asked.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Start(MachineSpec),
    Rebuild(MachineSpec),
    On,
    Off { graceful: bool },
    Reboot { graceful: bool },
    Delete,
    Plug(Interface),
    Unplug { network: u64 },
}

/// An order for the machine of one server; its end is reported under project, server and action.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub project: usize,
    pub server: u64,
    /// The action that waits for it; none for drift.
    pub action: Option<u64>,
    pub ask: Ask,
}

/// Carries one order out; a start or rebuild tells the address.
pub(super) async fn carry_out(
    machines: &dyn Machines,
    order: &Order,
) -> Result<Option<IpAddr>, MachineError> {
    let server = order.server;
    match &order.ask {
        Ask::Start(spec) => machines.start(spec).await.map(Some),
        Ask::Rebuild(spec) => machines.rebuild(spec).await.map(Some),
        Ask::On => machines.power_on(server).await.map(|()| None),
        Ask::Off { graceful } => machines.power_off(server, *graceful).await.map(|()| None),
        Ask::Reboot { graceful } => machines.reboot(server, *graceful).await.map(|()| None),
        Ask::Delete => machines.delete(server).await.map(|()| None),
        Ask::Plug(interface) => machines.add_interface(server, interface).await.map(|()| None),
        Ask::Unplug { network } => machines.remove_interface(server, *network).await.map(|()| None),
    }
}
