//! The observed world of one infrastructure: what a provider showed, and what we remember about it.
//!
//! Past tense: it was so at `seen_at`, in this generation. Whoever acts on it compares again first.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::AccountIdentity;
use crate::cloud::{SeenImage, SeenKey, SeenLocation, SeenNetwork};
use crate::code::SeenReleases;
use crate::dns::SeenZone;
use crate::id::{Generation, InfrastructureName, ProviderId};
use crate::intent::CreationIntent;
use crate::ownership::{ObjectKind, Ownership};
use crate::public_network::SeenPublicNetwork;
use crate::server::SeenServer;

/// What the provider showed in one observation: one list of servers and at most five further lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenWorld {
    /// Who the account is.
    pub account: AccountIdentity,
    /// Every server of the account, strangers included.
    pub servers: Vec<SeenServer>,
    /// Every private network of the account.
    pub networks: Vec<SeenNetwork>,
    /// Images on offer.
    pub images: Vec<SeenImage>,
    /// Locations on offer.
    pub locations: Vec<SeenLocation>,
    /// Public keys the account keeps.
    pub keys: Vec<SeenKey>,
}

/// The observed world as the planner reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Which observation this is.
    pub generation: Generation,
    /// When it was made.
    pub seen_at: Timestamp,
    /// What the provider showed.
    pub world: SeenWorld,
    /// Our records at this account, of this file and of others.
    pub owned: Vec<Ownership>,
    /// Intents at this account: open ones, and given-up ones that may still appear.
    pub intents: Vec<CreationIntent>,
    /// The account's own login key (OpenSSH line), where one exists; servers are made with it.
    pub login_key: Option<String>,
    /// Releases that servers keep; looked at only for a plan that goes back to one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<SeenReleases>,
    /// Domains of the account; looked at only where the file, or our records for it, name any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<SeenZone>,
    /// Public networks of the account; looked at only where the file, or our records for it, name any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub public_networks: Vec<SeenPublicNetwork>,
}

impl Inventory {
    /// Our record of an object at the provider, whichever file it belongs to.
    pub fn record_of(&self, kind: ObjectKind, id: &ProviderId) -> Option<&Ownership> {
        self.owned.iter().find(|record| record.kind == kind && record.id == *id)
    }

    /// Records that belong to one file.
    pub fn records<'a>(
        &'a self,
        kind: ObjectKind,
        of: &'a InfrastructureName,
    ) -> impl Iterator<Item = &'a Ownership> {
        self.owned.iter().filter(move |record| record.kind == kind && record.infrastructure == *of)
    }
}
