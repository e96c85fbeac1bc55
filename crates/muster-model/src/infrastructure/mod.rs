//! An infrastructure file: the only source of truth for a set of servers and networks.
//!
//! This file holds the noun as checked. Beside it: `check.rs` turns files into it, or into all their problems
//! with their places; `read.rs` and `legacy.rs` read the two forms into the entries of `syntax.rs`;
//! `vars.rs` and `substitute.rs` deal with `${…}`; `expand.rs` checks what entries decide together; `find.rs` finds
//! files by name; `convert.rs` writes an old file in today's form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub mod check;
mod code;
pub mod convert;
mod deploy;
mod dns;
mod expand;
pub mod find;
mod groups;
pub mod image;
mod key;
mod legacy;
mod legacy_habit;
mod legacy_network;
mod meeting;
pub mod names;
mod public_network;
mod read;
pub mod schema;
pub mod size;
mod substitute;
mod syntax;
mod template;
mod vars;
mod was;
mod write;

pub use convert::{Converted, convert};

pub use check::{Checked, Form, Inputs, Need, load};
pub(crate) use legacy::bases as ict_bases;

pub use image::{IMAGE_ID_PREFIX, image_id};
pub use size::{local_size_problems, onecloud_size_problems};
pub use syntax::{ACCOUNT_DEFAULT, LOCATION_DEFAULT, LOCATION_LOCAL, SERVERS_MAX, VERSION};

use crate::code::{Build, CodeSource, Health, Shared};
use crate::id::{AccountName, GroupName, InfrastructureName, NetworkName};
use crate::public_network::WantedPublicNetwork;
use crate::server::WantedServer;

/// The most servers one entry may ask for.
pub const COUNT_MAX: u32 = 10_000;

/// A checked infrastructure: every name expanded, every number in range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Infrastructure {
    /// Its name: the file's, without extension.
    pub name: InfrastructureName,
    /// The account it lives in; `onecloud` when the file says nothing.
    pub account: AccountName,
    /// Private networks, by name (prefix included).
    pub networks: BTreeMap<NetworkName, WantedNetwork>,
    /// Public networks, by name (prefix included).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub public_networks: BTreeMap<NetworkName, WantedPublicNetwork>,
    /// Servers in the file's order, numbered ones in number order.
    pub servers: Vec<WantedServer>,
    /// What `infra deploy` does, in order.
    pub deploy: Vec<DeployEntry>,
    /// Whether node_exporter is installed and scraped.
    pub stats: bool,
}

/// A private network as the file wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedNetwork {
    /// Whether the provider hands out addresses.
    pub dhcp: bool,
    /// The place, as written.
    pub location: String,
    /// Whether it may be deleted when it leaves the file.
    pub protect: bool,
    /// Speed of every link to it in Mbit/s; none leaves them alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_mbit: Option<u32>,
}

/// Which servers something is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hosts {
    /// Every server of the file.
    All,
    /// The servers of these groups (a server's own name and its key are groups too).
    Groups(Vec<GroupName>),
}

/// One entry of `deploy:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeployEntry {
    /// Run a playbook.
    Playbook(PlaybookEntry),
    /// Deliver code.
    Code(Box<CodeEntry>),
}

/// Run a playbook of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookEntry {
    /// Its path below the root.
    pub playbook: String,
    /// On which servers.
    pub hosts: Hosts,
    /// Whether it may be run again without asking (`repeatable: true`).
    pub repeatable: bool,
    /// Variables for it.
    pub vars: BTreeMap<String, serde_json::Value>,
}

/// Deliver code as a release, with an atomic switch of a `current` link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeEntry {
    /// Where it comes from.
    pub from: CodeSource,
    /// The absolute directory on the server that holds `releases/` and `current`.
    pub to: String,
    /// On which servers.
    pub hosts: Hosts,
    /// Releases kept besides the current one.
    pub keep: u32,
    /// How it is built first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// What its releases have in common.
    #[serde(default, skip_serializing_if = "Shared::is_empty")]
    pub shared: Shared,
    /// When a release is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Run on the server after each switch, forth and back; it may be run twice. Empty = nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restart: Vec<String>,
}

impl CodeEntry {
    /// Code that is only delivered.
    pub fn new(from: impl Into<CodeSource>, to: impl Into<String>, hosts: Hosts, keep: u32) -> CodeEntry {
        CodeEntry {
            from: from.into(),
            to: to.into(),
            hosts,
            keep,
            build: None,
            shared: Shared::default(),
            health: None,
            restart: Vec::new(),
        }
    }
}

impl Infrastructure {
    /// The servers that something is for, in the file's order.
    pub fn matching<'a>(&'a self, hosts: &'a Hosts) -> impl Iterator<Item = &'a WantedServer> {
        self.servers.iter().filter(move |server| match hosts {
            Hosts::All => true,
            Hosts::Groups(groups) => groups
                .iter()
                .any(|group| server.groups.contains(group) || server.name.as_str() == group.as_str()),
        })
    }
}
