//! Quotas: one limit for all nodes.

use muster_store::*;

use super::scene::*;

pub async fn a_quota_is_never_exceeded(scene: Scene) {
    scene.join(7, "worker").await;
    scene.join(8, "worker").await;
    scene.store.set_quota("api".into(), Some(10)).await.unwrap();
    let other = scene.again().await;
    let mut tasks = Vec::new();
    for number in 0..12 {
        let worker = 7 + number % 2;
        let store = if worker == 7 { scene.store.clone() } else { other.clone() };
        tasks.push(tokio::spawn(
            async move { store.take_quota(holder(worker), "api".into(), 3).await.unwrap() },
        ));
    }
    let mut granted = 0;
    for task in tasks {
        granted += task.await.unwrap();
    }
    assert_eq!(granted, 10);
    let row = |cap, held| vec![QuotaRow { key: "api".into(), cap, held }];
    assert_eq!(scene.store.quotas().await.unwrap(), row(Some(10), 10));
    // A lower limit takes nothing back; it gives nothing either until enough came back.
    scene.store.set_quota("api".into(), Some(4)).await.unwrap();
    assert_eq!(scene.store.take_quota(holder(7), "api".into(), 1).await.unwrap(), 0);
    for worker in [7, 8] {
        // More than it has: nobody gets below nothing.
        scene.store.give_quota(holder(worker), "api".into(), 100).await.unwrap();
    }
    assert_eq!(scene.store.take_quota(holder(8), "api".into(), 9).await.unwrap(), 4);
    scene.store.give_quota(holder(8), "api".into(), 1).await.unwrap();
    assert_eq!(scene.store.quotas().await.unwrap(), row(Some(4), 3));
    scene.store.set_quota("api".into(), None).await.unwrap();
    assert_eq!(scene.store.take_quota(holder(7), "api".into(), 50).await.unwrap(), 50);
    assert_eq!(scene.store.quotas().await.unwrap(), row(None, 53));
}

pub async fn what_a_dead_node_held_is_free(scene: Scene) {
    for worker in [7, 8] {
        scene.join(worker, "worker").await;
    }
    scene.store.set_quota("api".into(), Some(2)).await.unwrap();
    assert_eq!(scene.store.take_quota(holder(7), "api".into(), 2).await.unwrap(), 2);
    assert_eq!(scene.store.take_quota(holder(8), "api".into(), 2).await.unwrap(), 0);
    scene.lapse(7).await;
    let _ = scene.store.take_over(at(0), "lapsed".into()).await.unwrap();
    assert_eq!(scene.store.take_quota(holder(8), "api".into(), 2).await.unwrap(), 2);
    scene.store.bury(node(8), at(1), "closed".into()).await.unwrap();
    assert_eq!(scene.store.quotas().await.unwrap()[0].held, 0);
}
