//! Locations that close.

use muster_sim::onecloud::{SimulatorConfig, Switches};
use serde_json::{Value, json};

use crate::support::{Client, config, spec_with};

async fn drift(client: &Client, body: Value) {
    client.post("/_sim/drift", body).await.ok();
}

#[tokio::test]
async fn a_location_without_pools_takes_no_new_server_and_keeps_the_old_ones() {
    let client = Client::instant();
    let there = spec_with(json!({"DCLocation": "DsMsk"}));
    let id = client.post("/server", there.clone()).await.ok()["ID"].as_u64().unwrap();
    let closed = json!({"IsEnableLowPool": false, "IsEnableHighPool": false, "IsEnableBackup": false});
    drift(&client, json!({"location": "dsmsk", "set": closed})).await;
    let list = client.get("/dcLocation").await.ok();
    let seen = list.as_array().unwrap().iter().find(|one| one["TechTitle"] == "DsMsk").unwrap().clone();
    assert_eq!((&seen["IsEnableLowPool"], &seen["IsEnableBackup"]), (&json!(false), &json!(false)));
    assert!(client.post("/server", there).await.refused(400).contains("DsMsk"));
    client.post(&format!("/server/{id}/copy"), json!({"Name": "twin"})).await.refused(400);
    client.put(&format!("/server/{id}"), json!({"CPU": 4})).await.ok();
    assert_eq!(client.server(id).await["CPU"], 4);
    drift(&client, json!({"location": "DsMsk", "delete": true})).await;
    let copy = client.post(&format!("/server/{id}/copy"), json!({"Name": "twin"})).await;
    assert_eq!(copy.refused(400), "DsMsk takes no new servers");
    client.post("/_sim/drift", json!({"location": "DsMsk", "delete": true})).await.refused(404);
    client.post("/_sim/drift", json!({"location": "SdnSpb", "set": {"Title": "x"}})).await.refused(400);
    client.post("/_sim/drift", json!({"location": "New", "create": {}})).await.refused(400);
}

/// What the provider does with a location that it does not know is not certain: a captured create went to the
/// default one.
#[tokio::test]
async fn a_location_that_is_gone_is_the_default_one_or_refused() {
    for refused in [false, true] {
        let switches = Switches { unknown_location_refused: refused, ..Switches::default() };
        let client = Client::of(SimulatorConfig { switches, ..config() });
        drift(&client, json!({"location": "DsMsk", "delete": true})).await;
        assert_eq!(client.get("/dcLocation").await.ok().as_array().unwrap().len(), 12);
        let got = client.post("/server", spec_with(json!({"DCLocation": "DsMsk"}))).await;
        let network = client.post("/network", json!({"Name": "back", "DCLocation": "DsMsk"})).await;
        if refused {
            assert_eq!(got.refused(400), "DCLocation not found");
            network.refused(400);
        } else {
            assert_eq!(
                (&got.ok()["DCLocation"], &network.ok()["DCLocation"]),
                (&json!("SdnSpb"), &json!("SdnSpb"))
            );
        }
    }
}
