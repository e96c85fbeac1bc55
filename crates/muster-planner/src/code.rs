//! Code: which release an entry of `deploy:` means, whether it must be built first, and what delivers it.
//!
//! What a release holds is known before it is built (`muster_model::code::content_digest`), so that a plan compares
//! without building. Builds come before everything else in a plan: if one fails, no server was touched.

use std::collections::BTreeMap;

use muster_model::code::{CodeSource, content_digest, release_name};
use muster_model::diagnostic::nearest;
use muster_model::id::StepNumber;
use muster_model::infrastructure::{CodeEntry, DeployEntry};
use muster_model::plan::{Action, BuildCode, DeliverCode, ProvisionAction, ProvisionHost, Reason};

use crate::bundle::BundleFacts;
use crate::provision::{includes, spelled};
use crate::scene::Scene;
use crate::server::ServerDecision;
use crate::steps::{Steps, Why};
use crate::why::{Says, did_you_mean};

/// The release that an entry means.
pub(crate) struct Meant {
    directory: String,
    revision: Option<String>,
    digest: String,
    name: String,
    built_by: Option<StepNumber>,
}

/// The releases of the entries of `deploy:`, by their place there, and the steps that build them.
pub(crate) fn releases(
    scene: &Scene<'_>,
    says: &mut Says,
    servers: &[ServerDecision<'_>],
    steps: &mut Steps,
) -> BTreeMap<usize, Meant> {
    let mut all = BTreeMap::new();
    let mut builds: BTreeMap<String, StepNumber> = BTreeMap::new();
    for (place, entry) in scene.wanted.deploy.iter().enumerate() {
        let DeployEntry::Code(entry) = entry else { continue };
        let Some(mut meant) = meant(scene.bundle, entry) else {
            refuse(scene, says, entry);
            continue;
        };
        if let Some(build) = &entry.build
            && is_missing(servers, entry, &meant.name)
        {
            let number = builds.entry(meant.name.clone()).or_insert_with(|| {
                let action = BuildCode {
                    from: meant.directory.clone(),
                    source: entry.from.to_string(),
                    revision: meant.revision.clone(),
                    release: meant.name.clone(),
                    build: build.clone(),
                };
                let action = Action::Provision(ProvisionAction::Build(action));
                steps.push(Vec::new(), scene.file(), action, Why::plain(Reason::NeededBy))
            });
            meant.built_by = Some(*number);
        }
        all.insert(place, meant);
    }
    steps.close_first();
    all
}

/// The name of the release that an entry means; none if the bundle does not hold its source.
pub(crate) fn release_of(bundle: &BundleFacts, entry: &CodeEntry) -> Option<String> {
    meant(bundle, entry).map(|meant| meant.name)
}

fn meant(bundle: &BundleFacts, entry: &CodeEntry) -> Option<Meant> {
    let (directory, revision) = bundle.code(&entry.from)?;
    let source = bundle.code_digest(&directory)?;
    let digest = content_digest(&source, entry.build.as_ref(), &entry.shared);
    let commit = match &entry.from {
        CodeSource::Git(_) => revision.as_deref(),
        // The digest of an archive tells nothing that its content's does not.
        CodeSource::Archive(_) | CodeSource::Directory(_) => None,
    };
    let name = release_name(&digest, commit);
    Some(Meant { directory, revision, digest, name, built_by: None })
}

/// Whether some server of the entry is not known to have this release as its current one.
fn is_missing(servers: &[ServerDecision<'_>], entry: &CodeEntry, release: &str) -> bool {
    let key = format!("code:{}", entry.to);
    let hosts = servers.iter().filter_map(|decision| Some((decision.wanted, decision.inside.as_ref()?)));
    hosts.filter(|(wanted, _)| includes(&entry.hosts, &wanted.name, &wanted.groups)).any(|(_, inside)| {
        let known = inside.record.and_then(|record| record.provisioned.get(&key));
        !known.is_some_and(|known| known.succeeded && known.digest == release)
    })
}

fn refuse(scene: &Scene<'_>, says: &mut Says, entry: &CodeEntry) {
    let message = match &entry.from {
        CodeSource::Directory(from) => {
            let near = nearest(&spelled(from), scene.bundle.paths());
            format!(
                "`deploy:` delivers the directory {from}, and the bundle holds no file below it.{} Paths are relative to the root, the directory that holds `muster.yaml`.",
                did_you_mean(near)
            )
        }
        CodeSource::Git(_) | CodeSource::Archive(_) => format!(
            "`deploy:` delivers {}, and the bundle does not hold what it stands for. The command that sends the bundle exports it; one of an older version cannot.",
            entry.from
        ),
    };
    says.refuse("code-missing", scene.file(), message);
}

/// What delivers a release to these servers.
pub(crate) fn delivery(entry: &CodeEntry, meant: &Meant, hosts: Vec<ProvisionHost>) -> ProvisionAction {
    let mut action = DeliverCode {
        from: meant.directory.clone(),
        digest: meant.digest.clone(),
        to: entry.to.clone(),
        hosts,
        keep: entry.keep,
        release: String::new(),
        source: String::new(),
        revision: meant.revision.clone(),
        built_by: meant.built_by,
        needs_build: entry.build.is_some(),
        shared: entry.shared.clone(),
        health: entry.health.clone(),
        restart: entry.restart.clone(),
    };
    // Said only where it says more, so that the plans of old files keep their hashes.
    if meant.name != meant.digest {
        action.release.clone_from(&meant.name);
    }
    if entry.from.is_exported() {
        action.source = entry.from.to_string();
    }
    ProvisionAction::Code(action)
}
