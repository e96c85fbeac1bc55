//! From decisions to numbered steps: a stable order for reading, and the fewest edges that keep it safe, so that
//! everything else may run at the same time.
//!
//! Order: records, keys, networks, creations, resizes, links, power, names in DNS, deletions, inside. One server's own steps
//! follow each other, because a provider runs one action per server at a time.

use std::collections::{BTreeMap, HashMap};

use muster_model::cloud::SeenNetwork;
use muster_model::field::Field;
use muster_model::id::{NetworkName, ProviderId, StepNumber};
use muster_model::plan::{
    Action, CreateServer, DeleteServer, FieldChange, KeyAction, LinkNetwork, NetworkAction, ObjectRef,
    Reason, RecordAction, ResizeServer, Risk, ServerAction, SetBandwidth, SetPower, UnlinkNetwork, WhichLink,
};
use muster_model::server::{Power, SeenServer, ServerState};

use crate::bandwidth::Speed;
use crate::dns;
use crate::interface;
use crate::key::{KeyRefs, LOGIN_KEY_TITLE, material, title};
use crate::network::{self, NetworkDecision};
use crate::public_network::PublicNetworks;
use crate::scene::{NetworkPlace, NetworkPlaces, Scene};
use crate::server::{ServerDecision, interrupts};
use crate::steps::{Steps, Track, Why};
use crate::surplus::Surplus;

/// Everything decided, not yet in order.
#[derive(Default)]
pub(crate) struct Decisions<'a> {
    /// Records of an adoption or a disowning.
    pub(crate) records: Vec<(RecordAction, Reason)>,
    /// The file's networks.
    pub(crate) networks: Vec<NetworkDecision<'a>>,
    /// The file's servers.
    pub(crate) servers: Vec<ServerDecision<'a>>,
    /// Servers that go.
    pub(crate) surplus_servers: Vec<Surplus<'a, SeenServer>>,
    /// Networks that go.
    pub(crate) surplus_networks: Vec<Surplus<'a, SeenNetwork>>,
    /// Public networks.
    pub(crate) public_networks: PublicNetworks<'a>,
    /// Names in DNS.
    pub(crate) names: dns::Names<'a>,
}

mod deletions;

struct Orderer<'s, 'a> {
    scene: &'s Scene<'a>,
    places: &'s NetworkPlaces<'a>,
    steps: Steps,
    tracks: Vec<Track>,
    networks_made: HashMap<&'a str, StepNumber>,
    /// Unlinks of each network, and deletions of each server: a network can only go after them.
    unlinked: HashMap<&'a ProviderId, Vec<StepNumber>>,
    deleted: HashMap<&'a ProviderId, StepNumber>,
}

/// Numbers the steps of everything up to the inside of servers, behind those that come first.
pub(crate) fn order<'a>(
    scene: &Scene<'a>,
    places: &NetworkPlaces<'a>,
    decisions: &Decisions<'a>,
    steps: Steps,
) -> (Steps, Vec<Track>) {
    let mut orderer = Orderer {
        scene,
        places,
        steps,
        tracks: decisions
            .servers
            .iter()
            .map(|_| Track { made: None, last: None, gone: Vec::new(), linked: Vec::new() })
            .collect(),
        networks_made: HashMap::new(),
        unlinked: HashMap::new(),
        deleted: HashMap::new(),
    };
    let (network_records, surplus_owned) = orderer.records(decisions);
    let keys = orderer.keys(&decisions.servers);
    orderer.networks(decisions, network_records);
    decisions.public_networks.order(&mut orderer.steps);
    for (at, decision) in decisions.servers.iter().enumerate() {
        orderer.create(at, decision, &keys);
    }
    for (at, decision) in decisions.servers.iter().enumerate() {
        // One that is still being made is waited for first, in its power step: nothing else works before.
        if in_the_making(decision) {
            orderer.power(at, decision);
        }
    }
    for (at, decision) in decisions.servers.iter().enumerate() {
        orderer.resize(at, decision);
    }
    for (at, decision) in decisions.servers.iter().enumerate() {
        for network in &decision.unlinks {
            orderer.unlink(at, decision, network);
        }
        for name in &decision.links {
            orderer.link(at, decision, name);
        }
        for speed in &decision.speeds {
            orderer.speed(at, decision, speed);
        }
    }
    for (at, decision) in decisions.servers.iter().enumerate() {
        if !in_the_making(decision) {
            orderer.power(at, decision);
        }
    }
    let unnamed = dns::order(&decisions.names, &decisions.servers, &orderer.tracks, &mut orderer.steps);
    orderer.deletions(decisions, &surplus_owned, &unnamed);
    decisions.public_networks.order_deletions(scene, &mut orderer.steps);
    (orderer.steps, orderer.tracks)
}

fn in_the_making(decision: &ServerDecision<'_>) -> bool {
    decision.seen.is_some_and(|seen| seen.state == ServerState::New)
}

impl<'a> Orderer<'_, 'a> {
    fn record(&mut self, record: &RecordAction, why: &Reason) -> StepNumber {
        let target = match record {
            RecordAction::Own { name, .. }
            | RecordAction::Amend { name, .. }
            | RecordAction::Forget { name, .. } => name.as_str(),
        };
        self.steps.push(Vec::new(), target, Action::Record(record.clone()), Why::plain(why.clone()))
    }

    /// All changes to records; tells what each network's creation, and each surplus object's deletion, waits for.
    fn records(
        &mut self,
        decisions: &Decisions<'a>,
    ) -> (Vec<Vec<StepNumber>>, HashMap<&'a ProviderId, StepNumber>) {
        for (record, why) in &decisions.records {
            self.record(record, why);
        }
        let mut network_records = Vec::with_capacity(decisions.networks.len());
        for decision in &decisions.networks {
            network_records
                .push(decision.records.iter().map(|(record, why)| self.record(record, why)).collect());
        }
        for (at, decision) in decisions.servers.iter().enumerate() {
            for (record, why) in &decision.records {
                let number = self.record(record, why);
                match record {
                    // Touched only once it is durably ours.
                    RecordAction::Own { .. } => self.tracks[at].last = Some(number),
                    RecordAction::Forget { .. } => self.tracks[at].gone.push(number),
                    RecordAction::Amend { .. } => {}
                }
            }
        }
        let mut owned = HashMap::new();
        for surplus in &decisions.surplus_servers {
            for (record, why) in &surplus.records {
                let number = self.record(record, why);
                owned.extend(surplus.delete.map(|server| (&server.id, number)));
            }
        }
        for surplus in &decisions.surplus_networks {
            for (record, why) in &surplus.records {
                let number = self.record(record, why);
                owned.extend(surplus.delete.map(|network| (&network.id, number)));
            }
        }
        (network_records, owned)
    }

    /// The keys that the new servers are made with; those that the provider lacks are brought there first.
    fn keys(&mut self, servers: &[ServerDecision<'a>]) -> KeyRefs<'a> {
        let mut lines: Vec<(&'a str, String)> = Vec::new();
        let mut known: BTreeMap<&str, ()> = BTreeMap::new();
        let mut made = servers.iter().filter(|decision| decision.create.is_some()).peekable();
        if made.peek().is_none() {
            return KeyRefs::new();
        }
        if let Some(login) = &self.scene.seen.login_key {
            known.insert(material(login), ());
            lines.push((login, LOGIN_KEY_TITLE.to_owned()));
        }
        for line in made.flat_map(|decision| &decision.wanted.keys) {
            if known.insert(material(line), ()).is_none() {
                lines.push((line, title(line)));
            }
        }
        let mut references = KeyRefs::new();
        for (line, title) in lines {
            let reference = match self.scene.keys.id(line) {
                Some(id) => (ObjectRef::Seen(id.clone()), None),
                None => {
                    let target = title.clone();
                    let ensure = KeyAction::Ensure { title, public_key: line.to_owned() };
                    let number = self.steps.push(
                        Vec::new(),
                        &target,
                        Action::Key(ensure),
                        Why::plain(Reason::NeededBy),
                    );
                    (ObjectRef::Made(number), Some(number))
                }
            };
            references.insert(material(line), reference);
        }
        references
    }

    fn networks(&mut self, decisions: &Decisions<'a>, records: Vec<Vec<StepNumber>>) {
        for (decision, mut after) in decisions.networks.iter().zip(records) {
            let Some((spec, known_ids, why)) = &decision.create else { continue };
            if let Some(old) = decision.replaced {
                let delete = NetworkAction::Delete { name: decision.name.clone(), network: old.id.clone() };
                let why = Why { reason: why.clone(), changes: Vec::new(), risk: Risk::Interrupts };
                let number = self.steps.push(after, decision.name.as_str(), Action::Network(delete), why);
                after = vec![number];
            }
            let create = NetworkAction::Create {
                name: decision.name.clone(),
                spec: spec.clone(),
                known_ids: known_ids.clone(),
                protect: decision.wanted.protect,
            };
            let why = Why {
                reason: why.clone(),
                changes: network::changes(spec, decision.replaced),
                risk: Risk::None,
            };
            let number = self.steps.push(after, decision.name.as_str(), Action::Network(create), why);
            self.networks_made.insert(decision.name.as_str(), number);
        }
    }

    fn create(&mut self, at: usize, decision: &ServerDecision<'a>, keys: &KeyRefs<'a>) {
        let Some(creation) = &decision.create else { return };
        let wanted = decision.wanted;
        let target = wanted.name.as_str();
        let mut after = std::mem::take(&mut self.tracks[at].gone);
        if let Some(old) = decision.replaced {
            let delete = DeleteServer {
                name: wanted.name.clone(),
                server: old.id.clone(),
                expected_name: old.name.clone(),
                replaced: true,
            };
            let before = self.tracks[at].last.into_iter().collect();
            let why = Why { reason: creation.reason.clone(), changes: Vec::new(), risk: Risk::Destroys };
            // The old one goes first: so a crash in between leaves none, and never two of one name.
            let number = self.steps.push(before, target, Action::Server(ServerAction::Delete(delete)), why);
            self.deleted.insert(&old.id, number);
            after.push(number);
        }
        let login = self.scene.seen.login_key.as_deref();
        let mut references = Vec::new();
        for line in login.into_iter().chain(wanted.keys.iter().map(String::as_str)) {
            if let Some((reference, step)) = keys.get(material(line)) {
                if !references.contains(reference) {
                    references.push(reference.clone());
                }
                after.extend(step);
            }
        }
        let create = CreateServer {
            name: wanted.name.clone(),
            spec: creation.spec(wanted),
            image_words: wanted.image.clone(),
            keys: references,
            protect: wanted.protect,
            known_ids: creation.known_ids.clone(),
        };
        let why =
            Why { reason: creation.reason.clone(), changes: creation.changes.clone(), risk: Risk::None };
        let number = self.steps.push(after, target, Action::Server(ServerAction::Create(create)), why);
        self.tracks[at].made = Some(number);
        self.tracks[at].last = Some(number);
    }

    /// Appends a step of one server after its latest one.
    fn follow(
        &mut self,
        at: usize,
        decision: &ServerDecision<'a>,
        also: Option<StepNumber>,
        action: Action,
        why: Why,
    ) -> StepNumber {
        let after = self.tracks[at].last.into_iter().chain(also).collect();
        let number = self.steps.push(after, decision.wanted.name.as_str(), action, why);
        self.tracks[at].last = Some(number);
        number
    }

    fn resize(&mut self, at: usize, decision: &ServerDecision<'a>) {
        let (Some((expected, changes)), Some(server)) = (&decision.resize, self.tracks[at].refer(decision))
        else {
            return;
        };
        let name = decision.wanted.name.clone();
        let resize =
            ResizeServer { name, server, expected: expected.clone(), to: decision.wanted.size.clone() };
        let why = Why { reason: Reason::Differs, changes: changes.clone(), risk: interrupts(decision.seen) };
        self.follow(at, decision, None, Action::Server(ServerAction::Resize(resize)), why);
    }

    fn unlink(&mut self, at: usize, decision: &ServerDecision<'a>, network: &'a ProviderId) {
        let Some(server) = self.tracks[at].refer(decision) else { return };
        let name =
            self.scene.networks.get(network).map(|seen| seen.name.as_str()).unwrap_or(network.as_str());
        if let Some((release, why)) = interface::release(decision, &server, network, name) {
            self.follow(at, decision, None, Action::Host(release), why);
        }
        let unlink = UnlinkNetwork {
            name: decision.wanted.name.clone(),
            server,
            network_name: NetworkName::from(name),
            network: network.clone(),
        };
        let change = FieldChange { field: Field::Networks, old: name.to_owned(), new: String::new() };
        let why = Why { reason: Reason::Differs, changes: vec![change], risk: interrupts(decision.seen) };
        let number = self.follow(at, decision, None, Action::Server(ServerAction::Unlink(unlink)), why);
        self.unlinked.entry(network).or_default().push(number);
    }

    fn link(&mut self, at: usize, decision: &ServerDecision<'a>, name: &'a NetworkName) {
        let Some((network, made)) = self.network(name) else { return };
        let Some(server) = self.tracks[at].refer(decision) else { return };
        self.tracks[at].linked.push((name.clone(), network.clone()));
        let link =
            LinkNetwork { name: decision.wanted.name.clone(), server, network_name: name.clone(), network };
        let reason = if decision.create.is_some() { Reason::Missing } else { Reason::Differs };
        let change = FieldChange { field: Field::Networks, old: String::new(), new: name.to_string() };
        let why = Why { reason, changes: vec![change], risk: Risk::None };
        self.follow(at, decision, made, Action::Server(ServerAction::Link(link)), why);
    }

    /// How later steps refer to a network of the file, and the step that makes it.
    fn network(&self, name: &NetworkName) -> Option<(ObjectRef, Option<StepNumber>)> {
        match self.places.get(name.as_str())? {
            NetworkPlace::Seen(id) => Some((ObjectRef::Seen((*id).clone()), None)),
            NetworkPlace::Made => {
                let step = *self.networks_made.get(name.as_str())?;
                Some((ObjectRef::Made(step), Some(step)))
            }
            NetworkPlace::Closed(_) => None,
        }
    }

    fn speed(&mut self, at: usize, decision: &ServerDecision<'a>, speed: &Speed<'a>) {
        let link = match speed.network {
            None => WhichLink::Public,
            Some(name) => match self.network(name) {
                Some((network, _)) => WhichLink::Network { name: name.clone(), network },
                None => return,
            },
        };
        let Some(server) = self.tracks[at].refer(decision) else { return };
        let name = decision.wanted.name.clone();
        let set = SetBandwidth { name, server, link, to_mbit: speed.to_mbit };
        let reason = if decision.create.is_some() { Reason::Missing } else { Reason::Differs };
        let why = Why { reason, changes: vec![speed.change()], risk: Risk::None };
        self.follow(at, decision, None, Action::Server(ServerAction::Bandwidth(set)), why);
    }

    fn power(&mut self, at: usize, decision: &ServerDecision<'a>) {
        let (Some((to, changes)), Some(server)) = (&decision.power, self.tracks[at].refer(decision)) else {
            return;
        };
        let risk = match to {
            Power::Running => Risk::None,
            Power::Stopped => Risk::Interrupts,
        };
        let set = SetPower { name: decision.wanted.name.clone(), server, to: *to };
        let why = Why { reason: Reason::Differs, changes: changes.clone(), risk };
        self.follow(at, decision, None, Action::Server(ServerAction::Power(set)), why);
    }
}
