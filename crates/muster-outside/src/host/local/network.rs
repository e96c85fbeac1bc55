//! The private network: one namespace with bridges per home (the hub), one namespace per machine, cables between.
//!
//! Everything here looks first and acts then, so it may run twice, and the keeper calls [`plug`] before each boot.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use super::argv;
use super::command::{SHORT, run, run_all};
use super::error::LocalError;
use super::record::{HomeRecord, Interface, MachineRecord, NetworkRecord};
use super::spec::NetworkSpec;
use super::subnet::Subnet;

/// The bridge of the network that every machine has.
const MAIN_BRIDGE: &str = "br0";
/// Machine number 1 gets this address of its subnet; below it is the computer's, and room to spare.
const FIRST_ADDRESS: u32 = 10;
/// The most further networks of one home.
const NETWORKS_MAX: u32 = 200;
/// The most interfaces of one machine.
const INTERFACES_MAX: usize = 16;

/// The namespace of a home's bridges.
pub(super) fn hub(slot: u32) -> String {
    format!("muster-{slot}")
}

/// The veth by which the computer reaches a home's machines.
pub(super) fn host_link(slot: u32) -> String {
    format!("muster{slot}")
}

/// All network namespaces that have a name.
pub(super) fn namespaces() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/run/netns") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Whether the name leads to a namespace. One whose mount was lost leaves an empty file behind.
fn namespace_exists(namespace: &str) -> bool {
    /// `NSFS_MAGIC` of `linux/magic.h`.
    const NSFS: rustix::fs::FsWord = 0x6e73_6673;
    rustix::fs::statfs(Path::new("/run/netns").join(namespace)).is_ok_and(|status| status.f_type == NSFS)
}

/// Makes a namespace unless it is there. Only in Muster's own mount namespace: a keeper's is invisible to others,
/// and so would be the name.
async fn ensure_namespace(namespace: &str) -> Result<(), LocalError> {
    if namespace_exists(namespace) {
        return Ok(());
    }
    super::record::remove(&Path::new("/run/netns").join(namespace))?;
    run(&argv::namespace_add(namespace), "", SHORT).await?;
    run(&argv::loopback_up(namespace), "", SHORT).await.map(drop)
}

/// Names in the answer of `ip -o link show`.
pub(super) fn link_names(listing: &str) -> BTreeSet<String> {
    let name = |line: &str| Some(line.split(": ").nth(1)?.split('@').next()?.to_owned());
    listing.lines().filter_map(name).collect()
}

async fn links(namespace: &str) -> Result<BTreeSet<String>, LocalError> {
    Ok(link_names(&run(&argv::links_in(namespace), "", SHORT).await?))
}

/// Makes the home's namespace, its bridge, and the computer's way to it.
pub(super) async fn ensure_hub(slot: u32, subnet: Subnet) -> Result<(), LocalError> {
    let (hub, link) = (hub(slot), host_link(slot));
    ensure_namespace(&hub).await?;
    let there = Path::new("/sys/class/net").join(&link);
    if is_up(&there) {
        return Ok(());
    }
    let bridged = links(&hub).await?.contains(MAIN_BRIDGE);
    run_all(&argv::bridge_add(&hub, MAIN_BRIDGE)[usize::from(bridged)..]).await?;
    // Every subnet has a first address.
    let address = subnet.address(1).unwrap_or(Ipv4Addr::UNSPECIFIED);
    let commands = argv::host_link_add(&link, &hub, MAIN_BRIDGE, subnet, address);
    // Switching it on comes last: one that is there and off was left half-made by a process that died.
    run_all(&commands[usize::from(there.exists())..]).await
}

/// Whether a link of the computer, given by its folder below `/sys`, is switched on. None is not.
fn is_up(link: &Path) -> bool {
    /// `IFF_UP` of `linux/if.h`.
    const UP: u32 = 1;
    let flags = std::fs::read_to_string(link.join("flags")).unwrap_or_default();
    u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).is_ok_and(|flags| flags & UP != 0)
}

/// Removes the home's namespace with all bridges, and the computer's way to it.
pub(super) async fn remove_hub(slot: u32) -> Result<(), LocalError> {
    let (hub, link) = (hub(slot), host_link(slot));
    // First the link, at once: the kernel takes its time to end a namespace.
    if link_names(&run(&argv::links(), "", SHORT).await?).contains(&link) {
        run(&argv::link_delete(&link), "", SHORT).await?;
    }
    remove_namespace(&hub).await
}

/// Removes a namespace, or the empty file of one whose mount was lost.
pub(super) async fn remove_namespace(namespace: &str) -> Result<(), LocalError> {
    if namespace_exists(namespace) {
        run(&argv::namespace_delete(namespace), "", SHORT).await?;
    }
    super::record::remove(&Path::new("/run/netns").join(namespace))
}

/// The interface that every machine has.
pub(super) fn main_interface(slot: u32, subnet: Subnet, number: u32) -> Result<Interface, LocalError> {
    let address = subnet
        .address(FIRST_ADDRESS + number - 1)
        .ok_or(LocalError::Limit { what: "the number of machines", limit: machines_max(subnet) })?;
    Ok(Interface { device: "eth0".to_owned(), network: None, address, subnet, mac: mac(slot, 0, number) })
}

/// How many machines a subnet holds.
pub(super) fn machines_max(subnet: Subnet) -> u32 {
    subnet.number_max().saturating_sub(FIRST_ADDRESS - 1)
}

/// A hardware address that is the same each time: otherwise the computer would, for a while, send what is for a
/// new machine to the card of a deleted one. `02` marks it as locally administered.
fn mac(slot: u32, network: u32, number: u32) -> String {
    let [.., high, low] = number.to_be_bytes();
    format!("02:4d:{:02x}:{:02x}:{high:02x}:{low:02x}", slot & 0xff, network & 0xff)
}

/// Decides the interface of a machine in a further network, and adds the network to the home when it is new.
/// `elsewhere` are subnets that one of our choice must not overlap. Pure.
pub(super) fn further_interface(
    home: &mut HomeRecord,
    others: &[MachineRecord],
    machine: &MachineRecord,
    spec: &NetworkSpec,
    elsewhere: &[Subnet],
) -> Result<Interface, LocalError> {
    let invalid = |value: String, reason: &str| LocalError::Invalid {
        what: "network",
        value,
        reason: reason.to_owned(),
    };
    spec.check()?;
    let network = match home.networks.get(&spec.name) {
        Some(network) => network.clone(),
        None => {
            let number = (1..=NETWORKS_MAX)
                .find(|number| home.networks.values().all(|other| other.number != *number))
                .ok_or(LocalError::Limit { what: "the number of networks", limit: NETWORKS_MAX })?;
            let range = Subnet::new(Ipv4Addr::new(10, 211, 0, 0), 16);
            let ours: BTreeSet<_> = home.networks.values().map(|other| other.subnet).collect();
            let own = (number..=NETWORKS_MAX)
                .filter_map(|part| range?.part(24, part))
                .find(|part| !elsewhere.iter().chain(&ours).any(|other| other.overlaps(*part)));
            let subnet =
                spec.subnet.or(own).ok_or_else(|| invalid(spec.name.clone(), "has no free subnet"))?;
            NetworkRecord { number, subnet }
        }
    };
    if spec.subnet.is_some_and(|subnet| subnet != network.subnet) {
        let reason = format!("has the addresses {} already", network.subnet);
        return Err(invalid(spec.name.clone(), &reason));
    }
    if let Some(other) = machine.interfaces.iter().find(|other| other.subnet.overlaps(network.subnet)) {
        let reason = format!("overlaps {} of {}", other.subnet, other.device);
        return Err(invalid(network.subnet.to_string(), &reason));
    }
    let inside = |other: &&Interface| other.network.as_deref() == Some(&spec.name);
    let taken: BTreeSet<_> = others
        .iter()
        .flat_map(|other| other.interfaces.iter().filter(inside).map(|one| one.address))
        .collect();
    let address = match spec.address {
        Some(address) if !network.subnet.contains(address) => {
            return Err(invalid(address.to_string(), &format!("is not one of {}", network.subnet)));
        }
        Some(address) if taken.contains(&address) => {
            return Err(invalid(address.to_string(), "is another machine's address in this network"));
        }
        Some(address) => address,
        None => (FIRST_ADDRESS.min(network.subnet.number_max())..=network.subnet.number_max())
            .filter_map(|number| network.subnet.address(number))
            .find(|address| !taken.contains(address))
            .ok_or(LocalError::Limit {
                what: "the addresses of the network",
                limit: network.subnet.number_max(),
            })?,
    };
    let device = (1..INTERFACES_MAX)
        .map(|number| format!("eth{number}"))
        .find(|device| machine.interfaces.iter().all(|other| other.device != *device))
        .ok_or(LocalError::Limit { what: "the interfaces of a machine", limit: INTERFACES_MAX as u32 })?;
    let mac = mac(home.slot, network.number, machine.number);
    let subnet = network.subnet;
    home.networks.insert(spec.name.clone(), network);
    Ok(Interface { device, network: Some(spec.name.clone()), address, subnet, mac })
}

/// Bridge and port of an interface in the hub.
fn place(home: &HomeRecord, machine: &MachineRecord, interface: &Interface) -> Option<(String, String)> {
    let number = machine.number;
    match &interface.network {
        None => Some((MAIN_BRIDGE.to_owned(), format!("p{number}"))),
        Some(name) => {
            let network = home.networks.get(name)?.number;
            Some((format!("br{network}"), format!("n{network}p{number}")))
        }
    }
}

/// Makes a machine's namespace.
pub(super) async fn ensure_machine(machine: &MachineRecord) -> Result<(), LocalError> {
    ensure_namespace(&machine.label()).await
}

/// Plugs all interfaces into a machine's namespace; what is there already stays.
pub(super) async fn plug(home: &HomeRecord, machine: &MachineRecord) -> Result<(), LocalError> {
    let (hub, namespace) = (hub(home.slot), machine.label());
    let inside = links(&namespace).await?;
    for interface in &machine.interfaces {
        let Some((bridge, port)) = place(home, machine, interface) else { continue };
        let plugged = inside.contains(&interface.device);
        let cable = argv::cable_add(&hub, &bridge, &port, &namespace, interface);
        if !plugged {
            let in_hub = links(&hub).await?;
            let bridged = in_hub.contains(&bridge);
            run_all(&argv::bridge_add(&hub, &bridge)[usize::from(bridged)..]).await?;
            if in_hub.contains(&port) {
                // The other end of a cable whose machine is being taken apart by the kernel.
                run(&argv::link_delete_in(&hub, &port), "", SHORT).await?;
            }
        }
        // A process that died between the two may have left a cable that leads nowhere.
        run_all(&cable[usize::from(plugged)..]).await?;
        run_all(&argv::interface_up(&namespace, interface)).await?;
    }
    Ok(())
}

/// Takes one interface out of a machine.
pub(super) async fn unplug_interface(
    machine: &MachineRecord,
    interface: &Interface,
) -> Result<(), LocalError> {
    let namespace = machine.label();
    if namespace_exists(&namespace) && links(&namespace).await?.contains(&interface.device) {
        run(&argv::link_delete_in(&namespace, &interface.device), "", SHORT).await?;
    }
    Ok(())
}

/// Removes a machine's namespace with all its cables.
pub(super) async fn unplug(home: &HomeRecord, machine: &MachineRecord) -> Result<(), LocalError> {
    let (hub, namespace) = (hub(home.slot), machine.label());
    if namespace_exists(&hub) {
        let in_hub = links(&hub).await?;
        for interface in &machine.interfaces {
            if let Some((_, port)) = place(home, machine, interface)
                && in_hub.contains(&port)
            {
                run(&argv::link_delete_in(&hub, &port), "", SHORT).await?;
            }
        }
    }
    remove_namespace(&namespace).await
}

/// The names of networks that no machine is in. Pure.
pub(super) fn unused(home: &HomeRecord, machines: &[MachineRecord]) -> Vec<String> {
    let used: BTreeSet<_> = machines
        .iter()
        .flat_map(|machine| machine.interfaces.iter().filter_map(|one| one.network.clone()))
        .collect();
    home.networks.keys().filter(|name| !used.contains(*name)).cloned().collect()
}

/// Removes the bridges of further networks.
pub(super) async fn remove_bridges(home: &HomeRecord, names: &[String]) -> Result<(), LocalError> {
    let hub = hub(home.slot);
    for network in names.iter().filter_map(|name| home.networks.get(name)) {
        let bridge = format!("br{}", network.number);
        if namespace_exists(&hub) && links(&hub).await?.contains(&bridge) {
            run(&argv::link_delete_in(&hub, &bridge), "", SHORT).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::probe::Technique;
    use super::super::spec::MachineName;
    use super::*;

    fn machine(number: u32) -> MachineRecord {
        let name = MachineName::parse(&format!("m{number}")).unwrap();
        let eth0 = main_interface(2, "10.210.8.0/22".parse().unwrap(), number).unwrap();
        MachineRecord::new(name, number, 2, "m".into(), "/b".into(), "/r".into(), None, vec![eth0])
    }

    fn home() -> HomeRecord {
        HomeRecord::new(2, "10.210.8.0/22".parse().unwrap(), Technique::Nspawn)
    }

    #[test]
    fn addresses_follow_numbers_to_the_end() {
        let subnet: Subnet = "10.210.8.0/22".parse().unwrap();
        assert_eq!(main_interface(2, subnet, 1).unwrap().address, Ipv4Addr::new(10, 210, 8, 10));
        assert_eq!(main_interface(2, subnet, 1).unwrap().mac, "02:4d:02:00:00:01");
        assert_eq!(main_interface(2, subnet, 1013).unwrap().address, Ipv4Addr::new(10, 210, 11, 254));
        assert_eq!(machines_max(subnet), 1013);
        assert!(main_interface(2, subnet, 1014).is_err());
    }

    #[test]
    fn further_networks_number_themselves() {
        let mut home = home();
        let mut first = machine(1);
        let back = further_interface(&mut home, &[], &first, &NetworkSpec::named("back"), &[]).unwrap();
        assert_eq!((back.device.as_str(), back.address), ("eth1", Ipv4Addr::new(10, 211, 1, 10)));
        first.interfaces.push(back);
        let second = machine(2);
        let there = further_interface(&mut home, &[first.clone()], &second, &NetworkSpec::named("back"), &[])
            .unwrap();
        assert_eq!(there.address, Ipv4Addr::new(10, 211, 1, 11));
        let own = NetworkSpec {
            name: "own".into(),
            subnet: Some("192.168.7.0/29".parse().unwrap()),
            address: Some(Ipv4Addr::new(192, 168, 7, 3)),
        };
        let there = further_interface(&mut home, &[], &first, &own, &[]).unwrap();
        assert_eq!((there.device.as_str(), there.address), ("eth2", Ipv4Addr::new(192, 168, 7, 3)));
        assert_eq!(home.networks["own"].number, 2);
        let tiny = NetworkSpec { name: "own".into(), subnet: None, address: None };
        assert_eq!(
            further_interface(&mut home, &[], &second, &tiny, &[]).unwrap().address,
            Ipv4Addr::new(192, 168, 7, 6)
        );
    }

    #[test]
    fn bad_networks_are_refused_with_their_reason() {
        let mut home = home();
        let first = machine(1);
        let mut said = |subnet: Option<&str>, address: Option<&str>| {
            let spec = NetworkSpec {
                name: "n".into(),
                subnet: subnet.map(|text| text.parse().unwrap()),
                address: address.map(|text| text.parse().unwrap()),
            };
            further_interface(&mut home, &[], &first, &spec, &[]).unwrap_err().to_string()
        };
        assert!(said(Some("10.0.0.0/8"), None).contains("overlaps 10.210.8.0/22 of eth0"));
        assert!(said(Some("192.168.7.0/24"), Some("192.168.8.1")).contains("is not one of 192.168.7.0/24"));
    }

    #[test]
    fn a_link_is_up_by_its_flags() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_up(folder.path()));
        for (flags, up) in [("0x1003\n", true), ("0x1002\n", false), ("", false)] {
            std::fs::write(folder.path().join("flags"), flags).unwrap();
            assert_eq!(is_up(folder.path()), up, "{flags:?}");
        }
    }

    #[test]
    fn links_are_read_from_ip() {
        let listing = "1: lo: <LOOPBACK,UP> mtu 65536\n2: eth0@if5: <UP> mtu 1500 qdisc noqueue\n";
        assert_eq!(link_names(listing), ["lo".to_owned(), "eth0".to_owned()].into());
    }
}
