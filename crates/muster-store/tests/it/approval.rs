//! Approval: the newest ready plan, locks all or none, one run a plan.

use muster_model::run::RunState;
use muster_store::*;

use crate::scene::*;

#[tokio::test]
async fn only_the_newest_plan_of_a_subject_is_approved() {
    let scene = scene();
    let old = scene.plan(1, "shop").await;
    let new = scene.plan(2, "shop").await;
    let error = scene.store.approve(scene.approval(1, old, "shop")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict(text) if text.contains(&new.to_string())), "{error}");
    scene.store.approve(scene.approval(2, new, "shop")).await.unwrap();
}

#[tokio::test]
async fn a_plan_is_carried_out_once() {
    let scene = scene();
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Succeeded).await.unwrap();
    let run = scene.store.run(claim.run).await.unwrap().unwrap();
    let error = scene.store.approve(scene.approval(9, run.plan, "shop")).await.unwrap_err();
    assert!(error.to_string().contains("was carried out"), "{error}");
}

#[tokio::test]
async fn the_same_idempotency_key_is_the_same_run() {
    let scene = scene();
    let plan = scene.plan(1, "shop").await;
    let mut first = scene.approval(1, plan, "shop");
    first.idempotency_key = Some("k".into());
    let mut second = scene.approval(2, plan, "shop");
    second.idempotency_key = Some("k".into());
    let run = scene.store.approve(first).await.unwrap();
    assert_eq!(scene.store.approve(second).await.unwrap(), run);
    assert_eq!(scene.store.runs(&"default".into(), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_held_lock_names_its_holder_and_takes_nothing() {
    let scene = scene();
    let holder = scene.running(1, "shop").await;
    let plan = scene.plan(2, "bank").await;
    let mut approval = scene.approval(2, plan, "bank");
    approval.locks.extend(exclusive("shop"));
    let error = scene.store.approve(approval).await.unwrap_err();
    assert!(error.to_string().contains(&holder.run.to_string()), "{error}");
    // `bank` sorts before `shop`: had its lock been kept, this approval would fail.
    let third = scene.plan(3, "bank").await;
    scene.store.approve(scene.approval(3, third, "bank")).await.unwrap();
}

#[tokio::test]
async fn locks_end_with_the_run() {
    let scene = scene();
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Failed).await.unwrap();
    let plan = scene.plan(2, "shop").await;
    scene.store.approve(scene.approval(2, plan, "shop")).await.unwrap();
}

#[tokio::test]
async fn an_approval_supersedes_an_interrupted_run_for_good() {
    let scene = scene();
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Interrupted).await.unwrap();
    let plan = scene.plan(2, "shop").await;
    scene.store.approve(scene.approval(2, plan, "shop")).await.unwrap();
    let old = scene.store.run(claim.run).await.unwrap().unwrap();
    assert_eq!(old.state, RunState::Superseded);
    let error = scene.store.claim(claim.run, node(1), exclusive("shop")).await.unwrap_err();
    assert!(error.to_string().contains("superseded"), "{error}");
}

#[tokio::test]
async fn an_interrupted_run_is_claimed_again_with_its_locks() {
    let scene = scene();
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Interrupted).await.unwrap();
    let again = scene.store.claim(claim.run, node(2), exclusive("shop")).await.unwrap();
    assert!(again.fence > claim.fence);
    let error = scene.store.claim(claim.run, node(3), exclusive("shop")).await;
    // It is still *interrupted* until its new owner writes, so a second claim takes over with a higher fence
    // and the first can write nothing.
    let third = error.unwrap();
    assert!(matches!(scene.become_state(&again, RunState::Running).await, Err(StoreError::Fenced)));
    scene.become_state(&third, RunState::Running).await.unwrap();
}

#[tokio::test]
async fn cancelling_an_interrupted_run_ends_it() {
    let scene = scene();
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Interrupted).await.unwrap();
    scene.store.set_want(claim.run, Want::Cancel, "ann".into(), at(5)).await.unwrap();
    let run = scene.store.run(claim.run).await.unwrap().unwrap();
    assert_eq!(run.state, RunState::Cancelled);
    assert_eq!(run.ended_at, Some(at(5)));
    let error = scene.store.set_want(claim.run, Want::Cancel, "ann".into(), at(6)).await.unwrap_err();
    assert!(error.to_string().contains("has ended"), "{error}");
}

#[tokio::test]
async fn a_plan_keeps_what_it_was_decided_from() {
    let scene = scene();
    let plan = scene.plan(1, "shop").await;
    let row = scene.store.plan(plan).await.unwrap().unwrap();
    assert_eq!(row.state, PlanState::Ready);
    assert_eq!(row.new.warnings, ["old spelling"]);
    assert_eq!(row.plan.unwrap().draft.subject, subject("shop"));
    assert_eq!(scene.store.plan_inputs(plan).await.unwrap().unwrap().wanted.name.as_str(), "shop");
    assert_eq!(scene.store.next_generation(&subject("shop")).await.unwrap().0, 1);
    assert_eq!(scene.store.next_generation(&subject("shop")).await.unwrap().0, 2);
}

#[tokio::test]
async fn a_run_whose_node_died_before_its_claim_is_interrupted() {
    let scene = scene();
    let plan = scene.plan(1, "shop").await;
    let run = scene.store.approve(scene.approval(1, plan, "shop")).await.unwrap();
    assert_eq!(scene.store.bury(node(1), at(3), "died".into()).await.unwrap(), [run]);
    assert_eq!(scene.store.run(run).await.unwrap().unwrap().state, RunState::Interrupted);
    let next = scene.plan(2, "shop").await;
    scene.store.approve(scene.approval(2, next, "shop")).await.unwrap();
}

#[tokio::test]
async fn a_run_kept_for_one_node_is_not_claimed_by_another() {
    let scene = scene();
    let plan = scene.plan(1, "shop").await;
    let run = scene.store.approve(scene.approval(1, plan, "shop")).await.unwrap();
    let error = scene.store.claim(run, node(2), exclusive("shop")).await.unwrap_err();
    assert!(error.to_string().contains("is held by node"), "{error}");
    scene.store.claim(run, node(1), exclusive("shop")).await.unwrap();
}
