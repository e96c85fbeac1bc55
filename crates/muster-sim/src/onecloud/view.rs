//! How objects are written: PascalCase, acronyms upper-case, dates in the two forms that the API uses.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};
use serde::Serialize;
use serde_json::{Value, json};

use super::catalog::DataCentre;
use super::history::{Networks, Servers};
use super::image::Image;
use super::object::{Action, Link, Network, PRIVATE_CAPACITY, PRIVATE_MASK, Server, SshKey};
use super::switches::{EndDateWhileRunning, Switches};

/// A successful answer; the status is always 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// JSON text.
    Json(Vec<u8>),
    /// Nothing, as deletions answer.
    Empty,
}

/// Writes a value.
pub(super) fn json(value: &impl Serialize) -> Answer {
    // The values here are maps with text keys and plain numbers: writing them cannot fail.
    Answer::Json(serde_json::to_vec(value).unwrap_or_default())
}

/// Dates of servers: with fraction and Moscow's offset.
fn date_with_offset(at: Timestamp) -> String {
    let moscow = at.to_zoned(TimeZone::fixed(offset(3)));
    moscow.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string()
}

/// Dates of actions: without offset, fraction as long as it needs to be.
fn date_without_offset(at: Timestamp) -> String {
    let moscow = at.to_zoned(TimeZone::fixed(offset(3)));
    moscow.strftime("%Y-%m-%dT%H:%M:%S%.f").to_string()
}

/// Dates of DNS: without offset, with one to seven digits of fraction (which of them, the object's number decides).
pub(super) fn date_of_dns(at: Timestamp, id: u64) -> String {
    let moscow = at.to_zoned(TimeZone::fixed(offset(3)));
    let digits = 1 + id % 7;
    moscow.strftime(&format!("%Y-%m-%dT%H:%M:%S%.{digits}f")).to_string()
}

fn link(link: &Link) -> Value {
    json!({
        "LinkID": link.id,
        "NetworkID": link.network,
        "LinkState": "Active",
        "NetworkType": link.network_type,
        "NetworkName": link.network_name,
        "IP": link.ip,
        "MAC": link.mac,
        "Mask": link.mask,
        "Gateway": link.gateway.map(|gateway| gateway.to_string()).unwrap_or_default(),
        "Bandwidth": link.bandwidth,
    })
}

/// A server as a value, `State` showing `state`.
pub(super) fn server_value(server: &Server, state: &str) -> Value {
    let ip = server.ip.map(|ip| ip.to_string()).unwrap_or_default();
    json!({
        "ID": server.id,
        "Name": server.name,
        "HostName": null,
        "State": state,
        "IsPowerOn": server.power_on,
        "CPU": server.cpu,
        "RAM": server.ram_mb,
        "HDD": server.hdd_gb,
        "HDDType": server.hdd_type.word(),
        "IP": ip,
        "PrimaryNetworkIp": ip,
        "AdminUserName": server.admin_password.as_ref().map(|_| server.family.admin()),
        "AdminPassword": server.admin_password,
        "Image": server.image,
        "ImageFamily": server.family.word(),
        "IsHighPerformance": server.high,
        "DCLocation": server.dc_location,
        "LinkedNetworks": server.links.iter().map(link).collect::<Vec<_>>(),
        "LinkedSshKeys": server.keys.iter().map(|key| json!({ "ID": key.id, "Title": key.title })).collect::<Vec<_>>(),
        "DateCreate": date_with_offset(server.created),
    })
}

/// A server's text, kept until it changes.
pub(super) fn server_text(server: &Server) -> &str {
    server.text.get_or_init(|| server_value(server, server.state()).to_string().into_boxed_str())
}

/// A list of servers. `state` shows instead of each one's own (of those that bear `only`, if that is given).
pub(super) fn server_list(servers: &Servers, state: Option<&str>, only: Option<&str>) -> Answer {
    const SERVER_BYTES_GUESS: usize = 900;
    let mut text = Vec::with_capacity(2 + servers.len() * SERVER_BYTES_GUESS);
    text.push(b'[');
    for server in servers.values() {
        if text.len() > 1 {
            text.push(b',');
        }
        match state.filter(|_| only.is_none_or(|name| server.name == name)) {
            Some(state) => text.extend_from_slice(server_value(server, state).to_string().as_bytes()),
            None => text.extend_from_slice(server_text(server).as_bytes()),
        }
    }
    text.push(b']');
    Answer::Json(text)
}

/// An action.
pub(super) fn action(action: &Action, switches: &Switches) -> Value {
    let mut value = json!({
        "ID": action.id,
        "Type": action.kind(),
        "State": action.state.word(),
        "StartDate": date_without_offset(action.started),
        "EndDate": action.ended.map(date_without_offset),
    });
    if action.ended.is_none() {
        match switches.end_date_while_running {
            EndDateWhileRunning::Null => {}
            EndDateWhileRunning::Absent => {
                value.as_object_mut().map(|object| object.remove("EndDate"));
            }
            EndDateWhileRunning::Zero => value["EndDate"] = json!("0001-01-01T00:00:00"),
        }
    }
    value
}

/// The links to each network, one pass over the servers: `ServerID` and the link.
pub(super) fn links_by_network(servers: &Servers) -> BTreeMap<u64, Vec<Value>> {
    let mut links: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for server in servers.values() {
        for link in &server.links {
            links.entry(link.network).or_default().push(json!({
                "LinkID": link.id, "LinkState": "Active", "IP": link.ip, "MAC": link.mac, "ServerID": server.id,
            }));
        }
    }
    links
}

/// A private network with its links.
pub(super) fn network(
    network: &Network,
    links: Option<Vec<Value>>,
    state: Option<&str>,
    switches: &Switches,
) -> Value {
    json!({
        "ID": network.id,
        "Name": network.name,
        "State": state.unwrap_or(network.state()),
        "LinkedServers": links.unwrap_or_default(),
        "IsDHCP": network.dhcp,
        "DCLocation": network.dc_location,
        "NetworkCapacity": PRIVATE_CAPACITY,
        "Type": switches.private_network_type,
        "Mask": PRIVATE_MASK,
        "Gateway": format!("10.{}.0.1", network.second_byte),
        "Bandwidth": 1000,
    })
}

/// A list of private networks.
pub(super) fn network_list(
    servers: &Servers,
    networks: &Networks,
    state: Option<&str>,
    only: Option<&str>,
    switches: &Switches,
) -> Answer {
    let mut links = links_by_network(servers);
    let list: Vec<Value> = networks
        .values()
        .map(|one| {
            let state = state.filter(|_| only.is_none_or(|name| one.name == name));
            network(one, links.remove(&one.id), state, switches)
        })
        .collect();
    json(&list)
}

/// A key.
pub(super) fn key(key: &SshKey, switches: &Switches) -> Value {
    let public_key = if switches.keys_lose_algorithm {
        key.public_key.split_once(char::is_whitespace).map_or(key.public_key.as_str(), |(_, rest)| rest)
    } else {
        key.public_key.as_str()
    };
    json!({ "ID": key.id, "Title": key.title, "PublicKey": public_key, "IsActive": true })
}

/// An image.
pub(super) fn image(image: &Image, switches: &Switches) -> Value {
    json!({
        "ID": image.id,
        "Name": image.name,
        "DisplayName": image.display_name,
        "DCLocation": image.dc_location,
        "Hdd": image.hdd_gb,
        "Family": image.family.word(),
        "OperatingSystemType": image.family.word(),
        "Type": if image.stock { "GoldServer" } else { switches.own_image_type.as_str() },
        "IsAvailableISP": false,
        "IsISPLiteEnabled": false,
        "IsISPBusinessEnabled": false,
        "LinkedSshKeys": [],
    })
}

/// Data centres.
pub(super) fn data_centres(list: &[DataCentre]) -> Answer {
    let list: Vec<Value> = list
        .iter()
        .map(|dc| {
            json!({
                "ID": dc.id,
                "Title": dc.title,
                "TechTitle": dc.tech_title,
                "ShortTitle": dc.short_title,
                "Country": dc.country,
                "City": dc.city,
                "IsEnableLowPool": dc.low_pool,
                "IsEnableHighPool": dc.high_pool,
                "IsEnableBackup": dc.backup,
                "IsEnableIpV6": false,
                "IsOnlyForAdmins": false,
                "HiddenToNewProjects": "false",
                "IsFirewallEnabled": true,
            })
        })
        .collect();
    json(&list)
}
