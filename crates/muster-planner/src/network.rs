//! What is decided about one private network of the file. The same ownership rules as for servers; a network
//! cannot be changed, so one that differs is made anew, once somebody consents and no server is linked to it.

use muster_model::cloud::{NetworkSpec, SeenLocation, SeenNetwork};
use muster_model::field::Field;
use muster_model::id::{NetworkName, ProviderId, ServerName};
use muster_model::infrastructure::WantedNetwork;
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::plan::{FieldChange, NoteKind, Reason, RecordAction, WaitingReason};

use crate::ownership::{Found, standing};
use crate::scene::{NetworkPlace, NetworkPlaces, Scene};
use crate::server::claimed;
use crate::why::{Says, names};

/// Everything decided about one network of the file.
pub(crate) struct NetworkDecision<'a> {
    /// Its name in the file.
    pub(crate) name: &'a NetworkName,
    /// What the file says of it.
    pub(crate) wanted: &'a WantedNetwork,
    /// Changes to our records.
    pub(crate) records: Vec<(RecordAction, Reason)>,
    /// The object that makes room for a new one.
    pub(crate) replaced: Option<&'a SeenNetwork>,
    /// It is made.
    pub(crate) create: Option<(NetworkSpec, Vec<ProviderId>, Reason)>,
    /// The object that stays, for the hash.
    pub(crate) seen: Option<&'a SeenNetwork>,
}

/// Decides about every network that the plan is about, and tells where each is.
pub(crate) fn decide_all<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
) -> (Vec<NetworkDecision<'a>>, NetworkPlaces<'a>) {
    let needed = needed(scene);
    let mut decisions = Vec::new();
    let mut places = NetworkPlaces::new();
    for (name, wanted) in &scene.wanted.networks {
        if !scene.only.is_all() && !scene.only.name(name.as_str()) && !needed.contains(name) {
            continue;
        }
        let (decision, place) = decide(scene, says, name, wanted);
        decisions.push(decision);
        places.insert(name.as_str(), place);
    }
    (decisions, places)
}

/// Networks that a selected server is to be linked to.
fn needed<'a>(scene: &Scene<'a>) -> std::collections::BTreeSet<&'a NetworkName> {
    if scene.only.is_all() {
        return std::collections::BTreeSet::new();
    }
    scene.selected().flat_map(|server| &server.networks).collect()
}

/// Refuses links that reach into another location: a private network is of one (`spec/onecloud-api.md` §1.3, §1.4). A
/// link that is there already is not asked about.
pub(crate) fn check_links(
    scene: &Scene<'_>,
    places: &NetworkPlaces<'_>,
    says: &mut Says,
    server: &ServerName,
    location: &str,
    links: &[&NetworkName],
) {
    for name in links {
        let there = match places.get(name.as_str()) {
            Some(NetworkPlace::Seen(id)) => scene.networks.get(id).map(|seen| seen.location.as_str()),
            Some(NetworkPlace::Made) => {
                let wanted = scene.wanted.networks.get(*name);
                wanted
                    .and_then(|wanted| scene.locations.find(&wanted.location).ok())
                    .map(|one| &*one.technical)
            }
            Some(NetworkPlace::Closed(_)) | None => None,
        };
        let Some(there) = there.filter(|there| !there.is_empty() && !there.eq_ignore_ascii_case(location))
        else {
            continue;
        };
        says.refuse(
            "network-elsewhere",
            server.as_str(),
            format!(
                "The server is in {location} and the network {name} in {there}; a private network links servers of its own \
                 location. Give both the same `location:`, or take {name} out of the server's `networks:`."
            ),
        );
    }
}

fn decide<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
    name: &'a NetworkName,
    wanted: &'a WantedNetwork,
) -> (NetworkDecision<'a>, NetworkPlace<'a>) {
    let mut decision =
        NetworkDecision { name, wanted, records: Vec::new(), replaced: None, create: None, seen: None };
    let location = match scene.locations.find(&wanted.location) {
        Ok(location) => location,
        Err((code, message)) => {
            says.refuse(code, name.as_str(), message);
            return (decision, NetworkPlace::Closed(None));
        }
    };
    let standing = standing(&scene.networks, scene, says, name.as_str(), &[]);
    for record in &standing.gone {
        let forget = RecordAction::Forget {
            kind: ObjectKind::Network,
            name: record.name.clone(),
            id: record.id.clone(),
        };
        decision.records.push((forget, Reason::Vanished));
    }
    let place = match standing.found {
        Found::Refused => NetworkPlace::Closed(None),
        Found::Recorded(record, seen) => {
            decision.seen = Some(seen);
            keep_record(scene, &mut decision, record, seen);
            ours(scene, says, &mut decision, location, seen, scene.claim(record))
        }
        Found::Settled(intent, seen) => {
            decision.seen = Some(seen);
            let mut own = own(name, wanted, seen, Claim::Created);
            if let RecordAction::Own { settles, .. } = &mut own {
                *settles = Some(Box::new(intent.clone()));
            }
            decision.records.push((own, Reason::SettlesIntent));
            ours(scene, says, &mut decision, location, seen, Claim::Created)
        }
        Found::Stranger(seen) => stranger(scene, says, &mut decision, location, seen),
        Found::Absent(known) => {
            let reason = if standing.gone.is_empty() { Reason::Missing } else { Reason::Vanished };
            decision.create = Some((spec(name, wanted, location), known, reason));
            NetworkPlace::Made
        }
    };
    (decision, place)
}

fn spec(name: &NetworkName, wanted: &WantedNetwork, location: &SeenLocation) -> NetworkSpec {
    NetworkSpec { name: name.to_string(), location: location.technical.clone(), dhcp: wanted.dhcp }
}

/// The record that makes a seen network ours.
pub(crate) fn own(
    name: &NetworkName,
    wanted: &WantedNetwork,
    seen: &SeenNetwork,
    claim: Claim,
) -> RecordAction {
    RecordAction::Own {
        kind: ObjectKind::Network,
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

fn keep_record<'a>(
    scene: &Scene<'a>,
    decision: &mut NetworkDecision<'a>,
    record: &Ownership,
    seen: &SeenNetwork,
) {
    if scene.claim(record) != record.claim {
        let own = own(decision.name, decision.wanted, seen, Claim::Adopted);
        decision.records.push((own, Reason::Asked));
    } else if record.protect != decision.wanted.protect {
        let amend = RecordAction::Amend {
            kind: ObjectKind::Network,
            id: record.id.clone(),
            name: record.name.clone(),
            protect: decision.wanted.protect,
        };
        decision.records.push((amend, Reason::RecordDiffers));
    }
}

/// What a network differs in, in words.
fn differences(wanted: &WantedNetwork, location: &SeenLocation, seen: &SeenNetwork) -> Vec<String> {
    let mut found = Vec::new();
    if wanted.dhcp != seen.dhcp {
        found.push(format!("dhcp {} → {}", seen.dhcp, wanted.dhcp));
    }
    if !seen.location.is_empty() && !seen.location.eq_ignore_ascii_case(&location.technical) {
        found.push(format!("location {} → {}", seen.location, location.technical));
    }
    found
}

/// The changes of a network's creation, for people: of a replaced one, only what differs.
pub(crate) fn changes(spec: &NetworkSpec, replaced: Option<&SeenNetwork>) -> Vec<FieldChange> {
    let location =
        |old: &str| FieldChange { field: Field::Location, old: old.into(), new: spec.location.clone() };
    let dhcp = |dhcp: bool| if dhcp { "with dhcp" } else { "without dhcp" }.to_owned();
    let Some(old) = replaced else {
        let new = dhcp(spec.dhcp);
        return vec![location(""), FieldChange { field: Field::Networks, old: String::new(), new }];
    };
    let mut changes = Vec::new();
    if old.location != spec.location {
        changes.push(location(&old.location));
    }
    if old.dhcp != spec.dhcp {
        changes.push(FieldChange { field: Field::Networks, old: dhcp(old.dhcp), new: dhcp(spec.dhcp) });
    }
    changes
}

fn stranger<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
    decision: &mut NetworkDecision<'a>,
    location: &'a SeenLocation,
    seen: &'a SeenNetwork,
) -> NetworkPlace<'a> {
    let (name, file) = (decision.name, scene.file());
    if scene.policy.adopt {
        decision.seen = Some(seen);
        decision.records.push((own(name, decision.wanted, seen, Claim::Adopted), Reason::Asked));
        return ours(scene, says, decision, location, seen, Claim::Adopted);
    }
    let differences = differences(decision.wanted, location, seen);
    if differences.is_empty() {
        decision.seen = Some(seen);
        decision.records.push((own(name, decision.wanted, seen, Claim::Claimed), Reason::Fits));
        says.note(NoteKind::Claimed, name.as_str(), claimed(file, "network"));
        return NetworkPlace::Seen(&seen.id);
    }
    says.wait(
        WaitingReason::Unclaimed,
        name.as_str(),
        format!(
            "A network called {name} (id {}) exists, is not ours, and differs from the file: {}. It is left alone, and nothing is linked to it. `muster infra adopt {file} {name}` brings it under the file; or choose another name.",
            seen.id,
            differences.join(", ")
        ),
    );
    NetworkPlace::Closed(Some(&seen.id))
}

fn ours<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
    decision: &mut NetworkDecision<'a>,
    location: &'a SeenLocation,
    seen: &'a SeenNetwork,
    claim: Claim,
) -> NetworkPlace<'a> {
    let (name, file) = (decision.name.as_str(), scene.file());
    if seen.state == "NeedMoney" {
        says.wait(
            WaitingReason::NeedsMoney,
            name,
            format!(
                "The provider has not made the network {name} (id {}) because the balance does not suffice. Top up the account's balance, then `muster infra update {file}`.",
                seen.id
            ),
        );
        return NetworkPlace::Closed(Some(&seen.id));
    }
    let differences = differences(decision.wanted, location, seen);
    if differences.is_empty() {
        return NetworkPlace::Seen(&seen.id);
    }
    let differences = differences.join(", ");
    let stays = |says: &mut Says, why, next: String| {
        says.wait(why, name, format!("Only making it anew would set this: {differences}. {next}"));
        NetworkPlace::Seen(&seen.id)
    };
    if !claim.may_delete() {
        let next = format!(
            "Muster did not make it and so does not replace it. `muster infra adopt {file} {name}` allows that."
        );
        return stays(says, WaitingReason::ClaimForbids, next);
    }
    if decision.wanted.protect {
        let next =
            "It is protected and so not deleted. Take `protect: true` out of the file first.".to_owned();
        return stays(says, WaitingReason::Protected, next);
    }
    if !scene.policy.allow_replace {
        let next =
            format!("`muster infra update {file} --allow-replace` consents to that; or set the fields back.");
        return stays(says, WaitingReason::NeedsReplaceConsent, next);
    }
    let users = users(scene, seen);
    if !users.is_empty() {
        let next = format!(
            "Servers are linked to it: {}. Take it out of their `networks:` first and update, then change it and update again; or give the new one another name.",
            names(users.iter().map(|id| id.as_str()))
        );
        return stays(says, WaitingReason::InUse, next);
    }
    decision.replaced = Some(seen);
    decision.seen = None;
    decision.records.retain(|(record, _)| !matches!(record, RecordAction::Amend { .. }));
    let spec = spec(decision.name, decision.wanted, location);
    let fields = changes(&spec, Some(seen)).iter().map(|change| change.field).collect();
    decision.create = Some((spec, vec![seen.id.clone()], Reason::MustReplace { fields }));
    NetworkPlace::Made
}

/// Every server linked to a network, as both sides tell it.
pub(crate) fn users<'a>(scene: &Scene<'a>, network: &'a SeenNetwork) -> Vec<&'a ProviderId> {
    let mut users: Vec<&ProviderId> =
        network.servers.iter().filter(|id| scene.servers.get(id).is_some()).collect();
    let linked = scene
        .servers
        .all()
        .iter()
        .filter(|server| server.links.iter().any(|link| link.network == network.id));
    users.extend(linked.map(|server| &server.id));
    users.sort();
    users.dedup();
    users
}
