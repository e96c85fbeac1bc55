//! Actions inside several servers at once: the inventory, playbooks and code.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{GroupName, NetworkName, ServerName};

use super::action::ObjectRef;
use super::network::NetworkPair;

/// One host of a provisioning step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionHost {
    /// Its name in the file.
    pub name: ServerName,
    /// Which server.
    pub server: ObjectRef,
    /// Its groups.
    pub groups: BTreeSet<GroupName>,
    /// Playbooks the file binds to it, for the inventory's host variables (ICT-52).
    pub playbooks: Vec<String>,
}

/// An operation inside several servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProvisionAction {
    /// Write the Ansible inventory of these hosts (class *ensure*).
    Inventory {
        /// Every server of the file that runs.
        hosts: Vec<ProvisionHost>,
    },
    /// Run a playbook (class *opaque*, unless repeatable).
    Playbook {
        /// Which.
        playbook: PlaybookRef,
        /// SHA-256 of what is run (its text and what the bundle holds), hex.
        digest: String,
        /// Where.
        hosts: Vec<ProvisionHost>,
        /// Whether it may be run again without asking.
        repeatable: bool,
        /// Variables of the entry and of the policy.
        vars: BTreeMap<String, serde_json::Value>,
        /// Tags to run.
        tags: Vec<String>,
        /// Tags to skip.
        skip_tags: Vec<String>,
    },
    /// Deliver a directory of the bundle (class *ensure*: a release that stands is not delivered again).
    Code {
        /// The directory below the root.
        from: String,
        /// Digest of the directory (SHA-256 over its manifest, hex): the release's name.
        digest: String,
        /// The absolute directory on the server.
        to: String,
        /// Where.
        hosts: Vec<ProvisionHost>,
        /// Releases kept besides the current one.
        keep: u32,
    },
    /// Each of these servers reaches another one in a private network (class *ensure*: nothing is changed).
    CheckNetwork {
        /// The network's name in the file.
        network_name: NetworkName,
        /// Which network.
        network: ObjectRef,
        /// Whether it hands addresses out.
        dhcp: bool,
        /// Who tries to reach whom.
        pairs: Vec<NetworkPair>,
    },
}

/// Which playbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaybookRef {
    /// Muster's own: installs node_exporter.
    NodeExporter,
    /// A file of the bundle.
    File(String),
}

impl PlaybookRef {
    /// The key under which its outcome is recorded per server.
    pub fn key(&self) -> &str {
        match self {
            PlaybookRef::NodeExporter => "builtin:node_exporter",
            PlaybookRef::File(path) => path,
        }
    }
}
