//! Records that nothing wants any more: those of names and servers that left the file, and those that creates made
//! whose answer was lost. A record goes before its server, so that no name leads to a stranger's address.

use std::collections::{HashMap, HashSet};

use muster_model::id::ProviderId;
use muster_model::intent::IntentState;
use muster_model::ownership::ObjectKind;
use muster_model::plan::{Action, DeleteRecord, DnsAction, NoteKind, Reason, RecordAction, WaitingReason};
use muster_model::policy::Purpose;
use muster_model::server::{SeenServer, WantedServer};

use super::Decider;
use super::index::Ours;
use crate::surplus::{Surplus, reason};
use crate::why::Says;

impl<'a> Decider<'_, 'a> {
    pub(super) fn leaving(&mut self, says: &mut Says, deleted: &[Surplus<'a, SeenServer>]) {
        let deleted: HashSet<&ProviderId> =
            deleted.iter().filter_map(|surplus| surplus.delete).map(|server| &server.id).collect();
        let wanted = self.servers();
        for at in 0..self.index.ours.len() {
            let ours = self.index.ours[at];
            if !self.kept.contains(&ours.record.id) && self.goes(&wanted, &deleted, ours.dns.server.as_str())
            {
                self.of_record(says, ours);
            }
        }
        for at in 0..self.index.lost.len() {
            self.of_lost(says, &wanted, &deleted, at);
        }
    }

    /// The servers of the file by the names that they have and had.
    fn servers(&self) -> HashMap<&'a str, &'a WantedServer> {
        if self.scene.policy.purpose == Purpose::Destroy {
            return HashMap::new();
        }
        let all = &self.scene.wanted.servers;
        let earlier = all.iter().flat_map(|server| server.was.iter().map(move |old| (old.as_str(), server)));
        // What bears a name now comes before what bore it.
        earlier.chain(all.iter().map(|server| (server.name.as_str(), server))).collect()
    }

    /// Whether what leads to this server is this plan's business, and goes where nothing wants it.
    fn goes(
        &self,
        wanted: &HashMap<&'a str, &'a WantedServer>,
        deleted: &HashSet<&'a ProviderId>,
        server: &str,
    ) -> bool {
        if let Some(wanted) = wanted.get(server) {
            return self.scene.only.server(wanted);
        }
        // One that stays although it left the file (protected, only claimed) keeps its names.
        let mut records = self.scene.servers.ours_named(server).iter();
        let stays = records
            .any(|record| self.scene.servers.get(&record.id).is_some() && !deleted.contains(&record.id));
        self.scene.only.name(server) && !stays
    }

    fn of_record(&mut self, says: &mut Says, ours: Ours<'a>) {
        let (record, dns, file) = (ours.record, ours.dns, self.scene.file());
        let target = dns.server.to_string();
        let Some(seen) = self.index.get(&record.id) else {
            let forget = RecordAction::Forget {
                kind: ObjectKind::Record,
                name: record.name.clone(),
                id: record.id.clone(),
            };
            let target = record.name.to_string();
            return self.names.leaving.push((target, Action::Record(forget), Reason::Vanished));
        };
        if !self.scene.claim(record).may_delete() {
            return says.wait(
                WaitingReason::ClaimForbids,
                &dns.name,
                format!(
                    "It does not lead to {} any more by the file, but Muster did not make the record {} {} (id {}), it only claimed it, and so does not delete it. `muster infra disown {file} {}` gives it up; then `muster dns record delete` deletes it.",
                    dns.server, dns.kind, seen.value, record.id, dns.name
                ),
            );
        }
        let delete = DeleteRecord {
            record: dns.clone(),
            id: record.id.clone(),
            value: seen.value.clone(),
            settles: None,
        };
        self.names.leaving.push((target, Action::Dns(DnsAction::Delete(delete)), reason(self.scene)));
    }

    /// A create whose answer was lost, of a record that nothing wants as it would be now.
    fn of_lost(
        &mut self,
        says: &mut Says,
        wanted: &HashMap<&'a str, &'a WantedServer>,
        deleted: &HashSet<&'a ProviderId>,
        at: usize,
    ) {
        let lost = self.index.lost[at];
        let (intent, dns) = (lost.intent, lost.dns);
        let is_pointed = self.names.namings.iter().any(|naming| {
            naming.point.is_some() && naming.name.name == dns.name && naming.zone.id == dns.zone
        });
        if is_pointed || !self.goes(wanted, deleted, dns.server.as_str()) {
            return;
        }
        let found = self.index.saying(&dns.name, dns.kind, lost.value).filter(|seen| {
            !intent.known_ids.contains(&seen.id)
                && self.index.owner(&seen.id).is_none()
                && !self.known.contains(&seen.id)
        });
        match found {
            Some(seen) if intent.state == IntentState::GivenUp => says.note(
                NoteKind::LateDuplicate,
                &dns.name,
                format!(
                    "A create of the record {} {}, sent at {} and given up, has made one after all (id {}), and the file does not want it. Muster leaves it alone; if nobody needs it, delete it with `muster dns record delete`.",
                    dns.kind, lost.value, intent.sent_at, seen.id
                ),
            ),
            Some(seen) => {
                self.known.insert(&seen.id);
                let delete = DeleteRecord {
                    record: dns.clone(),
                    id: seen.id.clone(),
                    value: seen.value.clone(),
                    settles: Some(Box::new(intent.clone())),
                };
                let action = Action::Dns(DnsAction::Delete(delete));
                self.names.leaving.push((dns.server.to_string(), action, Reason::SettlesIntent));
            }
            None if intent.state == IntentState::Open => {
                let is_there = self.index.saying(&dns.name, dns.kind, lost.value).is_some();
                if !is_there {
                    says.note(
                        NoteKind::OpenIntent,
                        &dns.name,
                        format!(
                            "A create of the record {} {} was sent at {}, its answer was lost, and nothing of it is to be seen yet. The file does not want it any more; should it appear, the next plan deletes it.",
                            dns.kind, lost.value, intent.sent_at
                        ),
                    );
                }
            }
            None => {}
        }
    }
}
