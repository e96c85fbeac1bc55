//! Failed runs that a person wants to try again.

use muster_model::id::Sequence;
use muster_model::run::{EntryKind, RunState};
use muster_store::*;

use super::scene::*;

pub async fn a_failed_run_is_taken_up_with_its_locks(scene: Scene) {
    scene.join(7, "worker").await;
    let claim = scene.running(1, "shop").await;
    scene.store.append(claim.clone(), vec![started(1), succeeded(1), started(2)]).await.unwrap();
    scene.store.set_want(claim.run, Want::Cancel, "bob".into(), at(4)).await.unwrap();
    scene.become_state(&claim, RunState::Failed).await.unwrap();
    scene.store.retry(claim.run, None, exclusive("shop"), "ann".into(), at(9)).await.unwrap();
    let run = scene.store.run(claim.run).await.unwrap().unwrap();
    assert_eq!((run.state, run.ended_at), (RunState::Running, None));
    assert_eq!(scene.store.want(claim.run).await.unwrap(), Want::Run, "what was wanted before is over");
    // The same journal goes on, and nobody from before writes into it.
    assert!(matches!(
        scene.store.append(claim.clone(), vec![progress("late")]).await,
        Err(StoreError::Fenced)
    ));
    let last = scene.store.entries(claim.run, Sequence(5), 10).await.unwrap();
    assert_eq!(last.len(), 1);
    assert!(
        matches!(&last[0].kind, EntryKind::Run { state: RunState::Running, message: Some(text) } if text.contains("ann"))
    );
    let audits = scene.store.audits(&"default".into(), 1).await.unwrap();
    assert_eq!((audits[0].what.as_str(), audits[0].actor.as_str()), ("run.retried", "ann"));
    // Its locks are held again, and any worker may have it.
    let plan = scene.plan(2, "shop").await;
    let busy = scene.store.approve(scene.approval(2, plan, "shop")).await.unwrap_err();
    assert!(busy.to_string().starts_with("busy"), "{busy}");
    let next = scene.next(7, 10).await;
    assert_eq!(next.iter().map(|claim| claim.run).collect::<Vec<_>>(), [claim.run]);
    scene.become_state(&next[0], RunState::Succeeded).await.unwrap();
    let over = scene.store.retry(claim.run, None, exclusive("shop"), "ann".into(), at(10)).await.unwrap_err();
    assert!(over.to_string().contains("is succeeded; only what failed"), "{over}");
}

pub async fn a_retry_kept_for_a_node_is_interrupted_with_it(scene: Scene) {
    scene.join(1, "foreground").await;
    scene.join(2, "foreground").await;
    scene.join(7, "worker").await;
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Failed).await.unwrap();
    scene.store.retry(claim.run, Some(node(2)), exclusive("shop"), "ann".into(), at(9)).await.unwrap();
    assert!(scene.next(7, 10).await.is_empty(), "it is not theirs");
    assert_eq!(scene.store.bury(node(2), at(10), "died".into()).await.unwrap(), [claim.run]);
    let error =
        scene.store.retry(claim.run, None, exclusive("shop"), "ann".into(), at(11)).await.unwrap_err();
    assert!(error.to_string().contains("muster run resume"), "{error}");
    scene.store.claim(claim.run, node(1), exclusive("shop")).await.unwrap();
}

pub async fn a_retry_steps_back_for_what_came_later(scene: Scene) {
    let first = scene.running(1, "shop").await;
    scene.become_state(&first, RunState::Failed).await.unwrap();
    // Another file's run on a key that this one needs.
    let plan = scene.plan(2, "bank").await;
    let mut approval = scene.approval(2, plan, "bank");
    approval.locks.extend(exclusive("shop"));
    let holder = scene.store.approve(approval).await.unwrap();
    let busy = scene.store.retry(first.run, None, exclusive("shop"), "ann".into(), at(9)).await.unwrap_err();
    assert!(busy.to_string().starts_with("busy") && busy.to_string().contains(&holder.to_string()), "{busy}");
    assert_eq!(scene.store.run(first.run).await.unwrap().unwrap().state, RunState::Failed);
    let claim = scene.store.claim(holder, node(1), exclusive("bank")).await.unwrap();
    scene.become_state(&claim, RunState::Running).await.unwrap();
    scene.become_state(&claim, RunState::Succeeded).await.unwrap();

    let newer = scene.running(3, "shop").await;
    scene.become_state(&newer, RunState::Cancelled).await.unwrap();
    let late = scene.store.retry(first.run, None, exclusive("shop"), "ann".into(), at(9)).await.unwrap_err();
    assert!(late.to_string().contains(&newer.run.to_string()), "{late}");
}

pub async fn what_was_emptied_is_not_tried_again(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Failed).await.unwrap();
    scene.store.prune(vec![claim.run], at(300)).await.unwrap();
    let error =
        scene.store.retry(claim.run, None, exclusive("shop"), "ann".into(), at(301)).await.unwrap_err();
    assert!(error.to_string().contains("was emptied"), "{error}");
}

pub async fn other_lanes_begin_again_and_deaths_are_forgotten(scene: Scene) {
    scene.join(7, "worker").await;
    scene.join(8, "worker").await;
    let lanes = vec![LanePlan { steps: range(1, 2), waits: false }];
    let run = scene.open_run(1, "shop", lanes).await;
    let claims = scene.next(7, 10).await;
    scene.become_state(&claims[0], RunState::Running).await.unwrap();
    scene.store.append(claims[1].clone(), vec![started(1)]).await.unwrap();
    scene.store.bury(node(7), at(5), "died".into()).await.unwrap();
    assert_eq!(scene.store.deaths(run).await.unwrap().len(), 1);
    let claims = scene.next(8, 10).await;
    scene.become_state(&claims[0], RunState::Failed).await.unwrap();
    scene.store.retry(run, None, exclusive("shop"), "ann".into(), at(9)).await.unwrap();
    assert!(scene.store.deaths(run).await.unwrap().is_empty());
    assert!(matches!(scene.store.append(claims[1].clone(), vec![started(2)]).await, Err(StoreError::Fenced)));
    assert_eq!(scene.next(8, 10).await.len(), 2);
}
