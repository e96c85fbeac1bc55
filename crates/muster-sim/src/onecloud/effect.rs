//! What actions do: what is laid ready at their start, what they ask of the machine, what they leave at their end.

use std::time::Duration;

use muster_model::secret::Secret;

use super::chance;
use super::durations::ms;
use super::object::{Life, Link, PRIVATE_MASK, PRIVATE_PREFIX, Power, Prepared, Server, Work};
use super::order::Ask;
use super::world::World;
use crate::machines::{Interface, MachineSpec};

/// Number that links to the shared public network show as `NetworkID`; no private network has it.
pub(super) const SHARED_NETWORK: u64 = 1;
/// Mbit/s of a link of which nothing else was said.
const LINK_BANDWIDTH: u32 = 10;

impl World {
    /// A link of a server to a private network, with its address. None if the network is gone.
    pub(super) fn private_link(&mut self, project: usize, network: u64) -> Option<Link> {
        let now = self.now;
        let id = self.counters.link();
        let kind = self.switches.private_network_type.clone();
        let mut link = None;
        self.projects[project].change_network(now, network, |network| {
            link = Some(Link {
                id,
                network: network.id,
                network_type: kind,
                network_name: network.name.clone(),
                ip: network.next_address().into(),
                mac: chance::mac(id),
                mask: PRIVATE_MASK,
                gateway: None,
                bandwidth: LINK_BANDWIDTH,
            });
        });
        link
    }

    /// Lays ready what an action will need.
    pub(super) fn prepare(&mut self, project: usize, server: &Server, work: &Work) -> Prepared {
        let mut prepared = Prepared::default();
        match work {
            Work::Create { networks, bandwidth } => {
                // With machines the address is the machine's own, told when it answers.
                prepared.ip = if self.machines { None } else { self.take_address() };
                prepared.password = Some(self.new_password(project, server.id));
                let id = self.counters.link();
                prepared.links.push(shared_link(id, *bandwidth));
                prepared
                    .links
                    .extend(networks.iter().filter_map(|network| self.private_link(project, *network)));
            }
            Work::AddNetwork(network) => prepared.links.extend(self.private_link(project, *network)),
            Work::Rebuild { .. } => prepared.password = Some(self.new_password(project, server.id)),
            Work::Resize(_)
            | Work::Power(_)
            | Work::RemoveNetwork(_)
            | Work::Bandwidth { .. }
            | Work::Delete => {}
        }
        prepared
    }

    fn new_password(&mut self, project: usize, server: u64) -> String {
        let generation = self.projects[project].queues.get_mut(&server).map_or(0, |queue| {
            queue.passwords += 1;
            queue.passwords
        });
        chance::password(self.seed, server, generation)
    }

    /// How long an action takes.
    pub(super) fn duration(&self, work: &Work) -> Duration {
        let durations = &self.durations;
        ms(match work {
            Work::Create { .. } => durations.create_ms,
            Work::Resize(_) => durations.resize_ms,
            Work::Power(Power::On) => durations.power_on_ms,
            Work::Power(Power::Off) => durations.power_off_ms,
            Work::Power(Power::ShutDownGuest) => durations.shut_down_ms,
            Work::Power(Power::Reboot | Power::RebootGuest) => durations.reboot_ms,
            Work::AddNetwork(_) | Work::RemoveNetwork(_) | Work::Bandwidth { .. } => durations.network_ms,
            Work::Rebuild { .. } => durations.rebuild_ms,
            Work::Delete => durations.delete_ms,
        })
    }
}

/// Whether a power action would change nothing.
pub(super) fn idle(power: Power, on: bool) -> bool {
    match power {
        Power::On => on,
        Power::Off | Power::ShutDownGuest | Power::Reboot | Power::RebootGuest => !on,
    }
}

/// The link that every server gets. Its address is filled in with the server's own.
fn shared_link(id: u64, bandwidth: u32) -> Link {
    Link {
        id,
        network: SHARED_NETWORK,
        network_type: "PublicShared".to_owned(),
        network_name: "Общая публичная сеть".to_owned(),
        ip: std::net::Ipv4Addr::UNSPECIFIED.into(),
        mac: chance::mac(id),
        mask: std::net::Ipv4Addr::new(255, 254, 0, 0),
        gateway: Some(std::net::Ipv4Addr::new(198, 18, 0, 1)),
        bandwidth,
    }
}

/// What a finished action did to its server.
pub(super) fn apply(server: &mut Server, work: &Work, prepared: Prepared, broke: bool) {
    match work {
        Work::Create { .. } => {
            server.life = if broke { Life::Blocked } else { Life::Active };
            server.on_before_block = true;
            server.power_on = !broke;
            server.ip = prepared.ip;
            server.admin_password = prepared.password;
            server.links = prepared.links;
            if let Some(ip) = prepared.ip {
                server
                    .links
                    .iter_mut()
                    .filter(|link| link.network == SHARED_NETWORK)
                    .for_each(|link| link.ip = ip);
            }
        }
        Work::Resize(shape) => server.take_shape(*shape),
        Work::Power(power) => {
            let on = match power {
                Power::On => true,
                Power::Off | Power::ShutDownGuest => false,
                Power::Reboot | Power::RebootGuest => server.power_on,
            };
            server.power_on = on && server.life != Life::Blocked;
        }
        Work::AddNetwork(network) => {
            // Linked already means that somebody did it in the web panel meanwhile.
            if !server.links.iter().any(|link| link.network == *network) {
                server.links.extend(prepared.links);
            }
        }
        Work::RemoveNetwork(network) => server.links.retain(|link| link.network != *network),
        Work::Bandwidth { link, speed } => {
            server.links.iter_mut().filter(|one| one.id == *link).for_each(|one| one.bandwidth = *speed);
        }
        Work::Rebuild { image } => {
            server.take_image(image);
            // A new password, and the keys are not put back: Vagrant logs in by password to do that.
            server.admin_password = prepared.password;
            // The address stays; only a real machine may come back on another.
            server.ip = prepared.ip.or(server.ip);
            server.keys.clear();
            server.power_on = server.life == Life::Active;
        }
        Work::Delete => {}
    }
}

/// Lets links show the hardware and network addresses that their machine's interfaces really have.
pub(super) fn as_it_became(links: &mut [Link], interfaces: &[Interface]) {
    for interface in interfaces {
        for link in links.iter_mut().filter(|link| link.network == interface.network) {
            link.ip = interface.address;
            interface.mac.clone_into(&mut link.mac);
        }
    }
}

/// The interface that a private link is on its machine.
pub(super) fn interface(link: &Link) -> Interface {
    Interface { network: link.network, mac: link.mac.clone(), address: link.ip, prefix: PRIVATE_PREFIX }
}

/// What an action asks of the machine behind the server.
pub(super) fn ask(server: &Server, work: &Work, prepared: &Prepared) -> Option<Ask> {
    let spec = |image: &str, keys: bool, links: &[Link]| MachineSpec {
        server: server.id,
        name: server.name.clone(),
        cpu: server.cpu,
        ram_mb: server.ram_mb,
        hdd_gb: server.hdd_gb,
        image: image.to_owned(),
        authorized_keys: server.keys.iter().filter(|_| keys).map(|key| key.public_key.clone()).collect(),
        root_password: Secret::new(prepared.password.clone().unwrap_or_default()),
        interfaces: links.iter().filter(|link| link.network != SHARED_NETWORK).map(interface).collect(),
    };
    match work {
        Work::Create { .. } => Some(Ask::Start(spec(&server.image, true, &prepared.links))),
        Work::Rebuild { image } => Some(Ask::Rebuild(spec(&image.name, false, &server.links))),
        Work::Power(Power::On) => Some(Ask::On),
        Work::Power(Power::Off) => Some(Ask::Off { graceful: false }),
        Work::Power(Power::ShutDownGuest) => Some(Ask::Off { graceful: true }),
        Work::Power(Power::Reboot) => Some(Ask::Reboot { graceful: false }),
        Work::Power(Power::RebootGuest) => Some(Ask::Reboot { graceful: true }),
        Work::AddNetwork(_) => prepared.links.first().map(|link| Ask::Plug(interface(link))),
        Work::RemoveNetwork(network) => Some(Ask::Unplug { network: *network }),
        Work::Delete => Some(Ask::Delete),
        Work::Resize(_) | Work::Bandwidth { .. } => None,
    }
}
