//! `--queue`: a request that finds its file busy waits for its turn.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::nodes::{FLEET, SLOW, UPDATE, begun, detached, ended, names, ok, shown, until};
use crate::place::{MUSTER, Place, Running};

fn server(place: &Place) -> Running {
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(["server", "--listen", "127.0.0.1:0"]);
    Running::start(command)
}

/// The file wants one server more than the run that is under way.
fn want_more(place: &Place) {
    std::fs::write(place.project().join("infra/shop.yaml"), FLEET.replace("count: 12", "count: 13")).unwrap();
}

fn requests(place: &Place) -> Vec<Value> {
    place.run(&["run", "queue", "--format", "json"]).json(0).as_array().unwrap().clone()
}

fn queued(place: &Place, limit: &str) -> Value {
    place.run(&[UPDATE, &["--detach", "--queue", limit]].concat()).json(0)
}

/// EDG-75: on a busy file a request is queued once, however often it is asked, and begins when its turn has come: with
/// what is still to be done then.
#[tokio::test]
async fn a_request_on_a_busy_file_is_queued_once_and_begins_later() {
    let place = Place::slow(FLEET, SLOW);
    let server = server(&place);
    let run = detached(&place);
    begun(&place, &run).await;
    want_more(&place);
    let unasked = place.run(&["infra", "update", "shop", "--queue", "--skip-provision"]);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    assert!(unasked.err.contains("--queue needs --yes"), "{}", unasked.err);
    assert_eq!(queued(&place, "10m")["outcome"], "queued");
    let again = place.run(&[UPDATE, &["--detach", "--queue", "5m"]].concat());
    assert!(again.err.contains("The same request waits already"), "{again:?}");
    let waiting = requests(&place);
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!(waiting[0]["state"], "waiting");
    // It holds nothing: the run under way goes on to its end, and then it is the request's turn.
    assert_eq!(ended(&place, &run).await["state"], "succeeded");
    let next = until("its turn", || requests(&place)[0]["run"].as_str().map(str::to_owned)).await;
    let done = ended(&place, &next).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(names(&place).len(), 13, "each once");
    assert!(done["steps"]["total"].as_u64().unwrap() < 12, "planned anew: {done}");
    assert_eq!(place.run(&["run", "list", "--format", "json"]).json(0).as_array().unwrap().len(), 2);
    drop(server);
}

/// EDG-75: after its limit it is dropped, and whoever asks hears why.
#[tokio::test]
async fn a_request_is_dropped_with_notice_after_its_limit() {
    let place = Place::slow(FLEET, SLOW);
    let server = server(&place);
    let run = detached(&place);
    begun(&place, &run).await;
    ok(place.run(&["run", "pause", &run]));
    want_more(&place);
    // Whoever waits for it is told; so is whoever looks later.
    let waited = place.run(&[UPDATE, &["--queue", "2s"]].concat());
    assert_eq!(waited.code, 6, "{waited:?}");
    assert!(waited.err.contains("could not begin within 2 s") && waited.err.contains(&run), "{}", waited.err);
    let row = requests(&place).remove(0);
    assert_eq!(row["state"], "dropped", "{row}");
    assert!(row["message"].as_str().unwrap().contains(&run), "{row}");
    // Taken back before.
    let id = queued(&place, "10m")["plan"]["id"].as_str().unwrap().to_owned();
    let taken = place.run(&["run", "queue", "--withdraw", &id, "--format", "json"]).json(0);
    assert!(taken[0]["message"].as_str().unwrap().starts_with("withdrawn by"), "{taken}");
    assert_eq!(place.run(&["run", "list", "--format", "json"]).json(0).as_array().unwrap().len(), 1);
    drop(server);
}

fn waiting_command(place: &Place) -> Child {
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args([UPDATE, &["--queue"]].concat()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A command without a server watches its own request; one that is interrupted takes it back.
#[tokio::test]
async fn a_command_waits_for_its_turn_itself() {
    let place = Place::slow(FLEET, SLOW);
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(UPDATE).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut first = command.spawn().unwrap();
    let run = until("the run", || {
        let runs = place.run(&["run", "list", "--format", "json"]).json(0);
        runs[0]["id"].as_str().map(str::to_owned)
    })
    .await;
    begun(&place, &run).await;
    want_more(&place);
    let given_up = waiting_command(&place);
    until("the request", || requests(&place).first().map(|_| ())).await;
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert!(Command::new("kill").args(["-INT", &given_up.id().to_string()]).status().unwrap().success());
    assert_eq!(given_up.wait_with_output().unwrap().status.code(), Some(130));
    assert_eq!(requests(&place)[0]["state"], "dropped");

    let done = waiting_command(&place).wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(answer["run"]["state"], "succeeded", "{answer}");
    first.wait().unwrap();
    assert_eq!(shown(&place, &run)["state"], "succeeded");
    assert_eq!(names(&place).len(), 13, "each once");
}
