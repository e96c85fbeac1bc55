//! Private networks and links.

use serde_json::json;

use crate::support::{Client, spec_with};

#[tokio::test]
async fn a_network_is_new_then_active() {
    let client = Client::slow();
    let made =
        client.post("/network", json!({"Name": "back", "DCLocation": "DsMsk", "IsDHCP": "true"})).await.ok();
    assert_eq!((&made["State"], &made["IsDHCP"]), (&json!("New"), &json!(true)));
    assert_eq!((&made["DCLocation"], &made["LinkedServers"]), (&json!("DsMsk"), &json!([])));
    client.pass(15_000);
    let path = format!("/network/{}", made["ID"]);
    assert_eq!(client.get(&path).await.ok()["State"], "Active");
    assert_eq!(client.get("/network").await.ok()[0]["Name"], "back");
    // Older clients send the name only.
    assert_eq!(client.post("/network", json!({"Name": "old"})).await.ok()["DCLocation"], "SdnSpb");
    client.post("/network", json!({})).await.refused(400);
    assert_eq!(client.put(&path, json!({"Name": "front"})).await.ok()["Name"], "front");
}

#[tokio::test]
async fn links_come_and_go_with_their_actions() {
    let client = Client::slow();
    let network = client.create_network("back").await;
    let id = client.create("web").await;
    client.act(id, json!({"Type": "AddNetwork", "NetworkID": network})).await.refused(400);
    client.pass(60_000);
    let add = json!({"Type": "AddNetwork", "NetworkID": network.to_string()});
    assert_eq!(client.act(id, add.clone()).await.ok()["State"], "InProgress");
    assert_eq!(client.server(id).await["LinkedNetworks"].as_array().unwrap().len(), 1);
    client.act(id, add.clone()).await.refused(400);
    client.delete(&format!("/network/{network}")).await.refused(400);
    client.pass(5_000);
    let link = client.server(id).await["LinkedNetworks"][1].clone();
    assert_eq!((&link["NetworkID"], &link["NetworkName"]), (&json!(network), &json!("back")));
    assert!(link["IP"].as_str().unwrap().starts_with("10."));
    assert_eq!(link["Bandwidth"], 10, "where nobody asked for another speed");
    let linked = client.get(&format!("/network/{network}")).await.ok()["LinkedServers"].clone();
    assert_eq!((&linked[0]["ServerID"], &linked[0]["MAC"]), (&json!(id), &link["MAC"]));
    assert_eq!(client.get("/network").await.ok()[0]["LinkedServers"], linked);
    client.act(id, add).await.refused(400);
    client.delete(&format!("/network/{network}")).await.refused(400);
    let speed = json!({"Type": "EditNetworkBandwidth", "NetworkLinkID": link["LinkID"], "Bandwidth": 50});
    client.act(id, speed).await.ok();
    client.pass(5_000);
    assert_eq!(client.server(id).await["LinkedNetworks"][1]["Bandwidth"], 50);
    client
        .act(id, json!({"Type": "EditNetworkBandwidth", "NetworkLinkID": 1, "Bandwidth": 50}))
        .await
        .refused(400);
    let remove = json!({"Type": "RemoveNetwork", "NetworkID": network});
    client.act(id, remove.clone()).await.ok();
    client.act(id, remove).await.refused(400);
    client.pass(5_000);
    assert_eq!(client.server(id).await["LinkedNetworks"].as_array().unwrap().len(), 1);
    let gone = client.delete(&format!("/network/{network}")).await;
    assert_eq!((gone.status, gone.text.as_str()), (200, ""));
    client.pass(2_000);
    client.get(&format!("/network/{network}")).await.refused(404);
}

#[tokio::test]
async fn a_network_of_another_data_centre_or_of_nobody_is_refused() {
    let client = Client::instant();
    let network = client.create_network("back").await;
    let body = spec_with(json!({"DCLocation": "DsMsk"}));
    let id = client.post("/server", body.clone()).await.ok()["ID"].as_u64().unwrap();
    let refusal = client.act(id, json!({"Type": "AddNetwork", "NetworkID": network})).await.refused(400);
    assert!(refusal.contains("DsMsk"), "{refusal}");
    client.act(id, json!({"Type": "AddNetwork", "NetworkID": 5})).await.refused(400);
    client.act(id, json!({"Type": "AddNetwork"})).await.refused(400);
    let mut wrong = body;
    wrong["NetworkID"] = json!(network);
    client.post("/server", wrong).await.refused(400);
}

#[tokio::test]
async fn a_server_can_be_born_linked() {
    let client = Client::instant();
    let network = client.create_network("back").await;
    client.get("/network").await.ok();
    let id =
        client.post("/server", spec_with(json!({"NetworkID": network}))).await.ok()["ID"].as_u64().unwrap();
    let links = client.server(id).await["LinkedNetworks"].clone();
    assert_eq!(links.as_array().unwrap().len(), 2);
    assert_eq!(links[1]["NetworkID"], network);
}
