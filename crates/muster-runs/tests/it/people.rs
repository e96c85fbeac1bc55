//! What people do with runs while they go on: cancel, interrupt, resume; two processes, two files.

use bytes::Bytes;
use http::Request;
use muster_model::plan::Subject;
use muster_model::run::{EntryKind, Output, RunState};
use muster_outside::transport::Transport;
use muster_runs::reads::EventPositions;
use muster_runs::{Engine, EngineError};
use muster_sim::onecloud::Durations;
use muster_store::PlanState;

use crate::process::*;

const FORTY: &str = "
version: 1
account: onecloud
location: SdnSpb
servers:
  web: { count: 40, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }
";

/// A provider that needs seconds for a server, so that there is a middle of a run.
fn slow(seed: u64) -> Stage {
    let durations = Durations { create_ms: 5_000, ..Durations::instant() };
    Stage::with(seed, durations, Stage::new(seed).settings)
}

async fn approved(engine: &Engine, text: &str) -> muster_model::id::RunId {
    let plan = propose(engine, text, outside_only()).await.unwrap();
    assert_eq!(engine.planned(plan).await.unwrap().state, PlanState::Ready);
    engine.approve(&me(), plan, None).await.unwrap()
}

/// Waits until a step of the run has succeeded.
async fn under_way(engine: &Engine, run: muster_model::id::RunId) {
    let mut seen = EventPositions::new();
    loop {
        engine.reads().more(run, &seen).await;
        let entries = journal_of(engine, run).await;
        if entries.iter().any(|entry| matches!(entry.kind, EntryKind::Succeeded { .. })) {
            return;
        }
        seen.extend(entries.iter().map(|entry| (entry.lane, entry.seq)));
    }
}

/// A cancelled run ends between steps and says what was left; what was under way is finished.
#[test]
fn cancel_says_what_was_left() {
    let stage = slow(21);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let run = approved(&engine, FORTY).await;
        under_way(&engine, run).await;
        engine.cancel(&me(), run).await.unwrap();
        let run = ended(&engine, run).await;
        (engine.reads().run(run.id).await.unwrap().unwrap(), journal_of(&engine, run.id).await)
    });
    let (view, entries) = lived.result.unwrap();
    assert_eq!(view.run.state, RunState::Cancelled);
    assert!(view.steps.skipped > 0 && view.steps.succeeded > 0, "{:?}", view.steps);
    assert_eq!(view.steps.succeeded + view.steps.skipped, view.steps.total, "nothing is left in between");
    assert_eq!(view.steps.failed + view.steps.running, 0);
    let message = view.run.message.unwrap();
    assert!(message.contains(&format!("{} of {}", view.steps.skipped, view.steps.total)), "{message}");
    let skipped = entries.iter().filter(|entry| matches!(entry.kind, EntryKind::Skipped { .. })).count();
    assert_eq!(skipped as u32, view.steps.skipped, "each is named");
    let made = entries.iter().filter(|entry| match &entry.kind {
        EntryKind::Succeeded { output: Output::Object { kind, .. }, .. } => kind == "server",
        _ => false,
    });
    assert_eq!(
        stage.picture().len(),
        made.count(),
        "what was under way was finished, and nothing else was begun"
    );
    // And nobody is in the way of the rest.
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, FORTY, outside_only()).await.unwrap().1.unwrap().state
    });
    assert_eq!(lived.result, Some(RunState::Succeeded));
    assert_eq!(stage.picture().len(), 40);
}

/// While a run goes on, a second process is told so by name; an interrupted run is resumed and ends.
#[test]
fn interrupt_then_resume_and_busy_is_said_by_name() {
    let stage = slow(22);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let second = stage.second_engine().await;
        let run = approved(&engine, FORTY).await;
        under_way(&engine, run).await;
        // The other process may look and plan; it may not act.
        let plan = propose(&second, FORTY, outside_only()).await.unwrap();
        second.planned(plan).await.unwrap();
        let busy = second.approve(&me(), plan, None).await;
        let resumed = second.resume(&me(), run).await;
        let stranger = second.interrupt(&me(), run).await;
        engine.interrupt(&me(), run).await.unwrap();
        let left = ended(&engine, run).await;
        let half = stage.picture().len();
        engine.resume(&me(), run).await.unwrap();
        (run, busy, resumed, stranger, left, half, ended(&engine, run).await)
    });
    let (run, busy, resumed, stranger, left, half, done) = lived.result.unwrap();
    let Err(EngineError::Conflict(message)) = busy else { panic!("not busy: {busy:?}") };
    assert!(message.contains(&run.to_string()), "the run in the way is named: {message}");
    assert!(matches!(resumed, Err(EngineError::Conflict(_))), "a running run is not resumed: {resumed:?}");
    let Err(EngineError::Conflict(message)) = stranger else { panic!("interrupted elsewhere: {stranger:?}") };
    assert!(message.contains("cancel"), "says what works from here: {message}");
    assert_eq!(left.state, RunState::Interrupted);
    assert!(half > 0 && half < 40, "{half}: it stopped between steps");
    assert_eq!(done.state, RunState::Succeeded, "{:?}", done.message);
    assert_eq!(stage.picture().len(), 40);
}

/// A name at an account belongs to one file; the second file is refused with the first one's name.
#[test]
fn two_files_never_share_a_name() {
    let stage = Stage::new(23);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, FORTY, outside_only()).await.unwrap();
        let writes = stage.writes();
        let plan = propose_as(&engine, "market", FORTY, outside_only()).await.unwrap();
        let view = engine.planned(plan).await.unwrap();
        (view, engine.approve(&me(), plan, None).await, stage.writes() - writes)
    });
    let (view, approved, writes) = lived.result.unwrap();
    assert_eq!(view.state, PlanState::Refused);
    let draft = view.plan.unwrap().draft;
    assert_eq!(draft.subject, Subject::Infrastructure("market".into()));
    assert_eq!(draft.refusals.len(), 40);
    for refusal in &draft.refusals {
        assert_eq!(refusal.code, "name-of-another-file");
        assert!(refusal.message.contains("shop"), "names the other file: {}", refusal.message);
    }
    assert!(matches!(approved, Err(EngineError::Refused(_))), "{approved:?}");
    assert_eq!(writes, 0);
}

/// A request of somebody else's to the provider; what it answers.
async fn by_hand(stage: &Stage, method: &str, path: &str, body: serde_json::Value) -> serde_json::Value {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:1{path}"))
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .body(Bytes::from(body.to_string()))
        .unwrap();
    let answer = free_wire(&stage.simulator).send(request).await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    serde_json::from_slice(answer.body()).unwrap_or_default()
}

/// A key of somebody else's that goes while another run makes the login key: neither makes a plan stale.
#[test]
fn keys_that_a_plan_does_not_name_may_come_and_go() {
    let stage = Stage::new(28);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let key = serde_json::json!({ "Title": "ann", "PublicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnn ann" });
        let key = by_hand(&stage, "POST", "/sshkey", key).await["ID"].as_u64().unwrap();
        let text = FORTY.replace("count: 40", "count: 1");
        let first = propose(&engine, &text, outside_only()).await.unwrap();
        let second =
            propose_as(&engine, "bank", &text.replace("web:", "app:"), outside_only()).await.unwrap();
        for plan in [first, second] {
            assert_eq!(engine.planned(plan).await.unwrap().state, PlanState::Ready);
        }
        by_hand(&stage, "DELETE", &format!("/sshkey/{key}"), serde_json::Value::Null).await;
        for plan in [first, second] {
            let run = engine.approve(&me(), plan, None).await.unwrap();
            let ended = ended(&engine, run).await;
            assert_eq!(ended.state, RunState::Succeeded, "{:?}", ended.message);
        }
    });
    assert!(lived.result.is_some());
    assert_eq!(stage.picture().len(), 2);
}

/// Two first updates of a new account at the same time both make its login key: the second finds it, and is not stale.
#[test]
fn two_first_updates_share_the_login_key() {
    let stage = slow(27);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let other = FORTY.replace("web:", "app:").replace("count: 40", "count: 2");
        let first = propose(&engine, FORTY, outside_only()).await.unwrap();
        let second = propose_as(&engine, "bank", &other, outside_only()).await.unwrap();
        for plan in [first, second] {
            assert_eq!(engine.planned(plan).await.unwrap().state, PlanState::Ready);
        }
        for plan in [first, second] {
            let run = engine.approve(&me(), plan, None).await.unwrap();
            let ended = ended(&engine, run).await;
            assert_eq!(ended.state, RunState::Succeeded, "{:?}", ended.message);
        }
    });
    assert!(lived.result.is_some());
    assert_eq!(stage.picture().len(), 42);
}
