//! Requests that wait for their turn, in one process with virtual time.

use std::time::Duration;

use muster_model::run::RunState;
use muster_runs::queue::{QueueState, QueuedRow};
use muster_runs::{Engine, EngineError, Start};

use crate::process::*;

const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
stats: false
servers:
  web: { count: 2, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }
";

async fn left(engine: &Engine, mut row: QueuedRow) -> QueuedRow {
    while row.state == QueueState::Waiting {
        tokio::time::sleep(Duration::from_millis(300)).await;
        row = engine.queued(&me(), row.plan).await.unwrap();
    }
    row
}

/// A command for servers that a change holds: it runs after it, as it was asked.
#[test]
fn a_command_waits_for_the_change_under_way() {
    let stage = Stage::new(71);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, SHOP, outside_only()).await.unwrap();
        let larger = SHOP.replace("ram: 1 GiB", "ram: 2 GiB");
        let change = propose(&engine, &larger, outside_only()).await.unwrap();
        engine.planned(change).await.unwrap();
        let soon = Start { countdown: Some(Duration::from_secs(30)), ..Start::default() };
        let change = engine.start(&me(), change, soon).await.unwrap();
        let servers = vec!["web-1".into(), "web-2".into()];
        let command =
            engine.submit_exec(&me(), &"default".into(), servers, vec!["uptime".into()]).await.unwrap();
        let busy = engine.approve(&me(), command, None).await.unwrap_err();
        assert!(matches!(&busy, EngineError::Conflict(text) if text.starts_with("busy")), "{busy}");
        let limit = Duration::from_secs(600);
        let request = engine.enqueue(&me(), command, Start::default(), limit).await.unwrap();
        assert_eq!(stage.hosts.calls(), []);
        let begun = left(&engine, request).await;
        assert_eq!(begun.state, QueueState::Begun, "{:?}", begun.message);
        assert_eq!(ended(&engine, change).await.state, RunState::Succeeded, "it came first");
        assert_eq!(ended(&engine, begun.run.unwrap()).await.state, RunState::Succeeded);
        let starts = stage.hosts.calls().iter().filter(|call| call.what.starts_with("start")).count();
        assert_eq!(starts, 2, "once on each");
    });
    lived.result.unwrap();
}

/// What was in the way did the very thing that was asked: then nothing is begun.
#[test]
fn what_is_done_already_when_its_turn_comes_is_not_begun() {
    let stage = Stage::new(72);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let plan = propose(&engine, SHOP, outside_only()).await.unwrap();
        engine.planned(plan).await.unwrap();
        let soon = Start { countdown: Some(Duration::from_secs(30)), ..Start::default() };
        let first = engine.start(&me(), plan, soon).await.unwrap();
        let same = propose(&engine, SHOP, outside_only()).await.unwrap();
        engine.planned(same).await.unwrap();
        let limit = Duration::from_secs(600);
        let request = engine.enqueue(&me(), same, Start::default(), limit).await.unwrap();
        let needless = left(&engine, request).await;
        assert_eq!(needless.state, QueueState::Needless, "{:?}", needless.message);
        assert_eq!(ended(&engine, first).await.state, RunState::Succeeded);
        assert_eq!(engine.reads().runs(&"default".into(), 10).await.unwrap().len(), 1);
        let long = engine.enqueue(&me(), same, Start::default(), Duration::from_secs(90_000)).await;
        assert!(matches!(long, Err(EngineError::Invalid(_))), "{long:?}");
    });
    lived.result.unwrap();
}
