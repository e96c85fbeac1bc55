//! What is decided about the public networks of the file (ICT-36). The same ownership rules as for servers; name and
//! speed are changed in place, the number of addresses and the place are given at creation only, and the firewall is
//! only compared: the provider lets nobody but a person in its panel change it.

use std::collections::HashSet;

use muster_model::account::Provider;
use muster_model::cloud::SeenLocation;
use muster_model::field::Field;
use muster_model::id::{NetworkName, ProviderId, ServerName, StepNumber};
use muster_model::intent::Created;
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::plan::{
    Action, FieldChange, NetworkAction, NoteKind, PublicNetworkAction, Reason, RecordAction, Risk,
    WaitingReason,
};
use muster_model::public_network::{PublicNetworkSpec, SeenPublicNetwork, WantedPublicNetwork};

use crate::ownership::{Found, Object, standing};
use crate::scene::Scene;
use crate::server::claimed;
use crate::steps::{Steps, Why};
use crate::surplus::{self, Surplus};
use crate::why::Says;

impl Object for SeenPublicNetwork {
    const KIND: ObjectKind = ObjectKind::PublicNetwork;
    fn id(&self) -> &ProviderId {
        &self.id
    }
    fn name(&self) -> &str {
        &self.name
    }
    fn created_at(&self) -> Option<jiff::Timestamp> {
        None
    }
    fn going(&self) -> bool {
        self.state == "Deleting"
    }
    fn fits(&self, created: &Created) -> bool {
        match created {
            Created::PublicNetwork(spec) => {
                self.addresses.is_none_or(|addresses| addresses == spec.addresses)
                    && (self.location.is_empty() || spec.location.eq_ignore_ascii_case(&self.location))
            }
            Created::Server(_)
            | Created::Network(_)
            | Created::Object(_)
            | Created::Copy(_)
            | Created::Record { .. } => false,
        }
    }
}

/// Everything decided about public networks.
#[derive(Default)]
pub(crate) struct PublicNetworks<'a> {
    decisions: Vec<Decision<'a>>,
    surplus: Vec<Surplus<'a, SeenPublicNetwork>>,
}

/// What is decided about one of them.
struct Decision<'a> {
    name: &'a NetworkName,
    wanted: &'a WantedPublicNetwork,
    records: Vec<(RecordAction, Reason)>,
    create: Option<(PublicNetworkSpec, Vec<ProviderId>, Reason)>,
    change: Option<(&'a SeenPublicNetwork, Vec<FieldChange>)>,
    seen: Option<&'a SeenPublicNetwork>,
}

/// Decides about every public network that the plan is about.
pub(crate) fn decide_all<'a>(scene: &Scene<'a>, says: &mut Says, all: &mut PublicNetworks<'a>) {
    for (name, wanted) in &scene.wanted.public_networks {
        if !scene.only.name(name.as_str()) {
            continue;
        }
        if scene.provider() == Provider::Local {
            says.refuse(
                "no-public-networks",
                name.as_str(),
                "Machines of this computer have no public networks. Take it out of the file, or choose another account."
                    .to_owned(),
            );
            continue;
        }
        all.decisions.push(decide(scene, says, name, wanted));
    }
}

/// Decides about those that are ours and not wanted any more.
pub(crate) fn decide_surplus<'a>(scene: &Scene<'a>, says: &mut Says, all: &mut PublicNetworks<'a>) {
    all.surplus = surplus::decide_all(scene, says, &scene.public_networks, &HashSet::new());
    for surplus in &mut all.surplus {
        let Some(network) = surplus.delete.filter(|network| !network.servers.is_empty()) else { continue };
        surplus.delete = None;
        says.wait(
            WaitingReason::InUse,
            surplus.name.as_str(),
            format!(
                "The public network (id {}) would go, but servers are linked to it: {}. Unlink them in the provider's panel, then plan again; `muster infra disown {} {}` gives it up instead.",
                network.id,
                network.servers,
                scene.file(),
                surplus.name
            ),
        );
    }
}

fn decide<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
    name: &'a NetworkName,
    wanted: &'a WantedPublicNetwork,
) -> Decision<'a> {
    let mut decision = Decision { name, wanted, records: Vec::new(), create: None, change: None, seen: None };
    let location = match scene.locations.find(&wanted.location) {
        Ok(location) => location,
        Err((code, message)) => {
            says.refuse(code, name.as_str(), message);
            return decision;
        }
    };
    let standing = standing(&scene.public_networks, scene, says, name.as_str(), &[]);
    for record in &standing.gone {
        let forget = RecordAction::Forget {
            kind: ObjectKind::PublicNetwork,
            name: record.name.clone(),
            id: record.id.clone(),
        };
        decision.records.push((forget, Reason::Vanished));
    }
    match standing.found {
        Found::Refused => {}
        Found::Recorded(record, seen) => {
            keep_record(scene, &mut decision, record, seen);
            ours(scene, says, &mut decision, location, seen);
        }
        Found::Settled(intent, seen) => {
            let mut own = own(name, wanted, seen, Claim::Created);
            if let RecordAction::Own { settles, .. } = &mut own {
                *settles = Some(Box::new(intent.clone()));
            }
            decision.records.push((own, Reason::SettlesIntent));
            ours(scene, says, &mut decision, location, seen);
        }
        Found::Stranger(seen) => stranger(scene, says, &mut decision, location, seen),
        Found::Absent(known) => {
            let reason = if standing.gone.is_empty() { Reason::Missing } else { Reason::Vanished };
            let spec = PublicNetworkSpec {
                name: name.to_string(),
                location: location.technical.clone(),
                addresses: wanted.addresses,
                bandwidth_mbit: wanted.bandwidth_mbit,
            };
            decision.create = Some((spec, known, reason));
        }
    }
    decision
}

/// The record that makes a seen one ours.
pub(crate) fn own(
    name: &NetworkName,
    wanted: &WantedPublicNetwork,
    seen: &SeenPublicNetwork,
    claim: Claim,
) -> RecordAction {
    RecordAction::Own {
        kind: ObjectKind::PublicNetwork,
        name: ServerName::from(name.as_str()),
        id: seen.id.clone(),
        provider_name: seen.name.clone(),
        claim,
        image_words: String::new(),
        image: String::new(),
        protect: wanted.protect,
        settles: None,
        dns: None,
    }
}

fn keep_record(scene: &Scene<'_>, decision: &mut Decision<'_>, record: &Ownership, seen: &SeenPublicNetwork) {
    let claim = scene.claim(record);
    if claim != record.claim {
        decision.records.push((own(decision.name, decision.wanted, seen, claim), Reason::Asked));
    } else if record.protect != decision.wanted.protect {
        let amend = RecordAction::Amend {
            kind: ObjectKind::PublicNetwork,
            id: record.id.clone(),
            name: record.name.clone(),
            protect: decision.wanted.protect,
        };
        decision.records.push((amend, Reason::RecordDiffers));
    }
}

/// What was given at creation and is otherwise now, in words.
fn fixed(wanted: &WantedPublicNetwork, location: &SeenLocation, seen: &SeenPublicNetwork) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(addresses) = seen.addresses.filter(|addresses| *addresses != wanted.addresses) {
        found.push(format!("it has {addresses} addresses instead of {}", wanted.addresses));
    }
    if !seen.location.is_empty() && !seen.location.eq_ignore_ascii_case(&location.technical) {
        found.push(format!("it stands in {} instead of {}", seen.location, location.technical));
    }
    found
}

/// What can be changed and is otherwise now.
fn changes(decision: &Decision<'_>, seen: &SeenPublicNetwork) -> Vec<FieldChange> {
    let mut found = Vec::new();
    let mut change = |field, old: String, new: String| {
        if old != new {
            found.push(FieldChange { field, old, new });
        }
    };
    change(Field::Name, seen.name.clone(), decision.name.to_string());
    if let Some(mbit) = seen.bandwidth_mbit {
        let words = |mbit: u32| format!("{mbit} Mbit/s");
        change(Field::Bandwidth, words(mbit), words(decision.wanted.bandwidth_mbit));
    }
    found
}

fn ours<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
    decision: &mut Decision<'a>,
    location: &SeenLocation,
    seen: &'a SeenPublicNetwork,
) {
    decision.seen = Some(seen);
    let (name, file) = (decision.name.as_str(), scene.file());
    let fixed = fixed(decision.wanted, location, seen);
    if !fixed.is_empty() {
        says.refuse(
            "public-network-fixed",
            name,
            format!(
                "The public network (id {}) was made otherwise: {}. The provider sets that at creation only. Set it back in the file; or write a second public network under another key, move to it, and take this one out.",
                seen.id,
                fixed.join(", ")
            ),
        );
    }
    let is_unsettled = ["FromPool", "InPool", "New", "Deleting"].contains(&seen.state.as_str());
    if is_unsettled || seen.state == "NeedMoney" {
        says.wait(
            if is_unsettled { WaitingReason::Unsettled } else { WaitingReason::NeedsMoney },
            name,
            format!(
                "The public network (id {}) is {} at the provider. `muster infra update {file}` again when it is Active.",
                seen.id, seen.state
            ),
        );
        return;
    }
    let changes = changes(decision, seen);
    if !changes.is_empty() {
        decision.change = Some((seen, changes));
    }
    say_firewall(says, decision, seen);
}

/// The firewall is shown and cannot be changed (`spec/onecloud-api.md` §1.1), so what differs is told in each plan.
fn say_firewall(says: &mut Says, decision: &Decision<'_>, seen: &SeenPublicNetwork) {
    let Some(wanted) = &decision.wanted.firewall else { return };
    for difference in wanted.differences(&seen.firewall) {
        says.note(
            NoteKind::Firewall,
            decision.name.as_str(),
            format!(
                "Its firewall is not as the file says: {difference}. The provider lets nobody but a person change it: mend it in the provider's panel (id {}).",
                seen.id
            ),
        );
    }
}

fn stranger<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
    decision: &mut Decision<'a>,
    location: &SeenLocation,
    seen: &'a SeenPublicNetwork,
) {
    let (name, file) = (decision.name, scene.file());
    let mut differs = fixed(decision.wanted, location, seen);
    differs.extend(
        changes(decision, seen)
            .iter()
            .map(|change| format!("{} {} instead of {}", change.field.word(), change.old, change.new)),
    );
    if scene.policy.adopt {
        decision.records.push((own(name, decision.wanted, seen, Claim::Adopted), Reason::Asked));
        ours(scene, says, decision, location, seen);
    } else if differs.is_empty() {
        decision.records.push((own(name, decision.wanted, seen, Claim::Claimed), Reason::Fits));
        says.note(NoteKind::Claimed, name.as_str(), claimed(file, "public network"));
        ours(scene, says, decision, location, seen);
    } else {
        says.wait(
            WaitingReason::Unclaimed,
            name.as_str(),
            format!(
                "A public network called {name} (id {}) exists, is not ours, and differs from the file: {}. It is left alone. `muster infra adopt {file} {name}` brings it under the file; or choose another name.",
                seen.id,
                differs.join(", ")
            ),
        );
    }
}

impl<'a> PublicNetworks<'a> {
    /// Those that this plan is about.
    fn seen(&self) -> impl Iterator<Item = &'a SeenPublicNetwork> {
        let kept = self.decisions.iter().filter_map(|decision| decision.seen);
        kept.chain(self.surplus.iter().filter_map(|surplus| surplus.delete))
    }

    /// Those that are no strangers to this plan.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &'a ProviderId> {
        self.seen().map(|seen| &seen.id)
    }

    /// What was read of them, for the hash.
    pub(crate) fn facts(&self) -> impl Iterator<Item = serde_json::Value> {
        self.seen().map(|seen| {
            let SeenPublicNetwork { id, name, state, location, addresses, bandwidth_mbit, .. } = seen;
            serde_json::json!([id, name, state, location, addresses, bandwidth_mbit])
        })
    }

    /// Records, creations and changes.
    pub(crate) fn order(&self, steps: &mut Steps) {
        for decision in &self.decisions {
            let target = decision.name.as_str();
            let after = records(steps, target, &decision.records);
            let public = |action| Action::Network(NetworkAction::Public(action));
            if let Some((spec, known_ids, reason)) = &decision.create {
                let create = PublicNetworkAction::Create {
                    name: decision.name.clone(),
                    spec: spec.clone(),
                    known_ids: known_ids.clone(),
                    protect: decision.wanted.protect,
                };
                let new = |field, new: String| FieldChange { field, old: String::new(), new };
                let changes = vec![
                    new(Field::Location, spec.location.clone()),
                    new(Field::Networks, format!("{} addresses", spec.addresses)),
                    new(Field::Bandwidth, format!("{} Mbit/s", spec.bandwidth_mbit)),
                ];
                let why = Why { reason: reason.clone(), changes, risk: Risk::None };
                steps.push(after, target, public(create), why);
            } else if let Some((seen, changes)) = &decision.change {
                let change = PublicNetworkAction::Change {
                    name: decision.name.clone(),
                    network: seen.id.clone(),
                    expected_mbit: seen.bandwidth_mbit,
                    to_mbit: decision.wanted.bandwidth_mbit,
                };
                let why = Why { reason: Reason::Differs, changes: changes.clone(), risk: Risk::None };
                steps.push(after, target, public(change), why);
            }
        }
    }

    /// Records and deletions of what is not wanted any more.
    pub(crate) fn order_deletions(&self, scene: &Scene<'_>, steps: &mut Steps) {
        for surplus in &self.surplus {
            let target = surplus.name.as_str();
            let after = records(steps, target, &surplus.records);
            let Some(network) = surplus.delete else { continue };
            let delete =
                PublicNetworkAction::Delete { name: NetworkName::from(target), network: network.id.clone() };
            let reason = surplus::reason(scene);
            let why = Why { reason, changes: Vec::new(), risk: Risk::Interrupts };
            steps.push(after, target, Action::Network(NetworkAction::Public(delete)), why);
        }
    }
}

fn records(steps: &mut Steps, target: &str, records: &[(RecordAction, Reason)]) -> Vec<StepNumber> {
    let push = |(record, reason): &(RecordAction, Reason)| {
        steps.push(Vec::new(), target, Action::Record(record.clone()), Why::plain(reason.clone()))
    };
    records.iter().map(push).collect()
}
