//! Killed for real: the program gets a SIGKILL at a chosen commit of an update of 25 servers, by its own hand (the
//! crash points of test builds). Afterwards a resume or a fresh update must lead to the same world.
//!
//! Every commit is tried in-process in `muster-runs`; here a fixed sample with real processes, real files and a real
//! socket to the cloud, and with `MUSTER_TEST_FULL=1` every one of them.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::place::{KEY, MUSTER, Place, Ran, client};
use crate::server::Server;

const BEFORE: &str = "version: 1
location: SdnSpb
stats: false
servers:
  old: { count: 5, image: Ubuntu 22.04, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd }
";
const AFTER: &str = "version: 1
location: SdnSpb
stats: false
networks:
  backend: { dhcp: true }
servers:
  old: { count: 5, image: Ubuntu 22.04, cpu: 2, ram: 2 GiB, disk: 30 GiB ssd }
  web: { count: 20, image: Ubuntu 22.04, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd, networks: [backend] }
";
/// Nothing stands behind these servers, so their inside is left alone.
const UPDATE: &[&str] = &["infra", "update", "shop", "--yes", "--skip-provision"];
/// Commits between two points of the sample; odd, so that both sides and both recoveries come up.
const SAMPLE_STEP: usize = 23;
/// More commits than the update has.
const COMMITS_MAX: usize = 2_000;

fn muster(place: &Place, arguments: &[&str], crash_at: Option<&str>) -> (std::process::ExitStatus, String) {
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.env("ONECLOUD_SETTLE_MS", "1500").args(arguments).stdin(Stdio::null());
    if let Some(point) = crash_at {
        command.env("MUSTER_CRASH_AT", point);
    }
    let output = command.output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status, text)
}

fn get(place: &Place, path: &str) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let request = client().get(format!("{}{path}", place.cloud.address())).bearer_auth(KEY);
        request.send().await.unwrap().json().await.unwrap()
    })
}

/// Names with sizes, sorted; a name that stands twice stays twice.
fn picture(place: &Place) -> Vec<String> {
    let servers = get(place, "/server");
    let mut all: Vec<String> = servers
        .as_array()
        .unwrap()
        .iter()
        .map(|server| {
            format!(
                "{} {} {} {} {}",
                server["Name"],
                server["CPU"],
                server["RAM"],
                server["HDD"],
                server["LinkedNetworks"].as_array().unwrap().len()
            )
        })
        .collect();
    all.sort();
    all
}

fn writes(place: &Place) -> usize {
    let journal = get(place, "/_sim/journal");
    journal.as_array().unwrap().iter().filter(|entry| entry["method"] != "GET").count()
}

/// Kills at one point and recovers. False if the update ended before the point.
fn survives(point: &str, resume: bool, expected: &[String], database: Option<String>) -> bool {
    let mut place = Place::new(BEFORE);
    place.database = database;
    assert!(muster(&place, UPDATE, None).0.success());
    std::fs::write(place.project().join("infra/shop.yaml"), AFTER).unwrap();
    let (status, text) = muster(&place, UPDATE, Some(point));
    if status.success() {
        return false;
    }
    assert_eq!(status.signal(), Some(9), "{point}: {text}");
    let mut recovered = None;
    if resume {
        let (_, list) = muster(&place, &["run", "list", "--format", "json"], None);
        let newest = serde_json::from_str::<Value>(&list).unwrap()[0].clone();
        if newest["state"] == "interrupted" {
            let id = newest["id"].as_str().unwrap().to_owned();
            recovered = Some(muster(&place, &["run", "resume", &id], None));
        }
    }
    let (status, text) = recovered.unwrap_or_else(|| muster(&place, UPDATE, None));
    assert!(status.success(), "{point}: {text}");
    assert_eq!(picture(&place), expected, "{point}: the account is as the file says, nothing twice");
    let before = writes(&place);
    let (status, text) = muster(&place, UPDATE, None);
    assert!(status.success() && text.contains("Nothing to do"), "{point}: {text}");
    assert_eq!(writes(&place), before, "{point}: a further update sends no write");
    let ours = Ran::from(owned(&place)).json(0);
    let ids: BTreeSet<String> = ours.as_array().unwrap().iter().map(|row| row["id"].to_string()).collect();
    assert_eq!(ids.len(), 25, "{point}: every server is ours exactly once");
    true
}

fn owned(place: &Place) -> std::process::Output {
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(["server", "list", "--format", "json"]).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn an_update_survives_a_real_kill() {
    kill_at_many_commits(SAMPLE_STEP, || None);
}

/// The same over PostgreSQL.
#[test]
fn an_update_over_postgres_survives_a_real_kill() {
    let Some(postgres) = Server::start("kill::an_update_over_postgres_survives_a_real_kill") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    kill_at_many_commits(SAMPLE_STEP + 4, || Some(runtime.block_on(postgres.database())));
}

fn kill_at_many_commits(sample_step: usize, database: impl Fn() -> Option<String>) {
    let whole = Place::new(AFTER);
    assert!(muster(&whole, UPDATE, None).0.success());
    let expected = picture(&whole);
    assert_eq!(expected.len(), 25);

    let step = if std::env::var_os("MUSTER_TEST_FULL").is_some() { 1 } else { sample_step };
    let mut points = 0;
    for commit in (4..COMMITS_MAX).step_by(step) {
        let when = if (commit / step) % 2 == 0 { "before" } else { "after" };
        if !survives(&format!("{when}:{commit}"), points % 3 != 2, &expected, database()) {
            break;
        }
        points += 1;
    }
    println!("killed with SIGKILL at {points} points, one every {step} commits; every one converged");
    assert!(points >= 5, "only {points} points were tried");
}
