//! Ownership records: what is ours at a provider, and since how (`SEMANTICS.md` §3).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::AccountIdentity;
use crate::dns::ServerRecord;
use crate::id::{InfrastructureName, ProviderId, ServerName};

/// What kind of object a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// A server.
    Server,
    /// A private network.
    Network,
    /// Another object of the account ([`crate::object`]). Never owned by a file; only creates of it are remembered.
    Object,
    /// A public network.
    PublicNetwork,
    /// A record in DNS that leads to a server of the file.
    Record,
}

impl ObjectKind {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            ObjectKind::Server => "server",
            ObjectKind::Network => "network",
            ObjectKind::Object => "object",
            ObjectKind::PublicNetwork => "public network",
            ObjectKind::Record => "record",
        }
    }
}

/// How an object became ours, and so what may be done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// We made it: may be changed, replaced, deleted.
    Created,
    /// A person gave it to us: may be changed, replaced, deleted.
    Adopted,
    /// It bore the name and fitted exactly: may be changed, never replaced or deleted.
    Claimed,
}

impl Claim {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Claim::Created => "created",
            Claim::Adopted => "adopted",
            Claim::Claimed => "claimed",
        }
    }

    /// Whether this claim allows deletion (and so replacement).
    pub fn may_delete(self) -> bool {
        match self {
            Claim::Created | Claim::Adopted => true,
            Claim::Claimed => false,
        }
    }
}

/// One record: this object at this account belongs to this file under this name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// The account, by its identity.
    pub account: AccountIdentity,
    /// Server, network or record.
    pub kind: ObjectKind,
    /// The object's id at the provider.
    pub id: ProviderId,
    /// The file it belongs to.
    pub infrastructure: InfrastructureName,
    /// The name it has in the file (networks too).
    pub name: ServerName,
    /// The name it has at the provider, which cannot be changed there.
    pub provider_name: String,
    /// How it became ours.
    pub claim: Claim,
    /// The words of the file for its image when it was made or claimed; a change of these words plans a replacement.
    pub image_words: String,
    /// The image's technical name when it was made or claimed.
    pub image: String,
    /// Whether the file protected it when last seen; outlives its own removal from the file (tombstone).
    pub protect: bool,
    /// Since when it is ours.
    pub since: Timestamp,
    /// Its SSH host key (OpenSSH line), recorded at first contact.
    pub host_key: Option<String>,
    /// What provisioning reached: key (a playbook's path or a built-in's name) → outcome.
    pub provisioned: BTreeMap<String, Provisioned>,
    /// Of a record: which one it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Box<ServerRecord>>,
}

/// What one playbook or delivery reached on one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioned {
    /// Digest of what was run (SHA-256, hex).
    pub digest: String,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// When it ended.
    pub at: Timestamp,
}
