//! Everything the planner looks at, indexed once so that a fleet of ten thousand plans in linear time.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use muster_model::account::Provider;
use muster_model::cloud::SeenNetwork;
use muster_model::id::ProviderId;
use muster_model::infrastructure::Infrastructure;
use muster_model::inventory::Inventory;
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::policy::{Policy, Purpose};
use muster_model::public_network::SeenPublicNetwork;
use muster_model::server::{SeenServer, WantedServer};

use crate::bundle::BundleFacts;
use crate::image::Images;
use crate::key::Keys;
use crate::location::Locations;
use crate::ownership::Index;
use crate::selector::Selector;

/// What the planner decides from.
pub(crate) struct Scene<'a> {
    pub(crate) wanted: &'a Infrastructure,
    pub(crate) seen: &'a Inventory,
    pub(crate) policy: &'a Policy,
    pub(crate) bundle: &'a BundleFacts,
    pub(crate) now: Timestamp,
    pub(crate) servers: Index<'a, SeenServer>,
    pub(crate) networks: Index<'a, SeenNetwork>,
    pub(crate) public_networks: Index<'a, SeenPublicNetwork>,
    pub(crate) images: Images<'a>,
    pub(crate) locations: Locations<'a>,
    pub(crate) keys: Keys<'a>,
    pub(crate) only: Selector<'a>,
    server_names: HashSet<&'a str>,
    /// Earlier names of servers that `--only` leaves out: what bears them is not surplus.
    left_out_earlier: HashSet<&'a str>,
}

/// Where a network of the file is.
#[derive(Clone, Debug)]
pub(crate) enum NetworkPlace<'a> {
    /// Seen, and ours to link to.
    Seen(&'a ProviderId),
    /// Made by this plan.
    Made,
    /// Not to be linked now (unclaimed, refused, left out); an existing link to it stays.
    Closed(Option<&'a ProviderId>),
}

/// Where every network of the file is, by its name.
pub(crate) type NetworkPlaces<'a> = HashMap<&'a str, NetworkPlace<'a>>;

impl<'a> Scene<'a> {
    /// Indexes everything.
    pub(crate) fn new(
        wanted: &'a Infrastructure,
        seen: &'a Inventory,
        policy: &'a Policy,
        bundle: &'a BundleFacts,
        now: Timestamp,
    ) -> Scene<'a> {
        let file = wanted.name.as_str();
        // A file that is being taken down wants nothing.
        let server_names = match policy.purpose {
            Purpose::Destroy => HashSet::new(),
            Purpose::Update | Purpose::Deploy | Purpose::Adopt | Purpose::Disown => {
                wanted.servers.iter().map(|server| server.name.as_str()).collect()
            }
        };
        let only = Selector::new(&policy.only);
        let left_out = wanted.servers.iter().filter(|server| !only.server(server));
        let left_out_earlier = left_out
            .flat_map(|server| &server.was)
            .map(|old| old.as_str())
            .filter(|old| !server_names.contains(old));
        let left_out_earlier = left_out_earlier.collect();
        Scene {
            wanted,
            seen,
            policy,
            bundle,
            now,
            servers: Index::new(&seen.world.servers, seen, file),
            networks: Index::new(&seen.world.networks, seen, file),
            public_networks: Index::new(&seen.public_networks, seen, file),
            images: Images::new(&seen.world.images),
            locations: Locations::new(&seen.world.locations),
            keys: Keys::new(&seen.world.keys),
            only,
            server_names,
            left_out_earlier,
        }
    }

    /// The kind of cloud that was looked at.
    pub(crate) fn provider(&self) -> Provider {
        self.seen.world.account.provider
    }

    /// The file's name.
    pub(crate) fn file(&self) -> &'a str {
        self.wanted.name.as_str()
    }

    /// Whether the file wants an object of this name.
    pub(crate) fn wants(&self, kind: ObjectKind, name: &str) -> bool {
        match kind {
            ObjectKind::Server => self.server_names.contains(name),
            ObjectKind::Network => {
                self.policy.purpose != Purpose::Destroy
                    && self.wanted.networks.contains_key(&muster_model::id::NetworkName::from(name))
            }
            ObjectKind::PublicNetwork => {
                self.policy.purpose != Purpose::Destroy
                    && self.wanted.public_networks.contains_key(&muster_model::id::NetworkName::from(name))
            }
            ObjectKind::Object | ObjectKind::Record => false,
        }
    }

    /// What a record allows in this plan: with `--adopt`, a claimed object is adopted.
    pub(crate) fn claim(&self, record: &Ownership) -> Claim {
        match record.claim {
            Claim::Claimed if self.policy.adopt => Claim::Adopted,
            claim @ (Claim::Created | Claim::Adopted | Claim::Claimed) => claim,
        }
    }

    /// Whether a name is the earlier name of a server that `--only` leaves out.
    pub(crate) fn left_out_earlier(&self, name: &str) -> bool {
        self.policy.purpose != Purpose::Destroy && self.left_out_earlier.contains(name)
    }

    /// The servers of the file that the plan is about.
    pub(crate) fn selected(&self) -> impl Iterator<Item = &'a WantedServer> {
        self.wanted.servers.iter().filter(|server| self.only.server(server))
    }
}
