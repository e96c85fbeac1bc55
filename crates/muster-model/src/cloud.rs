//! What is seen at and said to a provider, apart from servers: networks, images, locations, keys, money.

use serde::{Deserialize, Serialize};

use crate::id::ProviderId;
use crate::server::Size;

/// A private network as seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenNetwork {
    /// The provider's id.
    pub id: ProviderId,
    /// The provider's name; need not be unique.
    pub name: String,
    /// Whether it is ready to be linked.
    pub ready: bool,
    /// The provider's word for its state.
    pub state: String,
    /// Whether the provider hands out addresses in it.
    pub dhcp: bool,
    /// The place: the provider's technical word; empty if it does not say.
    pub location: String,
    /// Servers linked to it.
    pub servers: Vec<ProviderId>,
    /// The mask of its addresses as the provider writes it (`255.255.0.0`); empty where it says none.
    #[serde(default)]
    pub mask: String,
}

/// An operating system image as offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenImage {
    /// The provider's id; drifts, so it is looked up anew each time.
    pub id: ProviderId,
    /// The technical name, which is what a server reports.
    pub technical: String,
    /// The name people see.
    pub display: String,
    /// The place it is offered at; empty = everywhere.
    pub location: String,
    /// The least disk it needs, in the provider's GB; 0 = not said.
    pub disk_min_gb: u32,
    /// `Linux`, `Windows`, `Bsd`, ….
    pub family: String,
}

/// A place (data centre) as offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenLocation {
    /// The provider's technical word, used in requests.
    pub technical: String,
    /// The public title; need not be unique.
    pub title: String,
    /// The short title.
    pub short: String,
    /// Whether the base pool exists there.
    pub base_pool: bool,
    /// Whether the high-performance pool exists there.
    pub high_pool: bool,
    /// Whether backups exist there.
    pub backup: bool,
}

/// A public key that the account keeps at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenKey {
    /// The provider's id.
    pub id: ProviderId,
    /// Its title.
    pub title: String,
    /// The key; may come back without its algorithm word (`spec/onecloud-api.md` §1.4).
    pub public_key: String,
}

/// Everything a create request says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSpec {
    /// The name; the provider does not insist that it be unique.
    pub name: String,
    /// The size.
    pub size: Size,
    /// The place: the provider's technical word.
    pub location: String,
    /// The image's id at the provider, looked up when the plan was made.
    pub image_id: ProviderId,
    /// The image's technical name: what the server will report.
    pub image: String,
    /// Days between backups; 0 = none.
    pub backup_days: u32,
}

/// What a create request for a network says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// The name.
    pub name: String,
    /// The place: the provider's technical word.
    pub location: String,
    /// Whether the provider hands out addresses in it.
    pub dhcp: bool,
}

/// The account's money.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// The amount, as the provider writes it.
    pub amount: String,
}
