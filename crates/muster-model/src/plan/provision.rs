//! Actions inside several servers at once: the inventory, playbooks and code.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::code::{Build, Health, Shared};
use crate::id::{GroupName, NetworkName, ServerName, StepNumber};

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

/// An operation inside several servers, or one that prepares it.
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
    /// Build code on the controller, in a private copy (class *ensure*: nobody else sees the copy).
    Build(BuildCode),
    /// Deliver code and switch to it (class *ensure*: a release that stands is not delivered again).
    Code(DeliverCode),
    /// Go back to a release that the servers keep (class *ensure*).
    Release(SwitchRelease),
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

impl ProvisionAction {
    /// The servers that it works on, one by one; a build works on none, and a check of a network on pairs.
    pub fn hosts(&self) -> &[ProvisionHost] {
        match self {
            ProvisionAction::Inventory { hosts } | ProvisionAction::Playbook { hosts, .. } => hosts,
            ProvisionAction::Build(_) | ProvisionAction::CheckNetwork { .. } => &[],
            ProvisionAction::Code(code) => &code.hosts,
            ProvisionAction::Release(release) => &release.hosts,
        }
    }
}

/// Build code on the controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildCode {
    /// The directory of the bundle that holds the source.
    pub from: String,
    /// Where the source came from, in words.
    pub source: String,
    /// The commit, or the digest of the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The release it is for.
    pub release: String,
    /// How.
    pub build: Build,
}

/// Deliver code as a release and switch to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverCode {
    /// The directory of the bundle.
    pub from: String,
    /// Digest of what the release holds (SHA-256, hex), known before it is built.
    pub digest: String,
    /// The absolute directory on the server.
    pub to: String,
    /// Where.
    pub hosts: Vec<ProvisionHost>,
    /// Releases kept besides the current one.
    pub keep: u32,
    /// The release's name; empty = the digest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub release: String,
    /// Where it came from, in words; empty = `from`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The commit, or the digest of the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The step that builds it; none: it is delivered as it is, or stands there built already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_by: Option<StepNumber>,
    /// Whether it must be built before it can be delivered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_build: bool,
    /// What its releases have in common.
    #[serde(default, skip_serializing_if = "Shared::is_empty")]
    pub shared: Shared,
    /// When it is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Run after each switch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restart: Vec<String>,
}

impl DeliverCode {
    /// The release's name.
    pub fn release(&self) -> &str {
        if self.release.is_empty() { &self.digest } else { &self.release }
    }

    /// Where it came from, in words.
    pub fn source(&self) -> &str {
        if self.source.is_empty() { &self.from } else { &self.source }
    }
}

/// Go back to a release that the servers keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRelease {
    /// The absolute directory on the server.
    pub to: String,
    /// The release's name.
    pub release: String,
    /// Its number, as the servers have it.
    pub number: Option<u32>,
    /// Where.
    pub hosts: Vec<ProvisionHost>,
    /// Releases kept besides the current one.
    pub keep: u32,
    /// When it is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Run after each switch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restart: Vec<String>,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan of before there was more than a directory reads as it did, and is written the same: its hash stays.
    #[test]
    fn an_old_delivery_is_read_and_written_as_it_was() {
        let text = r#"{"code":{"from":"app","digest":"d1","to":"/srv/app","hosts":[],"keep":3}}"#;
        let read: ProvisionAction = serde_json::from_str(text).unwrap();
        let ProvisionAction::Code(code) = &read else { panic!("it delivers code") };
        assert_eq!((code.release(), code.source(), code.needs_build), ("d1", "app", false));
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
