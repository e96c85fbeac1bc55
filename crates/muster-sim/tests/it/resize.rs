//! `PUT /server/{id}`.

use serde_json::{Value, json};

use crate::support::{Client, spec_with};

#[tokio::test]
async fn every_field_can_be_resized_and_the_rest_stays() {
    let client = Client::instant();
    let id = client.create("web").await;
    for (field, value) in [
        ("CPU", json!(4)),
        ("RAM", json!("4096")),
        ("HDD", json!(60)),
        ("HDDType", json!("SAS")),
        ("isHighPerformance", json!("true")),
    ] {
        let mut before = client.server(id).await;
        let action = client.put(&format!("/server/{id}"), json!({ field: value })).await.ok();
        assert_eq!((&action["Type"], &action["State"]), (&json!("Resize"), &json!("InProgress")));
        let after = client.server(id).await;
        let shown = if field == "isHighPerformance" { "IsHighPerformance" } else { field };
        let wanted: Value = match field {
            "RAM" => json!(4096),
            "isHighPerformance" => json!(true),
            _ => value,
        };
        assert_ne!(before[shown], wanted, "{field}");
        before[shown] = wanted;
        assert_eq!(after, before, "{field}");
    }
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_also_against_a_resize_that_waits() {
    let client = Client::slow();
    let id = client.create("web").await;
    let path = format!("/server/{id}");
    for body in [
        json!({"HDD": 30}),
        json!({"HDD": 45}),
        json!({"HDD": 1000}),
        json!({"CPU": 0}),
        json!({"RAM": 1500}),
        json!({"HDDType": "tape"}),
    ] {
        client.put(&path, body).await.refused(400);
    }
    client.put(&path, json!({"HDD": 80})).await.ok();
    assert!(client.put(&path, json!({"HDD": 60})).await.refused(400).contains("reduced"));
    client.put(&path, json!({"CPU": 3})).await.ok();
    client.pass(120_000);
    let after = client.server(id).await;
    assert_eq!((&after["HDD"], &after["CPU"]), (&json!(80), &json!(3)));
    client.put("/server/1", json!({"CPU": 3})).await.refused(404);
}

#[tokio::test]
async fn the_pool_and_disk_of_the_data_centre_bind_resizes_too() {
    let client = Client::instant();
    let body = spec_with(json!({"DCLocation": "Vld01"}));
    let id = client.post("/server", body).await.ok()["ID"].as_u64().unwrap();
    client.put(&format!("/server/{id}"), json!({"isHighPerformance": true})).await.refused(400);
    let body = spec_with(json!({"DCLocation": "MinskBy", "isHighPerformance": true}));
    let id = client.post("/server", body).await.ok()["ID"].as_u64().unwrap();
    client.put(&format!("/server/{id}"), json!({"HDDType": "SAS"})).await.refused(400);
}

#[tokio::test]
async fn too_many_waiting_actions_are_refused() {
    let client = Client::slow();
    let id = client.create("web").await;
    for _ in 0..100 {
        client.put(&format!("/server/{id}"), json!({"CPU": 3})).await.ok();
    }
    assert!(client.put(&format!("/server/{id}"), json!({"CPU": 3})).await.refused(400).contains("100"));
    // A deletion that could not be accepted is not remembered either.
    client.delete(&format!("/server/{id}")).await.refused(400);
    client.pass(60_000 + 30_000);
    client.delete(&format!("/server/{id}")).await.ok();
}
