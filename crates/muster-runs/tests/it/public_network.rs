//! ICT-36: public networks of a file: made, changed and deleted with it; a firewall is told and never touched.

use muster_model::plan::NoteKind;
use muster_model::policy::Policy;
use muster_model::run::RunState;
use muster_runs::Engine;
use muster_sim::onecloud::Durations;
use serde_json::{Value, json};

use crate::names::panel;
use crate::process::*;

const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
networks:
  front: { public: true, addresses: 5, bandwidth: 100 }
";
const NONE: &str = "
version: 1
account: onecloud
servers: {}
";

fn updated(stage: &Stage, text: &str) -> (usize, Option<(RunState, Option<String>)>) {
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let (steps, run) = update(&engine, text, outside_only()).await.unwrap();
        (steps, run.map(|run| (run.state, run.message)))
    });
    lived.result.unwrap()
}

fn well(stage: &Stage, text: &str) {
    assert_eq!(updated(stage, text).1, Some((RunState::Succeeded, None)));
}

/// Names and speeds, as the panel shows them.
fn there(stage: &Stage) -> Vec<(String, u64)> {
    let all = panel(stage, "GET", "/publicnetwork", Value::Null);
    let all = all.as_array().unwrap().iter();
    all.map(|one| (one["Name"].as_str().unwrap().to_owned(), one["Bandwidth"].as_u64().unwrap())).collect()
}

fn front(mbit: u64) -> Vec<(String, u64)> {
    vec![("front".to_owned(), mbit)]
}

/// ICT-36: a public network of the file is kept as the file says.
#[test]
fn made_changed_brought_back_and_deleted() {
    let stage = Stage::with(36, Durations::default(), Stage::new(36).settings.clone());
    well(&stage, SHOP);
    assert_eq!(there(&stage), front(100));
    assert_eq!(updated(&stage, SHOP), (0, None));
    well(&stage, &SHOP.replace("100", "200"));
    assert_eq!(there(&stage), front(200));
    stage.drift(json!({"publicnetwork": "front", "set": {"Bandwidth": 50, "Name": "edge"}}));
    well(&stage, SHOP);
    assert_eq!(there(&stage), front(100));
    assert_eq!(updated(&stage, SHOP), (0, None));
    well(&stage, NONE);
    assert_eq!(there(&stage), []);
    // A file that has none any more does not ask.
    let asked = |stage: &Stage| {
        stage.simulator.journal().iter().filter(|one| one.path.starts_with("/publicnetwork")).count()
    };
    let before = asked(&stage);
    assert_eq!(updated(&stage, NONE), (0, None));
    assert_eq!(asked(&stage), before);
}

#[test]
fn a_firewall_is_told_in_every_plan() {
    let stage = Stage::new(36);
    let walled = SHOP.replace(
        "bandwidth: 100",
        "bandwidth: 100, firewall: { enabled: true, default: deny, rules: [{ protocol: tcp, destination_port: 443 }] }",
    );
    let told = |stage: &Stage| {
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            let plan = propose(&engine, &walled, outside_only()).await.unwrap();
            engine.planned(plan).await.unwrap().plan.unwrap().draft
        });
        let draft = lived.result.unwrap();
        assert!(draft.steps.is_empty(), "never a step");
        draft.notes.iter().filter(|note| note.kind == NoteKind::Firewall).count()
    };
    well(&stage, &walled);
    assert_eq!(told(&stage), 3);
    let rule = json!({"Number": 1, "Name": "web", "Action": "Allow", "Protocol": "Tcp", "Source": "Any",
        "SourcePort": "Any", "Destination": "Any", "DestinationPort": "443"});
    let firewall = json!({"Enabled": true, "DefaultRuleAction": "Deny", "Rules": [rule]});
    stage.drift(json!({"publicnetwork": "front", "set": {"Firewall": firewall}}));
    assert_eq!(told(&stage), 0);
}

/// `SEMANTICS.md` §4: whatever becomes of the answer, there is one, and it is ours.
#[test]
fn a_lost_answer_makes_no_second_one() {
    for fault in [json!("drop_answer_after_effect"), json!({"status": 500}), json!("truncated")] {
        let stage = Stage::new(36);
        stage.fault(
            json!({"match": {"method": "POST", "path": "/publicnetwork"}, "times": 1, "fault": fault}),
        );
        well(&stage, SHOP);
        assert_eq!(there(&stage), front(100), "{fault}");
        well(&stage, NONE);
        assert_eq!(there(&stage), [], "{fault}");
    }
}

#[test]
fn killed_anywhere_it_converges() {
    let whole = Stage::new(36);
    let commits = whole
        .process(Cut::Never, async |engine: Engine| update(&engine, SHOP, Policy::default()).await)
        .commits;
    for commit in 1..=commits {
        for cut in [Cut::Before(commit), Cut::After(commit)] {
            let stage = Stage::new(36);
            stage.process(cut, async |engine: Engine| update(&engine, SHOP, Policy::default()).await);
            stage.clock.pass(std::time::Duration::from_secs(300));
            let run = updated(&stage, SHOP).1;
            assert!(run.is_none_or(|(state, _)| state == RunState::Succeeded), "{cut:?}");
            assert_eq!((there(&stage), updated(&stage, SHOP).0), (front(100), 0), "{cut:?}");
            well(&stage, NONE);
            assert_eq!(there(&stage), [], "{cut:?}: it was ours");
        }
    }
}
