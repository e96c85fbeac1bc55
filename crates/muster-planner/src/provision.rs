//! The inside of servers: who is reached over SSH, who gets node_exporter, and what the file's `deploy:` does.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use muster_model::diagnostic::nearest;
use muster_model::document::path;
use muster_model::field::Field;
use muster_model::id::{GroupName, ServerName, StepNumber};
use muster_model::infrastructure::{DeployEntry, Hosts};
use muster_model::plan::{
    Action, FieldChange, HostAction, NoteKind, PlaybookRef, ProvisionAction, ProvisionHost, Reason, Risk,
};
use muster_model::policy::Purpose;
use muster_model::server::WantedServer;

use crate::code::{self, Meant};
use crate::interface::{self, Members};
use crate::scene::{NetworkPlaces, Scene};
use crate::server::{Inside, ServerDecision};
use crate::steps::{Steps, Track, Why};
use crate::why::{Says, did_you_mean, names};

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
    places: &NetworkPlaces<'_>,
    says: &mut Says,
    servers: &[ServerDecision<'_>],
    tracks: &[Track],
    releases: &BTreeMap<usize, Meant>,
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
    let hosts: Vec<Option<ProvisionHost>> =
        servers.iter().zip(tracks).map(|(decision, track)| host(decision, track)).collect();
    let running: Vec<ProvisionHost> = hosts.iter().flatten().cloned().collect();
    let entries = if deploys { deploy_entries(scene, says, servers, releases, &running) } else { Vec::new() };
    let targets: HashSet<&str> = entries.iter().flat_map(host_names).collect();
    let mut measured = Vec::new();
    let mut only_failed = true;
    let mut members = Members::default();
    for ((decision, track), host) in servers.iter().zip(tracks).zip(hosts) {
        let (Some(inside), Some(host)) = (&decision.inside, host) else { continue };
        let exporter = exporter(scene, inside);
        let keys_missing = inside.automatic && inside.keys_missing > 0;
        let links = interface::links(scene, places, decision, track, inside);
        let configured = links.iter().all(|link| link.configure.is_none());
        if exporter == Exporter::There && !keys_missing && configured && !targets.contains(host.name.as_str())
        {
            members.add(&host, links);
            continue;
        }
        let number = reach(steps, decision, track, &host, keys_missing.then_some(inside.keys_missing));
        let number = interface::configure(steps, decision, &host, &links, number);
        members.add(&host, links);
        if exporter != Exporter::There {
            only_failed &= exporter == Exporter::Failed;
            measured.push((number, host));
        }
    }
    if !measured.is_empty() {
        let reason = if only_failed { Reason::FailedBefore } else { Reason::NotProvisioned };
        let (after, hosts) = measured.into_iter().unzip();
        steps.push(after, scene.file(), Action::Provision(node_exporter(scene, hosts)), Why::plain(reason));
    }
    if !entries.is_empty() {
        deployment(scene, running, entries, steps);
    }
    members.check(steps);
}

/// After every end: differences first, all of them, then the deployment.
fn deployment(
    scene: &Scene<'_>,
    hosts: Vec<ProvisionHost>,
    entries: Vec<ProvisionAction>,
    steps: &mut Steps,
) {
    let inventory = Action::Provision(ProvisionAction::Inventory { hosts });
    let mut previous: StepNumber =
        steps.push(steps.ends(), scene.file(), inventory, Why::plain(Reason::Deploy));
    for action in entries {
        let why = Why { reason: Reason::Deploy, changes: Vec::new(), risk: Risk::Interrupts };
        previous = steps.push(vec![previous], scene.file(), Action::Provision(action), why);
    }
}

/// A server of the file as a host, if its inside may be provisioned.
fn host(decision: &ServerDecision<'_>, track: &Track) -> Option<ProvisionHost> {
    decision.inside.as_ref()?;
    let wanted = decision.wanted;
    Some(ProvisionHost {
        name: wanted.name.clone(),
        server: track.refer(decision)?,
        groups: wanted.groups.clone(),
        playbooks: wanted.playbooks.clone(),
    })
}

fn host_names(action: &ProvisionAction) -> impl Iterator<Item = &str> {
    action.hosts().iter().map(|host| host.name.as_str())
}

fn reach(
    steps: &mut Steps,
    decision: &ServerDecision<'_>,
    track: &Track,
    host: &ProvisionHost,
    keys_missing: Option<usize>,
) -> StepNumber {
    let keys = decision.wanted.keys.clone();
    let action = HostAction::Reach { name: host.name.clone(), server: host.server.clone(), keys };
    let why = match keys_missing {
        Some(count) => {
            let change = FieldChange { field: Field::Keys, old: String::new(), new: format!("{count} more") };
            Why { reason: Reason::Differs, changes: vec![change], risk: Risk::None }
        }
        None => Why::plain(Reason::NeededBy),
    };
    steps.push(track.last.into_iter().collect(), host.name.as_str(), Action::Host(action), why)
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

/// Every entry of `deploy:` in the file's order, then the playbooks that an old file binds to single servers.
/// Each will wait for the one before: that is what the order in the file means.
fn deploy_entries(
    scene: &Scene<'_>,
    says: &mut Says,
    servers: &[ServerDecision<'_>],
    releases: &BTreeMap<usize, Meant>,
    hosts: &[ProvisionHost],
) -> Vec<ProvisionAction> {
    let meant = |server: &WantedServer| {
        !server.playbooks.is_empty()
            || scene.wanted.deploy.iter().any(|entry| match entry {
                DeployEntry::Playbook(entry) => includes(&entry.hosts, &server.name, &server.groups),
                DeployEntry::Code(entry) => includes(&entry.hosts, &server.name, &server.groups),
            })
    };
    let left: Vec<&str> = servers
        .iter()
        .filter(|decision| decision.inside.is_none() && meant(decision.wanted))
        .map(|decision| decision.wanted.name.as_str())
        .collect();
    if !left.is_empty() {
        let message = format!(
            "Not deployed to, because they do not run, do not run Linux, or are not ours: {}.",
            names(left.into_iter())
        );
        says.note(NoteKind::Skipped, scene.file(), message);
    }
    let mut entries = Vec::new();
    for (place, entry) in scene.wanted.deploy.iter().enumerate() {
        entries.extend(entry_action(scene, says, entry, releases.get(&place), hosts));
    }
    for (playbook, bound) in bound_playbooks(hosts) {
        entries.extend(playbook_action(scene, says, &playbook, bound, false, &BTreeMap::new()));
    }
    entries
}

fn entry_action(
    scene: &Scene<'_>,
    says: &mut Says,
    entry: &DeployEntry,
    meant: Option<&Meant>,
    hosts: &[ProvisionHost],
) -> Option<ProvisionAction> {
    match entry {
        DeployEntry::Playbook(entry) => {
            let hosts = matching(&entry.hosts, hosts);
            playbook_action(scene, says, &entry.playbook, hosts, entry.repeatable, &entry.vars)
        }
        DeployEntry::Code(entry) => {
            let hosts = matching(&entry.hosts, hosts);
            // Without one it was refused already.
            let meant = meant?;
            if hosts.is_empty() {
                skip(scene, says, &entry.from.to_string());
                return None;
            }
            Some(code::delivery(entry, meant, hosts))
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
        let near = nearest(&spelled(playbook), scene.bundle.paths());
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

/// A path as the bundle spells it, as far as it can be spelled.
pub(crate) fn spelled(written: &str) -> String {
    path::normal(written).unwrap_or_else(|_| written.to_owned())
}

fn skip(scene: &Scene<'_>, says: &mut Says, what: &str) {
    let message = format!("`deploy:` of {what} is skipped: none of its servers can be reached by this plan.");
    says.note(NoteKind::Skipped, scene.file(), message);
}

fn matching(wanted: &Hosts, hosts: &[ProvisionHost]) -> Vec<ProvisionHost> {
    hosts.iter().filter(|host| includes(wanted, &host.name, &host.groups)).cloned().collect()
}

/// Whether an entry is for this server.
pub(crate) fn includes(hosts: &Hosts, name: &ServerName, groups: &BTreeSet<GroupName>) -> bool {
    match hosts {
        Hosts::All => true,
        Hosts::Groups(wanted) => {
            wanted.iter().any(|group| groups.contains(group) || name.as_str() == group.as_str())
        }
    }
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
