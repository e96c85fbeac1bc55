//! ICT-36: names in DNS follow the servers of a file: made, changed and deleted with them, and nothing else is touched.

use bytes::Bytes;
use muster_model::policy::{Policy, Purpose};
use muster_model::run::RunState;
use muster_runs::{Engine, RollBack};
use muster_sim::in_process::InProcess;
use serde_json::{Value, json};

use crate::process::*;

const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
servers:
  web:
    count: 2
    image: Ubuntu 20.04
    cpu: 1
    ram: 1 GiB
    disk: 40 GiB ssd
    dns: [{ name: www.example.com, ttl: 300 }, '{name}.example.com']
";

/// What somebody does in the provider's panel.
pub fn panel(stage: &Stage, method: &str, path: &str, body: Value) -> Value {
    let request = http::Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:1{path}"))
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .body(Bytes::from(if body.is_null() { String::new() } else { body.to_string() }))
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(InProcess::new(stage.simulator.clone()).call(request)).unwrap();
    assert_eq!(answer.status(), 200, "{method} {path}");
    serde_json::from_slice(answer.body()).unwrap_or(Value::Null)
}

/// An account with the domain example.com.
fn with_domain(stage: Stage) -> (Stage, u64) {
    let id = panel(&stage, "POST", "/dns", json!({"Name": "example.com"}))["ID"].as_u64().unwrap();
    (stage, id)
}

/// The domain's addresses as lines of a zone file, sorted.
fn lines(stage: &Stage, zone: u64) -> Vec<String> {
    let zone = panel(stage, "GET", &format!("/dns/{zone}"), Value::Null);
    let records = zone["LinkedRecords"].as_array().unwrap();
    let of_addresses = records.iter().filter(|record| record["TypeRecord"] == "A");
    let mut lines: Vec<String> = of_addresses
        .map(|record| record["CanonicalDescription"].as_str().unwrap().replace(" IN A", ""))
        .collect();
    lines.sort();
    lines
}

/// The record of a name.
fn record(stage: &Stage, zone: u64, line: &str) -> u64 {
    let zone = panel(stage, "GET", &format!("/dns/{zone}"), Value::Null);
    let found =
        zone["LinkedRecords"].as_array().unwrap().iter().find(|record| {
            record["CanonicalDescription"].as_str().is_some_and(|said| said.starts_with(line))
        });
    found.unwrap_or_else(|| panic!("no record {line}"))["ID"].as_u64().unwrap()
}

/// The addresses of the servers, by their names.
fn addresses(stage: &Stage) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = stage
        .simulator
        .servers()
        .iter()
        .map(|server| (server.name.clone(), server.ip.map(|ip| ip.to_string()).unwrap_or_default()))
        .collect();
    all.sort();
    all
}

/// What the domain says once every server is there.
fn in_step(stage: &Stage) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, address) in addresses(stage) {
        lines.push(format!("www.example.com. 300 {address}"));
        lines.push(format!("{name}.example.com. 3600 {address}"));
    }
    lines.sort();
    lines
}

fn updated(stage: &Stage, text: &str, policy: Policy) -> (usize, Option<(RunState, Option<String>)>) {
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let (steps, run) = update(&engine, text, policy).await.unwrap();
        (steps, run.map(|run| (run.state, run.message)))
    });
    lived.result.unwrap()
}

fn well(stage: &Stage, text: &str) -> usize {
    let (steps, run) = updated(stage, text, outside_only());
    assert_eq!(run, Some((RunState::Succeeded, None)));
    steps
}

fn silent(stage: &Stage, text: &str) {
    let before = stage.writes();
    assert_eq!(updated(stage, text, outside_only()), (0, None), "a further plan is empty");
    assert_eq!(stage.writes(), before);
}

fn one_server(text: &str) -> String {
    text.replace("count: 2", "count: 1")
}

/// ICT-36: records in DNS come and go with the servers that they lead to.
#[test]
fn names_follow_their_servers() {
    let (stage, zone) = with_domain(Stage::new(36));
    well(&stage, SHOP);
    assert_eq!(lines(&stage, zone), in_step(&stage));
    assert_eq!(lines(&stage, zone).len(), 4);
    silent(&stage, SHOP);
    // One server and one name less.
    well(&stage, &one_server(SHOP));
    assert_eq!(lines(&stage, zone), in_step(&stage));
    assert_eq!(lines(&stage, zone).len(), 2);
    let unnamed = one_server(SHOP).replace(", '{name}.example.com'", "");
    assert_eq!(well(&stage, &unnamed), 1);
    assert_eq!(lines(&stage, zone).len(), 1);
    silent(&stage, &unnamed);
    // Taken down, with its name first.
    let destroy = Policy { purpose: Purpose::Destroy, allow_deletes: Some(1), ..outside_only() };
    assert_eq!(updated(&stage, &unnamed, destroy).1, Some((RunState::Succeeded, None)));
    assert_eq!((lines(&stage, zone), addresses(&stage)), (Vec::new(), Vec::new()));
    let deletions: Vec<String> = stage
        .simulator
        .journal()
        .into_iter()
        .filter(|entry| entry.method == "DELETE")
        .map(|entry| entry.path.split('/').nth(1).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(deletions[deletions.len() - 2..], ["dns", "server"]);
}

/// Cut into lanes of one server each, with a name that they share.
#[test]
fn lanes_share_a_name() {
    let mut stage = Stage::new(36);
    stage.lane_targets = 1;
    let (stage, zone) = with_domain(stage);
    let five = SHOP.replace("count: 2", "count: 5");
    well(&stage, &five);
    assert_eq!(lines(&stage, zone).len(), 10);
    assert_eq!(lines(&stage, zone), in_step(&stage));
    silent(&stage, &five);
    let policy = Policy { allow_deletes: Some(4), ..outside_only() };
    assert_eq!(updated(&stage, &one_server(SHOP), policy).1, Some((RunState::Succeeded, None)));
    assert_eq!(lines(&stage, zone), in_step(&stage));
}

/// Killed and resumed, the same run goes on: no record twice, none forgotten.
#[test]
fn a_resumed_run_makes_no_second_record() {
    for commit in 1..=30 {
        let (stage, zone) = with_domain(Stage::new(36));
        stage.process(Cut::After(commit), async |engine: Engine| update(&engine, SHOP, outside_only()).await);
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            let runs = engine.reads().runs(&"default".into(), 1).await.unwrap();
            let Some(newest) = runs.into_iter().next().map(|view| view.run) else { return };
            if newest.state == RunState::Interrupted {
                engine.resume(&me(), newest.id).await.unwrap();
                let run = ended(&engine, newest.id).await;
                assert_eq!(run.state, RunState::Succeeded, "{commit}: {:?}", run.message);
            }
        });
        assert!(lived.result.is_some());
        let _ = updated(&stage, SHOP, outside_only());
        assert_eq!(lines(&stage, zone), in_step(&stage), "after commit {commit}");
        silent(&stage, SHOP);
    }
}

/// ICT-36, ICT-37: going back brings names back, and takes those away that were not there then.
#[test]
fn a_rollback_takes_names_along() {
    let (stage, zone) = with_domain(Stage::new(36));
    let one = one_server(SHOP);
    well(&stage, &one);
    let then = lines(&stage, zone);
    well(&stage, &one.replace("www.example.com, ttl: 300", "shop.example.com, ttl: 60"));
    assert_ne!(lines(&stage, zone), then);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let wish = RollBack {
            space: "default".into(),
            infrastructure: "shop".into(),
            account: None,
            to: None,
            deploy: None,
            keep_disks: false,
            env: Default::default(),
            policy: outside_only(),
            idempotency_key: None,
        };
        let plan = engine.roll_back(&me(), wish).await.unwrap();
        engine.planned(plan).await.unwrap();
        let run = engine.approve(&me(), plan, None).await.unwrap();
        ended(&engine, run).await.state
    });
    assert_eq!(lived.result, Some(RunState::Succeeded));
    assert_eq!(lines(&stage, zone), then);
    silent(&stage, &one);
}

/// A file without names asks for no domain, as before.
#[test]
fn a_file_without_names_costs_no_request() {
    let (stage, _) = with_domain(Stage::new(36));
    let asked =
        |stage: &Stage| stage.simulator.journal().iter().filter(|one| one.path.contains("dns")).count();
    let before = asked(&stage);
    let plain = SHOP.lines().filter(|line| !line.contains("dns:")).collect::<Vec<_>>().join("\n");
    well(&stage, &plain);
    silent(&stage, &plain);
    assert_eq!(asked(&stage), before);
}

/// Changed, deleted and added in the panel: ours come back, the stranger's stays.
#[test]
fn drift_is_brought_back_and_strangers_stay() {
    let (stage, zone) = with_domain(Stage::new(36));
    let one = one_server(SHOP);
    well(&stage, &one);
    let named = record(&stage, zone, "web-1.example.com.");
    let body = json!({"DomainId": zone, "Name": "web-1", "IP": "203.0.113.9"});
    panel(&stage, "PUT", &format!("/dns/recorda/{named}"), body);
    let shared = record(&stage, zone, "www.example.com.");
    panel(&stage, "DELETE", &format!("/dns/{zone}/{shared}"), Value::Null);
    let stranger = json!({"DomainId": zone, "Name": "www", "IP": "203.0.113.77"});
    panel(&stage, "POST", "/dns/recorda", stranger);
    assert_eq!(well(&stage, &one), 2);
    assert_eq!(record(&stage, zone, "web-1.example.com."), named, "changed, not made anew");
    let mut wanted = in_step(&stage);
    wanted.push("www.example.com. 3600 203.0.113.77".into());
    wanted.sort();
    assert_eq!(lines(&stage, zone), wanted);
    silent(&stage, &one);
    // Another time to live is a change in place; the stranger's is its own.
    let shorter = one.replace("ttl: 300", "ttl: 60");
    assert_eq!(well(&stage, &shorter), 1);
    assert!(lines(&stage, zone).iter().any(|line| line.starts_with("www.example.com. 60 ")));
    silent(&stage, &shorter);
}

/// A server that is made anew has another address, and its records follow.
#[test]
fn a_server_made_anew_keeps_its_records() {
    let (stage, zone) = with_domain(Stage::new(36));
    let one = one_server(SHOP);
    well(&stage, &one);
    let (before, id) = (addresses(&stage), record(&stage, zone, "www.example.com."));
    let other = one.replace("Ubuntu 20.04", "Debian 11");
    let policy = Policy { allow_replace: true, ..outside_only() };
    assert_eq!(updated(&stage, &other, policy).1, Some((RunState::Succeeded, None)));
    assert_ne!(addresses(&stage), before);
    assert_eq!(lines(&stage, zone), in_step(&stage));
    assert_eq!(record(&stage, zone, "www.example.com."), id);
    silent(&stage, &other);
}

/// `SEMANTICS.md` §4 for records: whatever becomes of the answer, there is one.
#[test]
fn a_lost_answer_makes_no_second_record() {
    for fault in [
        json!("drop_answer_after_effect"),
        json!({"effect_after_ms": SETTLE_MS - 5_000}),
        json!({"status": 500}),
        json!("hang"),
        json!("truncated"),
    ] {
        let (stage, zone) = with_domain(Stage::new(36));
        stage.fault(json!({"match": {"method": "POST", "path": "/dns/recorda"}, "times": 1, "fault": fault}));
        well(&stage, SHOP);
        assert_eq!(lines(&stage, zone), in_step(&stage), "{fault}");
        silent(&stage, SHOP);
        // Nobody else's: with the servers they go, too.
        let none = SHOP.replace("count: 2", "count: 0");
        let policy = Policy { allow_deletes: Some(2), ..outside_only() };
        assert_eq!(updated(&stage, &none, policy).1, Some((RunState::Succeeded, None)), "{fault}");
        assert_eq!(lines(&stage, zone), Vec::<String>::new(), "{fault}");
    }
}

/// Killed before and after any commit, the next update reaches the same end, and then is silent.
#[test]
fn killed_anywhere_it_converges() {
    let one = one_server(SHOP);
    let commits = {
        let (whole, _) = with_domain(Stage::new(36));
        whole.process(Cut::Never, async |engine: Engine| update(&engine, &one, outside_only()).await).commits
    };
    for commit in 1..=commits {
        for cut in [Cut::Before(commit), Cut::After(commit)] {
            let (stage, zone) = with_domain(Stage::new(36));
            stage.process(cut, async |engine: Engine| update(&engine, &one, outside_only()).await);
            stage.clock.pass(std::time::Duration::from_secs(300));
            let (_, run) = updated(&stage, &one, outside_only());
            assert!(run.is_none_or(|(state, _)| state == RunState::Succeeded), "{cut:?}");
            silent(&stage, &one);
            assert_eq!(addresses(&stage).len(), 1, "{cut:?}");
            assert_eq!(lines(&stage, zone), in_step(&stage), "{cut:?}");
            let none = one.replace("count: 1", "count: 0");
            assert_eq!(
                updated(&stage, &none, outside_only()).1,
                Some((RunState::Succeeded, None)),
                "{cut:?}"
            );
            assert_eq!(lines(&stage, zone), Vec::<String>::new(), "{cut:?}: every record is ours");
        }
    }
}

/// No domain, another name in the way: the plan is refused and says what is there.
#[test]
fn what_cannot_be_kept_is_refused() {
    let refused = |stage: &Stage| {
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            update(&engine, SHOP, outside_only()).await.map(drop).unwrap_err().to_string()
        });
        lived.result.unwrap()
    };
    let said = refused(&Stage::new(36));
    assert!(said.contains("no-zone") && said.contains("the account has none at all"), "{said}");
    let (stage, zone) = with_domain(Stage::new(36));
    let body = json!({"DomainId": zone, "Name": "shop.example.net", "MnemonicName": "www"});
    panel(&stage, "POST", "/dns/recordcname", body);
    let said = refused(&stage);
    assert!(
        said.contains("cname-in-the-way") && said.contains("www.example.com CNAME shop.example.net"),
        "{said}"
    );
    assert_eq!(stage.writes(), 2, "nothing was sent");
}

/// The database is lost: records that say what is wanted are claimed, and nothing is sent.
#[test]
fn a_lost_database_finds_its_records() {
    let (stage, zone) = with_domain(Stage::new(36));
    well(&stage, SHOP);
    let before = stage.writes();
    let stage = Stage { folder: tempfile::tempdir().unwrap(), ..stage };
    let (_, run) = updated(&stage, SHOP, outside_only());
    assert_eq!(run, Some((RunState::Succeeded, None)));
    assert_eq!((lines(&stage, zone), stage.writes()), (in_step(&stage), before));
    silent(&stage, SHOP);
}
