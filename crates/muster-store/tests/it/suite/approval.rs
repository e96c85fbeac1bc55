//! Approval: the newest ready plan, locks all or none, one run a plan.

use muster_model::id::PlanId;
use muster_model::plan::{LockKey, LockMode};
use muster_model::run::RunState;
use muster_store::*;

use super::scene::*;

pub async fn only_the_newest_plan_of_a_subject_is_approved(scene: Scene) {
    let old = scene.plan(1, "shop").await;
    let new = scene.plan(2, "shop").await;
    let error = scene.store.approve(scene.approval(1, old, "shop")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict(text) if text.contains(&new.to_string())), "{error}");
    scene.store.approve(scene.approval(2, new, "shop")).await.unwrap();
}

pub async fn a_plan_is_carried_out_once(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Succeeded).await.unwrap();
    let run = scene.store.run(claim.run).await.unwrap().unwrap();
    let error = scene.store.approve(scene.approval(9, run.plan, "shop")).await.unwrap_err();
    assert!(error.to_string().contains("was carried out"), "{error}");
}

pub async fn the_same_idempotency_key_is_the_same_run(scene: Scene) {
    let plan = scene.plan(1, "shop").await;
    let mut first = scene.approval(1, plan, "shop");
    first.idempotency_key = Some("k".into());
    let mut second = scene.approval(2, plan, "shop");
    second.idempotency_key = Some("k".into());
    let run = scene.store.approve(first).await.unwrap();
    assert_eq!(scene.store.approve(second).await.unwrap(), run);
    assert_eq!(scene.store.runs(&"default".into(), 10).await.unwrap().len(), 1);
}

pub async fn a_held_lock_names_its_holder_and_takes_nothing(scene: Scene) {
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

pub async fn locks_end_with_the_run(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Failed).await.unwrap();
    let plan = scene.plan(2, "shop").await;
    scene.store.approve(scene.approval(2, plan, "shop")).await.unwrap();
}

pub async fn an_approval_supersedes_an_interrupted_run_for_good(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Interrupted).await.unwrap();
    let plan = scene.plan(2, "shop").await;
    scene.store.approve(scene.approval(2, plan, "shop")).await.unwrap();
    let old = scene.store.run(claim.run).await.unwrap().unwrap();
    assert_eq!(old.state, RunState::Superseded);
    let error = scene.store.claim(claim.run, node(1), exclusive("shop")).await.unwrap_err();
    assert!(error.to_string().contains("superseded"), "{error}");
}

pub async fn an_interrupted_run_is_claimed_again_with_its_locks(scene: Scene) {
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

pub async fn cancelling_an_interrupted_run_ends_it(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Interrupted).await.unwrap();
    scene.store.set_want(claim.run, Want::Cancel, "ann".into(), at(5)).await.unwrap();
    let run = scene.store.run(claim.run).await.unwrap().unwrap();
    assert_eq!(run.state, RunState::Cancelled);
    assert_eq!(run.ended_at, Some(at(5)));
    let error = scene.store.set_want(claim.run, Want::Cancel, "ann".into(), at(6)).await.unwrap_err();
    assert!(error.to_string().contains("has ended"), "{error}");
}

/// The wish came while it ran, and its node died before it read it.
pub async fn an_interrupted_run_that_was_to_be_cancelled_ends_when_asked_again(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    scene.store.set_want(claim.run, Want::Cancel, "ann".into(), at(4)).await.unwrap();
    scene.become_state(&claim, RunState::Interrupted).await.unwrap();
    scene.store.set_want(claim.run, Want::Cancel, "ann".into(), at(5)).await.unwrap();
    let run = scene.store.run(claim.run).await.unwrap().unwrap();
    assert_eq!((run.state, run.ended_at), (RunState::Cancelled, Some(at(5))));
}

pub async fn a_plan_keeps_what_it_was_decided_from(scene: Scene) {
    let plan = scene.plan(1, "shop").await;
    let row = scene.store.plan(plan).await.unwrap().unwrap();
    assert_eq!(row.state, PlanState::Ready);
    assert_eq!(row.new.warnings, ["old spelling"]);
    assert_eq!(row.plan.unwrap().draft.subject, subject("shop"));
    assert_eq!(scene.store.plan_inputs(plan).await.unwrap().unwrap().wanted.name.as_str(), "shop");
    assert_eq!(scene.store.next_generation(&subject("shop")).await.unwrap().0, 1);
    assert_eq!(scene.store.next_generation(&subject("shop")).await.unwrap().0, 2);
}

pub async fn a_run_whose_node_died_before_its_claim_is_interrupted(scene: Scene) {
    let plan = scene.plan(1, "shop").await;
    let run = scene.store.approve(scene.approval(1, plan, "shop")).await.unwrap();
    assert_eq!(scene.store.bury(node(1), at(3), "died".into()).await.unwrap(), [run]);
    assert_eq!(scene.store.run(run).await.unwrap().unwrap().state, RunState::Interrupted);
    let next = scene.plan(2, "shop").await;
    scene.store.approve(scene.approval(2, next, "shop")).await.unwrap();
}

pub async fn a_run_kept_for_one_node_is_not_claimed_by_another(scene: Scene) {
    let plan = scene.plan(1, "shop").await;
    let run = scene.store.approve(scene.approval(1, plan, "shop")).await.unwrap();
    let error = scene.store.claim(run, node(2), exclusive("shop")).await.unwrap_err();
    assert!(error.to_string().contains("is held by node"), "{error}");
    scene.store.claim(run, node(1), exclusive("shop")).await.unwrap();
}

/// Each asks for its own key and one that all share; whoever gets it, the others hold nothing.
pub async fn of_many_approvals_over_the_same_locks_one_wins(scene: Scene) {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut approvals = Vec::new();
    for (name, number) in names.iter().zip(1..) {
        let plan = scene.plan(number, name).await;
        let mut approval = scene.approval(number, plan, name);
        approval.locks.extend(exclusive("shared"));
        // In different orders, as they come.
        if number % 2 == 0 {
            approval.locks.reverse();
        }
        approvals.push(approval);
    }
    let other = scene.again().await;
    let tasks: Vec<_> = approvals
        .into_iter()
        .enumerate()
        .map(|(index, approval)| {
            let store = if index % 2 == 0 { scene.store.clone() } else { other.clone() };
            tokio::spawn(async move { store.approve(approval).await })
        })
        .collect();
    let mut won = Vec::new();
    for (task, name) in tasks.into_iter().zip(names) {
        match task.await.unwrap() {
            Ok(run) => won.push((run, name)),
            Err(error) => assert!(error.to_string().starts_with("busy"), "{error}"),
        }
    }
    assert_eq!(won.len(), 1, "{won:?}");
    // The losers left nothing behind: each gets its own key now.
    for (name, number) in names.iter().zip(11..).filter(|(name, _)| **name != won[0].1) {
        let plan = scene.plan(number, name).await;
        scene.store.approve(scene.approval(number, plan, name)).await.unwrap();
    }
}

pub async fn shared_locks_stand_together_and_keep_an_exclusive_one_out(scene: Scene) {
    let shared = |name: &str| (LockKey::Infrastructure(name.into()), LockMode::Shared);
    for (name, number) in [("a", 1), ("b", 2)] {
        let plan = scene.plan(number, name).await;
        let mut approval = scene.approval(number, plan, name);
        approval.locks.push(shared("pool"));
        scene.store.approve(approval).await.unwrap();
    }
    let plan = scene.plan(3, "c").await;
    let mut approval = scene.approval(3, plan, "c");
    approval.locks.extend(exclusive("pool"));
    let error = scene.store.approve(approval).await.unwrap_err();
    assert!(error.to_string().starts_with("busy"), "{error}");
}

pub async fn the_same_key_at_the_same_time_is_one_run(scene: Scene) {
    let plan = scene.plan(1, "shop").await;
    let other = scene.again().await;
    let tasks: Vec<_> = (1..=8)
        .map(|number| {
            let mut approval = scene.approval(number, plan, "shop");
            approval.idempotency_key = Some("k".into());
            let store = if number % 2 == 0 { scene.store.clone() } else { other.clone() };
            tokio::spawn(async move { store.approve(approval).await })
        })
        .collect();
    let mut runs = std::collections::BTreeSet::new();
    for task in tasks {
        runs.insert(task.await.unwrap().unwrap());
    }
    assert_eq!(runs.len(), 1);
    assert_eq!(scene.store.runs(&"default".into(), 10).await.unwrap().len(), 1);
}

pub async fn the_same_plan_request_twice_is_one_plan(scene: Scene) {
    let request = |number: u128| NewPlan {
        id: PlanId(id(number)),
        space: "default".into(),
        subject: subject("shop"),
        account: "onecloud".into(),
        purpose: "update".into(),
        bundle: "{}".into(),
        warnings: vec![],
        actor: "ann".into(),
        at: at(0),
        node: node(1),
        idempotency_key: Some("k".into()),
        source: None,
    };
    let (one, two) = tokio::join!(scene.store.insert_plan(request(1)), scene.store.insert_plan(request(2)));
    assert_eq!(one.unwrap(), two.unwrap());
}
