//! Domains, their records and what of them is ours, indexed once.

use std::collections::{HashMap, HashSet};

use muster_model::dns::{SeenRecord, SeenZone, ServerRecord};
use muster_model::id::{ProviderId, ServerName};
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::inventory::Inventory;
use muster_model::object::record::RecordType;
use muster_model::ownership::{ObjectKind, Ownership};

use crate::intent::unsettled;

/// A record of ours, with what its ownership record says of it.
#[derive(Clone, Copy)]
pub(super) struct Ours<'a> {
    pub(super) record: &'a Ownership,
    pub(super) dns: &'a ServerRecord,
}

/// A create whose answer was lost.
#[derive(Clone, Copy)]
pub(super) struct Lost<'a> {
    pub(super) intent: &'a CreationIntent,
    pub(super) dns: &'a ServerRecord,
    pub(super) value: &'a str,
}

/// Everything that is known of names in DNS.
pub(super) struct Index<'a> {
    pub(super) zones: &'a [SeenZone],
    by_id: HashMap<&'a str, &'a SeenRecord>,
    by_name: HashMap<&'a str, Vec<&'a SeenRecord>>,
    /// The file of each record that is anybody's.
    owners: HashMap<&'a str, &'a str>,
    ours_of: HashMap<(&'a str, &'a str), Vec<Ours<'a>>>,
    /// The file's own, by name.
    pub(super) ours: Vec<Ours<'a>>,
    /// The file's creates without an answer, oldest first.
    pub(super) lost: Vec<Lost<'a>>,
}

impl<'a> Index<'a> {
    pub(super) fn new(seen: &'a Inventory, file: &str) -> Index<'a> {
        let mut index = Index {
            zones: &seen.zones,
            by_id: HashMap::new(),
            by_name: HashMap::new(),
            owners: HashMap::new(),
            ours_of: HashMap::new(),
            ours: Vec::new(),
            lost: Vec::new(),
        };
        for record in seen.zones.iter().flat_map(|zone| &zone.records) {
            index.by_id.insert(record.id.as_str(), record);
            index.by_name.entry(record.name.as_str()).or_default().push(record);
        }
        // The order of lists must not decide anything.
        for records in index.by_name.values_mut() {
            records.sort_by(|one, two| one.id.cmp(&two.id));
        }
        let account = &seen.world.account;
        let records = seen.owned.iter().filter(|record| record.kind == ObjectKind::Record);
        for record in records.filter(|record| record.account == *account) {
            index.owners.insert(record.id.as_str(), record.infrastructure.as_str());
            if record.infrastructure.as_str() == file
                && let Some(dns) = record.dns.as_deref()
            {
                index.ours.push(Ours { record, dns });
            }
        }
        index
            .ours
            .sort_by(|one, two| (&one.record.name, &one.record.id).cmp(&(&two.record.name, &two.record.id)));
        for ours in &index.ours {
            let key = (ours.dns.server.as_str(), ours.dns.name.as_str());
            index.ours_of.entry(key).or_default().push(*ours);
        }
        for intent in &seen.intents {
            if let Created::Record { record, value } = &intent.wanted
                && intent.account == *account
                && intent.infrastructure.as_str() == file
                && unsettled(intent)
            {
                index.lost.push(Lost { intent, dns: record, value });
            }
        }
        index.lost.sort_by_key(|lost| lost.intent.sent_at);
        index
    }

    /// A record as seen, by its id.
    pub(super) fn get(&self, id: &ProviderId) -> Option<&'a SeenRecord> {
        self.by_id.get(id.as_str()).copied()
    }

    /// Records of a name.
    pub(super) fn named(&self, name: &str) -> &[&'a SeenRecord] {
        self.by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The file that a record belongs to.
    pub(super) fn owner(&self, id: &ProviderId) -> Option<&'a str> {
        self.owners.get(id.as_str()).copied()
    }

    /// Our records of a server's name, under the names that the server has and had.
    pub(super) fn ours_of<'s>(
        &'s self,
        server: &'s ServerName,
        was: &'s [ServerName],
        wanted: &'s HashSet<&'s str>,
        name: &'s str,
    ) -> impl Iterator<Item = Ours<'a>> + 's {
        let earlier = was.iter().filter(|old| !wanted.contains(old.as_str()));
        std::iter::once(server)
            .chain(earlier)
            .filter_map(move |server| self.ours_of.get(&(server.as_str(), name)))
            .flatten()
            .copied()
    }

    /// The record that says exactly this, whoever made it.
    pub(super) fn saying(&self, name: &str, kind: RecordType, value: &str) -> Option<&'a SeenRecord> {
        self.named(name).iter().copied().find(|seen| seen.kind == kind && seen.value == value)
    }

    /// The create without an answer that made this record, if one did; an open one before a given-up one.
    pub(super) fn made_by(&self, dns: &ServerRecord, seen: &SeenRecord) -> Option<&'a CreationIntent> {
        let made = |lost: &&Lost<'a>| {
            lost.dns.zone == dns.zone
                && lost.dns.is_of(seen)
                && lost.value == seen.value
                && !lost.intent.known_ids.contains(&seen.id)
        };
        let mut found: Vec<&Lost<'a>> = self.lost.iter().filter(made).collect();
        found.sort_by_key(|lost| lost.intent.state != IntentState::Open);
        found.first().map(|lost| lost.intent)
    }
}
