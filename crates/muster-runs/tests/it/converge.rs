//! The main job: made, silent, brought back.

use muster_model::policy::{Policy, Purpose};
use muster_model::run::RunState;
use muster_runs::{Engine, EngineError};

use crate::process::*;

const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
networks:
  backend: { dhcp: true }
servers:
  web: { count: 3, image: Ubuntu 20.04, cpu: 2, ram: 2 GiB, disk: 40 GiB ssd, networks: [backend] }
  db: { image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd, networks: [backend] }
";

fn made() -> Stage {
    let stage = Stage::new(7);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, SHOP, outside_only()).await.unwrap().1.unwrap()
    });
    let run = lived.result.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
    stage
}

fn second(stage: &Stage, policy: Policy) -> (usize, Option<RunState>) {
    let lived = stage.process(Cut::Never, async move |engine: Engine| {
        let (steps, run) = update(&engine, SHOP, policy).await.unwrap();
        (steps, run.map(|run| run.state))
    });
    lived.result.unwrap()
}

/// ICT-04, ICT-12: what is missing is made, and a second update sends no write request.
#[test]
fn a_second_update_sends_no_write() {
    let stage = made();
    assert_eq!(stage.picture().len(), 4);
    let writes = stage.writes();
    assert_eq!(second(&stage, outside_only()), (0, None));
    assert_eq!(stage.writes(), writes);
}

/// Without the database the servers are found again by name and fit; nothing is sent, nothing is made.
#[test]
fn a_lost_database_finds_its_servers() {
    let stage = made();
    let writes = stage.writes();
    for file in std::fs::read_dir(stage.home()).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("muster.db") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let (steps, state) = second(&stage, outside_only());
    assert_eq!(state, Some(RunState::Succeeded), "records are made anew ({steps} steps)");
    assert_eq!(stage.writes(), writes, "and nothing is sent");
    assert_eq!(second(&stage, outside_only()), (0, None));
    assert_eq!(stage.picture().len(), 4);
}

/// ICT-07, ICT-08, ICT-14: whatever is changed behind our back is reported and brought back.
#[test]
fn every_drift_is_brought_back() {
    for drift in [
        serde_json::json!({"server": "web-1", "set": {"CPU": 4}}),
        serde_json::json!({"server": "web-1", "set": {"RAM": 4096}}),
        serde_json::json!({"server": "web-2", "set": {"IsPowerOn": false}}),
        serde_json::json!({"server": "web-3", "set": {"HDDType": "SAS"}}),
        serde_json::json!({"server": "web-3", "set": {"IsHighPerformance": true}}),
        serde_json::json!({"server": "db-1", "set": {"LinkedNetworks": []}}),
        serde_json::json!({"server": "web-2", "delete": true}),
    ] {
        let stage = made();
        let before = stage.picture();
        stage.drift(drift.clone());
        assert_ne!(stage.picture(), before, "{drift} changes something that the picture shows or");
        let (steps, state) = second(&stage, outside_only());
        assert!(steps > 0, "{drift} is reported");
        assert_eq!(state, Some(RunState::Succeeded), "{drift}");
        assert_eq!(stage.picture(), before, "{drift} is brought back");
        assert_eq!(second(&stage, outside_only()).0, 0, "{drift}: then nothing is left to do");
    }
}

/// ICT-65: a stranger is never touched, even one that bears a name from the file.
#[test]
fn strangers_are_never_touched() {
    let stage = Stage::new(3);
    stage.drift(serde_json::json!({"create": {"Name": "web-1", "CPU": 8, "RAM": 8192, "HDD": 100}}));
    stage.drift(serde_json::json!({"create": {"Name": "other", "CPU": 1}}));
    let strangers = stage.picture();
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let run = update(&engine, SHOP, outside_only()).await.unwrap().1.unwrap();
        let destroy = Policy { purpose: Purpose::Destroy, allow_deletes: Some(10), ..outside_only() };
        let gone = update(&engine, SHOP, destroy).await.unwrap().1.unwrap();
        (run.state, gone.state, gone.message)
    });
    let (made, gone, message) = lived.result.unwrap();
    // `web-1` is wanted and cannot be had: an otherwise good run is *partly* done.
    assert_eq!(made, RunState::Partly);
    assert_eq!(gone, RunState::Succeeded, "{message:?}");
    assert_eq!(stage.picture(), strangers, "after a destroy only the strangers are left, as they were");
}

/// ICT-13: surplus servers that are ours are deleted, within the budget that a person gives.
#[test]
fn surplus_is_deleted_within_the_budget() {
    let stage = made();
    let fewer = SHOP.replace("count: 3", "count: 1");
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let refused = update(&engine, &fewer, outside_only()).await;
        let allowed = Policy { allow_deletes: Some(2), ..outside_only() };
        (refused, update(&engine, &fewer, allowed).await.unwrap().1.unwrap().state)
    });
    let (refused, done) = lived.result.unwrap();
    let EngineError::Refused(message) = refused.unwrap_err() else { panic!("not refused") };
    assert!(message.contains("--allow-deletes 2"), "{message}");
    assert_eq!(done, RunState::Succeeded);
    assert_eq!(stage.picture().len(), 2);
}

/// A plan whose world moved before its approval touches nothing and says what moved.
#[test]
fn a_stale_plan_touches_nothing() {
    let stage = made();
    let grown = SHOP.replace("count: 3", "count: 4");
    let writes = stage.writes();
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let plan = propose(&engine, &grown, outside_only()).await.unwrap();
        engine.planned(plan).await.unwrap();
        stage.drift(serde_json::json!({"server": "web-1", "set": {"CPU": 4}}));
        let run = engine.approve(&me(), plan, None).await.unwrap();
        ended(&engine, run).await
    });
    let run = lived.result.unwrap();
    assert_eq!(run.state, RunState::Stale);
    assert!(run.message.as_deref().unwrap().contains("web-1"), "{:?}", run.message);
    assert_eq!(stage.writes(), writes);
}

/// The same seed gives the same journal, byte for byte.
#[test]
fn a_seed_replays_byte_for_byte() {
    let journal = || {
        let stage = Stage::new(99);
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            let run = update(&engine, SHOP, outside_only()).await.unwrap().1.unwrap();
            let entries = journal_of(&engine, run.id).await;
            serde_json::to_string(&entries).unwrap()
        });
        lived.result.unwrap()
    };
    let first = journal();
    assert!(first.len() > 1_000);
    assert_eq!(first, journal());
}

/// One plan is one list of servers and at most five further requests, none per server.
#[test]
fn a_plan_asks_six_things() {
    let stage = made();
    stage.simulator.clear_journal();
    assert_eq!(second(&stage, outside_only()), (0, None));
    let mut asked: Vec<String> =
        stage.simulator.journal().into_iter().map(|entry| entry.path.to_lowercase()).collect();
    asked.sort();
    assert_eq!(asked, ["/account", "/dclocation", "/image", "/network", "/server", "/sshkey"]);
}
