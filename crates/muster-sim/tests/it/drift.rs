//! Changes behind the client's back.

use serde_json::{Value, json};

use crate::support::{Client, spec_with};

async fn drift(client: &Client, body: Value) {
    client.post("/_sim/drift", body).await.ok();
}

#[tokio::test]
async fn every_field_of_a_server_can_drift() {
    let client = Client::slow();
    let id = client.create("web").await;
    client.pass(60_000);
    for (field, value) in [
        ("CPU", json!(7)),
        ("RAM", json!(999)),
        ("HDD", json!(10)),
        ("HDDType", json!("SAS")),
        ("IsPowerOn", json!(false)),
        ("IsHighPerformance", json!(true)),
        ("State", json!("Deleting")),
        ("State", json!("Blocked")),
        ("State", json!("Active")),
        ("Image", json!("Debian12x64")),
        ("Image", json!("TheirOwn")),
        ("DCLocation", json!("DsMsk")),
        ("AdminPassword", json!("other")),
    ] {
        let mut before = client.server(id).await;
        drift(&client, json!({"server": "web", "set": {field: value}})).await;
        before[field] = value;
        assert_eq!(client.server(id).await, before, "{field}");
        assert_eq!(client.get("/server").await.ok(), json!([before]), "{field} in the list");
    }
    assert_eq!(client.get(&format!("/server/{id}/action")).await.ok().as_array().unwrap().len(), 1);
    drift(&client, json!({"server": "web", "set": {"Name": "renamed", "cpu": "3"}})).await;
    assert_eq!(client.names().await, ["renamed"]);
    drift(&client, json!({"server": id, "delete": true})).await;
    client.get(&format!("/server/{id}")).await.refused(404);
}

#[tokio::test]
async fn links_and_networks_can_drift() {
    let client = Client::instant();
    client.create_network("back").await;
    let front = client.create_network("front").await;
    let id = client.create("web").await;
    let links = async || -> Vec<String> {
        let server = client.server(id).await;
        let links = server["LinkedNetworks"].as_array().unwrap().clone();
        links.iter().skip(1).map(|link| link["NetworkName"].as_str().unwrap().to_owned()).collect()
    };
    client.get("/server").await.ok();
    drift(&client, json!({"server": "web", "set": {"LinkedNetworks": ["back", "front"]}})).await;
    assert_eq!(links().await, ["back", "front"]);
    drift(&client, json!({"server": "web", "set": {"LinkedNetworks": ["front"]}})).await;
    assert_eq!(links().await, ["front"]);
    drift(&client, json!({"network": "front", "set": {"Name": "new", "IsDHCP": false, "State": "Odd"}}))
        .await;
    assert_eq!(links().await, ["new"]);
    let network = client.get(&format!("/network/{front}")).await.ok();
    assert_eq!((&network["IsDHCP"], &network["State"]), (&json!(false), &json!("Odd")));
    drift(&client, json!({"network": "new", "delete": true})).await;
    assert!(links().await.is_empty());
    client.get(&format!("/network/{front}")).await.refused(404);
}

#[tokio::test]
async fn a_stranger_can_come() {
    let client = Client::slow();
    drift(&client, json!({"create": {"Name": "stranger"}})).await;
    let body =
        json!({"Name": "big", "CPU": 8, "Image": "Ubuntu 22.04", "DateCreate": "2020-01-01T00:00:00Z"});
    drift(&client, json!({"create": body, "project": 1})).await;
    let list = client.get("/server").await.ok();
    assert_eq!((&list[0]["Name"], &list[0]["State"]), (&json!("stranger"), &json!("Active")));
    let other = client.other().get("/server").await.ok();
    assert_eq!((&other[0]["CPU"], &other[0]["Image"]), (&json!(8), &json!("Ubuntu22.04x64")));
    assert_eq!(other[0]["DateCreate"], "2020-01-01T03:00:00.000000+03:00");
}

#[tokio::test]
async fn a_drift_that_is_not_understood_changes_nothing() {
    let client = Client::instant();
    client.post("/server", spec_with(json!({}))).await.ok();
    let before = client.get("/server").await.text;
    for (body, status) in [
        (json!({"server": "nobody", "delete": true}), 404),
        (json!({"server": "s", "delete": true, "project": 1}), 404),
        (json!({"server": "s", "delete": true, "project": 9}), 404),
        (json!({"server": "s", "set": {"CPU": 9, "LinkedNetworks": ["none"]}}), 404),
        (json!({"server": "s"}), 400),
        (json!({"server": "s", "delete": false}), 400),
        (json!({"server": "s", "set": {"Colour": 1}}), 400),
        (json!({"server": "s", "set": {"CPU": "many"}}), 400),
        (json!({"server": "s", "set": {"CPU": 9}, "delete": true}), 400),
        (json!({"create": {}}), 400),
        (json!({"create": {"Name": "x", "Image": "none"}}), 400),
        (json!({"network": "n", "set": {"Name": "m"}}), 404),
        (json!({"nonsense": 1}), 400),
        (json!([]), 400),
    ] {
        let got = client.post("/_sim/drift", body.clone()).await;
        assert_eq!(got.status, status, "{body}: {}", got.text);
    }
    assert_eq!(client.get("/server").await.text, before);
}
