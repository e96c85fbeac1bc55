//! The life of actions: one runs per server, the others are `Postponed` and follow in order.

use std::sync::Arc;
use std::time::Duration;

use super::catalog;
use super::chance;
use super::durations::ms;
use super::object::{
    Action, ActionState, Life, Link, PRIVATE_MASK, PRIVATE_PREFIX, Power, Prepared, Server, Work,
};
use super::order::{Ask, Order};
use super::refusal::Refusal;
use super::world::{Due, World};
use crate::machines::{Interface, MachineSpec};
use muster_model::secret::Secret;

/// Number that links to the shared public network show as `NetworkID`; no private network has it.
pub(super) const SHARED_NETWORK: u64 = 1;

impl World {
    /// Adds an action and starts it if none runs. Gives its number.
    pub(super) fn enqueue(&mut self, project: usize, server: u64, work: Work) -> Result<u64, Refusal> {
        let id = self.counters.action();
        let (now, stuck, limits) = (self.now, self.twist.stuck, self.limits.clone());
        let queue =
            self.projects[project].queues.get_mut(&server).ok_or_else(|| Refusal::not_found("Server"))?;
        if queue.waiting.len() >= limits.actions_waiting_max {
            return Err(Refusal::bad(format!(
                "No more than {} actions may wait",
                limits.actions_waiting_max
            )));
        }
        if queue.log.len() >= limits.actions_remembered_max {
            let oldest = queue.log.iter().position(|action| action.state == ActionState::Completed);
            oldest.and_then(|at| queue.log.remove(at));
        }
        queue.log.push_back(Action {
            id,
            state: ActionState::Postponed,
            started: now,
            ended: None,
            work,
            stuck,
            machine_busy: false,
            machine_failure: None,
            due: now,
            prepared: Prepared::default(),
        });
        if queue.running.is_none() {
            queue.running = Some(id);
            self.start(project, server, id);
        } else {
            queue.waiting.push_back(id);
        }
        Ok(id)
    }

    fn action_mut(&mut self, project: usize, server: u64, action: u64) -> Option<&mut Action> {
        self.projects[project].queues.get_mut(&server)?.action_mut(action)
    }

    /// Starts the action that the queue has chosen to run.
    pub(super) fn start(&mut self, project: usize, server: u64, id: u64) {
        let now = self.now;
        let Some(action) = self.action_mut(project, server, id) else { return };
        action.state = ActionState::InProgress;
        action.started = now;
        if action.stuck {
            return;
        }
        let work = action.work.clone();
        let Some(seen) = self.projects[project].servers.get(&server).map(Arc::clone) else { return };
        if matches!(work, Work::Create { .. }) && self.projects[project].broke() {
            self.schedule(now, Due::MoneyIsMissed { project, server, action: id });
            return;
        }
        if let Work::Power(power) = work
            && idle(power, seen.power_on)
        {
            self.complete(project, server, id);
            return;
        }
        let prepared = self.prepare(project, &seen, &work);
        let due = self.after(self.duration(&work));
        let ask = if self.machines { ask(&seen, &work, &prepared) } else { None };
        let busy = ask.is_some();
        if let Some(ask) = ask {
            self.orders.push(Order { project, server, action: Some(id), ask });
        }
        if let Some(action) = self.action_mut(project, server, id) {
            action.prepared = prepared;
            action.due = due;
            action.machine_busy = busy;
        }
        self.schedule(due, Due::ActionEnds { project, server, action: id });
    }

    /// The end of an action has come, unless its machine is still at work, failed, or it is stuck.
    pub(super) fn action_due(&mut self, project: usize, server: u64, id: u64) {
        let Some(queue) = self.projects[project].queues.get(&server) else { return };
        if queue.running != Some(id) {
            return;
        }
        let Some(action) = queue.action(id) else { return };
        if !action.stuck && !action.machine_busy && action.machine_failure.is_none() {
            self.complete(project, server, id);
        }
    }

    /// A machine reports the end of what was asked of it.
    pub(super) fn machine_reports(
        &mut self,
        order: &Order,
        result: Result<Option<std::net::IpAddr>, crate::machines::MachineError>,
    ) {
        let now = self.now;
        let Order { project, server, .. } = *order;
        let Some(id) = order.action else { return };
        let Some(action) = self.action_mut(project, server, id) else { return };
        action.machine_busy = false;
        match result {
            Ok(address) => {
                action.prepared.ip = address.or(action.prepared.ip);
                if action.due <= now {
                    self.schedule(now, Due::ActionEnds { project, server, action: id });
                }
            }
            Err(error) => action.machine_failure = Some(error.to_string()),
        }
    }

    /// Ends the running action of a server now (what a web panel's change does, and seeds).
    pub(super) fn finish_at_once(&mut self, project: usize, server: u64) {
        let running = self.projects[project].queues.get(&server).and_then(|queue| queue.running);
        if let Some(action) = running.filter(|_| !self.projects[project].broke()) {
            self.complete(project, server, action);
        }
    }

    fn complete(&mut self, project: usize, server: u64, id: u64) {
        let now = self.now;
        let Some(action) = self.action_mut(project, server, id) else { return };
        action.state = ActionState::Completed;
        action.ended = Some(now);
        let (work, prepared) = (action.work.clone(), std::mem::take(&mut action.prepared));
        if work == Work::Delete {
            if let Some(gone) = self.projects[project].remove_server(now, server) {
                self.free_address(gone.ip);
            }
            return;
        }
        let broke = self.projects[project].broke();
        self.projects[project].change_server(now, server, |server| apply(server, &work, prepared, broke));
        let Some(queue) = self.projects[project].queues.get_mut(&server) else { return };
        queue.running = queue.waiting.pop_front();
        if let Some(next) = queue.running {
            self.start(project, server, next);
        }
    }

    /// A server that nobody can pay for is not made; its `Create` waits until there is money.
    pub(super) fn money_is_missed(&mut self, project: usize, server: u64, id: u64) {
        let now = self.now;
        if !self.projects[project].broke() {
            self.start(project, server, id);
            return;
        }
        self.projects[project].change_server(now, server, |server| server.life = Life::NeedMoney);
        let Some(queue) = self.projects[project].queues.get_mut(&server) else { return };
        if let Some(action) = queue.action_mut(id) {
            action.state = ActionState::Postponed;
        }
        queue.running = queue.waiting.pop_front();
        if let Some(next) = queue.running {
            self.start(project, server, next);
        }
    }

    /// Sets the balance. Empty: active servers become `Blocked`. Filled again: they come back, and what stopped
    /// at `NeedMoney` goes on.
    pub(super) fn set_balance(&mut self, project: usize, kopecks: i64) {
        let was_broke = self.projects[project].broke();
        self.projects[project].balance_kopecks = kopecks;
        let is_broke = self.projects[project].broke();
        if was_broke == is_broke {
            return;
        }
        let now = self.now;
        let servers: Vec<Arc<Server>> = self.projects[project].servers.values().map(Arc::clone).collect();
        for server in servers {
            match (server.life, is_broke) {
                (Life::Active, true) => {
                    self.projects[project].change_server(now, server.id, |server| {
                        server.life = Life::Blocked;
                        server.on_before_block = server.power_on;
                        server.power_on = false;
                    });
                    self.order(project, server.id, Ask::Off { graceful: false });
                }
                (Life::Blocked, false) => {
                    self.projects[project].change_server(now, server.id, |server| {
                        server.life = Life::Active;
                        server.power_on = server.on_before_block;
                    });
                    if server.on_before_block {
                        self.order(project, server.id, Ask::On);
                    }
                }
                (Life::NeedMoney, false) => self.go_on_with_create(project, server.id),
                (Life::New | Life::Active | Life::Blocked | Life::NeedMoney, _) => {}
            }
        }
        let waiting: Vec<u64> = self.projects[project]
            .networks
            .values()
            .filter(|network| !is_broke && network.life == Life::NeedMoney)
            .map(|network| network.id)
            .collect();
        for network in waiting {
            self.projects[project].change_network(now, network, |network| network.life = Life::New);
            let ready = self.after(ms(self.durations.network_create_ms));
            self.schedule(ready, Due::NetworkReady { project, network });
        }
    }

    fn go_on_with_create(&mut self, project: usize, server: u64) {
        let now = self.now;
        let Some(queue) = self.projects[project].queues.get_mut(&server) else { return };
        if queue.running.is_some() {
            return; // Its deletion runs already.
        }
        let create =
            queue.log.iter().find(|action| matches!(action.work, Work::Create { .. })).map(|one| one.id);
        queue.running = create;
        self.projects[project].change_server(now, server, |server| server.life = Life::New);
        if let Some(create) = create {
            self.start(project, server, create);
        }
    }

    /// Lets actions that a fault kept from ending begin anew.
    pub(super) fn release_stuck(&mut self) {
        for project in 0..self.projects.len() {
            let mut again = Vec::new();
            for (server, queue) in &mut self.projects[project].queues {
                let running = queue.running;
                for action in queue.log.iter_mut().filter(|action| action.stuck) {
                    action.stuck = false;
                    if running == Some(action.id) {
                        again.push((*server, action.id));
                    }
                }
            }
            for (server, action) in again {
                self.start(project, server, action);
            }
        }
    }

    /// Asks something of a machine outside of any action.
    pub(super) fn order(&mut self, project: usize, server: u64, ask: Ask) {
        if self.machines {
            self.orders.push(Order { project, server, action: None, ask });
        }
    }

    /// A link of a server to a private network, with its address. None if the network is gone.
    pub(super) fn private_link(&mut self, project: usize, network: u64) -> Option<Link> {
        let now = self.now;
        let id = self.counters.link();
        let kind = self.switches.private_network_type.clone();
        let mut link = None;
        self.projects[project].change_network(now, network, |network| {
            link = Some(Link {
                id,
                network: network.id,
                network_type: kind,
                network_name: network.name.clone(),
                ip: network.next_address().into(),
                mac: chance::mac(id),
                mask: PRIVATE_MASK,
                gateway: None,
                bandwidth: 1000,
            });
        });
        link
    }

    fn prepare(&mut self, project: usize, server: &Server, work: &Work) -> Prepared {
        let mut prepared = Prepared::default();
        match work {
            Work::Create { networks, bandwidth } => {
                // With machines the address is the machine's own, told when it answers.
                prepared.ip = if self.machines { None } else { self.take_address() };
                prepared.password = Some(self.new_password(project, server.id));
                let id = self.counters.link();
                prepared.links.push(shared_link(id, *bandwidth));
                prepared
                    .links
                    .extend(networks.iter().filter_map(|network| self.private_link(project, *network)));
            }
            Work::AddNetwork(network) => prepared.links.extend(self.private_link(project, *network)),
            Work::Rebuild { .. } => prepared.password = Some(self.new_password(project, server.id)),
            Work::Resize(_)
            | Work::Power(_)
            | Work::RemoveNetwork(_)
            | Work::Bandwidth { .. }
            | Work::Delete => {}
        }
        prepared
    }

    fn new_password(&mut self, project: usize, server: u64) -> String {
        let generation = self.projects[project].queues.get_mut(&server).map_or(0, |queue| {
            queue.passwords += 1;
            queue.passwords
        });
        chance::password(self.seed, server, generation)
    }

    fn duration(&self, work: &Work) -> Duration {
        let durations = &self.durations;
        ms(match work {
            Work::Create { .. } => durations.create_ms,
            Work::Resize(_) => durations.resize_ms,
            Work::Power(Power::On) => durations.power_on_ms,
            Work::Power(Power::Off) => durations.power_off_ms,
            Work::Power(Power::ShutDownGuest) => durations.shut_down_ms,
            Work::Power(Power::Reboot | Power::RebootGuest) => durations.reboot_ms,
            Work::AddNetwork(_) | Work::RemoveNetwork(_) | Work::Bandwidth { .. } => durations.network_ms,
            Work::Rebuild { .. } => durations.rebuild_ms,
            Work::Delete => durations.delete_ms,
        })
    }
}

/// Whether a power action would change nothing.
pub(super) fn idle(power: Power, on: bool) -> bool {
    match power {
        Power::On => on,
        Power::Off | Power::ShutDownGuest | Power::Reboot | Power::RebootGuest => !on,
    }
}

/// The link that every server gets. Its address is filled in with the server's own.
fn shared_link(id: u64, bandwidth: u32) -> Link {
    Link {
        id,
        network: SHARED_NETWORK,
        network_type: "PublicShared".to_owned(),
        network_name: "Общая публичная сеть".to_owned(),
        ip: std::net::Ipv4Addr::UNSPECIFIED.into(),
        mac: chance::mac(id),
        mask: std::net::Ipv4Addr::new(255, 254, 0, 0),
        gateway: Some(std::net::Ipv4Addr::new(198, 18, 0, 1)),
        bandwidth,
    }
}

/// What a finished action did to its server.
fn apply(server: &mut Server, work: &Work, prepared: Prepared, broke: bool) {
    match work {
        Work::Create { .. } => {
            server.life = if broke { Life::Blocked } else { Life::Active };
            server.on_before_block = true;
            server.power_on = !broke;
            server.ip = prepared.ip;
            server.admin_password = prepared.password;
            server.links = prepared.links;
            if let Some(ip) = prepared.ip {
                server
                    .links
                    .iter_mut()
                    .filter(|link| link.network == SHARED_NETWORK)
                    .for_each(|link| link.ip = ip);
            }
        }
        Work::Resize(shape) => server.take_shape(*shape),
        Work::Power(power) => {
            let on = match power {
                Power::On => true,
                Power::Off | Power::ShutDownGuest => false,
                Power::Reboot | Power::RebootGuest => server.power_on,
            };
            server.power_on = on && server.life != Life::Blocked;
        }
        Work::AddNetwork(_) => server.links.extend(prepared.links),
        Work::RemoveNetwork(network) => server.links.retain(|link| link.network != *network),
        Work::Bandwidth { link, speed } => {
            server.links.iter_mut().filter(|one| one.id == *link).for_each(|one| one.bandwidth = *speed);
        }
        Work::Rebuild { image } => {
            if let Some(image) = catalog::image(*image) {
                server.take_image(image);
            }
            // A new password, and the keys are not put back: Vagrant logs in by password to do that.
            server.admin_password = prepared.password;
            server.keys.clear();
            server.power_on = server.life == Life::Active;
        }
        Work::Delete => {}
    }
}

/// The interface that a private link is on its machine.
pub(super) fn interface(link: &Link) -> Interface {
    Interface { network: link.network, mac: link.mac.clone(), address: link.ip, prefix: PRIVATE_PREFIX }
}

/// What an action asks of the machine behind the server.
fn ask(server: &Server, work: &Work, prepared: &Prepared) -> Option<Ask> {
    let spec = |image: &str, keys: bool, links: &[Link]| MachineSpec {
        server: server.id,
        name: server.name.clone(),
        cpu: server.cpu,
        ram_mb: server.ram_mb,
        hdd_gb: server.hdd_gb,
        image: image.to_owned(),
        authorized_keys: server.keys.iter().filter(|_| keys).map(|key| key.public_key.clone()).collect(),
        root_password: Secret::new(prepared.password.clone().unwrap_or_default()),
        interfaces: links.iter().filter(|link| link.network != SHARED_NETWORK).map(interface).collect(),
    };
    match work {
        Work::Create { .. } => Some(Ask::Start(spec(&server.image, true, &prepared.links))),
        Work::Rebuild { image } => {
            let image = catalog::image(*image).map_or(server.image.as_str(), |image| image.name);
            Some(Ask::Rebuild(spec(image, false, &server.links)))
        }
        Work::Power(Power::On) => Some(Ask::On),
        Work::Power(Power::Off) => Some(Ask::Off { graceful: false }),
        Work::Power(Power::ShutDownGuest) => Some(Ask::Off { graceful: true }),
        Work::Power(Power::Reboot) => Some(Ask::Reboot { graceful: false }),
        Work::Power(Power::RebootGuest) => Some(Ask::Reboot { graceful: true }),
        Work::AddNetwork(_) => prepared.links.first().map(|link| Ask::Plug(interface(link))),
        Work::RemoveNetwork(network) => Some(Ask::Unplug { network: *network }),
        Work::Delete => Some(Ask::Delete),
        Work::Resize(_) | Work::Bandwidth { .. } => None,
    }
}
