//! The words for one server: what a person wants, what exists, and the sizes both share.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dns::WantedName;
use crate::id::{GroupName, NetworkName, ProviderId, ServerName};

/// Whether a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// Powered on.
    Running,
    /// Powered off.
    Stopped,
}

impl fmt::Display for Power {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Power::Running => "running",
            Power::Stopped => "stopped",
        })
    }
}

/// 1cloud's pool: `base` or `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Performance {
    /// The base ("low") pool.
    Base,
    /// The high-performance pool.
    High,
}

impl fmt::Display for Performance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Performance::Base => "base",
            Performance::High => "high",
        })
    }
}

/// The part of a server that one resize request sets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// Processor cores.
    pub cpu: u32,
    /// Memory in the provider's MB (1024 of them are its "GB").
    pub ram_mb: u32,
    /// Disk in the provider's GB.
    pub disk_gb: u32,
    /// The provider's word for the kind of disk, upper case: `SSD`, `SAS`.
    pub disk_type: String,
    /// The pool.
    pub performance: Performance,
}

/// One server as the file wants it, names already expanded (`web` with count 3 is three of these).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedServer {
    /// The name in the file's world and at the provider (prefix included).
    pub name: ServerName,
    /// The key of the file's entry it came from (`web` for `web-1`).
    pub key: String,
    /// Its size.
    pub size: Size,
    /// The place, as written: the provider's own word or its public title.
    pub location: String,
    /// The image, as written: looked up by name, never by a drifting number. `id:3492` (old files, and images that
    /// no name tells apart) means the provider's own id: `infrastructure::image_id`.
    pub image: String,
    /// Private networks it is linked to.
    pub networks: BTreeSet<NetworkName>,
    /// Further public keys (OpenSSH lines) for root, installed at creation.
    pub keys: Vec<String>,
    /// Groups it is in; its key always among them.
    pub groups: BTreeSet<GroupName>,
    /// Whether it runs.
    pub power: Power,
    /// Whether it may be deleted when it leaves the file.
    pub protect: bool,
    /// Earlier names: a record under one of them is this server, renamed without replacing.
    pub was: Vec<ServerName>,
    /// Days between the provider's backups; 0 = none. Acts at creation only.
    pub backup_days: u32,
    /// Playbooks that an old ict file binds to this server; paths relative to the root.
    pub playbooks: Vec<String>,
    /// Speed of its public link in Mbit/s; none leaves it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_mbit: Option<u32>,
    /// Names in DNS that lead to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<WantedName>,
}

/// What state the provider says a server is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ServerState {
    /// Being made.
    New,
    /// Made; on or off.
    Active,
    /// Stopped by the provider because it was not paid.
    Blocked,
    /// Not made because the balance did not suffice.
    NeedMoney,
    /// Being deleted.
    Deleting,
    /// A word this version does not know; shown as it came.
    Other(String),
}

impl fmt::Display for ServerState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerState::New => out.write_str("New"),
            ServerState::Active => out.write_str("Active"),
            ServerState::Blocked => out.write_str("Blocked"),
            ServerState::NeedMoney => out.write_str("NeedMoney"),
            ServerState::Deleting => out.write_str("Deleting"),
            ServerState::Other(word) => out.write_str(word),
        }
    }
}

/// One link between a server and a network, as seen from the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenLink {
    /// The link's own id at the provider, where it says one.
    #[serde(default)]
    pub id: Option<ProviderId>,
    /// The network's id at the provider.
    pub network: ProviderId,
    /// Whether the link is ready (`Active`) or still being made.
    pub ready: bool,
    /// Whether this is the provider's shared public network (never Muster's to unlink).
    pub public: bool,
    /// Its address; empty until assigned.
    pub address: String,
    /// Its hardware address; empty until assigned.
    pub mac: String,
    /// The mask of its address as the provider writes it (`255.255.0.0`); empty where it says none.
    #[serde(default)]
    pub mask: String,
    /// Its speed in Mbit/s, where the provider says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_mbit: Option<u32>,
}

/// One server as it was seen. Holds no password, ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenServer {
    /// The provider's id.
    pub id: ProviderId,
    /// The provider's name for it; need not be unique.
    pub name: String,
    /// The provider's state.
    pub state: ServerState,
    /// Whether it is powered on.
    pub power_on: bool,
    /// Its size.
    pub size: Size,
    /// The place: the provider's technical word.
    pub location: String,
    /// The image: the provider's technical name.
    pub image: String,
    /// The operating system's family as the provider says it (`Linux`, `Windows`, …).
    pub family: String,
    /// Its public address, once it has one.
    pub address: Option<String>,
    /// The first user's name, once it has one.
    pub admin_user: Option<String>,
    /// Links to networks.
    pub links: Vec<SeenLink>,
    /// Ids of the keys the provider says it was made with.
    pub keys: Vec<ProviderId>,
    /// When it was made, where the provider says so.
    pub created_at: Option<Timestamp>,
}

impl SeenServer {
    /// Its power in Muster's words.
    pub fn power(&self) -> Power {
        if self.power_on { Power::Running } else { Power::Stopped }
    }
}
