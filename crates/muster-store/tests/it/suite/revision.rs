//! Revisions: numbered with the approval, told what was left behind with the good end, kept as long as promised.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use muster_model::id::{PlanId, RevisionNumber, RunId};
use muster_model::ownership::{Claim as Ours, ObjectKind, Ownership, Provisioned};
use muster_model::plan::Summary;
use muster_model::policy::Purpose;
use muster_model::revision::{Applied, AppliedServer, Approved, Source};
use muster_model::run::{EntryKind, Fact, RunState};
use muster_store::*;

use super::scene::*;

fn of(name: &str, account: &str) -> RevisionsOf {
    RevisionsOf { space: "default".into(), infrastructure: name.into(), account: account.into() }
}

fn approved(back_to: Option<u32>) -> Approved {
    Approved {
        identity: identity(),
        purpose: Purpose::Update,
        back_to: back_to.map(RevisionNumber),
        bundle: "b".repeat(64),
        summary: Summary { create: 3, delete: 1, ..Summary::default() },
    }
}

/// A run of its own plan that makes a revision, claimed by node 1 and running.
async fn applying(scene: &Scene, number: u128, of: &RevisionsOf, manifest: &str) -> Claim {
    let name = of.infrastructure.as_str();
    let plan = scene.plan_of(number, name, manifest).await;
    let mut approval = scene.approval(number, plan, name);
    approval.revision = Some(NewRevision { of: of.clone(), approved: approved(None) });
    let run = scene.store.approve(approval).await.unwrap();
    let claim = scene.store.claim(run, node(1), exclusive(name)).await.unwrap();
    scene.become_state(&claim, RunState::Running).await.unwrap();
    claim
}

fn left(id: &str) -> Applied {
    let reached = Provisioned { digest: "d".repeat(64), succeeded: true, at: at(2) };
    let server = AppliedServer {
        name: "web-1".into(),
        id: id.into(),
        provider_name: "web-1".into(),
        claim: Ours::Created,
        size: None,
        power: None,
        location: "SdnSpb".into(),
        networks: BTreeSet::new(),
        image_words: "Ubuntu 22.04".into(),
        image: "Ubuntu22.04x64".into(),
        provisioned: BTreeMap::from([("code:/srv/app".to_owned(), reached)]),
    };
    Applied { servers: vec![server], networks: vec![] }
}

/// The run ends at this second, well, and says what it left behind.
async fn ends_well(scene: &Scene, claim: &Claim, second: i64, id: &str) {
    let kind = EntryKind::Run { state: RunState::Succeeded, message: None };
    let facts = vec![Fact::Applied(Box::new(left(id)))];
    scene.store.append(claim.clone(), vec![Record { at: at(second), kind, facts }]).await.unwrap();
}

async fn numbers(scene: &Scene, of: &RevisionsOf, below: Option<u32>, limit: u32) -> Vec<u32> {
    let found = scene.store.revisions(of, below.map(RevisionNumber), limit).await.unwrap();
    found.into_iter().map(|revision| revision.number.0).collect()
}

/// ICT-69: every application of a file has a number, per file and account, with its run and its outcome.
pub async fn revisions_are_numbered_per_file_and_account(scene: Scene) {
    let shop = of("shop", "onecloud");
    for number in 1..=3 {
        let claim = applying(&scene, number, &shop, "{}").await;
        let state = if number == 2 { RunState::Failed } else { RunState::Succeeded };
        scene.become_state(&claim, state).await.unwrap();
    }
    let other = applying(&scene, 4, &of("shop", "staging"), "{}").await;
    scene.become_state(&other, RunState::Succeeded).await.unwrap();
    applying(&scene, 5, &of("bank", "onecloud"), "{}").await;
    // A run that applies no file makes none.
    scene.running(6, "post").await;

    assert_eq!(numbers(&scene, &shop, None, 10).await, [3, 2, 1]);
    assert_eq!(numbers(&scene, &shop, None, 2).await, [3, 2]);
    assert_eq!(numbers(&scene, &shop, Some(3), 10).await, [2, 1]);
    assert_eq!(numbers(&scene, &of("shop", "staging"), None, 10).await, [1]);
    assert_eq!(numbers(&scene, &of("bank", "onecloud"), None, 10).await, [1]);
    assert!(numbers(&scene, &of("post", "onecloud"), None, 10).await.is_empty());
    let accounts = scene.store.revision_accounts(&"default".into(), &"shop".into()).await.unwrap();
    assert_eq!(accounts, ["onecloud".into(), "staging".into()]);

    let second = scene.store.revision(&shop, RevisionNumber(2)).await.unwrap().unwrap();
    assert_eq!(second.approved, approved(None));
    assert_eq!((second.run.id, second.run.plan), (RunId(id(0xA002)), PlanId(id(2))));
    assert_eq!(
        (second.run.state, second.run.actor.as_str(), second.is_kept),
        (RunState::Failed, "ann", true)
    );
    assert_eq!(second.run, scene.store.run(second.run.id).await.unwrap().unwrap());
    assert_eq!((second.infrastructure, second.account), ("shop".into(), "onecloud".into()));
    assert_eq!(scene.store.revision(&shop, RevisionNumber(4)).await.unwrap(), None);
    assert_eq!(scene.store.revision(&shop, RevisionNumber(u32::MAX)).await.unwrap(), None);
}

/// ICT-69: what was there, with the versions inside each server, is written in the same commit as the good end.
pub async fn what_a_run_left_behind_comes_with_its_end(scene: Scene) {
    let shop = of("shop", "onecloud");
    let claim = applying(&scene, 1, &shop, "{}").await;
    assert_eq!(scene.store.applied(claim.run).await.unwrap(), None);
    let stale = Claim { fence: muster_model::id::Fence(0), ..claim.clone() };
    let kind = EntryKind::Run { state: RunState::Succeeded, message: None };
    let facts = vec![Fact::Applied(Box::new(left("1")))];
    let late = scene.store.append(stale, vec![Record { at: at(3), kind, facts }]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(scene.store.applied(claim.run).await.unwrap(), None, "whoever lost the lane writes nothing");
    ends_well(&scene, &claim, 4, "17").await;
    assert_eq!(scene.store.applied(claim.run).await.unwrap(), Some(left("17")));
    // A run without a revision forgets it, and has none.
    let bare = scene.running(2, "bank").await;
    ends_well(&scene, &bare, 4, "9").await;
    assert_eq!(scene.store.applied(bare.run).await.unwrap(), None);
    assert_eq!(scene.store.run(bare.run).await.unwrap().unwrap().state, RunState::Succeeded);

    let record = |name: &str, file: &str, number: &str| Ownership {
        account: identity(),
        kind: ObjectKind::Server,
        id: number.into(),
        infrastructure: file.into(),
        name: name.into(),
        provider_name: name.into(),
        claim: Ours::Created,
        image_words: "Ubuntu".into(),
        image: "Ubuntu22.04x64".into(),
        protect: false,
        since: at(0),
        host_key: None,
        provisioned: BTreeMap::new(),
        dns: None,
    };
    let claim = applying(&scene, 3, &shop, "{}").await;
    let owned = [("web-10", "shop", "3"), ("web-2", "shop", "4"), ("web-1", "bank", "5")];
    let facts = owned.map(|(name, file, number)| Fact::Own(Box::new(record(name, file, number)))).to_vec();
    let Record { at, kind, .. } = progress("made");
    scene.store.append(claim, vec![Record { at, kind, facts }]).await.unwrap();
    let owned = scene.store.owned_by(&"default".into(), &"shop".into()).await.unwrap();
    assert_eq!(owned.iter().map(|record| record.name.as_str()).collect::<Vec<_>>(), ["web-2", "web-10"]);
}

/// ICT-37: however old they are, the newest revisions keep their files, their inputs and what they left behind; others
/// keep their row.
pub async fn kept_revisions_lose_nothing(scene: Scene) {
    let digest = |number: u32| format!("{number:064x}");
    let manifest = |number| format!(r#"{{"files":{{"a.yaml":{{"sha256":"{}"}}}}}}"#, digest(number));
    let shop = of("shop", "onecloud");
    let mut runs = Vec::new();
    for number in 0..3 {
        scene.contents.put(&digest(number), b"x").await.unwrap();
        let claim = applying(&scene, u128::from(number) + 1, &shop, &manifest(number)).await;
        ends_well(&scene, &claim, 100 + i64::from(number), "17").await;
        runs.push(claim.run);
    }
    // Runs that are no revisions come after them and count for themselves.
    for number in 4..8 {
        let claim = scene.running(number, "shop").await;
        scene.become_state(&claim, RunState::Succeeded).await.unwrap();
    }
    let keep = |revisions| Keep { runs: 4, revisions };
    assert_eq!(scene.store.prunable(at(500), keep(0)).await.unwrap(), runs);
    assert_eq!(scene.store.prunable(at(500), keep(2)).await.unwrap(), [runs[0]]);
    assert_eq!(scene.store.prunable(at(500), keep(3)).await.unwrap(), []);
    let opened = Opened { store: scene.store.clone(), contents: scene.contents.clone() };
    assert_eq!(opened.prune(at(500), keep(2), at(600)).await.unwrap(), [runs[0]]);
    scene.home.age_contents().await;
    assert_eq!(opened.forget_unused(Duration::from_secs(60)).await.unwrap(), 1);
    let found = scene.store.revisions(&shop, None, 10).await.unwrap();
    assert_eq!(found.iter().map(|revision| revision.is_kept).collect::<Vec<_>>(), [true, true, false]);
    for (revision, kept) in found.iter().zip([true, true, false]) {
        assert_eq!(revision.approved, approved(None), "its row stays");
        assert_eq!(scene.store.applied(revision.run.id).await.unwrap().is_some(), kept);
        assert_eq!(scene.store.plan_inputs(revision.run.plan).await.unwrap().is_some(), kept);
        assert_eq!(scene.contents.get(&digest(revision.number.0 - 1)).await.is_ok(), kept);
    }
}

/// Whoever approves at the same time: numbers are dense, and none is given twice.
pub async fn of_many_approvals_at_once_each_has_its_number(scene: Scene) {
    let shop = of("shop", "onecloud");
    let mut approvals = Vec::new();
    for number in 1..=4 {
        // Plans of other files, so that neither the newest plan nor a lock is in the way.
        let name = format!("other-{number}");
        let plan = scene.plan(number, &name).await;
        let mut approval = scene.approval(number, plan, &name);
        approval.revision = Some(NewRevision { of: shop.clone(), approved: approved(Some(1)) });
        approvals.push(approval);
    }
    let done = approvals.into_iter().map(|approval| scene.store.approve(approval));
    for outcome in futures::future::join_all(done).await {
        outcome.unwrap();
    }
    assert_eq!(numbers(&scene, &shop, None, 100).await, [4, 3, 2, 1]);
    let first = scene.store.revision(&shop, RevisionNumber(1)).await.unwrap().unwrap();
    assert_eq!(first.approved.back_to, Some(RevisionNumber(1)));
}

pub async fn a_plan_remembers_what_it_was_asked_with(scene: Scene) {
    let source = Source {
        entry: Some("infra/shop.yaml".into()),
        vars: BTreeMap::from([("workers".to_owned(), "4".to_owned())]),
        var_files: vec!["vars/prod.yaml".into()],
        env: BTreeSet::from(["PLACE".to_owned()]),
        documents: BTreeSet::from(["infra/shop.yaml".to_owned()]),
        back_to: Some(RevisionNumber(7)),
    };
    let plan = PlanId(id(50));
    let new = NewPlan {
        id: plan,
        space: "default".into(),
        subject: subject("shop"),
        account: "onecloud".into(),
        purpose: "update".into(),
        bundle: "{}".into(),
        warnings: vec![],
        actor: "ann".into(),
        at: at(0),
        node: node(1),
        idempotency_key: None,
        source: Some(source.clone()),
    };
    scene.store.insert_plan(new).await.unwrap();
    assert_eq!(scene.store.plan(plan).await.unwrap().unwrap().new.source, Some(source));
    let bare = scene.plan(51, "bank").await;
    assert_eq!(scene.store.plan(bare).await.unwrap().unwrap().new.source, None);
}
