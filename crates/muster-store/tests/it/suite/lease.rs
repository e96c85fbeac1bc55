//! Leases: renewed, lapsed, taken over; whoever was thought dead writes nothing.

use std::time::Duration;

use muster_model::id::{LaneNumber, Sequence};
use muster_model::run::RunState;
use muster_store::*;

use super::scene::*;

const TTL: Duration = Duration::from_secs(60);

async fn take_over(scene: &Scene) -> TakenOver {
    scene.store.take_over(at(0), "its lease lapsed".into()).await.unwrap()
}

pub async fn a_lease_is_renewed_until_it_lapses(scene: Scene) {
    scene.join(7, "worker").await;
    assert_eq!(scene.store.heartbeat(holder(7), TTL).await.unwrap(), Lease::Held);
    let older = Holder { epoch: 0, ..holder(7) };
    assert_eq!(scene.store.heartbeat(older, TTL).await.unwrap(), Lease::Lost);
    assert_eq!(scene.store.heartbeat(holder(8), TTL).await.unwrap(), Lease::Lost);
    assert_eq!(take_over(&scene).await, TakenOver::default());
    scene.lapse(7).await;
    // Too late to renew, also before anybody took it over.
    assert_eq!(scene.store.heartbeat(holder(7), TTL).await.unwrap(), Lease::Lost);
    assert_eq!(take_over(&scene).await.nodes, [node(7)]);
    assert_eq!(take_over(&scene).await, TakenOver::default());
    assert_eq!(scene.store.heartbeat(holder(7), TTL).await.unwrap(), Lease::Lost);
    assert!(scene.store.nodes().await.unwrap().is_empty());
}

pub async fn a_dead_workers_lanes_pass_on_under_a_higher_fence(scene: Scene) {
    scene.join(7, "worker").await;
    scene.join(8, "worker").await;
    let lanes = vec![LanePlan { steps: range(1, 2), waits: false }];
    let run = scene.open_run(1, "a", lanes).await;
    let claims = scene.next(7, 10).await;
    scene.become_state(&claims[0], RunState::Running).await.unwrap();
    scene.store.append(claims[1].clone(), vec![started(1)]).await.unwrap();
    scene.lapse(7).await;
    let done = take_over(&scene).await;
    assert_eq!(done.nodes, [node(7)]);
    assert_eq!(done.ready, [(run, LaneNumber(0)), (run, LaneNumber(1))]);
    assert!(done.interrupted.is_empty());
    // The woken node's late write is refused, and it claims no more.
    let late = scene.store.append(claims[1].clone(), vec![succeeded(1)]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert!(matches!(scene.store.claim_next(wish(7, 1)).await, Err(StoreError::Lapsed(_))));
    // The run goes on where it was, with its locks.
    assert_eq!(scene.store.run(run).await.unwrap().unwrap().state, RunState::Running);
    let again = scene.next(8, 10).await;
    assert_eq!(again.len(), 2);
    assert!(again[1].fence > claims[1].fence);
    assert_eq!(again[1].last, Sequence(1));
    scene.store.append(again[1].clone(), vec![succeeded(1)]).await.unwrap();
}

pub async fn a_dead_foreground_node_leaves_interrupted_runs(scene: Scene) {
    scene.join(1, "foreground").await;
    let claim = scene.running(1, "shop").await;
    scene.lapse(1).await;
    let done = take_over(&scene).await;
    assert_eq!((done.interrupted, done.ready), (vec![claim.run], vec![]));
    assert_eq!(scene.store.run(claim.run).await.unwrap().unwrap().state, RunState::Interrupted);
    let late = scene.store.append(claim, vec![progress("late")]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let plan = scene.plan(2, "shop").await;
    let kept_for_the_dead = scene.store.approve(scene.approval(2, plan, "shop")).await;
    assert!(matches!(kept_for_the_dead, Err(StoreError::Lapsed(_))), "{kept_for_the_dead:?}");
    let mut approval = scene.approval(2, plan, "shop");
    approval.node = None;
    scene.store.approve(approval).await.unwrap();
}

/// The two meet at the lane: an append that was first is seen by the next owner, one that came later is refused.
pub async fn an_append_racing_a_takeover_is_kept_whole_or_refused(scene: Scene) {
    scene.join(8, "worker").await;
    let other = scene.again().await;
    for round in 0..15u32 {
        let number = 100 + u128::from(round);
        scene.join(number, "worker").await;
        let run = scene.open_run(number, &format!("a{round}"), vec![]).await;
        let claim = scene.next(number, 1).await.remove(0);
        scene.lapse(number).await;
        let writing = async {
            tokio::time::sleep(Duration::from_micros(u64::from(round) * 150)).await;
            let appends =
                (0..5).map(|_| scene.store.append(claim.clone(), vec![progress("one"), progress("two")]));
            futures::future::join_all(appends).await
        };
        let (written, taken) = tokio::join!(writing, other.take_over(at(0), "lapsed".into()));
        assert_eq!(taken.unwrap().ready, [(run, LaneNumber(0))]);
        let kept = written.iter().filter(|outcome| outcome.is_ok()).count();
        for outcome in &written {
            assert!(matches!(outcome, Ok(_) | Err(StoreError::Fenced)), "{outcome:?}");
        }
        let next = scene.next(8, 1).await.remove(0);
        assert_eq!(next.last, Sequence(2 * kept as u64), "round {round}");
        let entries = scene.store.entries(run, Sequence(0), 100).await.unwrap();
        assert_eq!(entries.len(), 2 * kept);
        assert_eq!(scene.store.append(next, vec![progress("next")]).await.unwrap().0, 2 * kept as u64 + 1);
    }
}

pub async fn a_node_without_a_lease_claims_nothing(scene: Scene) {
    let run = scene.open_run(1, "a", vec![]).await;
    assert!(matches!(scene.store.claim_next(wish(7, 1)).await, Err(StoreError::Lapsed(_))));
    scene.join(7, "worker").await;
    scene.lapse(7).await;
    assert!(matches!(scene.store.claim_next(wish(7, 1)).await, Err(StoreError::Lapsed(_))));
    let wish = QuotaWish { key: "k".into(), or_else: None, number: 1 };
    assert!(matches!(scene.store.hold_quota(holder(7), wish).await, Err(StoreError::Lapsed(_))));
    let _ = take_over(&scene).await;
    let claimed = scene.store.claim(run, node(7), exclusive("a")).await;
    assert!(matches!(claimed, Err(StoreError::Lapsed(_))), "{claimed:?}");
}

pub async fn steps_that_kill_their_nodes_are_counted(scene: Scene) {
    let run = scene.open_run(1, "a", vec![]).await;
    for worker in [7, 8, 9] {
        scene.join(worker, "worker").await;
        let claim = scene.next(worker, 1).await.remove(0);
        let mut records = vec![started(2)];
        if worker == 7 {
            records.extend([started(1), succeeded(1)]);
        }
        scene.store.append(claim.clone(), records).await.unwrap();
        if worker == 9 {
            // Handed over in good order: nobody died.
            scene.store.release(claim, None).await.unwrap();
        }
        scene.lapse(worker).await;
        let _ = take_over(&scene).await;
    }
    // It takes the lane over and dies before it begins anything: that was not the step's doing.
    scene.join(10, "worker").await;
    let _ = scene.next(10, 1).await;
    scene.lapse(10).await;
    let _ = take_over(&scene).await;
    let deaths = scene.store.deaths(run).await.unwrap();
    assert_eq!(deaths, [Deaths { lane: LaneNumber(0), step: range(2, 2).first, times: 2 }]);
}

pub async fn a_long_gone_node_is_forgotten(scene: Scene) {
    scene.join(7, "worker").await;
    scene.lapse(7).await;
    let _ = take_over(&scene).await;
    // While its row is kept, nothing is kept for it.
    let plan = scene.plan(1, "a").await;
    let mut approval = scene.approval(1, plan, "a");
    approval.node = Some(node(7));
    assert!(matches!(scene.store.approve(approval.clone()).await, Err(StoreError::Lapsed(_))));
    scene.home.raw("update node set gone_at = '2001-01-01T00:00:00Z'").await;
    let _ = take_over(&scene).await;
    assert!(scene.store.approve(approval).await.is_ok());
}
