//! Names in DNS that lead to servers of the file, kept in step with them (ICT-36).
//!
//! The same ownership rules as for servers: a record is changed or deleted only if Muster made it or was given it; one
//! that says exactly what is wanted is claimed; all others of a name stay. What a new server's address is, the step
//! looks up once there is one.

use std::collections::{BTreeSet, HashMap, HashSet};

use muster_model::account::Provider;
use muster_model::dns::{
    ADDRESS_TYPES, PublicAddresses, SeenRecord, SeenZone, ServerRecord, WantedName, zone_of,
};
use muster_model::field::Field;
use muster_model::id::ProviderId;
use muster_model::intent::CreationIntent;
use muster_model::object::record::RecordType;
use muster_model::ownership::{Claim, ObjectKind};
use muster_model::plan::{Action, FieldChange, KnownRecord, NoteKind, Reason, RecordAction, WaitingReason};
use muster_model::policy::Purpose;
use muster_model::server::{SeenServer, ServerState, WantedServer};
use serde::Serialize;

use crate::scene::Scene;
use crate::server::ServerDecision;
use crate::surplus::Surplus;
use crate::why::{Says, names};

mod adopt;
mod index;
mod leaving;
mod order;

pub(crate) use adopt::{adopt, disownable, is_known};
use index::{Index, Ours};
pub(crate) use order::order;

/// Everything decided about names in DNS.
#[derive(Default)]
pub(crate) struct Names<'a> {
    /// The names that servers are to have.
    namings: Vec<Naming<'a>>,
    /// Steps that take records away, or forget them, by the server they led to.
    leaving: Vec<(String, Action, Reason)>,
    /// What was read, for the hash.
    pub(crate) facts: Vec<NameFacts<'a>>,
}

/// What is decided about one name of one server.
struct Naming<'a> {
    /// Which of the servers that are decided about.
    at: usize,
    name: &'a WantedName,
    zone: &'a SeenZone,
    /// Changes to our records.
    records: Vec<(RecordAction, Reason)>,
    /// Our records as they were.
    ours: Vec<KnownRecord>,
    /// What has to be done at the provider; none where nothing has.
    point: Option<(Reason, Vec<FieldChange>)>,
}

/// What a decision about one name read.
#[derive(Serialize)]
pub(crate) struct NameFacts<'a> {
    server: &'a str,
    name: &'a str,
    addresses: [Option<String>; 2],
    records: Vec<(&'a ProviderId, &'a str, Option<u32>)>,
}

/// Where a name has to lead.
enum Goal {
    /// To a server that is only now being made.
    Later,
    /// To these addresses.
    Now(PublicAddresses),
}

struct Decider<'s, 'a> {
    scene: &'s Scene<'a>,
    index: Index<'a>,
    /// Names of servers of the file; nothing if it is being taken down.
    wanted: HashSet<&'a str>,
    /// Our records that stay as they are, or are changed.
    kept: HashSet<&'a ProviderId>,
    /// Records that are no strangers to this plan.
    known: HashSet<&'a ProviderId>,
    names: Names<'a>,
}

/// Decides about the names of every server that the plan is about, and about records that nothing wants any more.
pub(crate) fn decide<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
    servers: &[ServerDecision<'a>],
    deleted: &[Surplus<'a, SeenServer>],
) -> Names<'a> {
    let index = Index::new(scene.seen, scene.file());
    let wants_any = servers.iter().any(|decision| !decision.wanted.dns.is_empty());
    if !wants_any && index.ours.is_empty() && index.lost.is_empty() {
        return Names::default();
    }
    if scene.provider() == Provider::Local {
        says.refuse(
            "no-dns",
            scene.file(),
            "Machines of this computer have no domains. Take `dns:` out of the file, or choose another account."
                .to_owned(),
        );
        return Names::default();
    }
    let wanted = match scene.policy.purpose {
        Purpose::Destroy => HashSet::new(),
        Purpose::Update | Purpose::Deploy | Purpose::Adopt | Purpose::Disown => {
            scene.wanted.servers.iter().map(|server| server.name.as_str()).collect()
        }
    };
    let mut decider = Decider {
        scene,
        index,
        wanted,
        kept: HashSet::new(),
        known: HashSet::new(),
        names: Names::default(),
    };
    let zones = decider.check_names(says, servers);
    for (at, decision) in servers.iter().enumerate() {
        if !decision.wanted.dns.is_empty() {
            decider.server(says, at, decision, &zones);
        }
    }
    decider.say_strangers(says, servers);
    decider.leaving(says, deleted);
    decider.names
}

impl<'a> Decider<'_, 'a> {
    /// The names that can be kept: those that a domain of the account holds, and no CNAME stands at.
    fn check_names(&self, says: &mut Says, servers: &[ServerDecision<'a>]) -> HashMap<&'a str, &'a SeenZone> {
        let all: BTreeSet<&str> =
            servers.iter().flat_map(|decision| &decision.wanted.dns).map(|name| name.name.as_str()).collect();
        let mut found = HashMap::with_capacity(all.len());
        for name in all {
            let Some(zone) = zone_of(name, self.index.zones) else {
                let zones = match self.index.zones {
                    [] => "the account has none at all".to_owned(),
                    zones => format!("there is {}", names(zones.iter().map(|zone| zone.name.as_str()))),
                };
                says.refuse(
                    "no-zone",
                    name,
                    format!("No domain of the account holds this name; {zones}. `muster dns zone create DOMAIN` makes one; or write another name."),
                );
                continue;
            };
            let cname = self.index.named(name).iter().find(|seen| seen.kind == RecordType::Cname);
            if let Some(cname) = cname {
                says.refuse(
                    "cname-in-the-way",
                    name,
                    format!(
                        "The record {name} CNAME {} (id {}) stands there, and a name that is another one has no address of its own. Delete it with `muster dns record delete {} {name} CNAME`, or write another name.",
                        cname.value, cname.id, zone.name
                    ),
                );
                continue;
            }
            found.insert(name, zone);
        }
        found
    }

    fn server(
        &mut self,
        says: &mut Says,
        at: usize,
        decision: &ServerDecision<'a>,
        zones: &HashMap<&'a str, &'a SeenZone>,
    ) {
        let wanted = decision.wanted;
        let goal = self.goal(says, decision);
        for name in &wanted.dns {
            match (&goal, zones.get(name.name.as_str())) {
                (Some(goal), Some(zone)) => self.name(says, at, wanted, name, zone, goal),
                // Nothing can be said of it now: what leads to the server stays.
                (None, _) | (_, None) => {
                    let ours = self.ours_of(wanted, name).into_iter().map(|ours| &ours.record.id);
                    self.kept.extend(ours.collect::<Vec<_>>());
                }
            }
        }
    }

    fn goal(&self, says: &mut Says, decision: &ServerDecision<'a>) -> Option<Goal> {
        if decision.create.is_some() {
            return Some(Goal::Later);
        }
        let seen = decision.seen?;
        let addresses = PublicAddresses::of(seen);
        if !addresses.is_empty() {
            return Some(Goal::Now(addresses));
        }
        if seen.state == ServerState::New {
            return Some(Goal::Later);
        }
        says.wait(
            WaitingReason::Unsettled,
            decision.wanted.name.as_str(),
            format!(
                "The server (id {}) has no public address, and so no name in DNS can lead to it. `muster infra update {}` again once it has one.",
                seen.id,
                self.scene.file()
            ),
        );
        None
    }

    fn ours_of(&self, wanted: &'a WantedServer, name: &WantedName) -> Vec<Ours<'a>> {
        self.index.ours_of(&wanted.name, &wanted.was, &self.wanted, &name.name).collect()
    }

    fn name(
        &mut self,
        says: &mut Says,
        at: usize,
        wanted: &'a WantedServer,
        name: &'a WantedName,
        zone: &'a SeenZone,
        goal: &Goal,
    ) {
        let mut naming = Naming { at, name, zone, records: Vec::new(), ours: Vec::new(), point: None };
        let all = self.ours_of(wanted, name);
        let mut facts = NameFacts {
            server: wanted.name.as_str(),
            name: &name.name,
            addresses: [None, None],
            records: Vec::new(),
        };
        for (nth, kind) in ADDRESS_TYPES.into_iter().enumerate() {
            let ours: Vec<Ours<'a>> = all
                .iter()
                .filter(|ours| ours.dns.kind == kind && ours.dns.zone == zone.id)
                .copied()
                .collect();
            for ours in &ours {
                let seen = self.index.get(&ours.record.id);
                facts.records.extend(seen.map(|seen| (&seen.id, seen.value.as_str(), seen.ttl)));
            }
            match goal {
                Goal::Later => self.later(&mut naming, kind, &ours),
                Goal::Now(addresses) => {
                    facts.addresses[nth] = addresses.value(kind);
                    if let Some(value) = addresses.value(kind) {
                        self.now(says, wanted, &mut naming, kind, &ours, &value);
                    }
                }
            }
        }
        self.names.facts.push(facts);
        self.names.namings.push(naming);
    }

    /// The server has no address yet: its step finds out, and changes what is there.
    fn later(&mut self, naming: &mut Naming<'a>, kind: RecordType, ours: &[Ours<'a>]) {
        for ours in ours {
            self.kept.insert(&ours.record.id);
            naming.ours.push(known(ours, kind, self.index.get(&ours.record.id)));
        }
        let old = ours.iter().find_map(|ours| self.index.get(&ours.record.id));
        if kind == RecordType::A || old.is_some() {
            let reason = if ours.is_empty() { Reason::Missing } else { Reason::Differs };
            point(naming, reason, change(kind, old, "(its new address)"));
        }
    }

    fn now(
        &mut self,
        says: &mut Says,
        wanted: &'a WantedServer,
        naming: &mut Naming<'a>,
        kind: RecordType,
        ours: &[Ours<'a>],
        value: &str,
    ) {
        let (name, ttl) = (naming.name, naming.name.ttl);
        let dns = ServerRecord {
            server: wanted.name.clone(),
            zone: naming.zone.id.clone(),
            zone_name: naming.zone.name.clone(),
            name: name.name.clone(),
            kind,
        };
        let alive = ours.iter().find_map(|ours| Some((ours, self.index.get(&ours.record.id)?)));
        if let Some((ours, seen)) = alive {
            self.kept.insert(&ours.record.id);
            let claim = self.scene.claim(ours.record);
            if *ours.dns != dns || claim != ours.record.claim {
                let reason = if claim == ours.record.claim { Reason::RecordDiffers } else { Reason::Asked };
                naming.records.push((own(&dns, &seen.id, claim, None), reason));
            }
            if !seen.says(value, ttl) || seen.name != name.name {
                naming.ours.push(known(ours, kind, Some(seen)));
                point(naming, Reason::Differs, change_of(kind, Some(seen), value, ttl));
            }
            return;
        }
        if let Some(gone) = ours.first() {
            self.kept.extend(ours.iter().map(|ours| &ours.record.id));
            naming.ours.push(known(gone, kind, None));
            return point(naming, Reason::Vanished, change_of(kind, None, value, ttl));
        }
        let Some(seen) = self.index.saying(&name.name, kind, value) else {
            return point(naming, Reason::Missing, change_of(kind, None, value, ttl));
        };
        self.known.insert(&seen.id);
        if let Some(file) = self.index.owner(&seen.id) {
            if file == self.scene.file() {
                return self.take_over(naming, &dns, seen);
            }
            return says.refuse(
                "record-of-another-file",
                &name.name,
                format!("The record {kind} {value} (id {}) of this name belongs to the file {file}. Take the name out of one of the two files.", seen.id),
            );
        }
        if let Some(intent) = self.index.made_by(&dns, seen) {
            self.claim(naming, &dns, seen, Claim::Created, Reason::SettlesIntent, Some(intent));
        } else if self.scene.policy.adopt {
            self.claim(naming, &dns, seen, Claim::Adopted, Reason::Asked, None);
        } else if seen.says(value, ttl) {
            self.claim(naming, &dns, seen, Claim::Claimed, Reason::Fits, None);
            says.note(
                NoteKind::Claimed,
                &name.name,
                format!(
                    "A record that says exactly this is there: claimed, not made by us. It is kept in step from now on, and stays when the name leaves the file. `muster infra adopt {} NAME` makes it ours.",
                    self.scene.file()
                ),
            );
            return;
        } else {
            return says.wait(
                WaitingReason::Unclaimed,
                &name.name,
                format!(
                    "A record {kind} {value} (id {}) is there, is not ours, and has another `ttl`: {}. It is left alone. `muster infra adopt {} {}` brings it under the file.",
                    seen.id,
                    seen.ttl.map_or_else(|| "the provider's".to_owned(), |ttl| ttl.to_string()),
                    self.scene.file(),
                    name.name
                ),
            );
        }
        if !seen.says(value, ttl) {
            naming.ours.push(KnownRecord { id: seen.id.clone(), kind, value: Some(seen.value.clone()) });
            point(naming, Reason::Differs, change_of(kind, Some(seen), value, ttl));
        }
    }

    /// One of the file's own says it, of another server that had this address before.
    fn take_over(&mut self, naming: &mut Naming<'a>, dns: &ServerRecord, seen: &'a SeenRecord) {
        let before = self.index.ours.iter().find(|ours| ours.record.id == seen.id);
        match before.filter(|ours| !self.wanted.contains(ours.dns.server.as_str())) {
            Some(ours) => {
                self.kept.insert(&ours.record.id);
                naming.records.push((own(dns, &seen.id, ours.record.claim, None), Reason::RecordDiffers));
            }
            // That server's own step changes it first.
            None => point(naming, Reason::Missing, change(dns.kind, None, &seen.value)),
        }
    }

    fn claim(
        &self,
        naming: &mut Naming<'a>,
        dns: &ServerRecord,
        seen: &SeenRecord,
        claim: Claim,
        reason: Reason,
        settles: Option<&CreationIntent>,
    ) {
        naming.records.push((own(dns, &seen.id, claim, settles), reason));
    }

    /// Others of a name of the file: they stay, and a person should know, because they answer too.
    fn say_strangers(&self, says: &mut Says, servers: &[ServerDecision<'a>]) {
        let all: BTreeSet<&str> =
            servers.iter().flat_map(|decision| &decision.wanted.dns).map(|name| name.name.as_str()).collect();
        for name in all {
            let others: Vec<String> = self
                .index
                .named(name)
                .iter()
                .filter(|seen| ADDRESS_TYPES.contains(&seen.kind))
                .filter(|seen| self.index.owner(&seen.id).is_none() && !self.known.contains(&seen.id))
                .map(|seen| format!("{} {} (id {})", seen.kind, seen.value, seen.id))
                .collect();
            if !others.is_empty() {
                says.note(
                    NoteKind::Stranger,
                    name,
                    format!(
                        "The name leads elsewhere too, by records that are not ours and stay: {}.",
                        names(others.iter().map(String::as_str))
                    ),
                );
            }
        }
    }
}

fn point(naming: &mut Naming<'_>, reason: Reason, change: FieldChange) {
    let (first, changes) = naming.point.get_or_insert_with(|| (reason.clone(), Vec::new()));
    if *first == Reason::Missing {
        *first = reason;
    }
    changes.push(change);
}

fn known(ours: &Ours<'_>, kind: RecordType, seen: Option<&SeenRecord>) -> KnownRecord {
    KnownRecord { id: ours.record.id.clone(), kind, value: seen.map(|seen| seen.value.clone()) }
}

fn change(kind: RecordType, old: Option<&SeenRecord>, new: &str) -> FieldChange {
    let old = old.map(|seen| format!("{kind} {}", seen.value)).unwrap_or_default();
    FieldChange { field: Field::Dns, old, new: format!("{kind} {new}") }
}

fn change_of(kind: RecordType, old: Option<&SeenRecord>, value: &str, ttl: Option<u32>) -> FieldChange {
    let Some(ttl) = ttl else { return change(kind, old, value) };
    let mut change = change(kind, old, &format!("{value}, {ttl} s"));
    if let Some(seen) = old
        && let Some(ttl) = seen.ttl
    {
        change.old = format!("{}, {ttl} s", change.old);
    }
    change
}

/// The record that makes one of DNS ours.
fn own(dns: &ServerRecord, id: &ProviderId, claim: Claim, settles: Option<&CreationIntent>) -> RecordAction {
    RecordAction::Own {
        kind: ObjectKind::Record,
        name: dns.owned_as(),
        id: id.clone(),
        provider_name: dns.name.clone(),
        claim,
        image_words: String::new(),
        image: String::new(),
        protect: false,
        settles: settles.map(|intent| Box::new(intent.clone())),
        dns: Some(Box::new(dns.clone())),
    }
}
