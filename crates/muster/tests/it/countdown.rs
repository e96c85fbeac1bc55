//! When runs begin. `--countdown`: a run waits with its locks, and until it begins it can be revoked with nothing done.
//! `--priority`: which of several begins first.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::nodes::{FLEET, SLOW, UPDATE, begun, detached, ended, names, ok, shown, until};
use crate::place::{MUSTER, Place, Running, SHOP};

/// A detached update that begins after so long.
fn counting(place: &Place, countdown: &str) -> String {
    let answer = place.run(&[UPDATE, &["--detach", "--countdown", countdown]].concat()).json(0);
    answer["run"]["id"].as_str().unwrap().to_owned()
}

/// EDG-76: revoked in the countdown, nothing was done; revoked while it runs, it stops between its batches of steps.
#[tokio::test]
async fn an_action_is_revoked_in_its_countdown_and_while_it_runs() {
    let place = Place::slow(FLEET, SLOW);
    let run = counting(&place, "10m");
    place.writes().await;
    let waiting = shown(&place, &run);
    assert_eq!(waiting["state"], "ready", "{waiting}");
    assert!(waiting["begins_at"].is_string(), "{waiting}");
    let left = waiting["begins_in_seconds"].as_u64().unwrap();
    assert!((500..=600).contains(&left), "{waiting}");
    let words = ok(place.run(&["run", "show", &run])).out;
    assert!(words.contains("waiting, begins in") && words.contains("muster run cancel"), "{words}");
    let why = ok(place.run(&["run", "explain", &run])).out;
    assert!(why.contains("Lane 0 waits until"), "{why}");
    let busy = place.run(UPDATE);
    assert_eq!(busy.code, 6, "it holds its locks: {busy:?}");
    ok(place.run(&["run", "cancel", &run]));
    let revoked = ended(&place, &run).await;
    assert_eq!(revoked["state"], "cancelled", "{revoked}");
    assert_eq!(revoked["steps"]["skipped"], revoked["steps"]["total"], "{revoked}");
    assert_eq!(place.writes().await, Vec::<String>::new(), "nothing was done");

    let run = detached(&place);
    begun(&place, &run).await;
    ok(place.run(&["run", "cancel", &run]));
    let stopped = ended(&place, &run).await;
    assert_eq!(stopped["state"], "cancelled", "{stopped}");
    let count = |word: &str| stopped["steps"][word].as_u64().unwrap();
    assert_eq!((count("running"), count("failed")), (0, 0), "what was under way was finished: {stopped}");
    assert!(count("succeeded") >= 12 && count("skipped") > 0, "{stopped}");
    assert_eq!(names(&place).len(), 12);
    place.end_background();
}

/// The countdown belongs to the run: the server that took it may end, and the next one begins at the time that was said.
#[tokio::test]
async fn a_countdown_outlives_the_server() {
    let place = Place::new(SHOP);
    let server = || {
        let mut command = Command::new(MUSTER);
        place.dress(&mut command);
        command.args(["server", "--listen", "127.0.0.1:0"]);
        Running::start(command)
    };
    let first = server();
    let run = counting(&place, "6s");
    let begins_at: String = shown(&place, &run)["begins_at"].as_str().unwrap().to_owned();
    drop(first);
    let second = server();
    assert_eq!(shown(&place, &run)["begins_at"], begins_at.as_str());
    let done = ended(&place, &run).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(done["begins_at"], Value::Null);
    let log = place.run(&["run", "log", &run, "--format", "json"]).json(0);
    assert!(log[0]["at"].as_str().unwrap() >= begins_at.as_str(), "{begins_at}: {}", log[0]);
    drop(second);
}

/// A command that waits itself: it begins when its time has come, and Ctrl-C before that revokes it.
#[tokio::test]
async fn a_command_counts_down_itself() {
    let place = Place::new(SHOP);
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args([UPDATE, &["--countdown", "10m"]].concat()).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let run = until("the run", || {
        let runs = place.run(&["run", "list", "--format", "json"]).json(0);
        runs[0]["id"].as_str().map(str::to_owned)
    })
    .await;
    // It listens for signals once it follows.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("begins at") && said.contains("Ctrl-C"), "{said}");
    assert_eq!(shown(&place, &run)["state"], "cancelled", "{ended:?}");
    assert_eq!(place.writes().await, Vec::<String>::new());

    let long = place.run(&[UPDATE, &["--countdown", "48h"]].concat());
    assert_eq!(long.code, 2, "{long:?}");
    assert!(long.err.contains("86400 s at most"), "{}", long.err);
    let done = place.run(&[UPDATE, &["--countdown", "2s"]].concat()).json(0);
    assert_eq!(done["run"]["state"], "succeeded", "{done}");
    let wrong = place.run(&[UPDATE, &["--countdown", "soon"]].concat());
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

/// ICT-40: of several runs that wait for a worker the urgent one begins first, whatever came first.
#[tokio::test]
async fn of_several_runs_the_urgent_one_begins_first() {
    let place = Place::new(SHOP);
    let server = |roles: &str| {
        let mut command = Command::new(MUSTER);
        place.dress(&mut command);
        command.args(["server", "--listen", "127.0.0.1:0", "--role", roles]);
        Running::start(command)
    };
    let api = server("api");
    let mut runs = Vec::new();
    for (name, priority) in [("low", "low"), ("usual", "normal"), ("urgent", "high")] {
        let file = SHOP.replace("web:", &format!("{name}:"));
        std::fs::write(place.project().join(format!("infra/{name}.yaml")), file).unwrap();
        let update = ["infra", "update", name, "--yes", "--skip-provision", "--format", "json", "--detach"];
        let answer = place.run(&[&update[..], &["--priority", priority]].concat()).json(0);
        runs.push(answer["run"]["id"].as_str().unwrap().to_owned());
    }
    drop(api);
    let both = server("api,worker");
    let mut begun = Vec::new();
    for run in &runs {
        assert_eq!(ended(&place, run).await["state"], "succeeded");
        let log = place.run(&["run", "log", run, "--format", "json"]).json(0);
        begun.push(log[0]["at"].as_str().unwrap().to_owned());
    }
    assert!(begun[2] < begun[1] && begun[1] < begun[0], "low, usual, urgent: {begun:?}");
    let wrong = place.run(&[UPDATE, &["--priority", "soon"]].concat());
    assert_eq!(wrong.code, 2, "{wrong:?}");
    drop(both);
}
