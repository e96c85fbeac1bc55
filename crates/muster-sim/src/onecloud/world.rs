//! The simulated world: projects, counters, and what is due when. It knows neither HTTP nor the real clock.
//!
//! [`World::advance`] lets everything happen that was due, in order of time and then of request, each at its own
//! moment; [`World::perform`] (in `perform`) carries one request out at the present moment.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::catalog::{DATA_CENTRES, DataCentre};
use super::counters::Counters;
use super::durations::Durations;
use super::image::{self, Image};
use super::input::Fields;
use super::object::Life;
use super::order::Order;
use super::project::Project;
use super::route::Route;
use super::switches::{Limits, Switches};

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
    PublicNetworkReady { project: usize, network: u64 },
    PublicNetworkGone { project: usize, network: u64 },
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
    /// The data centres that are offered, and what they have now.
    pub data_centres: Vec<DataCentre>,
    /// The stock images that there are now.
    pub stock_images: Vec<Arc<Image>>,
    pub counters: Counters,
    pub twist: Twist,
    /// What was asked of the machines since it was last taken.
    pub orders: Vec<Order>,
    pub late_effects: usize,
    due: BTreeMap<(Timestamp, u64), Due>,
    dues_scheduled: u64,
    address_last: u32,
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
            data_centres: DATA_CENTRES.to_vec(),
            stock_images: image::stock(),
            counters: Counters::new(),
            twist: Twist::default(),
            orders: Vec::new(),
            late_effects: 0,
            due: BTreeMap::new(),
            dues_scheduled: 0,
            address_last: 9,
            addresses_used: HashSet::new(),
        }
    }

    /// The moment `later` from now; at the end of time it stays there.
    pub fn after(&self, later: Duration) -> Timestamp {
        self.now.checked_add(later).unwrap_or(Timestamp::MAX)
    }

    /// Notes that something will happen.
    pub fn schedule(&mut self, at: Timestamp, due: Due) {
        self.dues_scheduled += 1;
        self.due.insert((at, self.dues_scheduled), due);
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
            Due::PublicNetworkReady { project, network } => self.public_network_ready(project, network),
            Due::PublicNetworkGone { project, network } => {
                self.projects[project].rest.public_networks.remove(&network);
            }
            Due::LateEffect { project, request } => {
                self.late_effects = self.late_effects.saturating_sub(1);
                // Its answer was lost long ago; a refusal is no effect.
                let _lost = self.perform(project, &request);
            }
        }
    }

    /// How many public addresses are in use.
    pub fn addresses_used(&self) -> usize {
        self.addresses_used.len()
    }

    /// The next free address of 198.18.0.0/15. None only when all are in use.
    pub fn take_address(&mut self) -> Option<IpAddr> {
        for _ in 0..ADDRESSES {
            self.address_last = (self.address_last + 1) % ADDRESSES;
            let last = self.address_last & 0xff;
            let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + self.address_last);
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
