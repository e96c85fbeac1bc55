//! What a plan does to the monthly cost of its file's servers: those that are there now, and those that are there
//! when every step is done.
//!
//! A server that only becomes ours by the plan is paid already, and one that is given up still is; both count on both
//! sides, so that the difference is what changes on the bill.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use muster_model::id::{ProviderId, StepNumber};
use muster_model::infrastructure::Infrastructure;
use muster_model::inventory::Inventory;
use muster_model::ownership::ObjectKind;
use muster_model::plan::{Action, ObjectRef, PlanDraft, RecordAction, ServerAction};
use muster_model::price::{Amount, Billed, PlanCost, PriceTable, Unpriced};
use muster_model::server::{SeenServer, ServerState, Size};

/// A server as it will be.
struct Becomes<'a> {
    name: &'a str,
    size: &'a Size,
    location: &'a str,
    family: &'a str,
    backup_days: u32,
}

/// The monthly cost before and after a plan. `before` is what the file wanted when it was applied last, where that is
/// known: only it tells the backups of servers that are not in the file any more.
pub fn plan_cost(
    prices: &PriceTable,
    wanted: &Infrastructure,
    before: Option<&Infrastructure>,
    seen: &Inventory,
    draft: &PlanDraft,
) -> PlanCost {
    let files = before.into_iter().chain([wanted]);
    let backups: HashMap<&str, u32> = files
        .flat_map(|file| &file.servers)
        .map(|server| (server.name.as_str(), server.backup_days))
        .collect();
    let mut names: HashMap<&ProviderId, &str> = seen
        .records(ObjectKind::Server, &wanted.name)
        .map(|record| (&record.id, record.name.as_str()))
        .collect();
    for step in &draft.steps {
        match &step.action {
            Action::Record(
                RecordAction::Own { kind: ObjectKind::Server, name, id, .. }
                | RecordAction::Amend { kind: ObjectKind::Server, name, id, .. },
            ) => drop(names.insert(id, name.as_str())),
            // One that is given up is paid on.
            Action::Record(
                RecordAction::Own { .. } | RecordAction::Amend { .. } | RecordAction::Forget { .. },
            )
            | Action::Server(_)
            | Action::Network(_)
            | Action::Key(_)
            | Action::Object(_)
            | Action::Dns(_)
            | Action::Host(_)
            | Action::Provision(_) => {}
        }
    }
    let there = |server: &&SeenServer| server.state != ServerState::Deleting;
    let mut by_id: BTreeMap<&ProviderId, Becomes<'_>> = BTreeMap::new();
    for server in seen.world.servers.iter().filter(there) {
        let Some(&name) = names.get(&server.id) else { continue };
        by_id.insert(
            &server.id,
            Becomes {
                name,
                size: &server.size,
                location: &server.location,
                family: &server.family,
                // The provider does not show it; what we made has what the file says.
                backup_days: backups.get(name).copied().unwrap_or(0),
            },
        );
    }
    let mut unpriced = BTreeSet::new();
    let now = sum(prices, seen, by_id.values(), &mut unpriced);
    let mut made: BTreeMap<StepNumber, Becomes<'_>> = BTreeMap::new();
    for step in &draft.steps {
        let Action::Server(action) = &step.action else { continue };
        match action {
            ServerAction::Create(create) => {
                let image = seen.world.images.iter().find(|image| image.id == create.spec.image_id);
                made.insert(
                    step.number,
                    Becomes {
                        name: create.name.as_str(),
                        size: &create.spec.size,
                        location: &create.spec.location,
                        family: image.map_or("", |image| image.family.as_str()),
                        backup_days: create.spec.backup_days,
                    },
                );
            }
            ServerAction::Resize(resize) => {
                let server = match &resize.server {
                    ObjectRef::Seen(id) => by_id.get_mut(id),
                    ObjectRef::Made(step) => made.get_mut(step),
                };
                if let Some(server) = server {
                    server.size = &resize.to;
                }
            }
            ServerAction::Delete(delete) => drop(by_id.remove(&delete.server)),
            ServerAction::Power(_)
            | ServerAction::Link(_)
            | ServerAction::Unlink(_)
            | ServerAction::Bandwidth(_) => {}
        }
    }
    let then = sum(prices, seen, by_id.values().chain(made.values()), &mut unpriced);
    PlanCost { now, then, currency: prices.currency.clone(), unpriced: unpriced.into_iter().collect() }
}

fn sum<'a, 's: 'a>(
    prices: &PriceTable,
    seen: &Inventory,
    servers: impl Iterator<Item = &'a Becomes<'s>>,
    unpriced: &mut BTreeSet<Unpriced>,
) -> Amount {
    let months = servers.filter_map(|server| {
        let billed = Billed {
            size: server.size,
            location: server.location,
            family: server.family,
            backup_days: server.backup_days,
        };
        match prices.month(&billed, &seen.world.locations) {
            Ok(month) => Some(month),
            Err(missing) => {
                unpriced.insert(Unpriced { server: server.name.to_owned(), missing });
                None
            }
        }
    });
    months.sum()
}
