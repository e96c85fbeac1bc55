//! Actions: list, read, and the posts for power and links.

use super::effect::idle;
use super::input::Fields;
use super::object::{Life, Power, Server, Work};
use super::project::Queue;
use super::refusal::Refusal;
use super::rules;
use super::view::{self, Answer};
use super::world::World;

impl World {
    pub(super) fn action_list(&self, project: usize, server: u64) -> Result<Answer, Refusal> {
        self.server(project, server)?;
        let queue = self.projects[project].queues.get(&server).ok_or_else(|| Refusal::not_found("Server"))?;
        let mut actions: Vec<_> = queue.log.iter().map(|one| view::action(one, &self.switches)).collect();
        if self.switches.actions_newest_first {
            actions.reverse();
        }
        Ok(view::json(&actions))
    }

    pub(super) fn action_read(&self, project: usize, server: u64, id: u64) -> Result<Answer, Refusal> {
        self.server(project, server)?;
        let action = self.projects[project].queues.get(&server).and_then(|queue| queue.action(id));
        let mut value = view::action(action.ok_or_else(|| Refusal::not_found("Action"))?, &self.switches);
        if let Some(state) = &self.twist.state {
            value["State"] = state.clone().into();
        }
        Ok(view::json(&value))
    }

    pub(super) fn action_create(
        &mut self,
        project: usize,
        id: u64,
        fields: &Fields,
    ) -> Result<Answer, Refusal> {
        let (server, queue) = self.changeable(project, id)?;
        let kind = fields.text("Type")?.ok_or_else(|| Refusal::bad("Parameter Type is required"))?;
        let network =
            || fields.id("NetworkID")?.ok_or_else(|| Refusal::bad("Parameter NetworkID is required"));
        let work = match kind.trim().to_ascii_lowercase().as_str() {
            "poweron" => self.check_power(&server, queue, Power::On)?,
            "poweroff" => self.check_power(&server, queue, Power::Off)?,
            "powerreboot" => self.check_power(&server, queue, Power::Reboot)?,
            "shutdownguestos" => self.check_power(&server, queue, Power::ShutDownGuest)?,
            "rebootguestos" => self.check_power(&server, queue, Power::RebootGuest)?,
            "addnetwork" => {
                let network = network()?;
                self.check_linkable(project, network, &server.dc_location)?;
                if links_to_come(&server, queue).contains(&network) {
                    return Err(Refusal::bad("Server is already linked to this network"));
                }
                Work::AddNetwork(network)
            }
            "removenetwork" => {
                let network = network()?;
                if !links_to_come(&server, queue).contains(&network) {
                    return Err(Refusal::bad("Server is not linked to this network"));
                }
                Work::RemoveNetwork(network)
            }
            "editnetworkbandwidth" => check_bandwidth(&server, fields)?,
            _ => return Err(Refusal::bad(format!("Unknown action type {kind}"))),
        };
        let action = self.enqueue(project, id, work)?;
        self.action_read(project, id, action)
    }

    fn check_power(&self, server: &Server, queue: &Queue, power: Power) -> Result<Work, Refusal> {
        if server.life == Life::New {
            return Err(Refusal::bad("Server is not created yet"));
        }
        let on = power_to_come(server, queue);
        let reboot = matches!(power, Power::Reboot | Power::RebootGuest);
        if idle(power, on) && (reboot || self.switches.idle_power_refused) {
            return Err(Refusal::bad(if on { "Server is powered on" } else { "Server is powered off" }));
        }
        Ok(Work::Power(power))
    }
}

fn check_bandwidth(server: &Server, fields: &Fields) -> Result<Work, Refusal> {
    let link =
        fields.id("NetworkLinkID")?.ok_or_else(|| Refusal::bad("Parameter NetworkLinkID is required"))?;
    // The name of the speed's field is not known; clients are told to try this one.
    let speed = fields.count("Bandwidth")?.ok_or_else(|| Refusal::bad("Parameter Bandwidth is required"))?;
    if !server.links.iter().any(|one| one.id == link) {
        return Err(Refusal::bad("Network link not found"));
    }
    rules::check_bandwidth(speed)?;
    Ok(Work::Bandwidth { link, speed })
}

/// Whether the server will be on when everything accepted so far is done.
fn power_to_come(server: &Server, queue: &Queue) -> bool {
    queue.open().fold(server.power_on, |on, action| match action.work {
        Work::Power(Power::On) | Work::Rebuild { .. } => true,
        Work::Power(Power::Off | Power::ShutDownGuest) => false,
        _ => on,
    })
}

/// The private networks that the server will be linked to when everything accepted so far is done.
pub(super) fn links_to_come(server: &Server, queue: &Queue) -> Vec<u64> {
    let mut networks: Vec<u64> = server
        .links
        .iter()
        .map(|link| link.network)
        .filter(|network| *network != super::effect::SHARED_NETWORK)
        .collect();
    // A `Create` without money waits outside of the queue's order but still holds its networks.
    let held = queue.log.iter().filter(|action| action.ended.is_none());
    for action in held {
        match &action.work {
            Work::Create { networks: born, .. } => networks.extend(born),
            Work::AddNetwork(network) => networks.push(*network),
            Work::RemoveNetwork(network) => networks.retain(|one| one != network),
            _ => {}
        }
    }
    networks
}
