//! What goes, last of all: servers once no name leads to them, networks once no server is linked to them.

use std::collections::HashMap;

use muster_model::id::{NetworkName, ProviderId, StepNumber};
use muster_model::plan::{Action, DeleteServer, NetworkAction, Risk, ServerAction};

use super::{Decisions, Orderer};
use crate::network;
use crate::steps::Why;
use crate::surplus::reason;

impl<'a> Orderer<'_, 'a> {
    pub(super) fn deletions(
        &mut self,
        decisions: &Decisions<'a>,
        owned: &HashMap<&'a ProviderId, StepNumber>,
        unnamed: &HashMap<String, Vec<StepNumber>>,
    ) {
        let reason = reason(self.scene);
        for surplus in &decisions.surplus_servers {
            let Some(server) = surplus.delete else { continue };
            let delete = DeleteServer {
                name: surplus.name.clone(),
                server: server.id.clone(),
                expected_name: server.name.clone(),
                replaced: false,
            };
            let mut after: Vec<StepNumber> = owned.get(&server.id).copied().into_iter().collect();
            after.extend(unnamed.get(surplus.name.as_str()).into_iter().flatten());
            let why = Why { reason: reason.clone(), changes: Vec::new(), risk: Risk::Destroys };
            let action = Action::Server(ServerAction::Delete(delete));
            let number = self.steps.push(after, surplus.name.as_str(), action, why);
            self.deleted.insert(&server.id, number);
        }
        for surplus in &decisions.surplus_networks {
            let Some(network) = surplus.delete else { continue };
            let mut after: Vec<StepNumber> = owned.get(&network.id).copied().into_iter().collect();
            after.extend(self.unlinked.get(&network.id).into_iter().flatten());
            let users = network::users(self.scene, network);
            after.extend(users.iter().filter_map(|server| self.deleted.get(server)));
            let delete = NetworkAction::Delete {
                name: NetworkName::from(surplus.name.as_str()),
                network: network.id.clone(),
            };
            let why = Why { reason: reason.clone(), changes: Vec::new(), risk: Risk::Interrupts };
            self.steps.push(after, surplus.name.as_str(), Action::Network(delete), why);
        }
    }
}
