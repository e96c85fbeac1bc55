//! Private networks: requests 15 to 19, and which servers may be linked to which.

use std::sync::Arc;

use super::action::links_to_come;
use super::create::check_name;
use super::durations::ms;
use super::input::Fields;
use super::object::{Life, Network, PRIVATE_CAPACITY};
use super::quota::Counted;
use super::refusal::Refusal;
use super::view::{self, Answer};
use super::world::{Due, World};

impl World {
    pub(super) fn network_list(&self, project: usize) -> Answer {
        let (state, only) = (self.twist.state.as_deref(), self.twist.only.as_deref());
        match self.lagging(project) {
            Some((servers, networks)) => view::network_list(&servers, &networks, state, only, &self.switches),
            None => {
                let project = &self.projects[project];
                view::network_list(&project.servers, &project.networks, state, only, &self.switches)
            }
        }
    }

    fn network(&self, project: usize, id: u64) -> Result<Arc<Network>, Refusal> {
        self.projects[project].networks.get(&id).map(Arc::clone).ok_or_else(|| Refusal::not_found("Network"))
    }

    pub(super) fn network_read(&self, project: usize, id: u64) -> Result<Answer, Refusal> {
        let network = self.network(project, id)?;
        let links = view::links_by_network(&self.projects[project].servers).remove(&id);
        Ok(view::json(&view::network(&network, links, self.twist.state.as_deref(), &self.switches)))
    }

    pub(super) fn network_create(&mut self, project: usize, fields: &Fields) -> Result<Answer, Refusal> {
        let name = check_name(fields)?;
        let dc = self.location(fields)?;
        let dhcp = fields.flag("IsDHCP")?.unwrap_or(false);
        let holds = &self.projects[project];
        holds.quota.check(Counted::Networks, holds.networks.len())?;
        let id = self.counters.network();
        let network = Network {
            id,
            name,
            life: Life::New,
            state_word: self.twist.state.clone(),
            dhcp,
            dc_location: dc.tech_title.to_owned(),
            // 10.10 to 10.199: what lies above is left to whoever runs local machines.
            second_byte: (10 + id % 190) as u8,
            hosts_given: 0,
            deleting: false,
        };
        let answer = view::json(&view::network(&network, None, None, &self.switches));
        let now = self.now;
        self.projects[project].add_network(now, network);
        let ready = self.after(ms(self.durations.network_create_ms));
        self.schedule(ready, Due::NetworkReady { project, network: id });
        Ok(answer)
    }

    pub(super) fn network_rename(
        &mut self,
        project: usize,
        id: u64,
        fields: &Fields,
    ) -> Result<Answer, Refusal> {
        self.network(project, id)?;
        let name = check_name(fields)?;
        self.rename_network(project, id, &name);
        self.network_read(project, id)
    }

    /// Gives a network another name, also where links show it.
    pub(super) fn rename_network(&mut self, project: usize, id: u64, name: &str) {
        let now = self.now;
        let project = &mut self.projects[project];
        project.change_network(now, id, |network| name.clone_into(&mut network.name));
        let linked: Vec<u64> = project
            .servers
            .values()
            .filter(|server| server.links.iter().any(|link| link.network == id))
            .map(|server| server.id)
            .collect();
        for server in linked {
            project.change_server(now, server, |server| {
                let links = server.links.iter_mut().filter(|link| link.network == id);
                links.for_each(|link| name.clone_into(&mut link.network_name));
            });
        }
    }

    pub(super) fn network_delete(&mut self, project: usize, id: u64) -> Result<Answer, Refusal> {
        let network = self.network(project, id)?;
        let holds = &self.projects[project];
        let linked = holds.servers.values().any(|server| {
            holds.queues.get(&server.id).is_some_and(|queue| links_to_come(server, queue).contains(&id))
                || server.links.iter().any(|link| link.network == id)
        });
        if linked {
            return Err(Refusal::bad("Network has linked servers"));
        }
        if !network.deleting {
            let now = self.now;
            self.projects[project].change_network(now, id, |network| network.deleting = true);
            let gone = self.after(ms(self.durations.network_delete_ms));
            self.schedule(gone, Due::NetworkGone { project, network: id });
        }
        Ok(Answer::Empty)
    }

    /// Refuses to link a server of data centre `dc` to a network that is not there, not ready, full or elsewhere.
    pub(super) fn check_linkable(&self, project: usize, id: u64, dc: &str) -> Result<(), Refusal> {
        let network = self.network(project, id).map_err(|_| Refusal::bad("Network not found"))?;
        if network.deleting || network.life != Life::Active {
            return Err(Refusal::bad("Network is not ready"));
        }
        if network.dc_location != dc {
            return Err(Refusal::bad(format!("Network is in {}, the server in {dc}", network.dc_location)));
        }
        if network.hosts_given >= PRIVATE_CAPACITY {
            return Err(Refusal::bad("Network has no free address"));
        }
        Ok(())
    }
}
