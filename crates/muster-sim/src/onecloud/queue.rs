//! The life of actions: one runs per server, the others are `Postponed` and follow in order.

use std::sync::Arc;

use super::effect::{self, SHARED_NETWORK};
use super::object::{Action, ActionState, Prepared, Work};
use super::order::{Ask, Order, Report};
use super::refusal::Refusal;
use super::world::{Due, World};
use crate::machines::MachineError;

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
        if matches!(work, Work::Create { .. }) {
            if !self.projects[project].can_pay_a_server() {
                self.schedule(now, Due::MoneyIsMissed { project, server, action: id });
                return;
            }
            let holds = &mut self.projects[project];
            holds.balance_kopecks -= holds.server_price_kopecks;
        }
        if let Work::Power(power) = work
            && effect::idle(power, seen.power_on)
        {
            self.complete(project, server, id);
            return;
        }
        let prepared = self.prepare(project, &seen, &work);
        let due = self.after(self.duration(&work));
        let ask = if self.machines { effect::ask(&seen, &work, &prepared) } else { None };
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
    pub(super) fn machine_reports(&mut self, order: &Order, result: Result<Report, MachineError>) {
        let now = self.now;
        let Order { project, server, .. } = *order;
        let interfaces = result.as_ref().map(|report| report.interfaces.clone()).unwrap_or_default();
        let Some(id) = order.action else {
            // Drift has shown the link already; now its hardware address is known.
            self.projects[project]
                .change_server(now, server, |server| effect::as_it_became(&mut server.links, &interfaces));
            return;
        };
        let Some(action) = self.action_mut(project, server, id) else { return };
        action.machine_busy = false;
        match result {
            Ok(report) => {
                action.prepared.ip = report.address.or(action.prepared.ip);
                effect::as_it_became(&mut action.prepared.links, &interfaces);
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

    /// Takes a server away and gives its address back, also one that was laid ready only.
    pub(super) fn remove_server(&mut self, project: usize, server: u64) {
        let now = self.now;
        let queue = self.projects[project].queues.get(&server);
        let laid_ready: Vec<_> =
            queue.into_iter().flat_map(|queue| &queue.log).filter_map(|action| action.prepared.ip).collect();
        let gone = self.projects[project].remove_server(now, server);
        laid_ready.into_iter().map(Some).chain(gone.map(|gone| gone.ip)).for_each(|ip| self.free_address(ip));
    }

    fn complete(&mut self, project: usize, server: u64, id: u64) {
        let now = self.now;
        let Some(action) = self.action_mut(project, server, id) else { return };
        action.state = ActionState::Completed;
        action.ended = Some(now);
        let (work, mut prepared) = (action.work.clone(), std::mem::take(&mut action.prepared));
        // A network may have gone meanwhile, behind the action's back.
        let networks = &self.projects[project].networks;
        prepared.links.retain(|link| link.network == SHARED_NETWORK || networks.contains_key(&link.network));
        if work == Work::Delete {
            self.remove_server(project, server);
            return;
        }
        let broke = self.projects[project].broke();
        self.projects[project]
            .change_server(now, server, |server| effect::apply(server, &work, prepared, broke));
        let Some(queue) = self.projects[project].queues.get_mut(&server) else { return };
        queue.running = queue.waiting.pop_front();
        if let Some(next) = queue.running {
            self.start(project, server, next);
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
}
