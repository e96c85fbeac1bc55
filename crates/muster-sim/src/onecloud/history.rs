//! What lists looked like a while ago, for the fault that makes them lag.
//!
//! Each change keeps what was there before it; going back means undoing the newest first. Bounded: past the bound
//! the oldest change can no longer be undone, and a list then lags less than it was told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::object::{Network, Server};

enum Before {
    Server(u64, Option<Arc<Server>>),
    Network(u64, Option<Arc<Network>>),
}

/// The changes of one project, oldest first.
pub(super) struct History {
    changes: VecDeque<(Timestamp, Before)>,
    entries_max: usize,
}

/// Servers of a project by their number.
pub(super) type Servers = BTreeMap<u64, Arc<Server>>;
/// Private networks of a project by their number.
pub(super) type Networks = BTreeMap<u64, Arc<Network>>;

impl History {
    pub fn new(entries_max: usize) -> History {
        History { changes: VecDeque::new(), entries_max }
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
