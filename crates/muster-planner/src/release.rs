//! Going back to a release that the servers keep: a plan of its own, without differences and without playbooks.

use std::collections::BTreeSet;

use muster_model::code::{ReleaseWish, SeenRelease, SeenReleases, short};
use muster_model::infrastructure::{CodeEntry, DeployEntry};
use muster_model::plan::{
    Action, HostAction, NoteKind, ObjectRef, ProvisionAction, ProvisionHost, Reason, Risk, SwitchRelease,
};

use crate::provision::includes;
use crate::scene::Scene;
use crate::steps::{Steps, Why};
use crate::why::{NAMES_SHOWN_MAX, Says, names};

/// Appends the steps, or says why there are none.
pub(crate) fn release(scene: &Scene<'_>, says: &mut Says, wish: &ReleaseWish, steps: &mut Steps) {
    let Some(entry) = entry(scene, says, wish) else { return };
    let seen: Vec<&SeenReleases> = scene.seen.releases.iter().filter(|seen| seen.to == entry.to).collect();
    let hosts: Vec<ProvisionHost> = hosts(scene, entry);
    if hosts.is_empty() {
        says.refuse(
            "release-nowhere",
            scene.file(),
            format!("No server that this plan is about has releases in {}.", entry.to),
        );
        return;
    }
    let at = |host: &ProvisionHost| seen.iter().copied().find(|seen| seen.server == host.name);
    let Some(release) = found(scene, says, wish, entry, &hosts, &seen) else { return };
    let mut lacking = Vec::new();
    let mut back = Vec::new();
    for host in hosts {
        match at(&host) {
            Some(seen) if seen.error.is_none() && seen.named(&release.name).is_some() => {
                let stands = seen.current.as_ref() == Some(&release.name) && seen.unfinished.is_none();
                if !stands {
                    back.push(host);
                }
            }
            seen => {
                let nothing = || format!("{} could not be asked", host.name);
                lacking.push(seen.map_or_else(nothing, SeenReleases::words));
            }
        }
    }
    if !lacking.is_empty() {
        says.refuse(
            "release-missing",
            scene.file(),
            format!(
                "Release {} is not on every server: {}. Choose one that all of them keep, or narrow with `--only`.",
                short(&release.name),
                listed(&lacking)
            ),
        );
        return;
    }
    if back.is_empty() {
        let message = format!("Release {} is the current one on every server.", short(&release.name));
        says.note(NoteKind::Skipped, scene.file(), message);
        return;
    }
    let reached = back.iter().map(|host| {
        let (name, server) = (host.name.clone(), host.server.clone());
        let action = Action::Host(HostAction::Reach { name, server, keys: Vec::new() });
        steps.push(Vec::new(), host.name.as_str(), action, Why::plain(Reason::NeededBy))
    });
    let reached = reached.collect();
    let action = SwitchRelease {
        to: entry.to.clone(),
        release: release.name.clone(),
        number: release.number,
        hosts: back,
        keep: entry.keep,
        health: entry.health.clone(),
        restart: entry.restart.clone(),
    };
    let why = Why { reason: Reason::Asked, changes: Vec::new(), risk: Risk::Interrupts };
    steps.push(reached, scene.file(), Action::Provision(ProvisionAction::Release(action)), why);
}

/// The entry that is meant: the only one, or the one with the directory that was named.
fn entry<'a>(scene: &Scene<'a>, says: &mut Says, wish: &ReleaseWish) -> Option<&'a CodeEntry> {
    let mut entries = scene.wanted.deploy.iter().filter_map(|entry| match entry {
        DeployEntry::Code(entry) => Some(entry.as_ref()),
        DeployEntry::Playbook(_) => None,
    });
    let all: BTreeSet<&str> = entries.clone().map(|entry| entry.to.as_str()).collect();
    let message = match (&wish.to, all.len()) {
        (_, 0) => "The file delivers no code: `deploy:` has no entry with `code:`.".to_owned(),
        (None, 1) => return entries.next(),
        (None, _) => format!(
            "The file delivers code to several directories; say which is meant, as in `--to-release {}={}`: {}.",
            all.first().copied().unwrap_or_default(),
            wish.release,
            names(all.iter().copied())
        ),
        (Some(to), _) => match entries.find(|entry| entry.to == *to) {
            Some(entry) => return Some(entry),
            None => format!("The file delivers no code to {to}, only to {}.", names(all.iter().copied())),
        },
    };
    says.refuse("release-of-what", scene.file(), message);
    None
}

/// The servers of the entry that are ours and there.
fn hosts(scene: &Scene<'_>, entry: &CodeEntry) -> Vec<ProvisionHost> {
    let wanted = scene.selected().filter(|server| includes(&entry.hosts, &server.name, &server.groups));
    let host = |server: &muster_model::server::WantedServer| {
        let record = scene.servers.ours_named(server.name.as_str()).iter().find(|record| {
            // A record alone is of a server that is gone.
            scene.servers.get(&record.id).is_some()
        })?;
        Some(ProvisionHost {
            name: server.name.clone(),
            server: ObjectRef::Seen(record.id.clone()),
            groups: server.groups.clone(),
            playbooks: server.playbooks.clone(),
        })
    };
    wanted.filter_map(host).collect()
}

/// The one release that is meant, wherever it is kept.
fn found<'a>(
    scene: &Scene<'_>,
    says: &mut Says,
    wish: &ReleaseWish,
    entry: &CodeEntry,
    hosts: &[ProvisionHost],
    seen: &[&'a SeenReleases],
) -> Option<&'a SeenRelease> {
    let ours = |seen: &&&SeenReleases| hosts.iter().any(|host| host.name == seen.server);
    let ours: Vec<&SeenReleases> = seen.iter().filter(ours).copied().collect();
    let mut meant: Vec<&SeenRelease> =
        ours.iter().flat_map(|seen| &seen.releases).filter(|release| wish.means(release)).collect();
    meant.sort_by(|one, two| one.name.cmp(&two.name));
    meant.dedup_by(|one, two| one.name == two.name);
    let message = match meant[..] {
        [one] => return Some(one),
        [] => {
            let kept: Vec<String> = ours.iter().map(|seen| seen.words()).collect();
            format!("No server keeps a release {} in {}: {}.", wish.release, entry.to, listed(&kept))
        }
        _ => format!(
            "{} could be any of these releases: {}.",
            wish.release,
            names(meant.iter().map(|release| release.name.as_str()))
        ),
    };
    says.refuse("release-unknown", scene.file(), message);
    None
}

/// What each server keeps, a part of the sentence each.
fn listed(kept: &[String]) -> String {
    let shown = kept.iter().take(NAMES_SHOWN_MAX).cloned().collect::<Vec<_>>().join("; ");
    match kept.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}
