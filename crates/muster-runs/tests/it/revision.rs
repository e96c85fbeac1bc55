//! Revisions through the engine: made with each application, compared, gone back to.

use std::collections::BTreeMap;

use bytes::Bytes;
use muster_model::Secret;
use muster_model::bundle::{Manifest, ManifestFile, sha256_hex};
use muster_model::code::ReleaseWish;
use muster_model::id::{PlanId, RevisionNumber};
use muster_model::plan::NoteKind;
use muster_model::policy::{Policy, Purpose};
use muster_model::rights::{Authority, Role};
use muster_model::run::RunState;
use muster_runs::reads::{PlanState, PlanView};
use muster_runs::revision::{Other, Revision, RevisionView, TextDifference};
use muster_runs::{Engine, EngineError, Proposal, RollBack};

use crate::process::*;

const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
stats: false
servers:
  web: { count: 3, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd }
";

fn back() -> RollBack {
    RollBack {
        space: "default".into(),
        infrastructure: "shop".into(),
        account: None,
        to: None,
        deploy: None,
        keep_disks: false,
        env: BTreeMap::new(),
        policy: Policy { allow_deletes: Some(10), ..outside_only() },
        idempotency_key: None,
    }
}

fn to(number: u32) -> RollBack {
    RollBack { to: Some(RevisionNumber(number)), ..back() }
}

async fn applied(engine: &Engine, text: &str) {
    let policy = Policy { allow_deletes: Some(10), ..outside_only() };
    let run = update(engine, text, policy).await.unwrap().1.expect("something to do");
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
}

async fn planned(engine: &Engine, wish: RollBack) -> Result<PlanView, EngineError> {
    let plan = engine.roll_back(&me(), wish).await?;
    engine.planned(plan).await
}

/// Goes back, to the end; the number of steps.
async fn gone_back(engine: &Engine, wish: RollBack) -> usize {
    let view = planned(engine, wish).await.unwrap();
    assert_eq!(
        view.state,
        PlanState::Ready,
        "{:?} {:?}",
        view.message,
        view.plan.map(|plan| plan.draft.refusals)
    );
    let steps = view.plan.map_or(0, |plan| plan.draft.steps.len());
    if steps > 0 {
        let run = engine.approve(&me(), view.id, None).await.unwrap();
        let run = ended(engine, run).await;
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
    }
    steps
}

async fn history(engine: &Engine) -> Vec<Revision> {
    engine.reads().revisions(&"default".into(), &"shop".into(), None, None, 100).await.unwrap()
}

async fn one(engine: &Engine, number: u32) -> RevisionView {
    engine.reads().revision(&"default".into(), &"shop".into(), None, RevisionNumber(number)).await.unwrap()
}

fn lost(view: &PlanView) -> Vec<String> {
    let notes = &view.plan.as_ref().unwrap().draft.notes;
    notes.iter().filter(|note| note.kind == NoteKind::NotRestored).map(|note| note.target.clone()).collect()
}

fn message(error: EngineError) -> String {
    error.to_string()
}

/// ICT-37, ICT-69: each application is a revision; going back makes the servers as they were, and is a revision itself.
/// What was deleted meanwhile is named before; a second time there is nothing to do.
#[test]
fn going_back_makes_what_was() {
    let stage = Stage::new(11);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        assert!(matches!(engine.roll_back(&me(), back()).await, Err(EngineError::NotFound(_))), "no history");
        applied(&engine, SHOP).await;
        assert!(
            matches!(engine.roll_back(&me(), back()).await, Err(EngineError::Refused(_))),
            "nothing before"
        );
        applied(&engine, &SHOP.replace("cpu: 1", "cpu: 2")).await;
        applied(&engine, &SHOP.replace("cpu: 1", "cpu: 2").replace("count: 3", "count: 2")).await;

        let first = one(&engine, 1).await.applied.unwrap();
        assert_eq!(
            first.servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>(),
            ["web-1", "web-2", "web-3"]
        );
        assert!(first.servers.iter().all(|server| server.size.as_ref().unwrap().cpu == 1));
        let third = one(&engine, 3).await.applied.unwrap();
        assert_eq!(third.servers.len(), 2);
        assert!(third.servers.iter().all(|server| server.size.as_ref().unwrap().cpu == 2));

        let view = planned(&engine, to(1)).await.unwrap();
        assert_eq!(view.back_to, Some(RevisionNumber(1)));
        assert_eq!(lost(&view), ["web-3"], "its disk is gone");
        let notes = &view.plan.as_ref().unwrap().draft.notes;
        assert_eq!(notes[0].kind, NoteKind::Rollback);
        assert!(notes[0].message.contains("revision 1") && notes[0].message.contains("tester"), "{notes:?}");

        assert!(gone_back(&engine, to(1)).await > 0);
        let fourth = one(&engine, 4).await;
        assert_eq!(fourth.revision.approved.back_to, Some(RevisionNumber(1)));
        let again = fourth.applied.unwrap();
        for (server, was) in again.servers.iter().zip(&first.servers) {
            assert_eq!((&server.name, &server.size, &server.image), (&was.name, &was.size, &was.image));
            assert_eq!(server.id == was.id, server.name.as_str() != "web-3", "web-3 is another server");
        }
        assert_eq!(gone_back(&engine, to(1)).await, 0, "nothing is left to do");
        let numbers: Vec<u32> = history(&engine).await.iter().map(|revision| revision.number.0).collect();
        assert_eq!(numbers, [4, 3, 2, 1]);
        // Unsaid, back is the last good one before the current one.
        let view = planned(&engine, back()).await.unwrap();
        assert_eq!(view.back_to, Some(RevisionNumber(3)));
    });
    lived.result.unwrap();
    assert_eq!(stage.picture().len(), 3);
}

/// ICT-37: a disk that has grown cannot shrink: the plan says the sizes, and `--keep-disks` takes the rest back.
#[test]
fn a_disk_that_has_grown_is_said_and_can_stay() {
    let stage = Stage::new(12);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        applied(&engine, SHOP).await;
        applied(&engine, &SHOP.replace("20 GiB", "40 GiB").replace("cpu: 1", "cpu: 2")).await;
        let view = planned(&engine, to(1)).await.unwrap();
        assert_eq!(view.state, PlanState::Refused);
        assert_eq!(lost(&view), ["web-1", "web-2", "web-3"]);
        let keep = RollBack { keep_disks: true, ..to(1) };
        assert!(gone_back(&engine, keep.clone()).await > 0);
        let third = one(&engine, 3).await.applied.unwrap();
        let sizes: Vec<(u32, u32)> = third
            .servers
            .iter()
            .map(|server| server.size.as_ref().map(|size| (size.cpu, size.disk_gb)).unwrap())
            .collect();
        assert_eq!(sizes, [(1, 40); 3]);
        assert_eq!(gone_back(&engine, keep).await, 0);
        // That revision had larger disks than its file says: going back to it needs no shrinking.
        applied(&engine, &SHOP.replace("20 GiB", "40 GiB").replace("cpu: 1", "cpu: 4")).await;
        let view = planned(&engine, to(3)).await.unwrap();
        assert_eq!((view.state, lost(&view)), (PlanState::Ready, Vec::new()));
        assert!(gone_back(&engine, to(3)).await > 0);
        assert_eq!(one(&engine, 5).await.applied.unwrap(), third);
    });
    lived.result.unwrap();
}

/// A rename is taken back without a deletion.
#[test]
fn a_rename_is_taken_back() {
    let stage = Stage::new(15);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        applied(&engine, SHOP).await;
        let first = one(&engine, 1).await.applied.unwrap();
        applied(&engine, &SHOP.replace("web: { ", "app: { was: [web], ")).await;
        let renamed = one(&engine, 2).await.applied.unwrap();
        assert_eq!(renamed.servers[0].name.as_str(), "app-1");
        let view = planned(&engine, to(1)).await.unwrap();
        assert!(lost(&view).is_empty(), "{:?}", view.plan.unwrap().draft.notes);
        assert!(gone_back(&engine, to(1)).await > 0);
        assert_eq!(one(&engine, 3).await.applied.unwrap(), first);
    });
    lived.result.unwrap();
}

/// ICT-37: a rollback whose world moved touches nothing, and its new plan says what does not come back by what stands
/// now, before its other notes.
#[test]
fn a_stale_rollback_says_anew_what_is_lost() {
    let stage = Stage::new(16);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        applied(&engine, SHOP).await;
        applied(&engine, &SHOP.replace("cpu: 1", "cpu: 2").replace("count: 3", "count: 2")).await;
        let view = planned(&engine, to(1)).await.unwrap();
        assert_eq!(lost(&view), ["web-3"]);
        stage.drift(serde_json::json!({"server": "web-1", "delete": true}));
        let run = engine.approve(&me(), view.id, None).await.unwrap();
        let run = ended(&engine, run).await;
        assert_eq!(run.state, RunState::Stale, "{:?}", run.message);
        let message = run.message.unwrap();
        let newer = message.rsplit(' ').next().unwrap().trim_end_matches('.').parse().unwrap();
        let view = engine.planned(PlanId(newer)).await.unwrap();
        let mut targets = lost(&view);
        targets.sort();
        assert_eq!(targets, ["web-1", "web-3"], "what is gone now too, and nothing twice");
        let kinds: Vec<NoteKind> =
            view.plan.as_ref().unwrap().draft.notes.iter().map(|note| note.kind).collect();
        assert_eq!(kinds[..3], [NoteKind::Rollback, NoteKind::NotRestored, NoteKind::NotRestored]);
        assert_eq!(kinds.iter().filter(|kind| **kind == NoteKind::Rollback).count(), 1);
    });
    lived.result.unwrap();
}

/// What cannot be gone back to is said, with the way out.
#[test]
fn what_cannot_be_gone_back_to_is_refused() {
    let stage = Stage::new(13);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        applied(&engine, SHOP).await;
        applied(&engine, &SHOP.replace("count: 3", "count: 1")).await;
        let none = message(engine.roll_back(&me(), to(7)).await.unwrap_err());
        assert!(none.contains("has no revision 7") && none.contains("1 to 2"), "{none}");
        let release = ReleaseWish { to: None, release: "7".into() };
        let policy = Policy { to_release: Some(release), ..outside_only() };
        let release = message(engine.roll_back(&me(), RollBack { policy, ..to(1) }).await.unwrap_err());
        assert!(release.contains("takes no `to_release`"), "{release}");
        let other = RollBack { account: Some("elsewhere".into()), ..to(1) };
        let other = message(engine.roll_back(&me(), other).await.unwrap_err());
        assert!(other.contains("no history at the account elsewhere"), "{other}");
        let viewer =
            Authority { actor: "eve".into(), owner: false, roles: vec![("default".into(), Role::Viewer)] };
        assert!(matches!(engine.roll_back(&viewer, to(1)).await, Err(EngineError::Denied(_))));
        let (space, name) = ("default".into(), "shop".into());
        let file = engine.revision_file(&viewer, (&space, &name, None), RevisionNumber(1), None).await;
        assert!(matches!(file, Err(EngineError::Denied(_))), "raw files are for those who may apply them");
        let stranger = Authority { actor: "eve".into(), owner: false, roles: vec![] };
        let two = Other::Revision(RevisionNumber(2));
        let denied = engine.difference(&stranger, (&space, &name, None), RevisionNumber(1), two).await;
        assert!(matches!(denied, Err(EngineError::Denied(_))));
        // A document may name contents that somebody else sent: who may only look gets to see none of them.
        let files = sent(&engine, SHOP, SITE).await;
        let document = |space: &str| {
            let proposal = proposal(files.clone(), Purpose::Update, "/srv");
            Other::Document(Box::new(Proposal { space: space.into(), ..proposal }))
        };
        let operator = Authority { roles: vec![("default".into(), Role::Operator)], ..viewer.clone() };
        for (who, there) in [(&viewer, "default"), (&operator, "elsewhere")] {
            let denied =
                engine.difference(who, (&space, &name, None), RevisionNumber(1), document(there)).await;
            assert!(matches!(denied, Err(EngineError::Denied(_))), "{who:?} {there} {denied:?}");
        }
        let now = document("default");
        engine.difference(&operator, (&space, &name, None), RevisionNumber(1), now).await.unwrap();

        let policy =
            Policy { purpose: Purpose::Destroy, ..Policy { allow_deletes: Some(9), ..outside_only() } };
        let run = update(&engine, SHOP, policy).await.unwrap().1.unwrap();
        assert_eq!(run.state, RunState::Succeeded);
        let destroy = message(engine.roll_back(&me(), to(3)).await.unwrap_err());
        assert!(destroy.contains("took everything down"), "{destroy}");
        assert_eq!(planned(&engine, back()).await.unwrap().back_to, Some(RevisionNumber(2)));
        assert_eq!(one(&engine, 3).await.applied.unwrap().servers, []);
    });
    lived.result.unwrap();
}

const DEPLOYED: &str = "
version: 1
account: onecloud
location: SdnSpb
stats: false
servers:
  web: { count: 2, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }
deploy:
  - playbook: site.yml
    hosts: all
    vars: { db_password: \"${secret:db}\", home: \"${env:PLACE}\", token: hunter2 }
";
const SITE: &str =
    "- hosts: all\n  tasks:\n    - debug: { msg: \"{{ db_password }} {{ home }} {{ token }} one\" }\n";

fn proposal(files: BTreeMap<String, ManifestFile>, purpose: Purpose, place: &str) -> Proposal {
    Proposal {
        space: "default".into(),
        infrastructure: "shop".into(),
        bundle: Manifest { files },
        entry: Some("shop.yaml".into()),
        vars: BTreeMap::new(),
        var_files: Vec::new(),
        env: BTreeMap::from([
            ("PLACE".to_owned(), Secret::new(place)),
            ("ANSIBLE_BECOME_PASS".to_owned(), Secret::new("sudo-of-ann")),
        ]),
        account: None,
        policy: Policy { purpose, ..Policy::default() },
        idempotency_key: None,
    }
}

async fn sent(engine: &Engine, shop: &str, site: &str) -> BTreeMap<String, ManifestFile> {
    let mut files = BTreeMap::new();
    for (path, text) in [("shop.yaml", shop), ("site.yml", site)] {
        let sha256 = sha256_hex(text.as_bytes());
        engine.put_blob(&sha256, Bytes::copy_from_slice(text.as_bytes())).await.unwrap();
        files.insert(path.to_owned(), ManifestFile { sha256, mode: 0o644, size: text.len() as u64 });
    }
    files
}

async fn carried_out(engine: &Engine, proposal: Proposal) {
    let plan = engine.submit(&me(), proposal).await.unwrap();
    let view = engine.planned(plan).await.unwrap();
    assert_eq!(view.state, PlanState::Ready, "{:?}", view.message);
    let run = engine.approve(&me(), plan, None).await.unwrap();
    let run = ended(engine, run).await;
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
}

/// ICT-37: the playbooks of then run with the values of then, and with nobody's password for sudo; what the servers have
/// already is not run again. ICT-69: the versions on each server are part of a revision; a comparison hides secrets.
#[test]
fn the_inside_of_servers_goes_back_too() {
    let stage = Stage::new(14);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let password = Secret::new("correct-horse-battery");
        engine.set_secret(&me(), &"default".into(), "db".into(), password).await.unwrap();
        let first = sent(&engine, DEPLOYED, SITE).await;
        carried_out(&engine, proposal(first, Purpose::Deploy, "/srv/first")).await;
        let changed =
            DEPLOYED.replace("hunter2", "hunter3").replace("hosts: all\n    vars", "hosts: web\n    vars");
        let second = sent(&engine, &changed, &SITE.replace("one", "two")).await;
        carried_out(&engine, proposal(second.clone(), Purpose::Deploy, "/srv/second")).await;

        let version = |view: &RevisionView, server: usize| {
            view.applied.as_ref().unwrap().servers[server].provisioned["site.yml"].digest.clone()
        };
        let (one_, two) = (one(&engine, 1).await, one(&engine, 2).await);
        assert_eq!(version(&one_, 0), version(&one_, 1));
        assert_ne!(version(&one_, 0), version(&two, 0));
        assert_eq!(one_.documents.keys().collect::<Vec<_>>(), ["shop.yaml", "site.yml"]);

        let inside = |to| RollBack { policy: Policy::default(), ..to };
        assert!(gone_back(&engine, inside(back())).await > 0);
        assert_eq!(version(&one(&engine, 3).await, 0), version(&one_, 0));
        assert_eq!(history(&engine).await[0].approved.purpose, Purpose::Deploy);
        assert_eq!(gone_back(&engine, inside(to(1))).await, 0, "they have it");
        let kept = RollBack { deploy: Some(false), ..inside(to(2)) };
        assert_eq!(gone_back(&engine, kept).await, 0);

        let (space, name) = ("default".into(), "shop".into());
        let of = (&space, &name, None);
        let two = Other::Revision(RevisionNumber(2));
        let found = engine.difference(&me(), of, RevisionNumber(1), two).await.unwrap();
        assert_eq!(found.fields.len(), 1, "{:?}", found.fields);
        assert_eq!(
            found.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
            ["shop.yaml", "site.yml"]
        );
        let Some(TextDifference::Unified(text)) = &found.files[1].text else {
            panic!("{:?}", found.files[1])
        };
        assert!(text.contains("one\" }") && text.contains("two\" }"), "{text}");
        let said = format!("{found:?}");
        assert!(!said.contains("hunter2") && !said.contains("hunter3"), "{said}");
        let now = Other::Document(Box::new(proposal(second, Purpose::Update, "/srv/second")));
        let found = engine.difference(&me(), of, RevisionNumber(2), now).await.unwrap();
        assert_eq!((found.fields.len(), found.files.len()), (0, 0), "{found:?}");
        let same = Other::Revision(RevisionNumber(2));
        let same = engine.difference(&me(), of, RevisionNumber(2), same).await;
        assert!(matches!(same, Err(EngineError::Invalid(_))));

        let (path, _, content) = engine.revision_file(&me(), of, RevisionNumber(2), None).await.unwrap();
        assert_eq!((path.as_str(), content), ("shop.yaml", changed.into_bytes()));
        let wrong = engine.revision_file(&me(), of, RevisionNumber(2), Some("sight.yml".into())).await;
        assert!(message(wrong.unwrap_err()).contains("did you mean `site.yml`?"));
    });
    lived.result.unwrap();
    let runs = stage.ansible.runs();
    assert_eq!(runs.len(), 3, "deployed twice, gone back once");
    let homes: Vec<&str> = runs.iter().map(|run| run.extra_vars["home"].as_str().unwrap()).collect();
    assert_eq!(homes, ["/srv/first", "/srv/second", "/srv/first"]);
    let sudo: Vec<bool> = runs.iter().map(|run| run.become_password.is_some()).collect();
    assert_eq!(sudo, [true, true, false]);
}
