//! Quotas: one limit for all nodes.

use muster_store::*;

use super::scene::*;

fn audit(what: &str) -> Audit {
    Audit {
        space: "default".into(),
        at: at(0),
        actor: "ann".into(),
        what: what.into(),
        about: "limit api".into(),
    }
}

async fn set(scene: &Scene, key: &str, cap: Option<u32>) -> bool {
    scene.store.set_quota(key.into(), cap, audit("limit.set")).await.unwrap()
}

async fn hold(store: &dyn Store, worker: u128, key: &str, number: u32) -> u32 {
    let wish = QuotaWish { key: key.into(), or_else: None, number };
    store.hold_quota(holder(worker), wish).await.unwrap()
}

pub async fn a_quota_is_never_exceeded(scene: Scene) {
    for worker in 1..=12 {
        scene.join(worker, "worker").await;
    }
    set(&scene, "api", Some(10)).await;
    let other = scene.again().await;
    let mut tasks = Vec::new();
    for worker in 1..=12 {
        let store = if worker % 2 == 0 { scene.store.clone() } else { other.clone() };
        tasks.push(tokio::spawn(async move { hold(store.as_ref(), worker, "api", 3).await }));
    }
    let mut granted = 0;
    for task in tasks {
        granted += task.await.unwrap();
    }
    assert_eq!(granted, 10);
    let row = |cap, held| vec![QuotaRow { key: "api".into(), cap, held }];
    assert_eq!(scene.store.quotas().await.unwrap(), row(Some(10), 10));
    for worker in 3..=12 {
        assert_eq!(hold(scene.store.as_ref(), worker, "api", 0).await, 0);
    }
    // What was asked for already is not asked for twice.
    assert_eq!(hold(scene.store.as_ref(), 1, "api", 3).await, 3);
    assert_eq!(hold(scene.store.as_ref(), 1, "api", 3).await, 3);
    assert_eq!(hold(scene.store.as_ref(), 2, "api", 4).await, 4);
    // A lower limit takes nothing back; it gives nothing either until enough came back.
    set(&scene, "api", Some(4)).await;
    assert_eq!(hold(scene.store.as_ref(), 1, "api", 4).await, 3);
    assert_eq!(hold(scene.store.as_ref(), 2, "api", 1).await, 1);
    assert_eq!(hold(scene.store.as_ref(), 1, "api", 4).await, 3, "3 and 1 are 4");
    assert_eq!(hold(scene.store.as_ref(), 2, "api", 0).await, 0);
    assert_eq!(hold(scene.store.as_ref(), 1, "api", 9).await, 4);
    assert!(set(&scene, "api", None).await);
    assert_eq!(hold(scene.store.as_ref(), 1, "api", 50).await, 50);
    assert_eq!(scene.store.quotas().await.unwrap(), row(None, 50));
}

pub async fn what_a_dead_node_held_is_free(scene: Scene) {
    for worker in [7, 8] {
        scene.join(worker, "worker").await;
    }
    set(&scene, "api", Some(2)).await;
    assert_eq!(hold(scene.store.as_ref(), 7, "api", 2).await, 2);
    assert_eq!(hold(scene.store.as_ref(), 8, "api", 2).await, 0);
    scene.lapse(7).await;
    let _ = scene.store.take_over(at(0), "lapsed".into()).await.unwrap();
    assert_eq!(hold(scene.store.as_ref(), 8, "api", 2).await, 2);
    scene.store.bury(node(8), at(1), "closed".into()).await.unwrap();
    assert_eq!(scene.store.quotas().await.unwrap()[0].held, 0);
}

pub async fn a_key_without_a_limit_has_that_of_another(scene: Scene) {
    for worker in [7, 8] {
        scene.join(worker, "worker").await;
    }
    set(&scene, "host/*", Some(1)).await;
    let hold = async |worker, key: &str, number| {
        let wish = QuotaWish { key: key.into(), or_else: Some("host/*".into()), number };
        scene.store.hold_quota(holder(worker), wish).await.unwrap()
    };
    assert_eq!(hold(7, "host/a", 2).await, 1);
    assert_eq!(hold(8, "host/a", 2).await, 0);
    assert_eq!(hold(8, "host/b", 2).await, 1, "each key is counted by itself");
    set(&scene, "host/a", Some(3)).await;
    assert_eq!(hold(8, "host/a", 2).await, 2, "its own limit counts");
    let row = |key: &str, cap, held| QuotaRow { key: key.into(), cap, held };
    let all = vec![row("host/*", Some(1), 0), row("host/a", Some(3), 3), row("host/b", None, 1)];
    assert_eq!(scene.store.quotas().await.unwrap(), all);
}

pub async fn a_change_of_a_limit_is_in_the_audit(scene: Scene) {
    let remove = async || scene.store.set_quota("api".into(), None, audit("limit.removed")).await.unwrap();
    assert!(!remove().await, "there was none");
    assert!(!set(&scene, "api", Some(3)).await);
    assert!(set(&scene, "api", Some(4)).await);
    assert!(remove().await);
    let audits = scene.store.audits(&"default".into(), 10).await.unwrap();
    let what: Vec<_> = audits.iter().map(|audit| audit.what.as_str()).collect();
    assert_eq!(what, ["limit.removed", "limit.set", "limit.set"], "nothing changed the first time");
}
