//! What is decided about one name of one server: which record of it is ours, which one says what is wanted already, and
//! what has to be said anew.

use muster_model::dns::{ADDRESS_TYPES, SeenRecord, SeenZone, ServerRecord, WantedName};
use muster_model::field::Field;
use muster_model::intent::CreationIntent;
use muster_model::object::record::RecordType;
use muster_model::ownership::Claim;
use muster_model::plan::{FieldChange, KnownRecord, NoteKind, Reason, WaitingReason};
use muster_model::server::WantedServer;

use super::index::Ours;
use super::{Decider, Goal, NameFacts, Naming, own};
use crate::why::Says;

impl<'a> Decider<'_, 'a> {
    pub(super) fn name(
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
