//! Runs that are cut into lanes: the outcome is that of one lane, whatever fails, and whoever cancels.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use muster_model::id::{LaneNumber, RunId};
use muster_model::plan::{Action, ProvisionAction};
use muster_model::policy::Policy;
use muster_model::run::{EntryKind, RunState};
use muster_runs::Engine;
use muster_sim::onecloud::Durations;
use muster_store::PlanState;

use crate::laws::journal_is_legal;
use crate::process::*;

const TWENTY: &str = "
version: 1
account: onecloud
location: SdnSpb
networks:
  backend: { dhcp: true }
servers:
  web: { count: 20, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd, networks: [backend] }
";

/// A provider that needs seconds, and lanes of at most six servers: lane 0 and four more.
fn stage(seed: u64) -> Stage {
    let durations = Durations { create_ms: 5_000, network_create_ms: 2_000, ..Durations::instant() };
    let mut stage = Stage::with(seed, durations, Stage::new(seed).settings);
    stage.lane_targets = 6;
    stage
}

async fn approved(engine: &Engine, text: &str) -> RunId {
    let plan = propose(engine, text, outside_only()).await.unwrap();
    assert_eq!(engine.planned(plan).await.unwrap().state, PlanState::Ready);
    engine.approve(&me(), plan, None).await.unwrap()
}

async fn judge(engine: &Engine, run: RunId) -> BTreeSet<LaneNumber> {
    let view = engine.reads().run(run).await.unwrap().unwrap();
    let plan = engine.reads().plan(view.run.plan).await.unwrap().unwrap().plan.unwrap();
    assert_eq!(plan.draft.last_lane(), LaneNumber(4));
    let entries = journal_of(engine, run).await;
    journal_is_legal(&view.run, &plan.draft, &entries);
    entries.iter().map(|entry| entry.lane).collect()
}

#[test]
fn a_large_run_is_carried_out_in_lanes() {
    let stage = stage(31);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let run = approved(&engine, TWENTY).await;
        let ended = ended(&engine, run).await;
        assert_eq!(ended.state, RunState::Succeeded, "{:?}", ended.message);
        let lanes = judge(&engine, run).await;
        assert_eq!(lanes, (0..=4).map(LaneNumber).collect());
        let view = engine.reads().run(run).await.unwrap().unwrap();
        assert_eq!(view.steps.succeeded, view.steps.total);
        let (steps, _) = update(&engine, TWENTY, outside_only()).await.unwrap();
        assert_eq!(steps, 0, "a further update has nothing to do");
    });
    assert!(lived.result.is_some());
    let picture = stage.picture();
    assert_eq!(picture.len(), 20);
    // Linked by lanes 1 to 4 to what lane 0 made.
    assert!(picture.iter().all(|server| server.ends_with("networks=backend")), "{picture:#?}");
}

/// What lanes 1 to 4 linked and configured, lane 0 tries at the end: every server another one, each once.
#[test]
fn the_servers_of_all_lanes_try_each_other() {
    let stage = stage(36);
    let text = format!("{}\n", TWENTY.replace("location: SdnSpb", "location: SdnSpb\nstats: false"));
    stage.hosts.answer("*", "muster-interface-look", 0, "root yes\ndevice eth1\nconfigured\n", "");
    stage.hosts.answer("*", "muster-network-reach", 0, "ping\n", "");
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let plan = propose(&engine, &text, Policy::default()).await.unwrap();
        let draft = engine.planned(plan).await.unwrap().plan.unwrap().draft;
        let last = draft.steps.last().unwrap();
        assert!(matches!(last.action, Action::Provision(ProvisionAction::CheckNetwork { .. })));
        assert_eq!(draft.lane_of(last.number), LaneNumber(0));
        let run = engine.approve(&me(), plan, None).await.unwrap();
        let ended = ended(&engine, run).await;
        assert_eq!(ended.state, RunState::Succeeded, "{:?}", ended.message);
        judge(&engine, run).await;
        let (steps, _) = update(&engine, &text, Policy::default()).await.unwrap();
        assert_eq!(steps, 0, "a further update has nothing to do");
    });
    assert!(lived.result.is_some());
    let calls = stage.hosts.calls().into_iter();
    let tried: BTreeMap<String, String> = calls
        .filter_map(|call| {
            let to = call.what.split_once("muster-network-reach ")?.1.split(' ').next()?.to_owned();
            Some((call.host, to))
        })
        .collect();
    let address_of = |name: &str| {
        let servers = stage.simulator.servers();
        servers.iter().find(|server| server.name == name).unwrap().links[1].ip.to_string()
    };
    let names: Vec<String> = (1..=20).map(|number| format!("web-{number}")).collect();
    for (at, name) in names.iter().enumerate() {
        assert_eq!(tried[name], address_of(&names[(at + 1) % names.len()]), "{name}");
    }
    assert_eq!(tried.len(), names.len());
}

/// One step that fails in one lane keeps every lane from beginning anything further, and the run says what failed.
#[test]
fn a_failure_in_one_lane_ends_them_all() {
    let stage = stage(32);
    stage.fault(serde_json::json!({
        "match": {"method": "POST", "path": "/server", "name": "web-9"}, "fault": {"status": 400}
    }));
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let run = approved(&engine, TWENTY).await;
        let ended = ended(&engine, run).await;
        assert_eq!(ended.state, RunState::Failed);
        let message = ended.message.unwrap_or_default();
        assert!(message.contains("web-9"), "{message}");
        judge(&engine, run).await;
        let view = engine.reads().run(run).await.unwrap().unwrap();
        assert_eq!(view.steps.running, 0);
        assert!(view.steps.skipped > 0, "{:?}", view.steps);
        let counts = &view.steps;
        assert_eq!(counts.succeeded + counts.failed + counts.skipped, counts.total, "{counts:?}");
        // What is left is done by the next one.
        let (_, next) = update(&engine, TWENTY, outside_only()).await.unwrap();
        assert_eq!(next.unwrap().state, RunState::Succeeded);
    });
    assert!(lived.result.is_some());
    assert_eq!(stage.picture().len(), 20);
}

/// After the cause is gone, a retry goes on in every lane of the same run, and repeats nothing.
#[test]
fn a_failed_run_is_tried_again_in_every_lane() {
    let stage = stage(35);
    stage.fault(serde_json::json!({
        "match": {"method": "POST", "path": "/server", "name": "web-9"}, "fault": {"status": 400}, "times": 1
    }));
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let run = approved(&engine, TWENTY).await;
        assert_eq!(ended(&engine, run).await.state, RunState::Failed);
        let before = engine.reads().run(run).await.unwrap().unwrap().steps;
        assert!(before.skipped > 0, "{before:?}");
        engine.retry(&me(), run).await.unwrap();
        let ended = ended(&engine, run).await;
        assert_eq!(ended.state, RunState::Succeeded, "{:?}", ended.message);
        let after = engine.reads().run(run).await.unwrap().unwrap().steps;
        assert_eq!((after.succeeded, after.failed), (after.total, 0), "{after:?}");
        judge(&engine, run).await;
    });
    assert!(lived.result.is_some());
    assert_eq!(stage.picture().len(), 20);
}

#[test]
fn cancel_and_interrupt_reach_every_lane() {
    for interrupt in [false, true] {
        let stage = stage(33);
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            let run = approved(&engine, TWENTY).await;
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                let entries = journal_of(&engine, run).await;
                let started =
                    entries.iter().filter(|entry| matches!(entry.kind, EntryKind::Started { .. })).count();
                if started > 3 {
                    break;
                }
            }
            match interrupt {
                true => engine.interrupt(&me(), run).await.unwrap(),
                false => engine.cancel(&me(), run).await.unwrap(),
            }
            let stopped = ended(&engine, run).await;
            judge(&engine, run).await;
            let view = engine.reads().run(run).await.unwrap().unwrap();
            assert_eq!(view.steps.running, 0, "what was under way was finished");
            assert!(view.steps.succeeded < view.steps.total);
            if !interrupt {
                assert_eq!(stopped.state, RunState::Cancelled);
                return;
            }
            assert_eq!(stopped.state, RunState::Interrupted);
            engine.resume(&me(), run).await.unwrap();
            let ended = ended(&engine, run).await;
            assert_eq!(ended.state, RunState::Succeeded, "{:?}", ended.message);
            judge(&engine, run).await;
        });
        assert!(lived.result.is_some());
        if interrupt {
            assert_eq!(stage.picture().len(), 20);
        }
    }
}

/// The world moved between plan and approval: nothing is begun in any lane.
#[test]
fn a_stale_plan_begins_nothing_in_any_lane() {
    let stage = stage(34);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let plan = propose(&engine, TWENTY, outside_only()).await.unwrap();
        engine.planned(plan).await.unwrap();
        stage.drift(serde_json::json!({"create": {"Name": "web-3", "CPU": 8, "RAM": 8192, "HDD": 100}}));
        let run = engine.approve(&me(), plan, None).await.unwrap();
        let ended = ended(&engine, run).await;
        assert_eq!(ended.state, RunState::Stale, "{:?}", ended.message);
        judge(&engine, run).await;
    });
    assert!(lived.result.is_some());
    assert_eq!(stage.writes(), 0);
}

/// The world moved, and lane 0 waits for the others to hear of it. Whoever interrupts the run or lets go of it lets go of
/// those too, so nobody here would end them: lane 0 hears it as well, whenever it comes, and who resumes ends the run.
#[test]
fn lane_0_hears_while_it_waits_for_the_others() {
    for (leave, after_ms) in
        [true, false].into_iter().flat_map(|leave| [0, 1, 20, 50, 90, 150].map(|ms| (leave, ms)))
    {
        let stage = stage(37);
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            let plan = propose(&engine, TWENTY, outside_only()).await.unwrap();
            engine.planned(plan).await.unwrap();
            stage.drift(serde_json::json!({"create": {"Name": "web-3", "CPU": 8, "RAM": 8192, "HDD": 100}}));
            let run = engine.approve(&me(), plan, None).await.unwrap();
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            if leave {
                // The process is told to end, as by SIGTERM.
                let closed = tokio::time::timeout(Duration::from_secs(60), engine.close()).await;
                closed.expect("it ends").unwrap();
                return;
            }
            // Refused where the run is over already.
            if engine.hand_over(&me(), run).await.is_err() {
                return;
            }
            let let_go = async {
                while engine.is_busy().await {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), let_go).await.expect("it lets go");
        });
        assert!(lived.result.is_some(), "{leave} {after_ms}");
        assert_eq!(stage.writes(), 0);
    }
}
