//! Quotas that end, and money that runs out in the middle.

use serde_json::{Value, json};

use crate::support::{Client, spec};

async fn drift(client: &Client, body: Value) {
    client.post("/_sim/drift", body).await.ok();
}

#[tokio::test]
async fn the_third_server_is_refused_where_the_quota_is_two() {
    let client = Client::instant();
    drift(&client, json!({"quota": {"servers": 2, "networks": 1, "domains": 0, "images": 0}})).await;
    client.create("a").await;
    let id = client.create("b").await;
    assert_eq!(client.post("/server", spec("c")).await.refused(400), "No more than 2 servers are allowed");
    client.post(&format!("/server/{id}/copy"), json!({"Name": "c"})).await.refused(400);
    client.create_network("back").await;
    client.post("/network", json!({"Name": "front"})).await.refused(400);
    client.post("/dns", json!({"Name": "example.org"})).await.refused(400);
    let image = json!({"Name": "i", "TechName": "i", "ServerID": id});
    assert_eq!(client.post("/image", image).await.refused(400), "No more than 0 images are allowed");
    client.other().create("x").await;
    client.other().create("y").await;
    client.other().create("z").await;
    // Room is made by going, or granted again.
    client.delete(&format!("/server/{id}")).await.ok();
    client.create("c").await;
    drift(&client, json!({"quota": {"servers": null}})).await;
    client.create("d").await;
    client.post("/_sim/drift", json!({"quota": {"ships": 1}})).await.refused(400);
}

#[tokio::test]
async fn money_that_is_enough_for_two_servers_leaves_the_third_without() {
    let client = Client::slow();
    drift(&client, json!({"balance": 250})).await;
    drift(&client, json!({"server_price": 100})).await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(client.create(name).await);
    }
    client.pass(60_000);
    let mut states = Vec::new();
    for id in &ids {
        states.push(client.server(*id).await["State"].as_str().unwrap().to_owned());
    }
    assert_eq!(states, ["Active", "Active", "NeedMoney"]);
    assert_eq!(client.get("/customer/balance").await.ok(), json!(50.0));
    // A stranger pays for himself.
    drift(&client, json!({"create": {"Name": "stranger"}})).await;
    assert_eq!(client.get("/customer/balance").await.ok(), json!(50.0));
    // Too little is not enough to go on with, enough is.
    drift(&client, json!({"balance": 100})).await;
    client.pass(60_000);
    assert_eq!(client.server(ids[2]).await["State"], "NeedMoney");
    drift(&client, json!({"balance": 101})).await;
    client.pass(60_000);
    assert_eq!(client.server(ids[2]).await["State"], "Active");
    assert_eq!(client.get("/customer/balance").await.ok(), json!(1.0));
    assert_eq!(client.server(ids[0]).await["State"], "Active");
}
