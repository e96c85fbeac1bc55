//! `muster limit`: how many steps may be under way at once, as a person sets it and sees it.

use std::process::Command;

use serde_json::Value;

use crate::nodes::{FLEET, Node, SLOW, detached, ended, names, ok, shown, until};
use crate::place::{MUSTER, Place, Running};
use crate::server::Server;

fn server(place: &Place) -> Running {
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(["server", "--listen", "127.0.0.1:0"]);
    Running::start(command)
}

/// What is limited: its key, how many at once, how many of these are taken.
fn limits(place: &Place) -> Vec<(String, u64, u64)> {
    let answer = place.run(&["limit", "list", "--format", "json"]).json(0);
    let row = |row: &Value| {
        let number = |field: &str| row[field].as_u64().unwrap();
        (row["key"].as_str().unwrap().to_owned(), number("cap"), number("taken"))
    };
    answer.as_array().unwrap().iter().map(row).collect()
}

fn set_listed_and_removed(place: &Place) {
    let none = ok(place.run(&["limit", "list"]));
    assert!(none.out.contains("set a limit with: muster limit set KEY NUMBER"), "{none:?}");
    let set = ok(place.run(&["limit", "set", "account:prod", "4"]));
    assert!(set.out.contains("account:prod is limited to 4"), "{set:?}");
    assert!(set.err.contains("No account is called `prod`"), "a slip of the pen is said: {set:?}");
    let known = ok(place.run(&["limit", "set", "account:onecloud", "4"]));
    assert!(!known.err.contains("No account"), "{known:?}");
    ok(place.run(&["limit", "remove", "account:onecloud"]));
    ok(place.run(&["limit", "set", "host:*", "1"]));
    ok(place.run(&["limit", "set", "account:prod", "2"]));
    assert_eq!(limits(place), [("account:prod".into(), 2, 0), ("host:*".into(), 1, 0)]);
    let table = ok(place.run(&["limit", "list", "--format", "table"])).out;
    assert!(table.contains("AT ONCE") && table.contains("account:prod"), "{table}");
    let removed = ok(place.run(&["limit", "remove", "host:*"]));
    assert!(removed.out.contains("host:* is not limited any more"), "{removed:?}");
    assert_eq!(limits(place), [("account:prod".into(), 2, 0)]);
}

/// Each is told what is wrong with it, and changes nothing.
fn bad_input_is_refused(place: &Place) {
    let before = limits(place);
    for (key, number, says) in [
        ("web-1", "3", "`web-1` names nothing that can be limited: a limit is for `provider:NAME`"),
        ("pool:a", "3", "`pool` is no kind of limit: a limit is for `provider:NAME`"),
        ("provider:aws", "3", "there is no provider `aws`; Muster knows `provider:onecloud`"),
        ("host:", "3", "`host:` has no usable name"),
        ("host:a/b", "3", "without `/` after the colon, e.g. `host:web-1`"),
        ("host:*", "0", "invalid value '0' for '<NUMBER>': 0 is not in 1..=100000"),
        ("host:*", "many", "invalid value 'many' for '<NUMBER>'"),
    ] {
        let refused = place.run(&["limit", "set", key, number]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains(says), "{key} {number}: {refused:?}");
    }
    let unknown = place.run(&["limit", "remove", "host:nobody"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(unknown.err.contains("host:nobody"), "{unknown:?}");
    assert_eq!(limits(place), before);
}

#[test]
fn limits_are_set_listed_and_removed() {
    let place = Place::new(FLEET);
    set_listed_and_removed(&place);
    bad_input_is_refused(&place);
}

/// The same over the API, and what a server was told outlives it.
#[test]
fn limits_are_set_listed_and_removed_at_a_server() {
    let place = Place::new(FLEET);
    let server = server(&place);
    set_listed_and_removed(&place);
    bad_input_is_refused(&place);
    drop(server);
    assert_eq!(limits(&place), [("account:prod".into(), 2, 0)]);
}

/// A run that waits for a limit says so wherever it is looked at, and goes on when the limit is raised.
#[tokio::test]
async fn a_run_says_which_limit_it_waits_for() {
    let place = Place::slow(FLEET, SLOW);
    ok(place.run(&["limit", "set", "account:onecloud", "2"]));
    let server = server(&place);
    let run = detached(&place);
    let used_up = "The limit account:onecloud is used up (2 of 2 taken)";
    until("the limit to be used up", || {
        let explained = ok(place.run(&["run", "explain", &run]));
        explained.out.contains(used_up).then_some(())
    })
    .await;
    let show = ok(place.run(&["run", "show", &run]));
    assert!(show.err.contains(used_up), "{show:?}");
    assert!(shown(&place, &run)["steps"]["running"].as_u64().unwrap() <= 2);
    assert_eq!(limits(&place), [("account:onecloud".into(), 2, 2)]);
    ok(place.run(&["limit", "set", "account:onecloud", "50"]));
    until("more at once", || (shown(&place, &run)["steps"]["running"].as_u64()? > 2).then_some(())).await;
    assert_eq!(ended(&place, &run).await["state"], "succeeded");
    assert_eq!(names(&place).len(), 12, "each once");
    let show = ok(place.run(&["run", "show", &run]));
    assert!(!show.err.contains("used up"), "{show:?}");
    drop(server);
}

/// What a killed worker had taken is free when its lease lapses, and the other one goes on within the limit.
#[tokio::test]
async fn a_killed_worker_gives_its_share_back() {
    let Some(postgres) = Server::start("limit::a_killed_worker_gives_its_share_back") else { return };
    let database = postgres.database().await;
    let place = Place::slow(FLEET, SLOW);
    let _api = Node::asked_by(&place, &database);
    ok(place.run(&["limit", "set", "account:onecloud", "2"]));
    let first = Node::start(&place, &database, "worker");
    let run = detached(&place);
    let taken = |number: u64| (limits(&place)[0].2 == number).then_some(());
    until("the limit to be used up", || taken(2)).await;
    let _second = Node::start(&place, &database, "worker");
    first.running.signal("-KILL");
    let mut most = 0;
    until("the run's end", || {
        let run = shown(&place, &run);
        most = most.max(run["steps"]["running"].as_u64().unwrap());
        (run["state"] == "succeeded").then_some(())
    })
    .await;
    assert_eq!(most, 2);
    assert_eq!(names(&place).len(), 12, "each once");
    until("everything to be given back", || taken(0)).await;
}
