//! Runs that nobody carries out any more: the server was stopped for good, and the next command is the only process.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::nodes::{FLEET, SLOW, UPDATE, begun, detached, names, ok, shown, until};
use crate::place::{MUSTER, Place, Running};

/// A server over the home of the place itself; commands there speak to it over the socket.
fn server(place: &Place, roles: &str) -> Running {
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(["server", "--listen", "127.0.0.1:0", "--role", roles]);
    Running::start(command)
}

/// A run that was approved, never begun, and lost its server.
#[tokio::test]
async fn a_run_that_nobody_carries_out_is_cancelled_by_the_command_itself() {
    let place = Place::slow(FLEET, SLOW);
    let api = server(&place, "api");
    let run = detached(&place);
    drop(api);

    // Whoever attaches hears why nothing happens.
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(["run", "attach", &run]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut attached = command.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(attached.stderr.take().unwrap()).read_line(&mut said).unwrap();
    attached.kill().unwrap();
    attached.wait().unwrap();
    assert!(said.contains(&format!("take it up here: muster run resume {run}")), "{said}");

    // Also where the provider does not answer.
    place.cloud.signal("-STOP");
    let cancelled = ok(place.run(&["run", "cancel", &run]));
    place.cloud.signal("-CONT");
    assert!(!cancelled.err.contains("It stops"), "{cancelled:?}");
    assert_eq!(shown(&place, &run)["state"], "cancelled");
    ok(place.run(UPDATE));
    assert_eq!(names(&place).len(), 12);
}

/// A run that was paused, and its server is gone: resuming is taking it up.
#[tokio::test]
async fn a_paused_run_goes_on_without_its_server() {
    let place = Place::slow(FLEET, SLOW);
    let both = server(&place, "api,worker");
    let run = detached(&place);
    begun(&place, &run).await;
    ok(place.run(&["run", "pause", &run]));
    until("the pause", || ok(place.run(&["run", "log", &run])).out.contains("paused").then_some(())).await;
    drop(both);
    let resumed = place.run(&["run", "resume", &run, "--format", "json"]).json(0);
    assert_eq!(resumed["state"], "succeeded", "{resumed}");
    assert_eq!(names(&place).len(), 12, "each once");
}

/// The engine that a detached command starts finds another one that is at its end, or not yet at its socket: the command
/// waits instead of failing. What was in the log stays there.
#[tokio::test]
async fn of_two_engines_at_once_the_slower_one_is_no_error() {
    let place = Place::new(crate::place::SHOP);
    std::fs::create_dir_all(place.home()).unwrap();
    std::fs::write(place.home().join("engine.log"), "earlier words\n").unwrap();
    let life = std::fs::File::create(place.home().join("engine.pid")).unwrap();
    rustix::fs::flock(&life, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let ending = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(2));
        drop(life);
    });
    let run = detached(&place);
    ending.join().unwrap();
    ok(place.run(&["run", "attach", &run]));
    let log = std::fs::read_to_string(place.home().join("engine.log")).unwrap();
    assert!(log.starts_with("earlier words\n"), "{log}");
    assert!(log.contains("runs in the background of this home already"), "{log}");
    place.end_background();
}

/// A command paused its run and was killed; a server of the same home is asked to go on before it noticed.
#[tokio::test]
async fn a_paused_run_of_a_dead_command_goes_on_at_once() {
    let place = Place::slow(FLEET, SLOW);
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(UPDATE).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut own = command.spawn().unwrap();
    let run = until("the run", || {
        let runs = place.run(&["run", "list", "--format", "json"]).json(0);
        runs[0]["id"].as_str().map(str::to_owned)
    })
    .await;
    begun(&place, &run).await;
    let both = server(&place, "api,worker");
    ok(place.run(&["run", "pause", &run]));
    until("the pause", || ok(place.run(&["run", "log", &run])).out.contains("paused").then_some(())).await;
    own.kill().unwrap();
    own.wait().unwrap();
    let resumed = place.run(&["run", "resume", &run, "--format", "json"]);
    assert_eq!(resumed.json(0)["state"], "succeeded", "{resumed:?}");
    assert_eq!(names(&place).len(), 12, "each once");
    drop(both);
}
