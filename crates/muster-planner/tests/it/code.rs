//! Code: where it comes from, builds before everything else, and the way back to an earlier release.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use muster_model::bundle::Manifest;
use muster_model::code::{
    BUILD_WITHIN_S, Build, CodeSource, GitSource, ReleaseWish, SeenRelease, SeenReleases,
};
use muster_model::infrastructure::{CodeEntry, DeployEntry, Hosts};
use muster_model::plan::{Action, DeliverCode, PlanDraft, ProvisionAction, SwitchRelease};
use muster_model::policy::Purpose;
use muster_planner::BundleFacts;

use crate::world::{Setting, manifest, provisioned};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn make() -> Build {
    Build {
        command: vec!["make".into()],
        output: String::new(),
        env: BTreeMap::new(),
        within_s: BUILD_WITHIN_S,
    }
}

/// Two servers that get code from git, built.
fn deploying() -> Setting {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.policy.purpose = Purpose::Deploy;
    let git = GitSource { git: ".".into(), revision: "main".into(), path: String::new() };
    let git = CodeSource::Git(git);
    setting.bundle = BundleFacts::of(&exported(&git), "exporter-1");
    let entry = CodeEntry { build: Some(make()), ..CodeEntry::new("app", "/srv/app", Hosts::All, 3) };
    setting.file.deploy = vec![DeployEntry::Code(Box::new(CodeEntry { from: git, ..entry }))];
    setting
}

fn exported(source: &CodeSource) -> Manifest {
    manifest(&[&format!("{}/{COMMIT}/index.html", source.bundle_directory())])
}

fn delivered(draft: &PlanDraft) -> DeliverCode {
    let code = draft.steps.iter().find_map(|step| match &step.action {
        Action::Provision(ProvisionAction::Code(code)) => Some(code.clone()),
        _ => None,
    });
    code.expect("it delivers code")
}

fn builds(draft: &PlanDraft) -> usize {
    let is_build = |action: &Action| matches!(action, Action::Provision(ProvisionAction::Build(_)));
    draft.steps.iter().filter(|step| is_build(&step.action)).count()
}

/// ICT-02: the commit is in the plan and in the release's name, the build comes before every server, and everything
/// waits for it.
#[test]
fn a_build_comes_first() {
    let mut setting = deploying();
    setting.at("web-1").power_on = false;
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    let code = delivered(&draft);
    assert_eq!(code.revision.as_deref(), Some(COMMIT));
    assert!(code.release().starts_with("0123456789ab-"), "{}", code.release());
    let build = code.built_by.unwrap();
    assert_eq!(build.0, 1);
    let mut waits = vec![false; draft.steps.len() + 1];
    for step in &draft.steps[1..] {
        let after = step.after.iter().any(|before| *before == build || waits[before.0 as usize]);
        assert!(after, "step {} does not wait for the build", step.number);
        waits[step.number.0 as usize] = true;
    }
}

/// ICT-02: the same content and the same build are the same release, and what stands everywhere is not built again.
#[test]
fn what_stands_is_not_built_again() {
    let mut setting = deploying();
    let first = setting.plan();
    let release = delivered(&first).release().to_owned();
    assert_eq!(builds(&first), 1);
    for name in ["web-1", "web-2"] {
        setting.recorded(name).provisioned.insert("code:/srv/app".into(), provisioned(&release, true));
    }
    let again = setting.plan();
    assert_eq!(builds(&again), 0);
    assert_eq!((delivered(&again).release(), delivered(&again).built_by), (release.as_str(), None));
    assert!(delivered(&again).needs_build);
    // One server lost it, or never got it; another command makes another release.
    setting.recorded("web-2").provisioned.insert("code:/srv/app".into(), provisioned(&release, false));
    assert_eq!(builds(&setting.plan()), 1);
    let DeployEntry::Code(entry) = &mut setting.file.deploy[0] else { panic!("it is code") };
    entry.build = Some(Build { command: vec!["ninja".into()], ..make() });
    assert_ne!(delivered(&setting.plan()).release(), release);
}

/// Two entries with the same code build it once; without servers nothing is built.
#[test]
fn a_build_serves_all_its_entries() {
    let mut setting = deploying();
    let DeployEntry::Code(mut other) = setting.file.deploy[0].clone() else { panic!("it is code") };
    other.to = "/srv/other".into();
    setting.file.deploy.push(DeployEntry::Code(other));
    assert_eq!(builds(&setting.plan()), 1);
    setting.policy.skip_provision = true;
    assert_eq!(builds(&setting.plan()), 0);
}

/// What the client should have exported and did not is said, not delivered empty.
#[test]
fn code_that_was_not_exported_is_refused() {
    let mut setting = deploying();
    setting.bundle = BundleFacts::of(&manifest(&["index.html"]), "exporter-1");
    assert_snapshot!(setting.text());
}

fn kept(server: &str, current: &str, releases: &[(&str, u32)]) -> SeenReleases {
    let release = |(name, number): &(&str, u32)| SeenRelease {
        name: (*name).to_owned(),
        number: Some(*number),
        revision: None,
        source: None,
        at: None,
    };
    SeenReleases {
        server: server.into(),
        account: None,
        to: "/srv/app".into(),
        current: Some(current.to_owned()),
        unfinished: None,
        releases: releases.iter().map(release).collect(),
        error: None,
    }
}

fn going_back(release: &str) -> Setting {
    let mut setting = deploying();
    setting.at("web-1").size.cpu = 8;
    setting.policy.to_release = Some(ReleaseWish::read(release).unwrap());
    setting.seen.releases = vec![
        kept("web-1", "cccc", &[("cccc", 3), ("bbbb", 2), ("aaaa", 1)]),
        kept("web-2", "cccc", &[("cccc", 3), ("bbbb", 2)]),
    ];
    setting
}

fn back(draft: &PlanDraft) -> SwitchRelease {
    match draft.steps.last().map(|step| &step.action) {
        Some(Action::Provision(ProvisionAction::Release(back))) => back.clone(),
        other => panic!("it does not go back: {other:?} {:?}", draft.refusals),
    }
}

/// ICT-02: going back is a plan of its own, without differences and playbooks, by number or by name.
#[test]
fn back_to_a_release_that_is_kept() {
    let setting = going_back("2");
    assert_snapshot!(setting.text());
    for words in ["bbbb", "/srv/app=2"] {
        let back = back(&going_back(words).plan());
        assert_eq!((back.release.as_str(), back.number, back.hosts.len()), ("bbbb", Some(2), 2));
    }
    // Whoever is there already is left alone; when all are, there is nothing to do.
    let mut setting = going_back("2");
    setting.seen.releases[1].current = Some("bbbb".into());
    assert_eq!(back(&setting.plan()).hosts.len(), 1);
    setting.seen.releases[1].unfinished = Some(("bbbb".into(), Some("cccc".into())));
    assert_eq!(back(&setting.plan()).hosts.len(), 2, "nobody knows whether it is healthy");
    let setting = going_back("3");
    assert!(setting.plan().is_empty() && setting.plan().refusals.is_empty());
}

/// ICT-02: a release that is not everywhere is refused with what there is, and so is one that nobody keeps.
#[test]
fn back_to_a_release_that_is_missing() {
    let mut all = String::new();
    let mut tell = |setting: &Setting| all.push_str(&setting.text());
    tell(&going_back("1"));
    tell(&going_back("9"));
    tell(&going_back("/srv/other=2"));
    let mut unasked = going_back("2");
    unasked.seen.releases[1].error = Some("it is off".into());
    tell(&unasked);
    let mut narrowed = going_back("1");
    narrowed.policy.only.insert("web-1".into());
    assert_eq!(back(&narrowed.plan()).hosts.len(), 1);
    let mut several = going_back("2");
    several.file.deploy.push(DeployEntry::Code(Box::new(CodeEntry::new("app", "/srv/other", Hosts::All, 3))));
    tell(&several);
    several.file.deploy.clear();
    tell(&several);
    assert_snapshot!(all);
}
