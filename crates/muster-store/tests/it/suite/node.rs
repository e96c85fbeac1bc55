//! Nodes: who dies leaves interrupted runs, free locks and refused plans behind, never a stuck one.

use muster_model::id::PlanId;
use muster_model::run::RunState;
use muster_store::*;

use super::scene::*;

pub async fn burying_a_node_frees_everything_it_held(scene: Scene) {
    let row = NodeRow {
        id: node(1),
        epoch: 1,
        lease_until: at(60),
        kind: "foreground".into(),
        pid: 1,
        host: "here".into(),
        version: "0".into(),
        started_at: at(0),
    };
    scene.store.join(row.clone()).await.unwrap();
    let mut nodes = scene.store.nodes().await.unwrap();
    // The lease counts from the database's clock, where it has one.
    nodes[0].lease_until = row.lease_until;
    assert_eq!(nodes, [row]);
    let claim = scene.running(1, "shop").await;
    let observing = NewPlan {
        id: PlanId(id(50)),
        space: "default".into(),
        subject: subject("bank"),
        account: "onecloud".into(),
        purpose: "update".into(),
        bundle: "{}".into(),
        warnings: vec![],
        actor: "ann".into(),
        at: at(0),
        node: node(1),
        idempotency_key: None,
        source: None,
    };
    scene.store.insert_plan(observing).await.unwrap();

    assert_eq!(scene.store.bury(node(1), at(9), "killed".into()).await.unwrap(), [claim.run]);

    let run = scene.store.run(claim.run).await.unwrap().unwrap();
    assert_eq!((run.state, run.message.as_deref()), (RunState::Interrupted, Some("killed")));
    assert!(scene.store.nodes().await.unwrap().is_empty());
    let plan = scene.store.plan(PlanId(id(50))).await.unwrap().unwrap();
    assert_eq!(plan.state, PlanState::Refused);
    assert!(plan.message.unwrap().starts_with("interrupted"));
    // Burying twice does nothing.
    assert!(scene.store.bury(node(1), at(10), "again".into()).await.unwrap().is_empty());
    // Its lock is free.
    let next = scene.plan(2, "shop").await;
    scene.store.approve(scene.approval(2, next, "shop")).await.unwrap();
}
