//! The inside of servers: who is reached over SSH, who gets node_exporter, and what the file's `deploy:` does.

use std::collections::BTreeMap;

use muster_model::field::Field;
use muster_model::id::StepNumber;
use muster_model::infrastructure::{DeployEntry, Hosts};
use muster_model::plan::{
    Action, FieldChange, HostAction, NoteKind, PlaybookRef, ProvisionAction, ProvisionHost, Reason, Risk,
};
use muster_model::policy::Purpose;

use crate::bundle::clean;
use crate::order::{Steps, Track, Why};
use crate::scene::Scene;
use crate::server::{Inside, ServerDecision};
use crate::why::{Says, did_you_mean, names, nearest};

/// How far node_exporter has got on one server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exporter {
    There,
    Missing,
    Failed,
}

/// Appends everything that happens inside servers.
pub(crate) fn provision(
    scene: &Scene<'_>,
    says: &mut Says,
    servers: &[ServerDecision<'_>],
    tracks: &[Track],
    steps: &mut Steps,
) {
    let deploys = scene.policy.purpose == Purpose::Deploy && has_deploy(scene);
    if deploys && scene.policy.skip_provision {
        says.note(
            NoteKind::Skipped,
            scene.file(),
            "`--skip-provision` leaves the inside of servers alone, and so everything under `deploy:`."
                .into(),
        );
    }
    let deploys = deploys && !scene.policy.skip_provision;
    let mut reached = Vec::new();
    let mut measured = Vec::new();
    let mut only_failed = true;
    for (decision, track) in servers.iter().zip(tracks) {
        let (Some(inside), Some(server)) = (&decision.inside, track.refer(decision)) else { continue };
        let exporter = exporter(scene, inside);
        let keys_missing = inside.automatic && inside.keys_missing > 0;
        if !deploys && exporter == Exporter::There && !keys_missing {
            continue;
        }
        let wanted = decision.wanted;
        let reach = HostAction::Reach {
            name: wanted.name.clone(),
            server: server.clone(),
            keys: wanted.keys.clone(),
        };
        let why = if keys_missing {
            let new = format!("{} more", inside.keys_missing);
            let change = FieldChange { field: Field::Keys, old: String::new(), new };
            Why { reason: Reason::Differs, changes: vec![change], risk: Risk::None }
        } else {
            Why::plain(Reason::NeededBy)
        };
        let after = track.last.into_iter().collect();
        let number = steps.push(after, wanted.name.as_str(), Action::Host(reach), why);
        let host = ProvisionHost {
            name: wanted.name.clone(),
            server,
            groups: wanted.groups.clone(),
            playbooks: wanted.playbooks.clone(),
        };
        if exporter != Exporter::There {
            only_failed &= exporter == Exporter::Failed;
            measured.push((number, host.clone()));
        }
        reached.push((number, host));
    }
    if !measured.is_empty() {
        let reason = if only_failed { Reason::FailedBefore } else { Reason::NotProvisioned };
        let (after, hosts) = measured.into_iter().unzip();
        steps.push(after, scene.file(), Action::Provision(node_exporter(scene, hosts)), Why::plain(reason));
    }
    if deploys {
        let hosts = reached.into_iter().map(|(_, host)| host).collect();
        deploy(scene, says, servers, hosts, steps);
    }
}

fn has_deploy(scene: &Scene<'_>) -> bool {
    !scene.wanted.deploy.is_empty() || scene.selected().any(|server| !server.playbooks.is_empty())
}

fn exporter(scene: &Scene<'_>, inside: &Inside<'_>) -> Exporter {
    if !scene.wanted.stats || !inside.automatic {
        return Exporter::There;
    }
    let recorded = inside.record.and_then(|record| record.provisioned.get(PlaybookRef::NodeExporter.key()));
    match recorded {
        Some(reached) if !reached.succeeded => Exporter::Failed,
        Some(reached) if reached.digest == scene.bundle.node_exporter => Exporter::There,
        Some(_) | None => Exporter::Missing,
    }
}

fn node_exporter(scene: &Scene<'_>, hosts: Vec<ProvisionHost>) -> ProvisionAction {
    ProvisionAction::Playbook {
        playbook: PlaybookRef::NodeExporter,
        digest: scene.bundle.node_exporter.clone(),
        hosts,
        repeatable: true,
        vars: BTreeMap::new(),
        tags: Vec::new(),
        skip_tags: Vec::new(),
    }
}

/// The inventory, then every entry of `deploy:` in the file's order, then the playbooks that an old file binds to
/// single servers. Each waits for the one before: that is what the order in the file means.
fn deploy(
    scene: &Scene<'_>,
    says: &mut Says,
    servers: &[ServerDecision<'_>],
    hosts: Vec<ProvisionHost>,
    steps: &mut Steps,
) {
    let file = scene.file();
    let left: Vec<&str> = servers
        .iter()
        .filter(|decision| decision.inside.is_none())
        .map(|decision| decision.wanted.name.as_str())
        .collect();
    if !left.is_empty() {
        says.note(
            NoteKind::Skipped,
            file,
            format!(
                "Not deployed to, because they do not run, do not run Linux, or are not ours: {}.",
                names(left.into_iter())
            ),
        );
    }
    let mut entries = Vec::new();
    for entry in &scene.wanted.deploy {
        entries.extend(entry_action(scene, says, entry, &hosts));
    }
    for (playbook, bound) in bound_playbooks(&hosts) {
        entries.extend(playbook_action(scene, says, &playbook, bound, false, &BTreeMap::new()));
    }
    if entries.is_empty() {
        return;
    }
    let inventory = Action::Provision(ProvisionAction::Inventory { hosts });
    let mut previous: StepNumber = steps.push(steps.ends(), file, inventory, Why::plain(Reason::Deploy));
    for action in entries {
        let why = Why { reason: Reason::Deploy, changes: Vec::new(), risk: Risk::Interrupts };
        previous = steps.push(vec![previous], file, Action::Provision(action), why);
    }
}

fn entry_action(
    scene: &Scene<'_>,
    says: &mut Says,
    entry: &DeployEntry,
    hosts: &[ProvisionHost],
) -> Option<ProvisionAction> {
    match entry {
        DeployEntry::Playbook(entry) => {
            let hosts = matching(&entry.hosts, hosts);
            playbook_action(scene, says, &entry.playbook, hosts, entry.repeatable, &entry.vars)
        }
        DeployEntry::Code(entry) => {
            let hosts = matching(&entry.hosts, hosts);
            let Some(digest) = scene.bundle.code_digest(&entry.from) else {
                let near = nearest(clean(&entry.from), scene.bundle.directories());
                says.refuse(
                    "code-missing",
                    scene.file(),
                    format!("`deploy:` delivers the directory {}, and the bundle holds no file below it.{} Paths are relative to the root, the directory that holds `muster.yaml`.", entry.from, did_you_mean(near)),
                );
                return None;
            };
            if hosts.is_empty() {
                skip(scene, says, &entry.from);
                return None;
            }
            let (from, to) = (entry.from.clone(), entry.to.clone());
            Some(ProvisionAction::Code { from, digest, to, hosts, keep: entry.keep })
        }
    }
}

fn playbook_action(
    scene: &Scene<'_>,
    says: &mut Says,
    playbook: &str,
    hosts: Vec<ProvisionHost>,
    repeatable: bool,
    vars: &BTreeMap<String, serde_json::Value>,
) -> Option<ProvisionAction> {
    let Some(digest) = scene.bundle.playbook_digest(playbook) else {
        let near = nearest(clean(playbook), scene.bundle.files.keys().map(String::as_str));
        says.refuse(
            "playbook-missing",
            scene.file(),
            format!("`deploy:` runs the playbook {playbook}, and the bundle does not hold it.{} Paths are relative to the root, the directory that holds `muster.yaml`.", did_you_mean(near)),
        );
        return None;
    };
    if hosts.is_empty() {
        skip(scene, says, playbook);
        return None;
    }
    let mut vars = vars.clone();
    vars.extend(scene.policy.extra_vars.iter().map(|(name, value)| (name.clone(), value.clone())));
    Some(ProvisionAction::Playbook {
        playbook: PlaybookRef::File(playbook.to_owned()),
        digest,
        hosts,
        repeatable,
        vars,
        tags: scene.policy.tags.clone(),
        skip_tags: scene.policy.skip_tags.clone(),
    })
}

fn skip(scene: &Scene<'_>, says: &mut Says, what: &str) {
    let message = format!("`deploy:` of {what} is skipped: none of its servers can be reached by this plan.");
    says.note(NoteKind::Skipped, scene.file(), message);
}

fn matching(wanted: &Hosts, hosts: &[ProvisionHost]) -> Vec<ProvisionHost> {
    let meant = |host: &&ProvisionHost| match wanted {
        Hosts::All => true,
        Hosts::Groups(groups) => {
            groups.iter().any(|group| host.groups.contains(group) || host.name.as_str() == group.as_str())
        }
    };
    hosts.iter().filter(meant).cloned().collect()
}

/// Playbooks bound to single servers, each once with its servers, in order of first mention.
fn bound_playbooks(hosts: &[ProvisionHost]) -> Vec<(String, Vec<ProvisionHost>)> {
    let mut bound: Vec<(String, Vec<ProvisionHost>)> = Vec::new();
    let mut place: BTreeMap<&str, usize> = BTreeMap::new();
    for host in hosts {
        for playbook in &host.playbooks {
            let at = *place.entry(playbook).or_insert_with(|| {
                bound.push((playbook.clone(), Vec::new()));
                bound.len() - 1
            });
            bound[at].1.push(host.clone());
        }
    }
    bound
}
