//! The log of a run of several lanes: followed, paged, searched; events and output.

use std::sync::Arc;

use jiff::Timestamp;
use muster_model::id::{Attempt, LaneNumber, NodeId, PlanId, RunId, Sequence, StepNumber};
use muster_model::plan::Subject;
use muster_model::run::{EntryKind, FailureClass, Output, Run, RunState};
use muster_store::*;
use serde_json::Value;
use uuid::Uuid;

use crate::place::{Place, SHOP};

/// Lines of output of each lane.
const LINES: u32 = 6_000;

/// A run whose two lanes wrote side by side, put together in the place's own store.
struct TwoLanes {
    place: Place,
    run: RunId,
    store: Arc<dyn Store>,
    /// What its second step is about.
    target: String,
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
}

fn record(second: i64, kind: EntryKind) -> Record {
    Record { at: at(second * 1_000), kind, facts: vec![] }
}

fn started(step: u32) -> EntryKind {
    EntryKind::Started { step: StepNumber(step), attempt: Attempt(1) }
}

fn failed(step: u32, message: &str) -> EntryKind {
    let (step, attempt) = (StepNumber(step), Attempt(1));
    EntryKind::Failed { step, attempt, class: FailureClass::Refused, message: message.into(), again: false }
}

fn succeeded(step: u32) -> EntryKind {
    EntryKind::Succeeded { step: StepNumber(step), attempt: Attempt(1), already: false, output: Output::None }
}

async fn two_lanes() -> TwoLanes {
    let place = Place::new(SHOP);
    let plan = place.run(&["infra", "plan", "shop", "--skip-provision", "--format", "json"]).json(0);
    let target = plan["plan"]["steps"][1]["target"].as_str().unwrap().to_owned();
    let plan = PlanId(plan["plan"]["id"].as_str().unwrap().parse::<Uuid>().unwrap());
    let url = format!("sqlite:{}", place.home().join("muster.db").display());
    let folders = Folders { blobs: place.home().join("blobs"), output: place.home().join("output") };
    let Opened { store, contents } = muster_store::open(&url, &folders, WriterMode::Task).await.unwrap();
    let run = RunId(Uuid::from_u128(0xABCD));
    let range = |step| StepRange { first: StepNumber(step), last: StepNumber(step) };
    let approval = Approval {
        run: Run {
            id: run,
            space: "default".into(),
            subject: Subject::Infrastructure("shop".into()),
            plan,
            state: RunState::Ready,
            message: None,
            actor: "ann".into(),
            started_at: at(0),
            ended_at: None,
        },
        node: None,
        begins_at: None,
        steps_total: 2,
        lanes: vec![LanePlan { steps: range(2), waits: false }],
        priority: 0,
        locks: vec![],
        idempotency_key: None,
        revision: None,
    };
    store.approve(approval).await.unwrap();
    let node = NodeId(Uuid::from_u128(1));
    let row = NodeRow {
        id: node,
        epoch: 1,
        lease_until: at(60_000),
        kind: "worker".into(),
        pid: 1,
        host: "here".into(),
        version: "0".into(),
        started_at: at(0),
    };
    store.join(row).await.unwrap();
    let holder = Holder { node, epoch: 1, now: at(0) };
    let wish = ClaimNext { holder, limit: 10, forms: vec![FORM], only: vec![] };
    let claims = store.claim_next(wish).await.unwrap();
    assert_eq!(claims.len(), 2);
    let running = EntryKind::Run { state: RunState::Running, message: None };
    store.append(claims[0].clone(), vec![record(1, running), record(2, started(1))]).await.unwrap();
    store.append(claims[1].clone(), vec![record(3, started(2))]).await.unwrap();
    for claim in &claims {
        let log = OutputLog::open(contents.clone(), run, claim.lane).await.unwrap();
        for number in 0..LINES {
            let lane = u32::from(claim.lane.0);
            let text = format!("lane {lane} line {number} (100%)");
            let target = format!("web-{}", lane + 1);
            // The lanes' lines alternate in time.
            let at = at(4_000 + i64::from(2 * number + lane));
            log.push(&OutputRecord { at, step: lane + 1, target, text }).unwrap();
        }
        log.flush().await.unwrap();
    }
    store.append(claims[1].clone(), vec![record(21, failed(2, "no room at the inn"))]).await.unwrap();
    let ended = EntryKind::Run { state: RunState::Failed, message: Some("web-2 failed".into()) };
    store.append(claims[0].clone(), vec![record(20, succeeded(1)), record(22, ended)]).await.unwrap();
    TwoLanes { place, run, store, target }
}

impl TwoLanes {
    fn ask(&self, more: &[&str]) -> Value {
        let run = self.run.to_string();
        self.place.run(&[&["run", "log", &run, "--format", "json"], more].concat()).json(0)
    }

    /// Events as they are followed from a cursor: lane and number.
    fn attached(&self, from: &[&str]) -> Vec<(u64, u64)> {
        let run = self.run.to_string();
        let ran = self.place.run(&[&["run", "attach", &run, "--format", "json"], from].concat());
        assert_eq!(ran.code, 1, "the run failed: {ran:?}");
        ran.out.lines().map(|line| place_of(&serde_json::from_str(line).unwrap())).collect()
    }
}

fn place_of(event: &Value) -> (u64, u64) {
    (event["lane"].as_u64().unwrap(), event["seq"].as_u64().unwrap())
}

fn texts(lines: &Value) -> Vec<&str> {
    lines.as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect()
}

/// NEP-32: whoever comes back with a cursor gets what was missed, of each lane.
#[tokio::test]
async fn every_lane_of_a_run_is_followed_from_a_cursor() {
    let run = two_lanes().await;
    let all = run.attached(&[]);
    for lane in [0, 1] {
        let kept = run.store.entries_of(run.run, LaneNumber(lane), Sequence(0), 100).await.unwrap();
        let seen: Vec<u64> =
            all.iter().filter(|(of, _)| *of == u64::from(lane)).map(|(_, seq)| *seq).collect();
        assert_eq!(seen, kept.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(), "lane {lane}");
    }
    assert_eq!(all.len(), 6);
    assert_eq!(run.attached(&["--from", "0:3,1:1"]), [(0, 4), (1, 2)]);
    // A cursor of the time of one lane: the others begin at their beginning.
    assert_eq!(run.attached(&["--from", "4"]), [(1, 1), (1, 2)]);
    let log = run.ask(&[]);
    assert_eq!(log.as_array().unwrap().iter().map(place_of).collect::<Vec<_>>(), all);
}

#[tokio::test]
async fn events_are_searched() {
    let run = two_lanes().await;
    let found = run.ask(&["--grep", "room .* inn$"]);
    assert_eq!(found.as_array().unwrap().iter().map(place_of).collect::<Vec<_>>(), [(1, 2)]);
    assert_eq!(found[0]["run"], run.run.to_string());
    let about = run.ask(&["--target", &run.target, "--step", "2"]);
    assert_eq!(about.as_array().unwrap().iter().map(place_of).collect::<Vec<_>>(), [(1, 1), (1, 2)]);
    assert_eq!(run.ask(&["--target", "web-77"]), Value::Array(vec![]));
    let last = run.ask(&["--tail", "2"]);
    assert_eq!(last.as_array().unwrap().len(), 2);
    let since = run.ask(&["--since", &at(21_000).to_string()]);
    assert_eq!(since.as_array().unwrap().iter().map(place_of).collect::<Vec<_>>(), [(1, 2), (0, 4)]);
    assert_eq!(run.ask(&["--grep", "nothing like it"]), Value::Array(vec![]));
}

/// EDG-62: every line under the run's id, and what is asked for of it.
#[tokio::test]
async fn output_of_all_lanes_is_merged_by_time_and_searched() {
    let run = two_lanes().await;
    let all = run.ask(&["--level", "detail"]);
    let all = texts(&all);
    assert_eq!(all.len(), 2 * LINES as usize);
    for (index, text) in all.iter().enumerate() {
        assert_eq!(*text, format!("lane {} line {} (100%)", index % 2, index / 2));
    }
    let found = run.ask(&["--level", "detail", "--grep", "^lane 1 line 59[0-9]{2} "]);
    assert_eq!(texts(&found).len(), 100);
    assert_eq!((&found[0]["lane"], &found[0]["line"]), (&1.into(), &5_900.into()));
    assert_eq!(found[0]["run"], run.run.to_string());
    let found = run.ask(&["--level", "detail", "--grep", "line 17 (100%)", "--fixed"]);
    assert_eq!(texts(&found), ["lane 0 line 17 (100%)", "lane 1 line 17 (100%)"]);
    let found = run.ask(&["--level", "detail", "--grep", "line 17 ", "--target", "web-2"]);
    assert_eq!(texts(&found), ["lane 1 line 17 (100%)"]);
    let last = run.ask(&["--level", "detail", "--tail", "3"]);
    assert_eq!(texts(&last), all[all.len() - 3..]);
    let last = run.ask(&["--level", "detail", "--tail", "2", "--grep", "line 1.0 "]);
    assert_eq!(texts(&last), ["lane 0 line 190 (100%)", "lane 1 line 190 (100%)"]);
    let late = run.ask(&["--level", "detail", "--since", &at(4_000 + 2 * i64::from(LINES) - 1).to_string()]);
    assert_eq!(texts(&late), [format!("lane 1 line {} (100%)", LINES - 1)]);
    // Timestamps and names of hosts stand beside the text, not in it.
    assert_eq!(run.ask(&["--level", "detail", "--grep", "web-1"]), Value::Array(vec![]));
}

#[tokio::test]
async fn what_cannot_be_asked_is_wrong_usage() {
    let run = two_lanes().await;
    let id = run.run.to_string();
    for (more, said) in [
        (["--grep", "ab(c"], "at character 3: unclosed group"),
        (["--since", "tomorrow"], "neither a time"),
        (["--tail", "0"], "0 is not in"),
    ] {
        let ran = run.place.run(&[&["run", "log", &id], &more[..]].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

#[tokio::test]
async fn events_of_all_runs_are_found_by_their_words() {
    let run = two_lanes().await;
    let update = ["infra", "update", "shop", "--yes", "--skip-provision", "--format", "json"];
    let other = run.place.run(&update).json(0)["run"]["id"].as_str().unwrap().to_owned();
    let search = |more: &[&str]| {
        let ran = run.place.run(&[&["run", "search", "--format", "json"], more].concat()).json(0);
        let found = ran.as_array().unwrap().iter().map(|event| {
            (event["run"].as_str().unwrap().to_owned(), event["kind"].as_str().unwrap().to_owned())
        });
        found.collect::<Vec<_>>()
    };
    let mine = run.run.to_string();
    assert_eq!(search(&["room", "inn"]), [(mine.clone(), "failed".to_owned())]);
    assert_eq!(search(&["INN", "--target", &run.target]).len(), 1);
    assert_eq!(search(&["inn", "--since", &at(21_001).to_string()]), []);
    let created = search(&["web-2", "create"]);
    assert!(created.contains(&(other, "succeeded".to_owned())), "{created:?}");
    assert_eq!(search(&["inn", "create", "nowhere"]), []);
    assert_eq!(search(&["inn", "--space", "elsewhere"]), []);
    // Output is not in it.
    assert_eq!(search(&["line", "lane"]), []);
    let ran = run.place.run(&["run", "search", "--", "--", "?"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("no word to look for"), "{}", ran.err);
    let ran = run.place.run(&["run", "search", "inn"]);
    assert!(ran.out.contains(&mine) && ran.out.contains("no room at the inn"), "{}", ran.out);
}
