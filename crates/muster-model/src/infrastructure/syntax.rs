//! An infrastructure file as written: its words, and its entries with their places before names are expanded.
//!
//! Both forms of a file, the present one and the old ict ones, are read into [`Written`]; everything that
//! several entries decide together is checked in `expand.rs`, once for both.

use crate::document::Span;
use crate::infrastructure::DeployEntry;
use crate::server::{Performance, Power, Size};

use super::dns::DnsEntry;
use super::public_network::PublicPart;
use super::size::DISK_TYPE_DEFAULT;

/// The version of the format that this program reads.
pub const VERSION: u32 = 1;
/// The account where the file does not say: the one from the environment (`SEMANTICS.md` §3).
pub const ACCOUNT_DEFAULT: &str = "onecloud";
/// The place where the file does not say: 1cloud's own default (`spec/onecloud-api.md` §1.6).
pub const LOCATION_DEFAULT: &str = "SdnSpb";
/// What stands between a server's key and its number where the file does not say.
pub const SEPARATOR_DEFAULT: char = '-';
/// The one place of the account `local`.
pub const LOCATION_LOCAL: &str = "local";
/// Releases kept besides the current one where the file does not say.
pub const KEEP_DEFAULT: u32 = 3;
/// The most releases kept.
pub const KEEP_MAX: u32 = 100;
/// The longest time between backups, in days.
pub const BACKUP_DAYS_MAX: u32 = 365;
/// The least speed of a link, in Mbit/s; faster ones are multiples of it (`spec/onecloud-api.md` §1.3).
pub const BANDWIDTH_MBIT_STEP: u32 = 10;
/// The highest speed of a link, in Mbit/s.
pub const BANDWIDTH_MBIT_MAX: u32 = 100;
/// The most servers of one file.
pub const SERVERS_MAX: usize = 20_000;

/// Words at the top of a file.
pub(crate) const TOP: &[&str] = &[
    "version",
    "account",
    "location",
    "prefix",
    "separator",
    "vars",
    "networks",
    "servers",
    "deploy",
    "stats",
];
/// Words at the top that a later version reads.
pub(crate) const TOP_LATER: &[&str] =
    &["alerts", "schedules", "channels", "rollout", "checks", "firewall", "dns"];
/// Words of a server.
pub(crate) const SERVER: &[&str] = &[
    "count",
    "image",
    "cpu",
    "ram",
    "disk",
    "performance",
    "location",
    "networks",
    "groups",
    "keys",
    "power",
    "protect",
    "was",
    "prefix",
    "separator",
    "backup_days",
    "playbooks",
    "bandwidth",
    "dns",
];
/// Words of a server that a later version reads.
pub(crate) const SERVER_LATER: &[&str] = &["checks", "firewall", "address", "user", "vars", "rollout"];
/// Words of a name in `dns:`.
pub(crate) const DNS: &[&str] = &["name", "ttl"];
/// Words of a network.
pub(crate) const NETWORK: &[&str] =
    &["dhcp", "location", "protect", "prefix", "bandwidth", "public", "addresses", "firewall"];
/// Words of a private network only.
pub(crate) const NETWORK_PRIVATE: &[&str] = &["dhcp"];
/// Words of a public network only.
pub(crate) const NETWORK_PUBLIC: &[&str] = &["addresses", "firewall"];
/// Words of a firewall.
pub(crate) const FIREWALL: &[&str] = &["enabled", "default", "rules"];
/// Words of a rule of a firewall.
pub(crate) const FIREWALL_RULE: &[&str] =
    &["action", "protocol", "source", "source_port", "destination", "destination_port"];
/// Words of a network that a later version reads.
pub(crate) const NETWORK_LATER: &[&str] = &["cidr", "gateway"];
/// Words of a `deploy:` entry that runs a playbook.
pub(crate) const PLAYBOOK: &[&str] = &["playbook", "hosts", "repeatable", "vars"];
/// Words of a `deploy:` entry that delivers code.
pub(crate) const CODE: &[&str] = &["code", "hosts"];
/// Words of `code:`.
pub(crate) const CODE_BODY: &[&str] = &["from", "to", "keep", "build", "shared", "health", "restart"];
/// Words of `from:` that is a commit of a git repository.
pub(crate) const FROM_GIT: &[&str] = &["git", "revision", "path"];
/// Words of `from:` that is an archive.
pub(crate) const FROM_ARCHIVE: &[&str] = &["archive", "path"];
/// Words of `build:`.
pub(crate) const BUILD: &[&str] = &["command", "output", "env", "within"];
/// Words of `shared:`.
pub(crate) const SHARED: &[&str] = &["directories", "files"];
/// Words of `health:`.
pub(crate) const HEALTH: &[&str] = &["command", "http", "status", "within"];
/// Words of a `deploy:` entry that a later version reads.
pub(crate) const DEPLOY_LATER: &[&str] = &["rollout", "gate", "approve", "retry", "notify", "when"];

/// A file as written.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub account: String,
    pub networks: Vec<NetworkEntry>,
    pub servers: Vec<ServerEntry>,
    /// Entries of `deploy:`, with the words of their `hosts:` and where those stand.
    pub deploy: Vec<WrittenDeploy>,
    pub stats: bool,
}

/// A network as written.
#[derive(Clone, Debug)]
pub(crate) struct NetworkEntry {
    pub key: (String, Span),
    pub prefix: String,
    pub dhcp: bool,
    pub location: String,
    pub protect: bool,
    pub bandwidth_mbit: Option<u32>,
    pub public: Option<PublicPart>,
}

/// An entry of `servers:` as written.
#[derive(Clone, Debug)]
pub(crate) struct ServerEntry {
    pub key: (String, Span),
    pub prefix: String,
    /// What stands between key and number: `-` unless the file says `_`, as all old ict files do.
    pub separator: char,
    pub count: u32,
    pub size: Size,
    pub location: String,
    pub image: String,
    pub networks: Vec<(String, Span)>,
    pub keys: Vec<String>,
    pub groups: Vec<(String, Span)>,
    pub power: Power,
    pub protect: bool,
    pub was: Vec<(String, Span)>,
    pub backup_days: u32,
    pub playbooks: Vec<String>,
    pub bandwidth_mbit: Option<u32>,
    pub dns: Vec<DnsEntry>,
}

/// An entry of `deploy:` as written; the hosts inside `entry` are filled in by `expand.rs`.
#[derive(Clone, Debug)]
pub(crate) struct WrittenDeploy {
    pub entry: DeployEntry,
    pub hosts: Vec<(String, Span)>,
    /// Where it stands; of code, where its `to` does.
    pub at: Span,
}

impl ServerEntry {
    /// An entry with everything a file may leave unsaid: one running server with 1 core, 1 GiB, a 40 GiB SSD, base pool.
    pub fn new(key: (String, Span), prefix: &str, location: &str) -> ServerEntry {
        ServerEntry {
            key,
            prefix: prefix.to_owned(),
            separator: SEPARATOR_DEFAULT,
            count: 1,
            size: Size {
                cpu: 1,
                ram_mb: 1_024,
                disk_gb: 40,
                disk_type: DISK_TYPE_DEFAULT.to_owned(),
                performance: Performance::Base,
            },
            location: location.to_owned(),
            image: String::new(),
            networks: Vec::new(),
            keys: Vec::new(),
            groups: Vec::new(),
            power: Power::Running,
            protect: false,
            was: Vec::new(),
            backup_days: 0,
            playbooks: Vec::new(),
            bandwidth_mbit: None,
            dns: Vec::new(),
        }
    }

    /// The name of its server with this number (from 1).
    pub fn name(&self, number: u32) -> String {
        format!("{}{}{}{number}", self.prefix, self.key.0, self.separator)
    }
}
