//! Public networks: requests 20 to 24. A block of public addresses behind an edge, with its firewall and its tunnels.
//!
//! Firewall and tunnels can only be read: the provider's web panel changes them, here drift does. Servers are linked
//! to private networks only, as far as is known.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::create::check_name;
use super::drift::DriftError;
use super::durations::ms;
use super::input::Fields;
use super::quota::Counted;
use super::refusal::Refusal;
use super::rules;
use super::view::{self, Answer};
use super::world::{Due, World};

/// What a firewall rule is about; the documented words of `Protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Protocol {
    /// Everything.
    #[default]
    Any,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// TCP and UDP.
    TcpAndUdp,
    /// ICMP.
    Icmp,
}

/// One rule of a firewall. Addresses and ports are text, `any` included.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct FirewallRule {
    /// Its place in the order.
    pub number: u32,
    /// Name.
    pub name: String,
    /// What happens to what it matches.
    pub action: String,
    /// Protocol.
    pub protocol: Protocol,
    /// Source address or block.
    pub source: String,
    /// Source port or ports.
    pub source_port: String,
    /// Destination address or block.
    pub destination: String,
    /// Destination port or ports.
    pub destination_port: String,
}

/// The firewall at the edge.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct Firewall {
    /// Whether it is switched on.
    pub enabled: bool,
    /// What happens to what no rule matches.
    pub default_rule_action: String,
    /// The rules, in order.
    pub rules: Vec<FirewallRule>,
}

/// One tunnel to another network.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct Tunnel {
    /// Number.
    pub id: u64,
    /// Condition.
    pub state: String,
    /// Name.
    pub name: String,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Cipher.
    pub encryption_type: String,
    /// The key that both ends know; the API shows it in clear text.
    pub shared_key: String,
    /// The network behind the other end.
    pub peer_network: String,
    /// Address of the other end.
    pub peer_endpoint: String,
    /// What the other end calls itself.
    pub peer_identificator: String,
}

/// The tunnels of a public network.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct Vpn {
    /// All of them.
    pub tunnels: Vec<Tunnel>,
}

/// One public network.
#[derive(Clone, Debug)]
pub(super) struct PublicNetwork {
    pub id: u64,
    pub name: String,
    /// Taken from the pool and set up: `Active` instead of `FromPool`.
    pub ready: bool,
    /// Another word that `State` shows instead.
    pub state_word: Option<String>,
    pub dc_location: String,
    /// Addresses for servers.
    pub capacity: u32,
    /// Mbit/s.
    pub bandwidth: u32,
    /// First address of its block.
    block: Ipv4Addr,
    /// Length of its block's prefix.
    prefix: u8,
    edge: Ipv4Addr,
    firewall: Firewall,
    vpn: Vpn,
    deleting: bool,
}

/// Most addresses of one public network: a block of 256 without its own address, its gateway and its broadcast.
const CAPACITY_MAX: u32 = 253;
/// Blocks of 256 addresses from 100.64.0.0 on, which no one routes; what follows them is for the edges.
const BLOCKS: u64 = 63 * 256;

/// The shortest block that holds so many addresses beside its own, its gateway's and its broadcast.
fn prefix_for(capacity: u32) -> u8 {
    // At most 256: the exponent is from 2 to 8.
    32 - (capacity + 3).next_power_of_two().trailing_zeros() as u8
}

impl PublicNetwork {
    fn state(&self) -> &str {
        self.state_word.as_deref().unwrap_or(if self.ready { "Active" } else { "FromPool" })
    }

    /// How the API writes it: documented with `Id`, not `ID`.
    pub fn view(&self, state: Option<&str>) -> Value {
        let gateway = Ipv4Addr::from(u32::from(self.block) + 1);
        let mask = Ipv4Addr::from(u32::MAX << (32 - u32::from(self.prefix)));
        json!({
            "Id": self.id,
            "Name": self.name,
            "State": state.unwrap_or(self.state()),
            "LinkedServers": [],
            "IsDHCP": false,
            "DCLocation": self.dc_location,
            "NetworkCapacity": self.capacity,
            "Type": "PublicClient",
            "Mask": mask,
            "Gateway": gateway,
            "Bandwidth": self.bandwidth,
            "CIDR": format!("{}/{}", self.block, self.prefix),
            "EdgeExternalIp": self.edge,
            "Firewall": self.firewall,
            "Vpn": self.vpn,
        })
    }
}

impl World {
    pub(super) fn public_network_list(&self, project: usize) -> Answer {
        let (state, only) = (self.twist.state.as_deref(), self.twist.only.as_deref());
        let networks = self.projects[project].rest.public_networks.values();
        let shown = networks.map(|one| one.view(state.filter(|_| only.is_none_or(|name| one.name == name))));
        view::json(&shown.collect::<Vec<_>>())
    }

    fn public_network(&mut self, project: usize, id: u64) -> Result<&mut PublicNetwork, Refusal> {
        let network = self.projects[project].rest.public_networks.get_mut(&id);
        network.ok_or_else(|| Refusal::not_found("Public network"))
    }

    pub(super) fn public_network_read(&mut self, project: usize, id: u64) -> Result<Answer, Refusal> {
        let state = self.twist.state.clone();
        Ok(view::json(&self.public_network(project, id)?.view(state.as_deref())))
    }

    pub(super) fn public_network_create(
        &mut self,
        project: usize,
        fields: &Fields,
    ) -> Result<Answer, Refusal> {
        let required = |name: &str| Refusal::bad(format!("Parameter {name} is required"));
        let name = check_name(fields)?;
        let capacity = fields.count("NetworkCapacity")?.ok_or_else(|| required("NetworkCapacity"))?;
        if !(1..=CAPACITY_MAX).contains(&capacity) {
            return Err(Refusal::bad(format!("NetworkCapacity must be from 1 to {CAPACITY_MAX}")));
        }
        let bandwidth = fields.count("Bandwidth")?.unwrap_or(10);
        rules::check_public_bandwidth(bandwidth)?;
        let dc = self.location(fields)?.tech_title;
        let id = self.make_public_network(project, name, (capacity, bandwidth), dc)?;
        self.public_network_read(project, id)
    }

    fn make_public_network(
        &mut self,
        project: usize,
        name: String,
        (capacity, bandwidth): (u32, u32),
        dc_location: &str,
    ) -> Result<u64, Refusal> {
        let holds = &self.projects[project];
        holds.quota.check(Counted::PublicNetworks, holds.rest.public_networks.len())?;
        let id = self.counters.public_network();
        let [.., third, second] = ((id % BLOCKS) as u16).to_be_bytes();
        let network = PublicNetwork {
            id,
            name,
            ready: false,
            state_word: self.twist.state.clone(),
            dc_location: dc_location.to_owned(),
            capacity,
            bandwidth,
            block: Ipv4Addr::new(100, 64 + third, second, 0),
            prefix: prefix_for(capacity),
            edge: Ipv4Addr::new(100, 127, third, second),
            firewall: Firewall { default_rule_action: "Allow".to_owned(), ..Firewall::default() },
            vpn: Vpn::default(),
            deleting: false,
        };
        self.projects[project].rest.public_networks.insert(id, network);
        let at = self.after(ms(self.durations.network_create_ms));
        self.schedule(at, Due::PublicNetworkReady { project, network: id });
        Ok(id)
    }

    /// Its making is over; without money it waits for some.
    pub(super) fn public_network_ready(&mut self, project: usize, id: u64) {
        let broke = self.projects[project].broke();
        if let Ok(network) = self.public_network(project, id) {
            network.ready |= !broke;
        }
    }

    /// There is money again for those that waited.
    pub(super) fn go_on_with_public_networks(&mut self, project: usize) {
        let at = self.after(ms(self.durations.network_create_ms));
        let networks = self.projects[project].rest.public_networks.values();
        let waiting: Vec<u64> = networks.filter(|network| !network.ready).map(|network| network.id).collect();
        for network in waiting {
            self.schedule(at, Due::PublicNetworkReady { project, network });
        }
    }

    /// Changes speed and name, at once.
    pub(super) fn public_network_edit(
        &mut self,
        project: usize,
        id: u64,
        fields: &Fields,
    ) -> Result<Answer, Refusal> {
        let network = self.public_network(project, id)?;
        if network.deleting || !network.ready {
            return Err(Refusal::bad("Public network is not ready"));
        }
        let (speed, name) = (fields.count("Bandwidth")?, fields.text("Name")?);
        if speed.is_none() && name.is_none() {
            return Err(Refusal::bad("Parameter Bandwidth or Name is required"));
        }
        let name = if name.is_some() { check_name(fields)? } else { network.name.clone() };
        let speed = speed.unwrap_or(network.bandwidth);
        rules::check_public_bandwidth(speed)?;
        (network.bandwidth, network.name) = (speed, name);
        self.public_network_read(project, id)
    }

    /// Accepts a deletion; a second one while it is under way changes nothing.
    pub(super) fn public_network_delete(&mut self, project: usize, id: u64) -> Result<Answer, Refusal> {
        let network = self.public_network(project, id)?;
        if !std::mem::replace(&mut network.deleting, true) {
            let gone = self.after(ms(self.durations.network_delete_ms));
            self.schedule(gone, Due::PublicNetworkGone { project, network: id });
        }
        Ok(Answer::Empty)
    }

    /// Drift: somebody orders a public network in the web panel; it is ready at once.
    pub(super) fn add_public_network(
        &mut self,
        project: usize,
        name: &str,
        fields: &Map<String, Value>,
    ) -> Result<(), DriftError> {
        let read = Fields::of_object(fields);
        let capacity = read.count("NetworkCapacity")?.unwrap_or(5).clamp(1, CAPACITY_MAX);
        let dc = self.location(&read)?.tech_title;
        let id = self.make_public_network(project, name.to_owned(), (capacity, 10), dc)?;
        let rest = fields
            .iter()
            .filter(|(field, _)| !["networkcapacity", "dclocation"].contains(&field.to_lowercase().as_str()));
        let rest: Map<String, Value> = rest.map(|(field, value)| (field.clone(), value.clone())).collect();
        let done = self.set_public_network(project, id, &rest);
        if done.is_err() {
            self.projects[project].rest.public_networks.remove(&id);
        } else {
            self.public_network(project, id)?.ready = true;
        }
        done
    }

    /// Drift: fields of a public network, its firewall and its tunnels included.
    pub(super) fn set_public_network(
        &mut self,
        project: usize,
        id: u64,
        fields: &Map<String, Value>,
    ) -> Result<(), DriftError> {
        let Ok(network) = self.public_network(project, id) else { return Ok(()) };
        let mut after = network.clone();
        for (field, value) in fields {
            let read = Fields::of_object(&Map::from_iter([(field.clone(), value.clone())]));
            let form = |error: serde_json::Error| DriftError::Form(format!("{field}: {error}"));
            // A list would be read as the values of an object in their order.
            let object = || match value {
                Value::Object(_) => Ok(value),
                _ => Err(DriftError::Form(format!("{field} must be an object"))),
            };
            match field.to_lowercase().as_str() {
                "name" => after.name = read.text(field)?.unwrap_or_default(),
                "state" => after.state_word = read.text(field)?,
                "bandwidth" => after.bandwidth = read.count(field)?.unwrap_or(after.bandwidth),
                "firewall" => after.firewall = Firewall::deserialize(object()?).map_err(form)?,
                "vpn" => after.vpn = Vpn::deserialize(object()?).map_err(form)?,
                _ => {
                    let text = format!("a public network has no field {field:?} that can be set");
                    return Err(DriftError::Form(text));
                }
            }
        }
        *network = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_its_servers_and_three_more() {
        for (capacity, prefix) in [(1, 30), (2, 29), (5, 29), (6, 28), (13, 28), (14, 27), (253, 24)] {
            assert_eq!(prefix_for(capacity), prefix, "{capacity}");
        }
    }
}
