//! Going back to an earlier revision: which disks stay as they are, and what it does not bring back. Whether it deploys
//! is decided in `redeploy.rs`.
//!
//! The plan itself is an ordinary one, over the old file and the old bundle; here is only what is special about it.

use std::collections::{HashMap, HashSet};

use muster_model::id::{ProviderId, RevisionNumber, ServerName};
use muster_model::infrastructure::Infrastructure;
use muster_model::inventory::Inventory;
use muster_model::ownership::ObjectKind;
use muster_model::plan::{
    Action, NetworkAction, Note, NoteKind, PlanDraft, PublicNetworkAction, Reason, ServerAction,
};
use muster_model::revision::Applied;
use muster_model::server::SeenServer;

/// A disk that stays larger than its revision had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptDisk {
    /// The server.
    pub server: ServerName,
    /// What the revision had, in the provider's GB.
    pub then_gb: u32,
    /// What it has and keeps, in the provider's GB.
    pub now_gb: u32,
}

/// Disks of standing servers that are larger than wanted, and cannot shrink.
fn larger_disks(wanted: &Infrastructure, seen: &Inventory) -> Vec<KeptDisk> {
    let servers: HashMap<&ProviderId, &SeenServer> =
        seen.world.servers.iter().map(|server| (&server.id, server)).collect();
    let standing: HashMap<&ServerName, &SeenServer> = seen
        .records(ObjectKind::Server, &wanted.name)
        .filter_map(|record| Some((&record.name, *servers.get(&record.id)?)))
        .collect();
    let larger = wanted.servers.iter().filter_map(|server| {
        let mut names = std::iter::once(&server.name).chain(&server.was);
        let now_gb = names.find_map(|name| standing.get(name))?.size.disk_gb;
        let then_gb = server.size.disk_gb;
        (now_gb > then_gb).then(|| KeptDisk { server: server.name.clone(), then_gb, now_gb })
    });
    larger.collect()
}

/// A server that was renamed since is the same server: it gets its name back, instead of being deleted and made anew.
pub fn take_names_back(wanted: &mut Infrastructure, applied: &Applied, seen: &Inventory) {
    let then: HashMap<&ServerName, &ProviderId> =
        applied.servers.iter().map(|server| (&server.name, &server.id)).collect();
    let now: HashMap<&ProviderId, &ServerName> =
        seen.records(ObjectKind::Server, &wanted.name).map(|record| (&record.id, &record.name)).collect();
    let names: HashSet<ServerName> = wanted.servers.iter().map(|server| server.name.clone()).collect();
    for server in &mut wanted.servers {
        let Some(name) = then.get(&server.name).and_then(|id| now.get(*id)) else { continue };
        // A name that this revision wants too is another of its servers.
        if !names.contains(*name) && !server.was.contains(*name) {
            server.was.push((*name).clone());
        }
    }
}

/// A server that has the disk of then is wanted with it: it may have been larger than the file said already then.
pub fn take_disks_of_then(wanted: &mut Infrastructure, applied: &Applied, seen: &Inventory) {
    let stands: HashSet<&ProviderId> = seen.world.servers.iter().map(|server| &server.id).collect();
    let ours: HashSet<&ProviderId> =
        seen.records(ObjectKind::Server, &wanted.name).map(|record| &record.id).collect();
    let then: HashMap<&ServerName, u32> = applied
        .servers
        .iter()
        .filter(|server| stands.contains(&server.id) && ours.contains(&server.id))
        .filter_map(|server| Some((&server.name, server.size.as_ref()?.disk_gb)))
        .collect();
    for server in &mut wanted.servers {
        if let Some(disk_gb) = then.get(&server.name) {
            server.size.disk_gb = server.size.disk_gb.max(*disk_gb);
        }
    }
}

/// Leaves disks that are larger than wanted as they are, because no disk can shrink; gives them.
pub fn keep_larger_disks(wanted: &mut Infrastructure, seen: &Inventory) -> Vec<KeptDisk> {
    let larger = larger_disks(wanted, seen);
    let sizes: HashMap<&ServerName, u32> = larger.iter().map(|disk| (&disk.server, disk.now_gb)).collect();
    for server in &mut wanted.servers {
        if let Some(now_gb) = sizes.get(&server.name) {
            server.size.disk_gb = *now_gb;
        }
    }
    larger
}

/// The revision that a plan goes back to.
#[derive(Clone, Copy, Debug)]
pub struct Back<'a> {
    /// Its number.
    pub number: RevisionNumber,
    /// What it left behind; none if it did not end well.
    pub applied: Option<&'a Applied>,
    /// Disks that stay larger.
    pub kept: &'a [KeptDisk],
}

/// What carrying this plan out does not bring back, and what it loses: one note a server or network.
pub fn not_restored(
    back: &Back<'_>,
    wanted: &Infrastructure,
    seen: &Inventory,
    draft: &PlanDraft,
) -> Vec<Note> {
    let number = back.number;
    let mut notes = Vec::new();
    let mut note = |target: &str, message: String| {
        notes.push(Note { target: target.to_owned(), kind: NoteKind::NotRestored, message });
    };
    let mut made: HashSet<&ServerName> = HashSet::new();
    let had: HashMap<&ServerName, &ProviderId> = back
        .applied
        .map(|applied| applied.servers.iter().map(|server| (&server.name, &server.id)).collect())
        .unwrap_or_default();
    for step in &draft.steps {
        match &step.action {
            Action::Server(ServerAction::Create(create)) => {
                made.insert(&create.name);
                let then = had.get(&create.name);
                let lost = match (&step.reason, then) {
                    (Reason::MustReplace { .. }, _) => {
                        "It is deleted and made anew: what is on its disk now is lost, and it gets a new id and new addresses."
                            .to_owned()
                    }
                    (_, Some(then)) => format!(
                        "The server of revision {number} (id {}) is gone, with its disk. It comes back empty: a new disk, a new id, new addresses.",
                        then
                    ),
                    (_, None) => "It comes back empty: a new disk, a new id, new addresses.".to_owned(),
                };
                note(create.name.as_str(), lost);
            }
            Action::Server(ServerAction::Delete(delete)) if !delete.replaced => note(
                delete.name.as_str(),
                format!(
                    "Revision {number} did not have it (id {}): it is deleted with its disk, and no rollback brings that disk back.",
                    delete.server
                ),
            ),
            Action::Network(NetworkAction::Create { name, .. }) => {
                note(
                    name.as_str(),
                    "The network is made anew: servers get other addresses in it.".to_owned(),
                );
            }
            Action::Network(NetworkAction::Public(PublicNetworkAction::Create { name, .. })) => {
                note(name.as_str(), "The public network is made anew: it has other addresses.".to_owned());
            }
            Action::Server(_)
            | Action::Network(_)
            | Action::Key(_)
            | Action::Object(_)
            | Action::Dns(_)
            | Action::Record(_)
            | Action::Host(_)
            | Action::Provision(_) => {}
        }
    }
    let now: HashMap<&ServerName, &ProviderId> =
        seen.records(ObjectKind::Server, &wanted.name).map(|record| (&record.name, &record.id)).collect();
    for then in back.applied.map(|applied| applied.servers.as_slice()).unwrap_or_default() {
        let Some(id) = now.get(&then.name).filter(|id| ***id != then.id && !made.contains(&then.name)) else {
            continue;
        };
        note(
            then.name.as_str(),
            format!(
                "It is another server since revision {number} (id {} then, {id} now): what was on the disk of {} is lost.",
                then.id, then.id
            ),
        );
    }
    for disk in back.kept {
        note(
            disk.server.as_str(),
            format!(
                "Its disk stays at {} GB; it had {} GB in revision {number}, and a disk cannot shrink.",
                disk.now_gb, disk.then_gb
            ),
        );
    }
    for disk in larger_disks(wanted, seen).iter().filter(|disk| !made.contains(&disk.server)) {
        note(
            disk.server.as_str(),
            format!(
                "Its disk has {} GB, had {} GB in revision {number}, and cannot shrink: `--keep-disks` leaves it at {} GB and takes the rest back.",
                disk.now_gb, disk.then_gb, disk.now_gb
            ),
        );
    }
    notes
}
