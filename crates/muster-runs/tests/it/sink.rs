//! What runs do, as documents in a sink: which, how often, and what happens while nobody takes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use muster_model::run::{EntryKind, RunState};
use muster_outside::ansible::{
    AnsibleEvent, HostResult, HostStats, HostTask, RunOutcome, TaskKind, TaskOutcome,
};
use muster_outside::sink::{MemorySink, Verdict};
use muster_runs::Engine;
use muster_runs::sink::{Shipping, SinkConfig};
use muster_store::{Lanes, SqliteStore, WriterMode};
use serde_json::{Value, json};

use crate::process::*;
use crate::provision::{HIDDEN, deploy};

const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
servers:
  web: { count: 12, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }
";
/// Longer than a run that ended is looked at, and than the longest pause after failures.
const SETTLED: Duration = Duration::from_secs(120);

fn ship(engine: &Engine, sink: &Arc<MemorySink>, spill_bytes_max: u64) -> Shipping {
    engine.ship(sink.clone(), SinkConfig { spill_bytes_max, ..SinkConfig::default() }).unwrap()
}

/// The documents of one kind, by id.
fn of_kind(sink: &MemorySink, kind: &str) -> BTreeMap<String, Value> {
    let documents =
        sink.documents().into_iter().filter(|((index, _), _)| index.starts_with(&format!("muster-{kind}-")));
    documents.map(|((_, id), body)| (id, serde_json::from_str(&body).unwrap())).collect()
}

/// The ids that the journal of the newest run must have made, of runs over single servers.
async fn expected(engine: &Engine) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for view in engine.reads().runs(&"default".into(), 100).await.unwrap() {
        for entry in journal_of(engine, view.run.id).await {
            ids.insert(format!("{}:{}:{}", entry.run, entry.lane, entry.seq));
        }
    }
    ids
}

fn all_ids(sink: &MemorySink) -> BTreeSet<String> {
    sink.documents().into_keys().map(|(_, id)| id).collect()
}

fn task(host: &str, outcome: TaskOutcome, message: &str, stdout: &[&str]) -> AnsibleEvent {
    AnsibleEvent::Host(HostTask {
        host: host.into(),
        task: 1,
        outcome,
        message: message.into(),
        stdout: stdout.iter().map(|line| (*line).to_owned()).collect(),
        stderr: Vec::new(),
        item: None,
        attempts: None,
    })
}

/// EDG-55, EDG-57, EDG-59, EDG-60, EDG-61, EDG-62: each method's status per server in one kind of index, each task
/// and line in the other, both under the run's id; and no secret in either.
#[test]
fn methods_and_tasks_go_to_two_indices_under_one_correlation() {
    let stage = Stage::new(41);
    let named = |number, name: &str| AnsibleEvent::Task {
        number,
        kind: TaskKind::Task,
        name: name.into(),
        action: "command".into(),
        path: "site.yml:3".into(),
    };
    let well = HostStats { ok: 1, changed: 1, ..HostStats::default() };
    let badly = HostStats { failures: 1, ..HostStats::default() };
    let failure = Some(("Install it".to_owned(), "no space".to_owned()));
    let hosts = BTreeMap::from([
        ("web-1".to_owned(), HostResult { stats: well, failure: None }),
        ("web-2".to_owned(), HostResult { stats: badly, failure }),
    ]);
    stage.ansible.answer(Ok((
        vec![
            named(1, "Install it"),
            task("web-1", TaskOutcome::Changed, "", &["unpacking", "done"]),
            task("web-2", TaskOutcome::Failed, "no space", &[]),
        ],
        RunOutcome { hosts, exit_status: 2, complaint: String::new() },
    )));
    let sink = Arc::new(MemorySink::new());
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let shipping = ship(&engine, &sink, u64::MAX);
        engine
            .set_secret(&me(), &"default".into(), "db".into(), muster_model::Secret::new(HIDDEN[0]))
            .await
            .unwrap();
        let run = deploy(&engine).await;
        tokio::time::sleep(SETTLED).await;
        assert_eq!(sink.prepared(), 1);
        assert_eq!(shipping.stats().sent.load(Relaxed), sink.documents().len() as u64);
        assert_eq!(shipping.stats().dropped.load(Relaxed), 0);
        let entries = journal_of(&engine, run.id).await;
        (run, entries)
    });
    let (run, entries) = lived.result.unwrap();
    assert_eq!(run.state, RunState::Failed);
    let (basic, detail) = (of_kind(&sink, "basic"), of_kind(&sink, "detail"));
    for document in basic.values().chain(detail.values()) {
        assert_eq!(document["correlation"], run.id.to_string(), "EDG-62");
        assert_eq!(document["action"], "deploy");
        assert_eq!(document["project"], "shop");
        assert!(!document["worker_host"].as_str().unwrap().is_empty());
        assert!(document.as_object().unwrap().contains_key("status"), "{document}");
    }
    let text = format!("{:?}", sink.documents());
    for secret in HIDDEN {
        assert!(!text.contains(secret), "{secret}");
    }

    // What became of the playbook, per server.
    let outcome = |server: &str| {
        let mut found = basic.values().filter(|document| {
            document["server"] == server
                && document["method"] == "provision.playbook"
                && document["endtime"].is_string()
        });
        let one = found.next().unwrap_or_else(|| panic!("{server}: {basic:#?}"));
        assert!(found.next().is_none(), "one outcome of one method on one server");
        one.clone()
    };
    assert_eq!(outcome("web-1")["status"], true);
    assert!(outcome("web-1").get("exception").is_none());
    let failed = outcome("web-2");
    assert_eq!(failed["status"], false);
    assert!(failed["exception"].as_str().unwrap().contains("no space"), "{failed}");
    assert!(failed["duration"].as_f64().unwrap() >= 0.0);
    assert!(failed["starttime"].as_str().unwrap() <= failed["endtime"].as_str().unwrap());
    let created =
        basic.values().find(|document| document["method"] == "server.create" && document["status"] == true);
    assert_eq!(created.unwrap()["task"], "create server web-1");
    let begun =
        basic.values().filter(|document| document["status"].is_null() && document["endtime"].is_null());
    assert!(begun.count() > 2, "what is under way is told too");
    let last = basic.values().find(|document| document["state"] == "failed").unwrap();
    assert_eq!((&last["method"], &last["status"]), (&json!("run"), &json!(false)));

    // Every task and every line.
    let tasks = entries.iter().filter(|entry| matches!(entry.kind, EntryKind::Task { .. })).count();
    assert_eq!(detail.values().filter(|document| document.get("outcome").is_some()).count(), tasks);
    assert_eq!(tasks, 2);
    let lines: Vec<&str> = detail
        .values()
        .filter(|document| document["server"] == "web-1")
        .filter_map(|document| document["message"].as_str())
        .collect();
    for line in ["unpacking", "done"] {
        assert!(lines.contains(&line), "{lines:?}");
    }
    let ids: Vec<&String> = detail.keys().filter(|id| detail[*id].get("line").is_some()).collect();
    assert!(ids.iter().all(|id| id.starts_with(&format!("{}:", run.id))), "{ids:?}");
}

/// A further process goes on where the one before ended; one that has lost its place sends again and doubles nothing.
#[test]
fn nothing_is_sent_twice_and_repeats_make_no_second_document() {
    let stage = Stage::new(42);
    let sink = Arc::new(MemorySink::new());
    let first = stage.process(Cut::Never, async |engine: Engine| {
        let shipping = ship(&engine, &sink, u64::MAX);
        update(&engine, SHOP, outside_only()).await.unwrap();
        tokio::time::sleep(SETTLED).await;
        // A second one over the same home waits for its turn, and has none.
        let second = stage.second_engine().await;
        let also = ship(&second, &sink, u64::MAX);
        tokio::time::sleep(SETTLED).await;
        assert_eq!(also.stats().sent.load(Relaxed), 0);
        shipping.end(Duration::from_secs(5)).await;
        expected(&engine).await
    });
    let expected = first.result.unwrap();
    assert!(expected.len() > 24, "{}", expected.len());
    assert_eq!(all_ids(&sink), expected);
    let (arrived, kept) = (sink.arrived(), sink.documents());
    assert_eq!(arrived, kept.len() as u64);
    let again = async |engine: Engine| {
        let shipping = ship(&engine, &sink, u64::MAX);
        tokio::time::sleep(SETTLED).await;
        shipping.end(Duration::from_secs(5)).await;
    };
    stage.process(Cut::Never, again).result.unwrap();
    assert_eq!(sink.arrived(), arrived, "the cursor is kept");
    std::fs::remove_file(stage.home().join("sink/cursor.json")).unwrap();
    stage.process(Cut::Never, again).result.unwrap();
    assert_eq!(sink.arrived(), arrived * 2);
    assert_eq!(sink.documents(), kept);
}

/// While nobody answers, records wait on disk; the next process sends them. Items that are put off or blocked are
/// sent again, refused ones are set aside with the reason.
#[test]
fn an_outage_is_caught_up_with() {
    let stage = Stage::new(43);
    let sink = Arc::new(MemorySink::new());
    sink.set_away(true);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let shipping = ship(&engine, &sink, u64::MAX);
        update(&engine, SHOP, outside_only()).await.unwrap();
        tokio::time::sleep(SETTLED).await;
        assert!(shipping.stats().spill_bytes.load(Relaxed) > 1_000);
        assert!(shipping.stats().failing.load(Relaxed) && !shipping.stats().full.load(Relaxed));
        assert!(shipping.stats().requests.load(Relaxed) == 0, "without templates nothing is sent");
        shipping.end(Duration::from_secs(5)).await;
        expected(&engine).await
    });
    let expected = lived.result.unwrap();
    assert!(sink.documents().is_empty());
    sink.set_away(false);
    let again = || Verdict::Again("429".into());
    sink.judge_next(vec![
        again(),
        Verdict::Kept,
        Verdict::Refused("400 mapper".into()),
        again(),
        Verdict::Blocked("403 read-only".into()),
    ]);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let shipping = ship(&engine, &sink, u64::MAX);
        tokio::time::sleep(SETTLED * 2).await;
        assert_eq!(shipping.stats().refused.load(Relaxed), 1);
        assert_eq!(shipping.stats().spill_bytes.load(Relaxed), 0);
        assert!(!shipping.stats().failing.load(Relaxed));
        shipping.end(Duration::from_secs(5)).await;
    });
    lived.result.unwrap();
    let missing: Vec<String> = expected.difference(&all_ids(&sink)).cloned().collect();
    assert_eq!(missing.len(), 1);
    let aside = std::fs::read_to_string(stage.home().join("sink/refused.ndjson")).unwrap();
    let aside: Vec<Value> = aside.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0]["reason"], "400 mapper");
    assert_eq!(aside[0]["document"]["id"], missing[0]);
}

/// The disk that unsent records may fill is bounded. What does not fit stays in the journal; only what retention
/// removes from there is lost, and that is counted and said.
#[test]
fn a_full_disk_loses_nothing_but_what_retention_removes() {
    const ROOM: u64 = 4_000;
    for pruned in [false, true] {
        let stage = Stage::new(44);
        let sink = Arc::new(MemorySink::new());
        sink.set_away(true);
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            let shipping = ship(&engine, &sink, ROOM);
            let run = update(&engine, SHOP, outside_only()).await.unwrap().1.unwrap();
            tokio::time::sleep(SETTLED).await;
            assert!(shipping.stats().full.load(Relaxed), "it says that it is full");
            assert!(shipping.stats().spill_bytes.load(Relaxed) <= ROOM);
            let expected = expected(&engine).await;
            if pruned {
                let store = SqliteStore::open(&stage.home().join("muster.db"), WriterMode::Task).unwrap();
                store.prune(vec![run.id], run.ended_at.unwrap()).await.unwrap();
            }
            sink.set_away(false);
            tokio::time::sleep(SETTLED * 2).await;
            assert_eq!(shipping.stats().spill_bytes.load(Relaxed), 0);
            let lost = shipping.stats().dropped.load(Relaxed);
            shipping.end(Duration::from_secs(5)).await;
            (run, expected, lost)
        });
        let (run, expected, lost) = lived.result.unwrap();
        if !pruned {
            assert_eq!(lost, 0);
            assert_eq!(all_ids(&sink), expected);
            continue;
        }
        assert!(lost > 0 && lost <= expected.len() as u64, "{lost}");
        let note = &of_kind(&sink, "basic")[&format!("{}:lost", run.id)];
        assert_eq!(note["level"], "warn");
        assert!(note["description"].as_str().unwrap().contains(&format!("{lost} records")), "{note}");
    }
}
