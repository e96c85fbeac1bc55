//! Injected faults: each ends in success after a retry, or in an error that names server, operation and next step.

use muster_model::run::{Run, RunState};
use muster_runs::Engine;
use serde_json::json;

use crate::process::*;

const ONE: &str = "
version: 1
account: onecloud
location: SdnSpb
servers:
  web: { count: 2, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }
";

fn with_fault(fault: serde_json::Value) -> (Stage, Run) {
    let stage = Stage::new(11);
    stage.fault(fault);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, ONE, outside_only()).await.unwrap().1.unwrap()
    });
    let run = lived.result.unwrap();
    (stage, run)
}

fn names(stage: &Stage) -> Vec<String> {
    let mut names: Vec<String> = stage.simulator.servers().iter().map(|server| server.name.clone()).collect();
    names.sort();
    names
}

fn on_create(fault: serde_json::Value) -> serde_json::Value {
    json!({"match": {"method": "POST", "path": "/server"}, "times": 1, "fault": fault})
}

#[test]
fn a_lost_answer_makes_no_second_server() {
    let (stage, run) = with_fault(on_create(json!("drop_answer_after_effect")));
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
    assert_eq!(names(&stage), ["web-1", "web-2"]);
}

/// `SEMANTICS.md` §4: an effect within the settle time is found, and nothing is made twice.
#[test]
fn an_effect_within_the_settle_time_is_found() {
    let (stage, run) = with_fault(on_create(json!({"effect_after_ms": SETTLE_MS - 5_000})));
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
    assert_eq!(names(&stage), ["web-1", "web-2"]);
}

/// The settle time counts from when the request can have left, not from when it was intended: here it stood in line
/// behind another write that hung.
#[test]
fn a_create_that_stood_in_line_has_its_whole_settle_time() {
    let stage = Stage::new(11);
    stage.fault(json!({"match": {"method": "POST", "path": "/server", "name": "web-1"}, "fault": "hang_after_effect"}));
    let late = json!({"effect_after_ms": SETTLE_MS - 5_000});
    stage.fault(json!({"match": {"method": "POST", "path": "/server", "name": "web-2"}, "fault": late}));
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, ONE, outside_only()).await.unwrap().1.unwrap()
    });
    assert_eq!(lived.result.unwrap().state, RunState::Succeeded);
    stage.clock.pass(std::time::Duration::from_millis(SETTLE_MS * 4));
    assert_eq!(names(&stage), ["web-1", "web-2"], "nothing is made twice");
}

/// `SEMANTICS.md` §4: one that appears later is detected by its intent and reported with both ids; never deleted.
#[test]
fn an_effect_after_the_settle_time_is_reported_and_kept() {
    let (stage, run) = with_fault(on_create(json!({"effect_after_ms": SETTLE_MS * 4})));
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
    stage.simulator.advance(std::time::Duration::from_millis(SETTLE_MS * 5));
    assert_eq!(names(&stage).len(), 3, "the late one is there now");
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let plan = propose(&engine, ONE, outside_only()).await.unwrap();
        engine.planned(plan).await.unwrap().plan.unwrap().draft
    });
    let draft = lived.result.unwrap();
    assert!(draft.steps.is_empty(), "nothing is done about it");
    let twin = draft.notes.iter().find(|note| note.message.contains("web-")).unwrap();
    let ids: Vec<String> = stage
        .simulator
        .servers()
        .iter()
        .filter(|server| server.name == twin.target)
        .map(|server| server.id.to_string())
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| twin.message.contains(id.as_str())), "{} names {ids:?}", twin.message);
}

#[test]
fn passing_faults_are_retried() {
    for fault in
        [json!({"status": 500}), json!({"status": 429}), json!("hang"), json!("truncated"), json!("html")]
    {
        let (stage, run) = with_fault(on_create(fault.clone()));
        assert_eq!(run.state, RunState::Succeeded, "{fault}: {:?}", run.message);
        assert_eq!(names(&stage), ["web-1", "web-2"], "{fault}");
    }
}

#[test]
fn what_cannot_be_mended_names_server_and_next_step() {
    for (fault, word) in [(json!({"state": "NeedMoney"}), "money"), (json!({"status": 400}), "web-")] {
        let (_, run) = with_fault(on_create(fault.clone()));
        assert_eq!(run.state, RunState::Failed, "{fault}");
        let message = run.message.unwrap();
        assert!(message.contains("web-") && message.contains(word), "{fault}: {message}");
    }
}

/// `SEMANTICS.md` §4: the effect is doubled and the answer lost. Nobody can know which one to keep.
#[test]
fn several_candidates_are_refused_with_their_ids() {
    let (stage, run) = with_fault(json!({
        "match": {"method": "POST", "path": "/server", "name": "web-1"},
        "times": 1,
        "fault": ["duplicate_effect", "drop_answer_after_effect"],
    }));
    let servers = stage.simulator.servers();
    let twins: Vec<String> =
        servers.iter().filter(|server| server.name == "web-1").map(|server| server.id.to_string()).collect();
    assert_eq!(twins.len(), 2, "both are there, none was deleted and no third one made");
    assert_eq!(run.state, RunState::Failed, "{:?}", run.message);
    let message = run.message.unwrap();
    assert!(twins.iter().all(|id| message.contains(id.as_str())), "{message} names {twins:?}");
}
