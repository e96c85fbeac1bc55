//! Retention: old runs lose what is large and keep what is asked for later.

use muster_model::id::{RunId, Sequence};
use muster_model::run::{EntryKind, RunState};
use muster_store::*;

use super::scene::*;

/// A run of its own plan that ended at this second.
async fn ended(scene: &Scene, number: u128, name: &str, second: i64) -> RunId {
    let claim = scene.running(number, name).await;
    scene.store.append(claim.clone(), vec![started(1), succeeded(1), started(2)]).await.unwrap();
    let kind = EntryKind::Run { state: RunState::Failed, message: Some("no".into()) };
    scene.store.append(claim.clone(), vec![Record { at: at(second), kind, facts: vec![] }]).await.unwrap();
    claim.run
}

pub async fn old_runs_lose_their_journal_and_keep_their_counts(scene: Scene) {
    let old = ended(&scene, 1, "shop", 100).await;
    let new = ended(&scene, 2, "shop", 200).await;
    let before = scene.store.run(old).await.unwrap();
    let counts = scene.store.tally(old).await.unwrap();
    assert_eq!(counts, StepTally { total: 3, succeeded: 1, failed: 0, running: 1, skipped: 0 });
    let audits = scene.store.audits(&"default".into(), 100).await.unwrap();
    assert_eq!(scene.store.prunable(at(150), Keep::runs(0)).await.unwrap(), [old]);
    scene.store.prune(vec![old], at(300)).await.unwrap();
    assert!(scene.store.prunable(at(150), Keep::runs(0)).await.unwrap().is_empty());
    assert!(scene.store.entries(old, Sequence(0), 100).await.unwrap().is_empty());
    assert!(scene.store.plan_inputs(before.clone().unwrap().plan).await.unwrap().is_none());
    assert!(scene.store.plan(before.clone().unwrap().plan).await.unwrap().unwrap().plan.is_some());
    assert_eq!(scene.store.run(old).await.unwrap(), before);
    assert_eq!(scene.store.tally(old).await.unwrap(), counts);
    assert_eq!(scene.store.audits(&"default".into(), 100).await.unwrap(), audits);
    assert_eq!(scene.store.entries(new, Sequence(0), 100).await.unwrap().len(), 5);
}

pub async fn the_newest_and_the_unfinished_stay(scene: Scene) {
    let first = ended(&scene, 1, "shop", 100).await;
    let second = ended(&scene, 2, "shop", 110).await;
    let other = ended(&scene, 3, "bank", 100).await;
    let running = scene.running(4, "shop").await.run;
    assert_eq!(scene.store.prunable(at(500), Keep::runs(0)).await.unwrap(), [first, second, other]);
    assert_eq!(scene.store.prunable(at(500), Keep::runs(1)).await.unwrap(), [first, second]);
    assert_eq!(scene.store.prunable(at(500), Keep::runs(2)).await.unwrap(), [first]);
    assert!(scene.store.prunable(at(50), Keep::runs(0)).await.unwrap().is_empty());
    // Asked for all the same, a run that has not ended keeps everything.
    scene.store.prune(vec![running], at(500)).await.unwrap();
    assert_eq!(scene.store.entries(running, Sequence(0), 100).await.unwrap().len(), 1);
}
