//! Every fault, in-process.

use std::time::Duration;

use muster_sim::in_process::Broken;
use serde_json::{Value, json};

use crate::support::{Client, spec};

fn on_create(fault: Value) -> Value {
    json!({"match": {"method": "POST", "path": "/server"}, "times": 1, "fault": fault})
}

#[tokio::test]
async fn the_answer_is_lost_after_the_effect() {
    let client = Client::instant();
    client.fault(on_create(json!("drop_answer_after_effect"))).await;
    assert_eq!(client.try_send("POST", "/server", spec("web")).await, Err(Broken::Dropped));
    assert_eq!(client.names().await, ["web"]);
    assert_eq!(client.simulator.journal()[0].status, 0);
    client.create("second").await;
}

#[tokio::test]
async fn the_effect_comes_long_after_the_answer_was_lost() {
    let client = Client::instant();
    client.fault(on_create(json!({"effect_after_ms": 90_000}))).await;
    assert_eq!(client.try_send("POST", "/server", spec("late")).await, Err(Broken::Dropped));
    client.pass(89_999);
    assert!(client.names().await.is_empty());
    client.pass(1);
    assert_eq!(client.names().await, ["late"]);
    let servers = client.simulator.servers();
    assert_eq!(servers[0].created.to_string(), "2026-01-02T00:05:35Z");
}

#[tokio::test]
async fn lists_lag_but_single_reads_do_not() {
    let client = Client::instant();
    let old = client.create("old").await;
    client.pass(10_000);
    client.fault(on_create(json!({"stale_list_ms": 5_000}))).await;
    let new = client.create("new").await;
    client.put(&format!("/server/{old}"), json!({"CPU": 4})).await.ok();
    assert_eq!(client.server(new).await["State"], "Active");
    let list = client.get("/server").await.ok();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["CPU"]), (1, &json!(2)));
    client.pass(4_999);
    assert_eq!(client.names().await, ["old"]);
    client.pass(1);
    assert_eq!(client.names().await, ["old", "new"]);
    assert_eq!(client.get("/server").await.ok()[0]["CPU"], 4);
    // A deleted server is still shown, and a list itself can begin the lag.
    client.pass(60_000);
    let rule = json!({"match": {"method": "GET", "path": "/server"}, "fault": {"stale_list_ms": 2_000}});
    client.delete(&format!("/server/{old}")).await.ok();
    client.fault(rule).await;
    assert_eq!(client.names().await, ["old", "new"]);
    client.get(&format!("/server/{old}")).await.refused(404);
    client.pass(2_000);
    assert_eq!(client.names().await, ["new"]);
}

#[tokio::test]
async fn an_effect_is_doubled() {
    let client = Client::instant();
    client.fault(on_create(json!("duplicate_effect"))).await;
    let answered = client.create("web").await;
    assert_eq!(client.names().await, ["web", "web"]);
    assert_eq!(client.server(answered).await["Name"], "web");
}

#[tokio::test]
async fn a_stranger_takes_the_name_older_or_newer() {
    for (fault, newer) in [
        (json!("same_name_by_stranger"), false),
        (json!({"same_name_by_stranger": "older"}), false),
        (json!({"same_name_by_stranger": "newer"}), true),
    ] {
        let client = Client::instant();
        client.fault(on_create(fault)).await;
        let mine = client.create("web").await;
        let servers = client.simulator.servers();
        assert_eq!(servers.len(), 2);
        let mine = servers.iter().find(|one| one.id == mine).unwrap();
        let stranger = servers.iter().find(|one| one.id != mine.id).unwrap();
        assert_eq!((mine.name.as_str(), stranger.name.as_str()), ("web", "web"));
        assert_ne!(mine.cpu, stranger.cpu);
        assert_eq!(stranger.created > mine.created, newer);
        assert_ne!(stranger.created, mine.created);
    }
}

#[tokio::test]
async fn a_stranger_takes_the_name_and_the_answer_is_lost() {
    let client = Client::instant();
    client.fault(on_create(json!(["same_name_by_stranger", "drop_answer_after_effect"]))).await;
    assert_eq!(client.try_send("POST", "/server", spec("web")).await, Err(Broken::Dropped));
    assert_eq!(client.names().await, ["web", "web"]);
}

#[tokio::test]
async fn statuses_come_as_often_as_told_and_nothing_happens() {
    let client = Client::instant();
    for status in [400, 403, 404, 429, 500, 503] {
        client
            .fault(json!({"match": {"method": "post", "path": "/SERVER/"}, "times": 2, "fault": {"status": status}}))
            .await;
        for _ in 0..2 {
            assert!(!client.post("/server", spec("web")).await.refused(status).is_empty());
        }
    }
    assert!(client.names().await.is_empty());
    client.create("web").await;
}

#[tokio::test]
async fn an_error_may_come_without_a_message() {
    let client = Client::instant();
    client.fault(on_create(json!({"no_message": 500}))).await;
    let got = client.post("/server", spec("web")).await;
    assert_eq!((got.status, got.text.as_str()), (500, "{}"));
    assert!(client.names().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_hang_ends_with_the_time_out_of_the_caller_or_its_own_bound() {
    let client = Client::instant();
    client.fault(on_create(json!("hang"))).await;
    let hung = client.try_send("POST", "/server", spec("web"));
    assert!(tokio::time::timeout(Duration::from_secs(20), hung).await.is_err());
    assert!(client.names().await.is_empty());
    client.fault(on_create(json!("hang_after_effect"))).await;
    assert_eq!(client.try_send("POST", "/server", spec("web")).await, Err(Broken::Hung));
    assert_eq!(client.names().await, ["web"]);
}

#[tokio::test]
async fn truncated_and_html_answers_cannot_be_read() {
    let client = Client::instant();
    client.fault(on_create(json!("truncated"))).await;
    let got = client.post("/server", spec("web")).await;
    assert_eq!(got.status, 200);
    assert!(got.text.starts_with('{') && serde_json::from_str::<Value>(&got.text).is_err());
    assert_eq!(client.names().await, ["web"]);
    for (fault, status) in [(json!("html"), 502), (json!({"html": 200}), 200)] {
        client.fault(json!({"match": {"path": "/server*"}, "fault": fault})).await;
        let got = client.get("/server").await;
        assert_eq!(got.status, status);
        assert!(got.text.starts_with("<!DOCTYPE html>"));
    }
}

#[tokio::test]
async fn a_stuck_action_never_ends_and_holds_up_the_next_until_the_faults_are_cleared() {
    let client = Client::instant();
    let id = client.create("web").await;
    let path = format!("/server/{id}/action");
    client.fault(json!({"match": {"method": "POST", "path": path}, "fault": "stuck_action"})).await;
    let off = client.act(id, json!({"Type": "PowerOff"})).await.ok();
    client.pass(1_000_000);
    assert_eq!(client.action_state(id, &off).await, "InProgress");
    let resize = client.put(&format!("/server/{id}"), json!({"CPU": 4})).await.ok();
    client.pass(1_000_000);
    assert_eq!(client.action_state(id, &resize).await, "Postponed");
    assert_eq!(client.server(id).await["IsPowerOn"], true);
    client.delete("/_sim/faults").await.ok();
    assert_eq!(client.action_state(id, &off).await, "Completed");
    assert_eq!(client.server(id).await["CPU"], 4);
}

#[tokio::test]
async fn a_state_is_shown_for_good_when_made_and_once_when_read() {
    let client = Client::instant();
    client.fault(on_create(json!({"state": "MigrationFromPool"}))).await;
    let made = client.create("odd").await;
    assert_eq!(client.server(made).await["State"], "MigrationFromPool");
    assert_eq!(client.get("/server").await.ok()[0]["State"], "MigrationFromPool");
    let plain = client.create("plain").await;
    let rule =
        |path: String| json!({"match": {"method": "GET", "path": path}, "fault": {"state": "Deleting"}});
    client.fault(rule(format!("/server/{plain}"))).await;
    assert_eq!(client.server(plain).await["State"], "Deleting");
    assert_eq!(client.server(plain).await["State"], "Active");
    client.fault(json!({"match": {"method": "GET", "path": "/server", "name": "plain"}, "fault": {"state": "Paid"}})).await;
    let list = client.get("/server").await.ok();
    assert_eq!((&list[0]["State"], &list[1]["State"]), (&json!("MigrationFromPool"), &json!("Paid")));
    client
        .fault(json!({"match": {"method": "POST", "path": "/network"}, "fault": {"state": "FromPool"}}))
        .await;
    let network = client.create_network("n").await;
    assert_eq!(client.get(&format!("/network/{network}")).await.ok()["State"], "FromPool");
}

#[tokio::test]
async fn rules_are_taken_in_order_by_name_and_can_be_cleared() {
    let client = Client::instant();
    let named =
        json!({"match": {"method": "POST", "path": "/server", "name": "b"}, "fault": {"status": 500}});
    client.fault(named).await;
    client.fault(on_create(json!({"status": 503}))).await;
    client.post("/server", spec("a")).await.refused(503);
    client.create("a").await;
    client.post("/server", spec("b")).await.refused(500);
    client.create("b").await;
    client.fault(json!({"times": 5, "fault": {"status": 500}})).await;
    client.get("/account").await.refused(500);
    client.delete("/_sim/faults").await.ok();
    client.get("/account").await.ok();
    client.post("/_sim/faults", json!({"fault": "nonsense"})).await.refused(400);
    client.post("/_sim/nonsense", json!({})).await.refused(404);
    client.get("/_sim/faults").await.refused(405);
    client.raw("POST", "/_sim/faults", "application/json", "{").await.unwrap().refused(400);
    client.post("/_sim/clock", json!({"advance_ms": -1})).await.refused(400);
}
