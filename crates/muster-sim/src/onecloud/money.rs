//! Money: a server that nobody can pay for is not made, one that is not paid for any more is blocked.

use std::sync::Arc;

use super::durations::ms;
use super::object::{ActionState, Life, Server, Work};
use super::order::Ask;
use super::world::{Due, World};

impl World {
    /// A server that nobody can pay for is not made; its `Create` waits until there is money.
    pub(super) fn money_is_missed(&mut self, project: usize, server: u64, id: u64) {
        let now = self.now;
        if self.projects[project].can_pay_a_server() {
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
        let now = self.now;
        let servers: Vec<Arc<Server>> = self.projects[project].servers.values().map(Arc::clone).collect();
        for server in servers {
            match (server.life, is_broke) {
                (Life::Active, true) if !was_broke => {
                    self.projects[project].change_server(now, server.id, |server| {
                        server.life = Life::Blocked;
                        server.on_before_block = server.power_on;
                        server.power_on = false;
                    });
                    self.order(project, server.id, Ask::Off { graceful: false });
                }
                (Life::Blocked, false) if was_broke => {
                    self.projects[project].change_server(now, server.id, |server| {
                        server.life = Life::Active;
                        server.power_on = server.on_before_block;
                    });
                    if server.on_before_block {
                        self.order(project, server.id, Ask::On);
                    }
                }
                // Whether it can be paid for is asked anew.
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
        if was_broke && !is_broke {
            self.go_on_with_public_networks(project);
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
}
