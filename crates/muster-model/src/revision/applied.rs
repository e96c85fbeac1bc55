//! What a run that ended well leaves behind: per server what is there, and which versions are inside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::id::{NetworkName, ProviderId, ServerName};
use crate::infrastructure::Infrastructure;
use crate::inventory::Inventory;
use crate::ownership::{Claim, ObjectKind, Ownership, Provisioned};
use crate::plan::{Action, CreateServer, PlanDraft, ServerAction};
use crate::server::{Power, SeenServer, Size};

/// What a revision left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The servers of the file, in the order of their names.
    pub servers: Vec<AppliedServer>,
    /// The networks of the file.
    pub networks: Vec<AppliedNetwork>,
}

/// One server as a revision left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedServer {
    /// Its name in the file.
    pub name: ServerName,
    /// Its id at the provider.
    pub id: ProviderId,
    /// Its name at the provider.
    pub provider_name: String,
    /// How it is ours.
    pub claim: Claim,
    /// Its size; none if nobody saw it.
    pub size: Option<Size>,
    /// Whether it runs; none if nobody saw it.
    pub power: Option<Power>,
    /// The place: the provider's technical word; empty if nobody saw it.
    pub location: String,
    /// Private networks it is linked to.
    pub networks: BTreeSet<NetworkName>,
    /// The image in the file's words.
    pub image_words: String,
    /// The image's technical name.
    pub image: String,
    /// What provisioning reached: a playbook's path, a delivery (`code:/srv/app`) or a built-in's name → outcome. The
    /// digest of a delivery is the name of its release.
    pub provisioned: BTreeMap<String, Provisioned>,
}

/// One network as a revision left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedNetwork {
    /// Its name in the file.
    pub name: ServerName,
    /// Its id at the provider.
    pub id: ProviderId,
}

/// What the steps of a plan set on one server.
#[derive(Default)]
struct Set<'a> {
    create: Option<&'a CreateServer>,
    size: Option<&'a Size>,
    power: Option<Power>,
    linked: BTreeSet<&'a NetworkName>,
    unlinked: BTreeSet<&'a NetworkName>,
}

/// What is there after a run that carried this plan out to its good end: what the plan set, else what it had seen; ids
/// and the insides from the file's records as they are now.
pub fn applied(
    wanted: &Infrastructure,
    draft: &PlanDraft,
    seen: &Inventory,
    records: &[Ownership],
) -> Applied {
    let sets = sets(draft);
    let wanted: HashMap<_, _> = wanted.servers.iter().map(|server| (&server.name, server)).collect();
    let servers: HashMap<_, _> = seen.world.servers.iter().map(|server| (&server.id, server)).collect();
    let networks: HashMap<_, _> =
        seen.world.networks.iter().map(|network| (&network.id, network.name.as_str())).collect();
    let mut left = Applied::default();
    for record in records {
        match record.kind {
            ObjectKind::Server => {}
            ObjectKind::Network => {
                left.networks.push(AppliedNetwork { name: record.name.clone(), id: record.id.clone() });
                continue;
            }
            // What a file says of these is made anew from it: nothing in them is lost.
            ObjectKind::PublicNetwork | ObjectKind::Record => continue,
            // No file owns one.
            ObjectKind::Object => continue,
        }
        let nothing = Set::default();
        let set = sets.get(&record.name).unwrap_or(&nothing);
        let was = servers.get(&record.id).copied().filter(|_| set.create.is_none());
        let wanted = wanted.get(&record.name).copied();
        let names = |server: &SeenServer| -> BTreeSet<NetworkName> {
            let links = server.links.iter().filter(|link| !link.public);
            links
                .filter_map(|link| networks.get(&link.network).map(|name| NetworkName::from(*name)))
                .collect()
        };
        let mut linked = match (set.create, wanted) {
            (Some(_), Some(wanted)) => wanted.networks.clone(),
            _ => was.map(names).unwrap_or_default(),
        };
        linked.retain(|name| !set.unlinked.contains(name));
        linked.extend(set.linked.iter().map(|name| (*name).clone()));
        left.servers.push(AppliedServer {
            name: record.name.clone(),
            id: record.id.clone(),
            provider_name: record.provider_name.clone(),
            claim: record.claim,
            size: set
                .size
                .or(set.create.map(|create| &create.spec.size))
                .or(was.map(|server| &server.size))
                .cloned(),
            power: set
                .power
                .or(set.create.and(wanted).map(|wanted| wanted.power))
                .or(was.map(SeenServer::power)),
            location: set
                .create
                .map(|create| create.spec.location.clone())
                .or(was.map(|server| server.location.clone()))
                .unwrap_or_default(),
            networks: linked,
            image_words: record.image_words.clone(),
            image: record.image.clone(),
            provisioned: record.provisioned.clone(),
        });
    }
    left
}

fn sets(draft: &PlanDraft) -> HashMap<&ServerName, Set<'_>> {
    let mut sets: HashMap<&ServerName, Set<'_>> = HashMap::new();
    for step in &draft.steps {
        let Action::Server(action) = &step.action else { continue };
        match action {
            ServerAction::Create(create) => sets.entry(&create.name).or_default().create = Some(create),
            ServerAction::Resize(resize) => sets.entry(&resize.name).or_default().size = Some(&resize.to),
            ServerAction::Power(power) => sets.entry(&power.name).or_default().power = Some(power.to),
            ServerAction::Link(link) => {
                sets.entry(&link.name).or_default().linked.insert(&link.network_name);
            }
            ServerAction::Unlink(unlink) => {
                sets.entry(&unlink.name).or_default().unlinked.insert(&unlink.network_name);
            }
            ServerAction::Bandwidth(_) | ServerAction::Delete(_) => {}
        }
    }
    sets
}
