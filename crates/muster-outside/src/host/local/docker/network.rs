//! Docker networks: one for all machines of a home, whose number is the home's slot, and further ones.
//!
//! The engine is the judge between homes: two networks with overlapping addresses it refuses, so whoever makes the
//! network has the slot.

use std::net::Ipv4Addr;
use std::path::Path;

use serde::Deserialize;

use super::super::command::{Argv, run};
use super::super::error::LocalError;
use super::super::record::{HomeRecord, Interface};
use super::super::slot::{SLOT_PREFIX, SLOTS_MAX};
use super::super::subnet::{Subnet, kernel_routes};
use super::argv;
use super::machine::{self, LIMIT, run_unless};

/// Networks come and go between two looks at them.
const TRIES: u32 = 5;

/// The network of all machines of a home.
pub(super) fn main_name(slot: u32) -> String {
    format!("muster-{slot}")
}

/// A further network of a home. No machine's label: those have no dot.
pub(super) fn further_name(slot: u32, number: u32) -> String {
    format!("muster-{slot}.{number}")
}

/// Things with their homes, as `docker … --format "NAME HOME"` lists them.
pub(super) async fn owned(listing: &Argv) -> Result<Vec<(String, String)>, LocalError> {
    let told = run(listing, "", LIMIT).await?;
    let pair = |line: &str| line.split_once(' ').map(|(name, home)| (name.to_owned(), home.to_owned()));
    Ok(told.lines().filter_map(pair).collect())
}

/// Gives the home its slot, an old one if it has one, and makes its network.
pub(super) async fn acquire(
    home: &str,
    preferred: Option<u32>,
    range: Subnet,
) -> Result<(u32, Subnet), LocalError> {
    let networks = owned(&argv::networks(None)).await?;
    let slot_of = |name: &str| name.strip_prefix("muster-")?.parse::<u32>().ok();
    let mine = networks.iter().find(|(name, owner)| owner == home && slot_of(name).is_some());
    if let Some((name, _)) = mine {
        let told = run(&argv::subnets(&[name]), "", LIMIT).await?;
        if let (Some(slot), Ok(subnet)) = (slot_of(name), told.trim().parse()) {
            return Ok((slot, subnet));
        }
    }
    let routes = routes();
    let slots = (0..SLOTS_MAX).take_while(|slot| range.part(SLOT_PREFIX, *slot).is_some()).count() as u32;
    for slot in preferred.into_iter().filter(|slot| *slot < slots).chain(0..slots) {
        let Some(subnet) = range.part(SLOT_PREFIX, slot) else { continue };
        match networks.iter().find(|(name, _)| slot_of(name) == Some(slot)) {
            // Its home was removed without deleting its machines.
            Some((_, owner)) if !Path::new(owner).exists() => {
                tracing::warn!(slot, "the Muster home {owner} is gone; its machines are removed");
                sweep(owner).await?;
            }
            Some(_) => continue,
            None if routes.iter().any(|route| route.overlaps(subnet)) => continue,
            None => {}
        }
        match run(&create(&main_name(slot), home, subnet, None), "", LIMIT).await {
            Ok(_) => return Ok((slot, subnet)),
            Err(error) if is_taken(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Err(LocalError::NoFreeNetwork { slots, range: range.to_string() })
}

/// The networks that this computer reaches. Where the kernel does not say, the engine still refuses its own.
fn routes() -> Vec<Subnet> {
    kernel_routes(&std::fs::read_to_string("/proc/net/route").unwrap_or_default())
}

/// Whether the engine refused a network because of another one.
fn is_taken(error: &LocalError) -> bool {
    let words = ["overlaps", "already exists"];
    matches!(error, LocalError::Command { output, .. } if words.iter().any(|word| output.contains(word)))
}

/// Makes a network. The computer takes the first address, or the last when a machine has the first.
fn create(name: &str, home: &str, subnet: Subnet, machine: Option<Ipv4Addr>) -> Argv {
    let first = subnet.address(1).filter(|first| Some(*first) != machine);
    // Every subnet has these two.
    let gateway = first.or(subnet.address(subnet.number_max())).unwrap_or(Ipv4Addr::UNSPECIFIED);
    argv::network_create(name, home, subnet, gateway)
}

/// Removes everything that belongs to a home.
pub(super) async fn sweep(home: &str) -> Result<(), LocalError> {
    for (label, _) in owned(&argv::containers(Some(home))).await? {
        machine::remove(&label).await?;
    }
    for (name, _) in owned(&argv::networks(Some(home))).await? {
        remove(&name).await?;
    }
    Ok(())
}

/// Subnets in use: by this computer, and by any network of the engine.
pub(super) async fn taken() -> Result<Vec<Subnet>, LocalError> {
    let mut found = routes();
    let mut tries = 0;
    loop {
        tries += 1;
        let ids = run(&argv::all_networks(), "", LIMIT).await?;
        match run(&argv::subnets(&ids.lines().collect::<Vec<_>>()), "", LIMIT).await {
            Ok(told) => {
                found.extend(told.split_whitespace().filter_map(|word| word.parse::<Subnet>().ok()));
                return Ok(found);
            }
            Err(error) if tries == TRIES => return Err(error),
            Err(_) => {} // one of them was removed just now
        }
    }
}

/// Plugs a machine into a further network, which is made if it is not there.
pub(super) async fn connect(
    home_label: &str,
    home: &HomeRecord,
    label: &str,
    interface: &Interface,
) -> Result<(), LocalError> {
    let Some(record) = interface.network.as_ref().and_then(|name| home.networks.get(name)) else {
        return Ok(());
    };
    let name = further_name(home.slot, record.number);
    let there = owned(&argv::networks(Some(home_label))).await?;
    if !there.iter().any(|(other, _)| *other == name) {
        let refused = |whose: &str| LocalError::Invalid {
            what: "network",
            value: record.subnet.to_string(),
            reason: format!(
                "is in use by {whose}, and Docker's networks share their addresses with it; choose others"
            ),
        };
        if routes().iter().any(|route| route.overlaps(record.subnet)) {
            return Err(refused("this computer"));
        }
        let made = run(&create(&name, home_label, record.subnet, Some(interface.address)), "", LIMIT).await;
        made.map_err(|error| if is_taken(&error) { refused("another network of Docker") } else { error })?;
    }
    run_unless(&argv::connect(&name, label, interface.address), &["already exists in network"]).await
}

/// Takes a machine out of a further network.
pub(super) async fn disconnect(
    home: &HomeRecord,
    label: &str,
    interface: &Interface,
) -> Result<(), LocalError> {
    let Some(record) = interface.network.as_ref().and_then(|name| home.networks.get(name)) else {
        return Ok(());
    };
    let command = argv::disconnect(&further_name(home.slot, record.number), label);
    run_unless(&command, &["is not connected", "no such container", "not found"]).await
}

/// Removes a network.
pub(super) async fn remove(name: &str) -> Result<(), LocalError> {
    run_unless(&argv::network_remove(name), &["no such network", "not found"]).await
}

/// What `ip -json address show` says of one interface.
#[derive(Deserialize)]
struct Link {
    ifname: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    addr_info: Vec<Address>,
}

/// One address of it.
#[derive(Deserialize)]
struct Address {
    local: Option<String>,
}

/// Corrects names and hardware addresses by what the machine says of its interfaces. Pure.
pub(super) fn take_over(told: &str, interfaces: &mut [Interface]) -> Result<(), String> {
    let links: Vec<Link> =
        serde_json::from_str(told).map_err(|error| format!("ip said {told:?}: {error}"))?;
    for interface in interfaces {
        let address = interface.address.to_string();
        let has = |link: &&Link| link.addr_info.iter().any(|one| one.local.as_deref() == Some(&address));
        if let Some(link) = links.iter().find(has) {
            interface.device.clone_from(&link.ifname);
            interface.mac.clone_from(&link.address);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_computer_never_takes_a_machines_address() {
        let subnet: Subnet = "10.20.0.0/16".parse().unwrap();
        let gateway = |machine: Option<&str>| {
            let command = create("n", "/h", subnet, machine.map(|address| address.parse().unwrap()));
            command.0[command.0.iter().position(|word| word == "--gateway").unwrap() + 1].clone()
        };
        assert_eq!(gateway(None), "10.20.0.1");
        assert_eq!(gateway(Some("10.20.0.11")), "10.20.0.1");
        assert_eq!(gateway(Some("10.20.0.1")), "10.20.255.254");
    }

    #[test]
    fn interfaces_are_what_the_machine_says() {
        let interface = |device: &str, address: &str| Interface {
            device: device.to_owned(),
            network: None,
            address: address.parse().unwrap(),
            subnet: "10.0.0.0/8".parse().unwrap(),
            mac: "02:4d:00:00:00:01".to_owned(),
        };
        let mut interfaces = [interface("eth0", "10.212.0.10"), interface("eth1", "10.1.0.5")];
        let told = r#"[{"ifname":"lo","address":"00:00:00:00:00:00","addr_info":[{"local":"127.0.0.1"}]},
            {"ifname":"eth2","address":"02:42:0a:01:00:05","addr_info":[{"family":"inet","local":"10.1.0.5"}]}]"#;
        take_over(told, &mut interfaces).unwrap();
        let shown = interfaces.map(|one| (one.device, one.mac));
        assert_eq!(shown[0], ("eth0".to_owned(), "02:4d:00:00:00:01".to_owned()));
        assert_eq!(shown[1], ("eth2".to_owned(), "02:42:0a:01:00:05".to_owned()));
        assert!(take_over("no", &mut []).is_err());
    }
}
