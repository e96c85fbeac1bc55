//! Runs that wait a while with their locks before they begin.

use jiff::Timestamp;
use muster_model::id::RunId;
use muster_model::run::RunState;
use muster_store::*;

use super::scene::*;

/// A time that comes on no clock of these tests.
fn far_off() -> Timestamp {
    Timestamp::from_second(4_000_000_000).unwrap()
}

async fn counting(scene: &Scene, number: u128, until: Timestamp) -> RunId {
    let plan = scene.plan(number, "shop").await;
    let mut approval = scene.approval(number, plan, "shop");
    approval.node = None;
    approval.begins_at = Some(until);
    scene.store.approve(approval).await.unwrap()
}

pub async fn it_begins_when_its_time_has_come(scene: Scene) {
    scene.join(7, "worker").await;
    let run = counting(&scene, 1, long_ago()).await;
    let claim = scene.next(7, 1).await.remove(0);
    assert_eq!(claim.run, run);
}

pub async fn until_then_nobody_begins_it_and_its_locks_are_held(scene: Scene) {
    scene.join(7, "worker").await;
    let run = counting(&scene, 1, far_off()).await;
    assert!(scene.next(7, 1).await.is_empty());
    let lanes = scene.store.lanes(run).await.unwrap();
    assert_eq!((lanes[0].state, lanes[0].wake_at), (LaneState::Waiting, Some(far_off())));
    let plan = scene.plan(2, "shop").await;
    let busy = scene.store.approve(scene.approval(2, plan, "shop")).await.unwrap_err();
    assert!(busy.to_string().starts_with("busy"), "{busy}");
    // Neither another wish nor a signal makes it begin sooner.
    scene.store.set_want(run, Want::Pause, "ann".into(), at(1)).await.unwrap();
    scene.store.set_want(run, Want::Run, "ann".into(), at(2)).await.unwrap();
    scene.store.signal(run, "x".into(), "1".into(), String::new(), at(3)).await.unwrap();
    assert!(scene.next(7, 1).await.is_empty());
}

pub async fn revoking_ends_the_countdown(scene: Scene) {
    scene.join(7, "worker").await;
    let run = counting(&scene, 1, far_off()).await;
    scene.store.set_want(run, Want::Cancel, "ann".into(), at(1)).await.unwrap();
    let claim = scene.next(7, 1).await.remove(0);
    scene.become_state(&claim, RunState::Cancelled).await.unwrap();
    let plan = scene.plan(2, "shop").await;
    scene.store.approve(scene.approval(2, plan, "shop")).await.unwrap();
    assert_eq!(scene.store.run(run).await.unwrap().unwrap().state, RunState::Cancelled);
}

pub async fn it_outlives_a_worker_and_not_a_command(scene: Scene) {
    scene.join(1, "foreground").await;
    scene.join(7, "worker").await;
    let open = counting(&scene, 1, far_off()).await;
    scene.store.bury(node(7), at(5), "died".into()).await.unwrap();
    let lanes = scene.store.lanes(open).await.unwrap();
    assert_eq!(lanes[0].wake_at, Some(far_off()));
    scene.store.set_want(open, Want::Cancel, "ann".into(), at(6)).await.unwrap();
    scene.join(8, "worker").await;
    let claim = scene.next(8, 1).await.remove(0);
    scene.become_state(&claim, RunState::Cancelled).await.unwrap();

    let plan = scene.plan(2, "shop").await;
    let mut approval = scene.approval(2, plan, "shop");
    approval.begins_at = Some(far_off());
    let own = scene.store.approve(approval).await.unwrap();
    assert_eq!(scene.store.bury(node(1), at(7), "died".into()).await.unwrap(), [own]);
    assert_eq!(scene.store.run(own).await.unwrap().unwrap().state, RunState::Interrupted);
}
