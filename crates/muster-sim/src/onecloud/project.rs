//! One project: what one key sees. Projects share nothing but the clock and the counters.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::history::{History, Networks, Rest, Servers};
use super::object::{Action, Network, Server};
use super::quota::Quota;
use super::switches::Limits;

/// The actions of one server: one runs, the others wait in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// Every remembered action, oldest first.
    pub log: VecDeque<Action>,
    /// The one that runs.
    pub running: Option<u64>,
    /// Those that wait, first one next.
    pub waiting: VecDeque<u64>,
    /// Whether a deletion was accepted.
    pub deleting: bool,
    /// How many passwords the server has had.
    pub passwords: u64,
}

impl Queue {
    pub fn action(&self, id: u64) -> Option<&Action> {
        self.log.iter().rev().find(|action| action.id == id)
    }

    pub fn action_mut(&mut self, id: u64) -> Option<&mut Action> {
        self.log.iter_mut().rev().find(|action| action.id == id)
    }

    /// Actions that have not ended, in the order in which they will run.
    pub fn open(&self) -> impl Iterator<Item = &Action> {
        self.running.iter().chain(&self.waiting).filter_map(|id| self.action(*id))
    }
}

/// A time during which lists lag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lag {
    pub until: Timestamp,
    pub behind_ms: u64,
}

/// One project.
pub(super) struct Project {
    pub keys_accepted: Vec<String>,
    pub id: u64,
    pub customer: u64,
    pub balance_kopecks: i64,
    /// What each new server costs when its making begins; 0 unless drift says otherwise.
    pub server_price_kopecks: i64,
    pub quota: Quota,
    pub servers: Servers,
    pub networks: Networks,
    pub queues: BTreeMap<u64, Queue>,
    pub rest: Rest,
    pub history: History,
    pub lag: Option<Lag>,
    /// When the last GET and the last write of this key came, for the rate limit.
    pub last_get: Option<Timestamp>,
    pub last_write: Option<Timestamp>,
}

/// The balance of a new project, in kopecks.
const BALANCE_KOPECKS: i64 = 10_000_000;
/// Number of the one customer that all projects belong to.
const CUSTOMER: u64 = 7_001;

impl Project {
    /// An empty project that one key opens.
    pub fn new(id: u64, key: String, limits: &Limits) -> Project {
        Project {
            keys_accepted: vec![key],
            id,
            customer: CUSTOMER,
            balance_kopecks: BALANCE_KOPECKS,
            server_price_kopecks: 0,
            quota: Quota::new(limits),
            servers: Servers::default(),
            networks: Networks::default(),
            queues: BTreeMap::new(),
            rest: Rest::default(),
            history: History::new(limits.history_entries_max),
            lag: None,
            last_get: None,
            last_write: None,
        }
    }

    /// Whether there is nothing left to pay with.
    pub fn broke(&self) -> bool {
        self.balance_kopecks <= 0
    }

    /// Whether one more server can be paid for. Something must be left: an empty balance blocks what runs.
    pub fn can_pay_a_server(&self) -> bool {
        self.balance_kopecks > self.server_price_kopecks
    }

    /// Remembers what it has beside servers and private networks, before that changes.
    pub fn remember_rest(&mut self, at: Timestamp) {
        self.history.rest(at, &self.rest);
    }

    /// Changes a server and remembers what it was. The only way to change one.
    pub fn change_server(&mut self, at: Timestamp, id: u64, change: impl FnOnce(&mut Server)) {
        if let Some(server) = self.servers.get_mut(&id) {
            self.history.server(at, id, Some(Arc::clone(server)));
            let server = Arc::make_mut(server);
            change(server);
            server.text = OnceLock::new();
        }
    }

    /// Adds a server.
    pub fn add_server(&mut self, at: Timestamp, server: Server) {
        let id = server.id;
        self.queues.insert(id, Queue::default());
        self.history.server(at, id, None);
        self.servers.insert(id, Arc::new(server));
    }

    /// Removes a server with its actions.
    pub fn remove_server(&mut self, at: Timestamp, id: u64) -> Option<Arc<Server>> {
        self.queues.remove(&id);
        let server = self.servers.remove(&id)?;
        self.history.server(at, id, Some(Arc::clone(&server)));
        Some(server)
    }

    /// Changes a network and remembers what it was.
    pub fn change_network(&mut self, at: Timestamp, id: u64, change: impl FnOnce(&mut Network)) {
        if let Some(network) = self.networks.get_mut(&id) {
            self.history.network(at, id, Some(Arc::clone(network)));
            change(Arc::make_mut(network));
        }
    }

    /// Adds a network.
    pub fn add_network(&mut self, at: Timestamp, network: Network) {
        self.history.network(at, network.id, None);
        self.networks.insert(network.id, Arc::new(network));
    }

    /// Removes a network.
    pub fn remove_network(&mut self, at: Timestamp, id: u64) {
        if let Some(network) = self.networks.remove(&id) {
            self.history.network(at, id, Some(network));
        }
    }

    /// The first server of that name, by number.
    pub fn server_named(&self, name: &str) -> Option<&Arc<Server>> {
        self.servers.values().find(|server| server.name == name)
    }

    /// The first private network of that name, by number.
    pub fn network_named(&self, name: &str) -> Option<&Arc<Network>> {
        self.networks.values().find(|network| network.name == name)
    }
}
