//! The simulated world: projects, counters, and what is due when. It knows neither HTTP nor the real clock.
//!
//! [`World::advance`] lets everything happen that was due, in order of time and then of request, each at its own
//! moment; [`World::perform`] carries one request out at the present moment.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use jiff::Timestamp;

use super::durations::Durations;
use super::input::Fields;
use super::object::Life;
use super::order::Order;
use super::project::Project;
use super::refusal::Refusal;
use super::route::Route;
use super::switches::{Limits, Switches};
use super::view::{self, Answer};
use super::{account, catalog};

/// A request that was understood.
#[derive(Clone, Debug)]
pub(super) struct Understood {
    pub method: String,
    pub route: Route,
    pub fields: Fields,
}

/// Something that will happen.
#[derive(Clone, Debug)]
pub(super) enum Due {
    ActionEnds { project: usize, server: u64, action: u64 },
    MoneyIsMissed { project: usize, server: u64, action: u64 },
    NetworkReady { project: usize, network: u64 },
    NetworkGone { project: usize, network: u64 },
    LateEffect { project: usize, request: Box<Understood> },
}

/// How a fault bends the request that is being carried out.
#[derive(Clone, Debug, Default)]
pub(super) struct Twist {
    /// Actions that it makes never end.
    pub stuck: bool,
    /// What is made, or read, shows this `State`.
    pub state: Option<String>,
    /// Of a list, only objects of this name show it.
    pub only: Option<String>,
}

/// Numbers of new objects, from one counter a kind.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    server: u64,
    action: u64,
    network: u64,
    link: u64,
    key: u64,
    due: u64,
    address: u32,
}

impl Counters {
    fn new() -> Counters {
        Counters {
            server: 500_122,
            action: 900_000,
            network: 30_000,
            link: 70_000,
            key: 4_000,
            due: 0,
            address: 9,
        }
    }

    pub fn server(&mut self) -> u64 {
        self.server += 1;
        self.server
    }

    pub fn action(&mut self) -> u64 {
        self.action += 1;
        self.action
    }

    pub fn network(&mut self) -> u64 {
        self.network += 1;
        self.network
    }

    pub fn link(&mut self) -> u64 {
        self.link += 1;
        self.link
    }

    pub fn key(&mut self) -> u64 {
        self.key += 1;
        self.key
    }
}

/// How many addresses 198.18.0.0/15 has.
const ADDRESSES: u32 = 1 << 17;
/// How many of them may be in use; the rest end in 0 or 255.
pub(super) const ADDRESSES_USED_MAX: usize = 130_000;

/// Everything that is simulated.
pub(super) struct World {
    pub now: Timestamp,
    pub seed: u64,
    pub durations: Durations,
    pub switches: Switches,
    pub limits: Limits,
    /// Whether real machines stand behind the servers.
    pub machines: bool,
    pub projects: Vec<Project>,
    pub counters: Counters,
    pub twist: Twist,
    /// What was asked of the machines since it was last taken.
    pub orders: Vec<Order>,
    pub late_effects: usize,
    due: BTreeMap<(Timestamp, u64), Due>,
    addresses_used: HashSet<Ipv4Addr>,
}

impl World {
    pub fn new(now: Timestamp, seed: u64, durations: Durations, switches: Switches, limits: Limits) -> World {
        World {
            now,
            seed,
            durations,
            switches,
            limits,
            machines: false,
            projects: Vec::new(),
            counters: Counters::new(),
            twist: Twist::default(),
            orders: Vec::new(),
            late_effects: 0,
            due: BTreeMap::new(),
            addresses_used: HashSet::new(),
        }
    }

    /// The moment `later` from now; at the end of time it stays there.
    pub fn after(&self, later: Duration) -> Timestamp {
        self.now.checked_add(later).unwrap_or(Timestamp::MAX)
    }

    /// Notes that something will happen.
    pub fn schedule(&mut self, at: Timestamp, due: Due) {
        self.counters.due += 1;
        self.due.insert((at, self.counters.due), due);
    }

    /// Moves to `to` and lets everything happen on the way. A clock that went back changes nothing.
    pub fn advance(&mut self, to: Timestamp) {
        // Bounded: each event schedules at most one successor per waiting action or server.
        while let Some(entry) = self.due.first_entry() {
            let (at, _) = *entry.key();
            if at > to {
                break;
            }
            let due = entry.remove();
            self.now = self.now.max(at);
            self.happen(due);
        }
        self.now = self.now.max(to);
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::ActionEnds { project, server, action } => self.action_due(project, server, action),
            Due::MoneyIsMissed { project, server, action } => self.money_is_missed(project, server, action),
            Due::NetworkReady { project, network } => {
                let now = self.now;
                let project = &mut self.projects[project];
                let life = if project.broke() { Life::NeedMoney } else { Life::Active };
                project.change_network(now, network, |network| network.life = life);
            }
            Due::NetworkGone { project, network } => {
                let now = self.now;
                self.projects[project].remove_network(now, network);
            }
            Due::LateEffect { project, request } => {
                self.late_effects = self.late_effects.saturating_sub(1);
                // Its answer was lost long ago; a refusal is no effect.
                let _lost = self.perform(project, &request);
            }
        }
    }

    /// Carries one request of a project out, now.
    pub fn perform(&mut self, project: usize, request: &Understood) -> Result<Answer, Refusal> {
        let fields = &request.fields;
        match (&request.route, request.method.as_str()) {
            (Route::Servers, "GET") => Ok(self.server_list(project)),
            (Route::Servers, "POST") => self.server_create(project, fields),
            (Route::Server(id), "GET") => self.server_read(project, *id),
            (Route::Server(id), "PUT") => self.server_resize(project, *id, fields),
            (Route::Server(id), "DELETE") => self.server_delete(project, *id),
            (Route::Rebuild(id), "POST") => self.server_rebuild(project, *id, fields),
            (Route::Actions(id), "GET") => self.action_list(project, *id),
            (Route::Actions(id), "POST") => self.action_create(project, *id, fields),
            (Route::Action(id, action), "GET") => self.action_read(project, *id, *action),
            (Route::Images, "GET") => {
                Ok(view::json(&catalog::IMAGES.iter().map(view::image).collect::<Vec<_>>()))
            }
            (Route::DataCentres, "GET") => Ok(view::data_centres()),
            (Route::Networks, "GET") => Ok(self.network_list(project)),
            (Route::Networks, "POST") => self.network_create(project, fields),
            (Route::Network(id), "GET") => self.network_read(project, *id),
            (Route::Network(id), "PUT") => self.network_rename(project, *id, fields),
            (Route::Network(id), "DELETE") => self.network_delete(project, *id),
            (Route::SshKeys, "GET") => Ok(self.key_list(project)),
            (Route::SshKeys, "POST") => self.key_create(project, fields),
            (Route::SshKey(id), "GET") => self.key_read(project, *id),
            (Route::SshKey(id), "DELETE") => self.key_delete(project, *id),
            (Route::Account, "GET") => Ok(view::json(&account::account(&self.projects[project]))),
            (Route::Balance, "GET") => {
                Ok(view::json(&account::customer_balance(&self.projects[project], &self.switches)))
            }
            (Route::Project, "GET") => Ok(view::json(&account::project(&self.projects[project]))),
            (_, method) => Err(Refusal::new(
                405,
                format!("The requested resource does not support http method '{method}'."),
            )),
        }
    }

    /// How many public addresses are in use.
    pub fn addresses_used(&self) -> usize {
        self.addresses_used.len()
    }

    /// The next free address of 198.18.0.0/15. None only when all are in use.
    pub fn take_address(&mut self) -> Option<IpAddr> {
        for _ in 0..ADDRESSES {
            self.counters.address = (self.counters.address + 1) % ADDRESSES;
            let last = self.counters.address & 0xff;
            let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + self.counters.address);
            if last != 0 && last != 255 && self.addresses_used.insert(address) {
                return Some(IpAddr::V4(address));
            }
        }
        None
    }

    /// Gives an address back.
    pub fn free_address(&mut self, address: Option<IpAddr>) {
        if let Some(IpAddr::V4(address)) = address {
            self.addresses_used.remove(&address);
        }
    }
}
