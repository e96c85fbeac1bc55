//! Going back to an earlier revision: whether it deploys, which disks stay as they are, and what it does not bring back.
//!
//! The plan itself is an ordinary one, over the old file and the old bundle; here is only what is special about it.

use std::collections::{BTreeSet, HashMap, HashSet};

use muster_model::id::{ProviderId, RevisionNumber, ServerName};
use muster_model::infrastructure::{DeployEntry, Infrastructure};
use muster_model::inventory::Inventory;
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::{
    Action, NetworkAction, Note, NoteKind, PlanDraft, PublicNetworkAction, Reason, ServerAction,
};
use muster_model::policy::Purpose;
use muster_model::revision::Applied;
use muster_model::server::SeenServer;

use crate::bundle::BundleFacts;

/// What is Muster's own inside servers, whatever the file deploys.
const BUILT_IN: &str = "builtin:";

/// A revision with what it was decided from.
#[derive(Clone, Copy, Debug)]
pub struct Then<'a> {
    /// Its number.
    pub number: RevisionNumber,
    /// What it was for.
    pub purpose: Purpose,
    /// What its file wanted.
    pub wanted: &'a Infrastructure,
    /// The files of its bundle.
    pub bundle: &'a BundleFacts,
    /// Which of them are documents of Muster.
    pub documents: &'a BTreeSet<String>,
    /// What it left behind; none if it did not end well.
    pub applied: Option<&'a Applied>,
}

/// Whether going back to a revision also deploys, and why or why not, in words.
///
/// `wish` is what the person said. Unsaid, it deploys if the servers had been deployed to by then, have something else
/// now, and this revision's files are what had been deployed. `deployed` is the newest revision up to that one that
/// deployed and ended well; `now` are the file's records.
pub fn redeploy(
    wish: Option<bool>,
    then: &Then<'_>,
    deployed: Option<&Then<'_>>,
    now: &[Ownership],
) -> (Purpose, Option<String>) {
    let number = then.number;
    let has_deploy = !then.wanted.deploy.is_empty()
        || then.wanted.servers.iter().any(|server| !server.playbooks.is_empty());
    let stays = "Code and playbooks on the servers stay as they are";
    if !has_deploy {
        let later = now.iter().any(|record| record.provisioned.keys().any(|key| is_of_deploy(key)));
        return (Purpose::Update, later.then(|| format!("{stays}: revision {number} deploys nothing.")));
    }
    match wish {
        Some(true) => {
            return (Purpose::Deploy, Some(format!("It deploys the files of revision {number}, as asked.")));
        }
        Some(false) => return (Purpose::Update, Some(format!("{stays}, as asked."))),
        None => {}
    }
    let Some(applied) = then.applied else {
        return match then.purpose {
            Purpose::Deploy => (Purpose::Deploy, Some(format!("It deploys, as revision {number} did."))),
            Purpose::Update | Purpose::Destroy | Purpose::Adopt | Purpose::Disown => {
                (Purpose::Update, Some(format!("{stays}: revision {number} did not deploy.")))
            }
        };
    };
    let was_deployed_to =
        applied.servers.iter().any(|server| server.provisioned.keys().any(|key| is_of_deploy(key)));
    if !was_deployed_to {
        let later = now.iter().any(|record| record.provisioned.keys().any(|key| is_of_deploy(key)));
        let why =
            format!("{stays}: by revision {number} nothing had been deployed. `--deploy` deploys its files.");
        return (Purpose::Update, later.then_some(why));
    }
    let is_material = deployed.is_some_and(|earlier| same_material(then, earlier));
    if has_the_same(then, applied, is_material, now) {
        return (Purpose::Update, None);
    }
    if then.purpose == Purpose::Deploy {
        return (Purpose::Deploy, Some(format!("It deploys, as revision {number} did.")));
    }
    match deployed {
        Some(earlier) if is_material => (
            Purpose::Deploy,
            Some(format!(
                "It deploys what revision {} had deployed: revision {number} was an update with the same files.",
                earlier.number
            )),
        ),
        Some(earlier) => (
            Purpose::Update,
            Some(format!(
                "{stays}: what they had in revision {number} came with the files of revision {}, and these are \
                 others. Go back to that one (`--to {}`), or deploy the files of revision {number} with `--deploy`.",
                earlier.number, earlier.number
            )),
        ),
        None => (
            Purpose::Update,
            Some(format!(
                "{stays}: which revision had deployed what they had in revision {number} is not known any more. \
                 `--deploy` deploys the files of revision {number}."
            )),
        ),
    }
}

fn is_of_deploy(key: &str) -> bool {
    !key.starts_with(BUILT_IN)
}

/// Whether every server that revision had deployed to has the same today; where its files are what had been deployed,
/// what deploying them records is the same too.
fn has_the_same(then: &Then<'_>, applied: &Applied, is_material: bool, now: &[Ownership]) -> bool {
    let records: HashMap<&ServerName, &Ownership> = now
        .iter()
        .filter(|record| record.kind == ObjectKind::Server)
        .map(|record| (&record.name, record))
        .collect();
    let wanted: HashSet<&ServerName> = then.wanted.servers.iter().map(|server| &server.name).collect();
    applied.servers.iter().filter(|server| wanted.contains(&server.name)).all(|server| {
        let now = records.get(&server.name).map(|record| &record.provisioned);
        server.provisioned.iter().filter(|(key, _)| is_of_deploy(key)).all(|(key, reached)| {
            let has = now.and_then(|now| now.get(key)).filter(|has| has.succeeded);
            has.is_some_and(|has| {
                has.digest == reached.digest
                    || is_material && digest_of(then, key).is_some_and(|digest| digest == has.digest)
            })
        })
    })
}

/// What deploying this revision's files would record under a key.
fn digest_of(then: &Then<'_>, key: &str) -> Option<String> {
    let Some(to) = key.strip_prefix("code:") else { return then.bundle.playbook_digest(key) };
    then.wanted.deploy.iter().find_map(|entry| match entry {
        DeployEntry::Code(code) if code.to == to => crate::code::release_of(then.bundle, code),
        DeployEntry::Code(_) | DeployEntry::Playbook(_) => None,
    })
}

/// Whether two revisions would deploy the same: the same entries over the same files, documents apart.
fn same_material(one: &Then<'_>, other: &Then<'_>) -> bool {
    let files = |then: &Then<'_>| -> Vec<(String, String)> {
        let files = then.bundle.files.iter().filter(|(path, _)| !then.documents.contains(*path));
        files.map(|(path, content)| (path.clone(), content.clone())).collect()
    };
    one.wanted.deploy == other.wanted.deploy && files(one) == files(other)
}

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
