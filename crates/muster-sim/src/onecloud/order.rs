//! What the world asks of the machines behind it, and how the asking is carried out.
//!
//! The world only writes orders down; [`carry_out`] speaks to [`Machines`]. So the world stays free of waiting.

use std::net::IpAddr;

use crate::machines::{Interface, MachineError, MachineSpec, Machines, Started};

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

/// What became of an order: the machine's address if it was started, and the interfaces that it got.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub address: Option<IpAddr>,
    pub interfaces: Vec<Interface>,
}

impl From<Started> for Report {
    fn from(started: Started) -> Report {
        Report { address: Some(started.address), interfaces: started.interfaces }
    }
}

/// Carries one order out.
pub(super) async fn carry_out(machines: &dyn Machines, order: &Order) -> Result<Report, MachineError> {
    let server = order.server;
    match &order.ask {
        Ask::Start(spec) => return machines.start(spec).await.map(Report::from),
        Ask::Rebuild(spec) => return machines.rebuild(spec).await.map(Report::from),
        Ask::Plug(interface) => {
            let interface = machines.add_interface(server, interface).await?;
            return Ok(Report { address: None, interfaces: vec![interface] });
        }
        Ask::On => machines.power_on(server).await?,
        Ask::Off { graceful } => machines.power_off(server, *graceful).await?,
        Ask::Reboot { graceful } => machines.reboot(server, *graceful).await?,
        Ask::Delete => machines.delete(server).await?,
        Ask::Unplug { network } => machines.remove_interface(server, *network).await?,
    }
    Ok(Report::default())
}
