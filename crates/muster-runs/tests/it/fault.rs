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

/// A change whose answer is lost, in front of lists that lag 20 s behind: the second attempt is refused because it is
/// so already, which only the server's own address tells. The update converges by itself.
#[test]
fn what_is_so_already_behind_lagging_lists_is_done() {
    let file = |servers: &str, networks: &str| {
        format!(
            "version: 1\naccount: onecloud\nlocation: SdnSpb\nnetworks: {networks}\nservers:\n  \
             web: {{ count: 1, image: Ubuntu 20.04, ram: 1 GiB, disk: 40 GiB ssd, {servers} }}\n"
        )
    };
    let both = "{ back: { dhcp: true } }";
    let cases = [
        ("POST", "/server/*", file("cpu: 1", both), file("cpu: 1, networks: [back]", both)),
        ("POST", "/server/*", file("cpu: 1, networks: [back]", both), file("cpu: 1", both)),
        ("POST", "/server/*", file("cpu: 1", "{}"), file("cpu: 1, power: stopped", "{}")),
        ("PUT", "/server/*", file("cpu: 1", "{}"), file("cpu: 2", "{}")),
        ("DELETE", "/network/*", file("cpu: 1, networks: [back]", both), file("cpu: 1", "{}")),
    ];
    for (method, path, before, after) in cases {
        let stage = Stage::new(11);
        let made = stage.process(Cut::Never, async |engine: Engine| {
            update(&engine, &before, outside_only()).await.unwrap().1.unwrap().state
        });
        assert_eq!(made.result, Some(RunState::Succeeded));
        stage.clock.pass(std::time::Duration::from_secs(60));
        for list in ["/server", "/network"] {
            stage
                .fault(json!({"match": {"method": "GET", "path": list}, "fault": {"stale_list_ms": 20_000}}));
        }
        stage.fault(json!({"match": {"method": method, "path": path}, "fault": "drop_answer_after_effect"}));
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            let mut policy = outside_only();
            policy.allow_deletes = Some(1);
            update(&engine, &after, policy).await.unwrap().1.unwrap()
        });
        let run = lived.result.unwrap();
        assert_eq!(run.state, RunState::Succeeded, "{method} {path}: {:?}\n{after}", run.message);
        let left = stage.process(Cut::Never, async |engine: Engine| {
            update(&engine, &after, outside_only()).await.unwrap().0
        });
        assert_eq!(left.result, Some(0), "{after}");
    }
}

/// The list of networks alone lags: it still shows a server that is unlinked, or gone.
#[test]
fn a_network_that_only_a_lagging_list_calls_used_is_deleted() {
    const WITH: &str = "version: 1\naccount: onecloud\nlocation: SdnSpb\nnetworks: { back: { dhcp: true } }\nservers:\n  \
        web: { count: 1, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd, networks: [back] }\n";
    let stage = Stage::new(12);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, WITH, outside_only()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
        let without = WITH.replace("{ back: { dhcp: true } }", "{}").replace(", networks: [back]", "");
        // The plan and the look before the first effect; then the look before the deletion, which sees the link again.
        for (times, behind_ms) in [(2, 1_000), (1, 60_000)] {
            stage.fault(json!({
                "match": {"method": "GET", "path": "/network"},
                "times": times,
                "fault": {"stale_list_ms": behind_ms},
            }));
        }
        update(&engine, &without, outside_only()).await.unwrap().1.unwrap()
    });
    let run = lived.result.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
    assert!(stage.simulator.networks_of(0).iter().all(|network| network.name != "back"));
}
