//! The object storage and its users.

use muster_sim::onecloud::{SimulatorConfig, Switches};
use serde_json::{Value, json};

use crate::support::{Client, config};

#[tokio::test]
async fn the_storage_is_activated_once_and_goes_with_its_users() {
    let client = Client::slow();
    for (method, path) in
        [("GET", "/storage"), ("DELETE", "/storage"), ("GET", "/storage/users"), ("GET", "/storage/users/1")]
    {
        assert_eq!(client.send(method, path, Value::Null).await.refused(404), "Storage not found");
    }
    client.post("/storage/users", json!({"UserName": "a"})).await.refused(404);
    let made = client.post("/storage", Value::Null).await.ok();
    assert_eq!((&made["State"], &made["QuotaBytes"]), (&json!("New"), &Value::Null));
    client.pass(4_000);
    let ready = client.get("/Storage/").await.ok();
    assert_eq!((&ready["State"], &ready["Id"]), (&json!("Active"), &made["Id"]));
    assert_eq!(ready["Owner"]["State"], "Active");
    client.post("/storage/users", json!({"UserName": "a"})).await.ok();
    client.other().get("/storage").await.refused(404);
    client.delete("/storage").await.ok();
    client.get("/storage/users").await.refused(404);
    client.post("/storage", Value::Null).await.ok();
    assert_eq!(client.get("/storage/users").await.ok(), json!([]));
}

#[tokio::test]
async fn a_password_is_shown_once_unless_it_is_kept() {
    let client = Client::instant();
    client.post("/storage", Value::Null).await.ok();
    let once = client.post("/storage/users", json!({"UserName": "once"})).await.ok();
    let kept =
        client.post("/storage/users", json!({"username": "kept", "persistPassword": "true"})).await.ok();
    let password = |user: &Value| user["Password"].as_str().map(str::to_owned);
    assert!(password(&once).is_some() && password(&kept).is_some());
    let read = async |user: &Value| client.get(&format!("/storage/users/{}", user["Id"])).await.ok();
    assert_eq!(password(&read(&once).await), None);
    assert_eq!(password(&read(&kept).await), password(&kept));
    let list = client.get("/storage/users").await.ok();
    assert_eq!((&list[0]["Password"], &list[1]["Password"]), (&Value::Null, &kept["Password"]));
    let change = async |user: &Value, persist: bool| {
        let path = format!("/storage/users/{}/change-password", user["Id"]);
        client.post(&path, json!({"PersistPassword": persist})).await.ok()
    };
    let changed = change(&once, true).await;
    assert_ne!(password(&changed), password(&once));
    assert_eq!(password(&read(&once).await), password(&changed));
    change(&once, false).await;
    assert_eq!(password(&read(&once).await), None);
}

#[tokio::test]
async fn users_are_blocked_let_in_again_and_deleted() {
    let client = Client::slow();
    client.post("/storage", Value::Null).await.ok();
    let user = client.post("/storage/users", json!({"UserName": "media"})).await.ok();
    assert_eq!(user["State"], "New");
    client.pass(4_000);
    let path = format!("/storage/users/{}", user["Id"]);
    for (what, state) in
        [("block", "Blocked"), ("Block/", "Blocked"), ("unblock", "Active"), ("unblock", "Active")]
    {
        let answer = client.post(&format!("{path}/{what}"), Value::Null).await.ok();
        assert_eq!(answer["State"], state, "{what}");
        assert_eq!(client.get(&path).await.ok()["State"], state, "{what}");
    }
    client.get(&format!("{path}/block")).await.refused(405);
    assert_eq!(client.delete(&path).await.ok()["Name"], "media");
    client.get(&path).await.refused(404);
    // The name is free again, the number is not.
    let again = client.post("/storage/users", json!({"UserName": "media"})).await.ok();
    assert_ne!(again["Id"], user["Id"]);
}

#[tokio::test]
async fn a_storage_that_is_not_activated_may_be_shown() {
    let switches = Switches { storage_shown_before_activation: true, ..Switches::default() };
    let client = Client::of(SimulatorConfig { switches, ..config() });
    assert_eq!(client.get("/storage").await.ok()["State"], "NotActivated");
    client.get("/storage/users").await.refused(404);
}
