//! What lists looked like a while ago, for the fault that makes them lag.
//!
//! Each change keeps what was there before it; going back means undoing the newest first. Of servers and private
//! networks, which can be many, the one changed object is kept; of the rest everything, because it is little. Bounded:
//! past the bound the oldest change can no longer be undone, and a list then lags less than it was told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::dns::Domain;
use super::image::OwnImage;
use super::object::{Network, Server, SshKey};
use super::public_network::PublicNetwork;
use super::storage::Storage;

enum Before {
    Server(u64, Option<Arc<Server>>),
    Network(u64, Option<Arc<Network>>),
}

/// What a project has beside servers and private networks.
#[derive(Clone, Default)]
pub(super) struct Rest {
    pub public_networks: BTreeMap<u64, PublicNetwork>,
    pub ssh_keys: BTreeMap<u64, SshKey>,
    pub images: BTreeMap<u64, OwnImage>,
    pub domains: BTreeMap<u64, Domain>,
    pub storage: Option<Storage>,
}

impl Rest {
    /// How many objects it is, for the bound.
    fn count(&self) -> usize {
        let records: usize = self.domains.values().map(|domain| domain.records.len()).sum();
        let users = self.storage.as_ref().map_or(0, |storage| storage.users.len());
        1 + self.public_networks.len() + self.ssh_keys.len() + self.images.len() + records + users
    }
}

/// The changes of one project, oldest first.
pub(super) struct History {
    changes: VecDeque<(Timestamp, Before)>,
    entries_max: usize,
    /// What the rest was before each of its changes.
    rests: VecDeque<(Timestamp, Rest)>,
    /// Objects in all of `rests`; bounded like the changes.
    rest_count: usize,
}

/// Servers of a project by their number.
pub(super) type Servers = BTreeMap<u64, Arc<Server>>;
/// Private networks of a project by their number.
pub(super) type Networks = BTreeMap<u64, Arc<Network>>;

impl History {
    pub fn new(entries_max: usize) -> History {
        History { changes: VecDeque::new(), entries_max, rests: VecDeque::new(), rest_count: 0 }
    }

    pub fn server(&mut self, at: Timestamp, id: u64, before: Option<Arc<Server>>) {
        self.push(at, Before::Server(id, before));
    }

    pub fn network(&mut self, at: Timestamp, id: u64, before: Option<Arc<Network>>) {
        self.push(at, Before::Network(id, before));
    }

    fn push(&mut self, at: Timestamp, before: Before) {
        if self.entries_max == 0 {
            return;
        }
        if self.changes.len() >= self.entries_max {
            self.changes.pop_front();
        }
        self.changes.push_back((at, before));
    }

    /// Remembers the rest as it is before a change. What alone is beyond the bound is not remembered.
    pub fn rest(&mut self, at: Timestamp, before: &Rest) {
        let count = before.count();
        if count > self.entries_max {
            return;
        }
        while self.rest_count + count > self.entries_max {
            let Some((_, oldest)) = self.rests.pop_front() else { break };
            self.rest_count -= oldest.count();
        }
        self.rest_count += count;
        self.rests.push_back((at, before.clone()));
    }

    /// The rest as it was then; none when it has not changed since.
    pub fn rest_at(&self, then: Timestamp) -> Option<Rest> {
        self.rests.iter().find(|(at, _)| *at > then).map(|(_, before)| before.clone())
    }

    /// Undoes in `servers` and `networks` everything that happened after `then`.
    pub fn go_back(&self, then: Timestamp, servers: &mut Servers, networks: &mut Networks) {
        for (_, before) in self.changes.iter().rev().take_while(|(at, _)| *at > then) {
            match before {
                Before::Server(id, Some(server)) => {
                    servers.insert(*id, Arc::clone(server));
                }
                Before::Server(id, None) => {
                    servers.remove(id);
                }
                Before::Network(id, Some(network)) => {
                    networks.insert(*id, Arc::clone(network));
                }
                Before::Network(id, None) => {
                    networks.remove(id);
                }
            }
        }
    }
}
