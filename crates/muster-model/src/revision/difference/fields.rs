//! What a file says of its networks and servers, field by field. A field that is new in one of these types must be told
//! here too, or say why not: so nothing is left out of the patterns.

use crate::dns::WantedName;
use crate::field::Field;
use crate::infrastructure::WantedNetwork;
use crate::public_network::WantedPublicNetwork;
use crate::server::{Size, WantedServer};

/// Fields by their words.
pub(super) type Fields = Vec<(&'static str, String)>;

pub(super) fn network_fields(network: &WantedNetwork) -> Fields {
    let WantedNetwork { dhcp, location, protect, bandwidth_mbit } = network;
    vec![
        ("dhcp", dhcp.to_string()),
        (Field::Location.word(), location.clone()),
        (Field::Bandwidth.word(), speed(*bandwidth_mbit)),
        ("protect", protect.to_string()),
    ]
}

pub(super) fn public_fields(network: &WantedPublicNetwork) -> Fields {
    let WantedPublicNetwork { location, addresses, bandwidth_mbit, protect, firewall } = network;
    let firewall = firewall.as_ref().and_then(|firewall| serde_json::to_string(firewall).ok());
    vec![
        ("addresses", addresses.to_string()),
        (Field::Bandwidth.word(), speed(Some(*bandwidth_mbit))),
        (Field::Location.word(), location.clone()),
        ("protect", protect.to_string()),
        ("firewall", firewall.unwrap_or_default()),
    ]
}

pub(super) fn server_fields(server: &WantedServer) -> Fields {
    let WantedServer {
        name: _,
        // A group of that name tells it.
        key: _,
        size: Size { cpu, ram_mb, disk_gb, disk_type, performance },
        location,
        image,
        networks,
        keys,
        groups,
        power,
        protect,
        // How it got its name, not what it is.
        was: _,
        backup_days,
        playbooks,
        bandwidth_mbit,
        dns,
    } = server;
    let dns: Vec<String> = dns.iter().map(name_words).collect();
    let list = |items: &mut dyn Iterator<Item = &str>| items.collect::<Vec<_>>().join(" ");
    vec![
        (Field::Cpu.word(), cpu.to_string()),
        (Field::Ram.word(), format!("{ram_mb} MB")),
        (Field::Disk.word(), format!("{disk_gb} GB")),
        (Field::DiskType.word(), disk_type.clone()),
        (Field::Performance.word(), performance.to_string()),
        (Field::Location.word(), location.clone()),
        (Field::Image.word(), image.clone()),
        (Field::Power.word(), power.to_string()),
        (Field::Networks.word(), list(&mut networks.iter().map(|name| name.as_str()))),
        (Field::Bandwidth.word(), speed(*bandwidth_mbit)),
        (Field::Groups.word(), list(&mut groups.iter().map(|name| name.as_str()))),
        (Field::Keys.word(), list(&mut keys.iter().map(|key| key.trim()))),
        (Field::Backup.word(), backup_days.to_string()),
        ("protect", protect.to_string()),
        (Field::Dns.word(), list(&mut dns.iter().map(String::as_str))),
        ("playbooks", list(&mut playbooks.iter().map(String::as_str))),
    ]
}

/// The speed of a link; empty where it is left alone.
fn speed(bandwidth_mbit: Option<u32>) -> String {
    bandwidth_mbit.map(|speed| format!("{speed} Mbit/s")).unwrap_or_default()
}

/// A name in DNS, with how long it may be remembered.
fn name_words(name: &WantedName) -> String {
    match name.ttl {
        Some(ttl) => format!("{}({ttl}s)", name.name),
        None => name.name.clone(),
    }
}
