//! Requests that found their locks held.

use muster_model::id::{PlanId, RunId};
use muster_model::rights::Authority;
use muster_store::*;

use super::scene::*;

pub(super) fn request(plan: PlanId, digest: &str) -> QueuedRow {
    QueuedRow {
        plan,
        space: "default".into(),
        subject: subject("shop"),
        digest: digest.into(),
        how: QueuedHow { authority: Authority::local("ann"), countdown_seconds: Some(9), priority: 10 },
        asked_at: at(1),
        give_up_at: at(60),
        state: QueueState::Waiting,
        message: None,
        run: None,
    }
}

pub(super) fn left(state: QueueState, message: &str) -> Left {
    Left { state, message: Some(message.into()), run: None, at: at(9) }
}

pub async fn the_same_request_waits_once(scene: Scene) {
    let other = scene.again().await;
    let tasks: Vec<_> = (1..=8)
        .map(|number| {
            let store = if number % 2 == 0 { scene.store.clone() } else { other.clone() };
            tokio::spawn(async move { store.enqueue(request(PlanId(id(number)), "same")).await.unwrap() })
        })
        .collect();
    let mut kept = std::collections::BTreeSet::new();
    for task in tasks {
        kept.insert(task.await.unwrap().plan);
    }
    assert_eq!(kept.len(), 1, "{kept:?}");
    scene.store.enqueue(request(PlanId(id(20)), "other")).await.unwrap();
    let all = scene.store.queue(false).await.unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0], request(PlanId(id(20)), "other"), "the newest first, and as it was asked");
    assert_eq!(scene.store.audits(&"default".into(), 10).await.unwrap().len(), 2, "each once");
}

/// However many came and went, one that waits is found, and the table does not grow for ever.
pub async fn what_waits_is_found_among_many(scene: Scene) {
    scene.store.enqueue(request(PlanId(id(1)), "waits")).await.unwrap();
    let last = u128::from(QUEUE_MAX) + 20;
    for number in 2..=last {
        scene.store.enqueue(request(PlanId(id(number)), "same")).await.unwrap();
        scene.store.leave_queue(PlanId(id(number)), left(QueueState::Dropped, "")).await.unwrap();
    }
    let all = scene.store.queue(false).await.unwrap();
    assert_eq!((all[0].plan, all[1].plan), (PlanId(id(1)), PlanId(id(last))));
    assert_eq!(all.len(), QUEUE_MAX as usize);
    assert_eq!(scene.store.queue(true).await.unwrap().len(), 1);
    assert!(scene.store.queued(PlanId(id(2))).await.unwrap().is_none(), "long over");
}

pub async fn it_leaves_once_and_says_why(scene: Scene) {
    let plan = PlanId(id(1));
    scene.store.enqueue(request(plan, "same")).await.unwrap();
    assert!(scene.store.leave_queue(plan, left(QueueState::Dropped, "its time is over")).await.unwrap());
    let late = Left { run: Some(RunId(id(7))), ..left(QueueState::Begun, "") };
    assert!(!scene.store.leave_queue(plan, late).await.unwrap());
    let row = scene.store.queued(plan).await.unwrap().unwrap();
    assert_eq!(
        (row.state, row.message.as_deref(), row.run),
        (QueueState::Dropped, Some("its time is over"), None)
    );
    let audits = scene.store.audits(&"default".into(), 1).await.unwrap();
    assert_eq!((audits[0].what.as_str(), audits[0].actor.as_str()), ("request.dropped", "ann"));
    assert!(audits[0].about.contains("its time is over"), "{}", audits[0].about);
    // It is not waiting any more, so the same may be asked again.
    let again = scene.store.enqueue(request(PlanId(id(2)), "same")).await.unwrap();
    assert_eq!(again.plan, PlanId(id(2)));
    let run = Left { run: Some(RunId(id(7))), message: None, ..left(QueueState::Begun, "") };
    assert!(scene.store.leave_queue(again.plan, run).await.unwrap());
    assert_eq!(scene.store.queued(again.plan).await.unwrap().unwrap().run, Some(RunId(id(7))));
    assert!(scene.store.queued(PlanId(id(3))).await.unwrap().is_none());
}

pub async fn what_is_in_the_way_is_named_and_nothing_is_taken(scene: Scene) {
    assert_eq!(scene.store.in_the_way(exclusive("shop")).await.unwrap(), None);
    let holder = scene.running(1, "shop").await;
    let told = scene.store.in_the_way(exclusive("shop")).await.unwrap().unwrap();
    assert!(told.starts_with("busy") && told.contains(&holder.run.to_string()), "{told}");
    assert_eq!(scene.store.in_the_way(exclusive("bank")).await.unwrap(), None);
    let plan = scene.plan(2, "bank").await;
    scene.store.approve(scene.approval(2, plan, "bank")).await.unwrap();
}
