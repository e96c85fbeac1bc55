//! Own images, copies of servers, and stock images that come, go and change their numbers.

use muster_sim::onecloud::{SimulatorConfig, Switches};
use serde_json::{Value, json};

use crate::support::{Client, config, spec_with};

async fn listed(client: &Client, name: &str) -> Option<Value> {
    let images = client.get("/image").await.ok();
    images.as_array().unwrap().iter().find(|one| one["Name"] == name).cloned()
}

#[tokio::test]
async fn an_own_image_is_listed_after_its_time_and_makes_servers() {
    let client = Client::slow();
    let id = client.create("web").await;
    let body = json!({"Name": "Golden web", "TechName": "golden1", "ServerID": id.to_string()});
    client.post("/image", body.clone()).await.refused(400);
    client.pass(60_000);
    let made = client.post("/Image/", body).await.ok();
    assert_eq!((&made["Name"], &made["DisplayName"]), (&json!("golden1"), &json!("Golden web")));
    assert_eq!(listed(&client, "golden1").await, None);
    let wanted = spec_with(json!({"ImageID": made["ID"]}));
    client.post("/server", wanted.clone()).await.refused(400);
    client.pass(50_000);
    assert_eq!(listed(&client, "golden1").await, Some(made.clone()));
    assert_eq!(listed(&client.other(), "golden1").await, None);
    client.other().post("/server", wanted.clone()).await.refused(400);
    client.other().delete(&format!("/image/{}", made["ID"])).await.refused(404);
    let server = client.post("/server", wanted.clone()).await.ok();
    assert_eq!((&server["Image"], &server["ImageFamily"]), (&json!("golden1"), &json!("Linux")));
    client.post(&format!("/server/{id}/rebuild"), json!({"ImageId": made["ID"]})).await.ok();
    let gone = client.delete(&format!("/image/{}", made["ID"])).await;
    assert_eq!((gone.status, gone.text.as_str()), (200, ""));
    assert_eq!(listed(&client, "golden1").await, None);
    // What was begun with it is ended with it, and can still be resized.
    client.pass(60_000);
    assert_eq!(client.server(id).await["Image"], "golden1");
    client.put(&format!("/server/{id}"), json!({"CPU": 4})).await.ok();
    client.post("/server", wanted).await.refused(400);
}

#[tokio::test]
async fn stock_images_stay_whatever_the_status_of_the_refusal() {
    for status in [403, 400] {
        let switches = Switches { stock_image_delete_status: status, ..Switches::default() };
        let client = Client::of(SimulatorConfig { switches, ..config() });
        client.delete("/image/3492").await.refused(status);
        assert!(listed(&client, "Ubuntu20.04x64").await.is_some());
    }
}

#[tokio::test]
async fn stock_images_vanish_come_and_change_their_numbers() {
    let client = Client::instant();
    let drift = async |body: Value| client.post("/_sim/drift", body).await;
    let id = client.create("web").await;
    drift(json!({"image": "Ubuntu 20.04", "set": {"ID": 5001}})).await.ok();
    assert_eq!(listed(&client, "Ubuntu20.04x64").await.unwrap()["ID"], 5001);
    client.post("/server", spec_with(json!({"ImageID": 3492}))).await.refused(400);
    client.post("/server", spec_with(json!({"ImageID": 5001}))).await.ok();
    drift(json!({"image": "Ubuntu20.04x64", "delete": true})).await.ok();
    client.post("/server", spec_with(json!({"ImageID": 5001}))).await.refused(400);
    // A server whose image is gone is a server still.
    client.put(&format!("/server/{id}"), json!({"HDD": 50})).await.ok();
    assert_eq!(client.server(id).await["Image"], "Ubuntu20.04x64");
    drift(json!({"image": "Debian13x64", "create": {"ID": 6000, "Hdd": 20, "Family": "linux"}})).await.ok();
    let new = client.post("/server", spec_with(json!({"ImageID": 6000, "HDD": 10}))).await;
    assert_eq!(new.refused(400), "HDD must be from 20 to 250 GB for Debian13x64");
    client.post("/server", spec_with(json!({"ImageID": 6000, "HDD": 20}))).await.ok();
    drift(json!({"image": 6000, "set": {"Name": "Debian13", "DCLocation": "DsMsk"}})).await.ok();
    client.post("/server", spec_with(json!({"ImageID": 6000}))).await.refused(400);
    for (wrong, status) in [
        (json!({"image": "Ubuntu20.04x64", "delete": true}), 404),
        (json!({"image": "Debian13", "set": {"ID": 4302}}), 400),
        (json!({"image": "Debian13", "set": {"Colour": "red"}}), 400),
        (json!({"image": "Debian14x64", "create": {"Family": "Plan9"}}), 400),
    ] {
        assert_eq!(drift(wrong.clone()).await.status, status, "{wrong}");
    }
}

#[tokio::test]
async fn a_copy_is_another_server_like_the_first() {
    let client = Client::slow();
    let network = client.create_network("back").await;
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ";
    let key = client.post("/sshkey", json!({"Title": "k", "PublicKey": line})).await.ok();
    let first = client.post("/server", spec_with(json!({"SshKeys": [key["ID"]], "HDD": 60}))).await.ok();
    client.pass(60_000);
    let path = format!("/server/{}/copy", first["ID"]);
    let copy = client.post(&path, json!({"Name": "twin", "NetworkId": network})).await.ok();
    assert_eq!((&copy["State"], &copy["Name"], &copy["HDD"]), (&json!("New"), &json!("twin"), &json!(60)));
    assert_ne!(copy["ID"], first["ID"]);
    client.pass(60_000);
    let twin = client.server(copy["ID"].as_u64().unwrap()).await;
    let first = client.server(first["ID"].as_u64().unwrap()).await;
    for field in ["CPU", "RAM", "HDD", "HDDType", "Image", "DCLocation", "LinkedSshKeys"] {
        assert_eq!(twin[field], first[field], "{field}");
    }
    for field in ["ID", "Name", "IP", "AdminPassword"] {
        assert_ne!(twin[field], first[field], "{field}");
    }
    assert_eq!(twin["LinkedNetworks"][1]["NetworkID"], network);
    // None of them waits for the other.
    assert_eq!(client.post(&path, json!({"name": "third"})).await.ok()["State"], "New");
}
