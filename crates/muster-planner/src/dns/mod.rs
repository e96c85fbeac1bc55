//! Names in DNS that lead to servers of the file, kept in step with them (ICT-36).
//!
//! The same ownership rules as for servers: a record is changed or deleted only if Muster made it or was given it; one
//! that says exactly what is wanted is claimed; all others of a name stay. What a new server's address is, the step
//! looks up once there is one.

use std::collections::{BTreeSet, HashMap, HashSet};

use muster_model::account::Provider;
use muster_model::dns::{ADDRESS_TYPES, PublicAddresses, SeenZone, ServerRecord, WantedName, zone_of};
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
mod naming;
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
