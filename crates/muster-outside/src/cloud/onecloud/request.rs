//! The requests that Muster sends to 1cloud, built by pure functions and tested by their exact text
//! (`spec/onecloud-api.md` §1.2, rows 1–5, 8, 9, 11, 14, 15, 17, 19, 25, 27, 29–31).
//!
//! Names inside bodies are spelled as the documentation spells them. Ids that are numbers travel as numbers.

use http::Method;
use muster_model::cloud::{NetworkSpec, ServerSpec};
use muster_model::id::ProviderId;
use muster_model::server::{Performance, Power, Size};
use serde::{Serialize, Serializer};

/// What a request is about, for "it does not exist" and for the next step in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// One server, by its id.
    Server,
    /// One private network, by its id.
    Network,
    /// One other object, by its id.
    Object,
    /// Nothing that could be missing: a list, a create, the account.
    Account,
}

/// Whether a request changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads and may be repeated.
    Read,
    /// It may change something and is never repeated once it may have arrived.
    Write,
}

/// One request, without address and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// The path, with a leading slash.
    pub path: String,
    /// The JSON body, where there is one.
    pub body: Option<String>,
    /// What is being attempted, for errors: `create server web-1`.
    pub doing: String,
    /// What it is about.
    pub about: About,
}

impl Ask {
    /// Whether it changes something: everything but GET does.
    pub fn effect(&self) -> Effect {
        if self.method == Method::GET { Effect::Read } else { Effect::Write }
    }
}

/// An id inside a body: a number if it is one, else text.
struct BodyId<'a>(&'a ProviderId);

impl Serialize for BodyId<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.as_str();
        match text.parse::<u64>() {
            // "007" is not the number 7.
            Ok(number) if number.to_string() == text => serializer.serialize_u64(number),
            Ok(_) | Err(_) => serializer.serialize_str(text),
        }
    }
}

#[derive(Serialize)]
struct CreateServer<'a> {
    #[serde(rename = "Name")]
    name: &'a str,
    #[serde(rename = "CPU")]
    cpu: u32,
    #[serde(rename = "RAM")]
    ram: u32,
    #[serde(rename = "HDD")]
    hdd: u32,
    #[serde(rename = "HDDType")]
    hdd_type: &'a str,
    #[serde(rename = "ImageID")]
    image: BodyId<'a>,
    #[serde(rename = "isHighPerformance")]
    high_performance: bool,
    #[serde(rename = "DCLocation")]
    location: &'a str,
    #[serde(rename = "isBackupActive", skip_serializing_if = "Option::is_none")]
    backup: Option<bool>,
    #[serde(rename = "BackupPeriod", skip_serializing_if = "Option::is_none")]
    backup_days: Option<u32>,
    // Left out when empty: `[null]` and `[]` are not known to be accepted.
    #[serde(rename = "SshKeys", skip_serializing_if = "Vec::is_empty")]
    keys: Vec<BodyId<'a>>,
}

#[derive(Serialize)]
struct Resize<'a> {
    #[serde(rename = "CPU")]
    cpu: u32,
    #[serde(rename = "RAM")]
    ram: u32,
    #[serde(rename = "HDD")]
    hdd: u32,
    #[serde(rename = "HDDType")]
    hdd_type: &'a str,
    #[serde(rename = "isHighPerformance")]
    high_performance: bool,
}

#[derive(Serialize)]
struct Action<'a> {
    #[serde(rename = "Type")]
    kind: &'a str,
    #[serde(rename = "NetworkID", skip_serializing_if = "Option::is_none")]
    network: Option<BodyId<'a>>,
}

#[derive(Serialize)]
struct CreateNetwork<'a> {
    #[serde(rename = "Name")]
    name: &'a str,
    #[serde(rename = "DCLocation", skip_serializing_if = "str::is_empty")]
    location: &'a str,
    #[serde(rename = "IsDHCP")]
    dhcp: bool,
}

#[derive(Serialize)]
struct CreateKey<'a> {
    #[serde(rename = "Title")]
    title: &'a str,
    #[serde(rename = "PublicKey")]
    public_key: &'a str,
}

fn json(body: &impl Serialize) -> Option<String> {
    // These bodies hold text, numbers and lists only; writing such JSON into memory cannot fail.
    serde_json::to_string(body).ok()
}

fn ask(method: Method, path: impl Into<String>, doing: impl Into<String>, about: About) -> Ask {
    Ask { method, path: path.into(), body: None, doing: doing.into(), about }
}

fn get(path: &str, doing: &str) -> Ask {
    ask(Method::GET, path, doing, About::Account)
}

/// An id as one segment of a path: whatever a provider calls an id cannot leave its segment.
pub fn segment(id: &ProviderId) -> String {
    let mut out = String::new();
    for byte in id.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The one list of servers.
pub fn servers() -> Ask {
    get("/server", "list the servers")
}

/// One server.
pub fn server(id: &ProviderId) -> Ask {
    ask(Method::GET, format!("/server/{}", segment(id)), format!("read server {id}"), About::Server)
}

/// A new server.
pub fn create_server(spec: &ServerSpec, keys: &[ProviderId]) -> Ask {
    let backup = spec.backup_days > 0;
    let body = CreateServer {
        name: &spec.name,
        cpu: spec.size.cpu,
        ram: spec.size.ram_mb,
        hdd: spec.size.disk_gb,
        hdd_type: &spec.size.disk_type,
        image: BodyId(&spec.image_id),
        high_performance: is_high(spec.size.performance),
        location: &spec.location,
        backup: backup.then_some(true),
        backup_days: backup.then_some(spec.backup_days),
        keys: keys.iter().map(BodyId).collect(),
    };
    Ask {
        body: json(&body),
        ..ask(Method::POST, "/server", format!("create server {}", spec.name), About::Account)
    }
}

fn is_high(performance: Performance) -> bool {
    match performance {
        Performance::High => true,
        Performance::Base => false,
    }
}

/// Another size.
pub fn resize_server(id: &ProviderId, to: &Size) -> Ask {
    let body = Resize {
        cpu: to.cpu,
        ram: to.ram_mb,
        hdd: to.disk_gb,
        hdd_type: &to.disk_type,
        high_performance: is_high(to.performance),
    };
    Ask {
        body: json(&body),
        ..ask(Method::PUT, format!("/server/{}", segment(id)), format!("resize server {id}"), About::Server)
    }
}

fn action(id: &ProviderId, kind: &str, network: Option<&ProviderId>, doing: String) -> Ask {
    let body = Action { kind, network: network.map(BodyId) };
    Ask {
        body: json(&body),
        ..ask(Method::POST, format!("/server/{}/action", segment(id)), doing, About::Server)
    }
}

/// Power on, a graceful stop, or a hard one.
pub fn set_power(id: &ProviderId, to: Power, graceful: bool) -> Ask {
    match (to, graceful) {
        (Power::Running, _) => action(id, "PowerOn", None, format!("power on server {id}")),
        (Power::Stopped, true) => action(id, "ShutDownGuestOS", None, format!("shut down server {id}")),
        (Power::Stopped, false) => action(id, "PowerOff", None, format!("power off server {id}")),
    }
}

/// A link to a private network.
pub fn link_network(id: &ProviderId, network: &ProviderId) -> Ask {
    action(id, "AddNetwork", Some(network), format!("link server {id} to network {network}"))
}

/// The end of such a link.
pub fn unlink_network(id: &ProviderId, network: &ProviderId) -> Ask {
    action(id, "RemoveNetwork", Some(network), format!("unlink server {id} from network {network}"))
}

/// Deletion of a server.
pub fn delete_server(id: &ProviderId) -> Ask {
    ask(Method::DELETE, format!("/server/{}", segment(id)), format!("delete server {id}"), About::Server)
}

/// The actions of a server, newest first as far as known.
pub fn actions(id: &ProviderId) -> Ask {
    ask(
        Method::GET,
        format!("/server/{}/action", segment(id)),
        format!("read the actions of server {id}"),
        About::Server,
    )
}

/// Private networks.
pub fn networks() -> Ask {
    get("/network", "list the networks")
}

/// A new private network.
pub fn create_network(spec: &NetworkSpec) -> Ask {
    let body = CreateNetwork { name: &spec.name, location: &spec.location, dhcp: spec.dhcp };
    Ask {
        body: json(&body),
        ..ask(Method::POST, "/network", format!("create network {}", spec.name), About::Account)
    }
}

/// Deletion of a private network.
pub fn delete_network(id: &ProviderId) -> Ask {
    ask(Method::DELETE, format!("/network/{}", segment(id)), format!("delete network {id}"), About::Network)
}

/// Images.
pub fn images() -> Ask {
    get("/image", "list the images")
}

/// Locations.
pub fn locations() -> Ask {
    get("/dcLocation", "list the locations")
}

/// Public keys.
pub fn keys() -> Ask {
    get("/sshkey", "list the public keys")
}

/// A new public key.
pub fn create_key(title: &str, public_key: &str) -> Ask {
    let body = CreateKey { title, public_key };
    Ask {
        body: json(&body),
        ..ask(Method::POST, "/sshkey", format!("add public key {title}"), About::Account)
    }
}

/// The customer.
pub fn account() -> Ask {
    get("/account", "read the account")
}

/// The project.
pub fn project() -> Ask {
    get("/project", "read the project")
}

/// The money.
pub fn balance() -> Ask {
    get("/customer/balance", "read the balance")
}
