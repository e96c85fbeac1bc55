//! The life of a server: made, switched, rebuilt, deleted, unpaid; and the order of its actions.

use muster_sim::onecloud::{Change, Drift};
use serde_json::{Value, json};

use crate::support::{Client, spec, spec_with};

#[tokio::test]
async fn a_create_answers_new_and_becomes_active_after_its_time() {
    let client = Client::slow();
    let made = client.post("/server", spec("web_1")).await.ok();
    let expected = json!({"ID": made["ID"], "Name": "web_1", "HostName": null, "State": "New", "IsPowerOn": false,
        "CPU": 2, "RAM": 2048, "HDD": 40, "IP": "", "AdminUserName": null, "AdminPassword": null,
        "Image": "Ubuntu20.04x64", "IsHighPerformance": false, "HDDType": "SSD", "PrimaryNetworkIp": "",
        "LinkedNetworks": [], "DCLocation": "SdnSpb", "ImageFamily": "Linux", "LinkedSshKeys": [],
        "DateCreate": "2026-01-02T03:04:05.000000+03:00"});
    assert_eq!(made, expected);
    let id = made["ID"].as_u64().unwrap();
    let actions = client.get(&format!("/server/{id}/action")).await.ok();
    assert_eq!(
        actions,
        json!([{"ID": 900001, "Type": "Create", "State": "InProgress",
                "StartDate": "2026-01-02T03:04:05", "EndDate": null}])
    );
    client.pass(59_999);
    assert_eq!(client.server(id).await, made);
    client.pass(1);
    let ready = client.server(id).await;
    assert_eq!((&ready["State"], &ready["IsPowerOn"]), (&json!("Active"), &json!(true)));
    let ip = ready["IP"].as_str().unwrap();
    assert!(ip.starts_with("198.18."), "{ip}");
    assert_eq!(ready["PrimaryNetworkIp"], ip);
    assert_eq!(ready["AdminUserName"], "root");
    assert_eq!(ready["AdminPassword"].as_str().unwrap().len(), 14);
    let link = &ready["LinkedNetworks"][0];
    assert_eq!(ready["LinkedNetworks"].as_array().unwrap().len(), 1);
    assert_eq!((&link["NetworkType"], &link["IP"]), (&json!("PublicShared"), &json!(ip)));
    assert_eq!((&link["LinkState"], &link["Bandwidth"]), (&json!("Active"), &json!(10)));
    assert!(link["MAC"].as_str().unwrap().starts_with("00:50:56:"));
    let create = client.get(&format!("/server/{id}/action/900001")).await.ok();
    assert_eq!((&create["State"], &create["EndDate"]), (&json!("Completed"), &json!("2026-01-02T03:05:05")));
}

#[tokio::test]
async fn an_instant_create_still_answers_new_and_the_next_read_is_active() {
    let client = Client::instant();
    let made = client.post("/server", spec_with(json!({"ImageID": 3240}))).await.ok();
    assert_eq!(made["State"], "New");
    let ready = client.get("/server").await.ok()[0].clone();
    assert_eq!((&ready["State"], &ready["AdminUserName"]), (&json!("Active"), &json!("Administrator")));
    assert_eq!(ready["ImageFamily"], "Windows");
}

#[tokio::test]
async fn two_worlds_of_one_seed_are_equal_and_addresses_unique() {
    let mut worlds = Vec::new();
    for _ in 0..2 {
        let client = Client::instant();
        for number in 0..300 {
            client.create(&format!("web-{}", number % 7)).await;
        }
        worlds.push(client.get("/server").await.text);
    }
    assert_eq!(worlds[0], worlds[1]);
    let list: Value = serde_json::from_str(&worlds[0]).unwrap();
    for field in ["IP", "AdminPassword", "ID"] {
        let mut all: Vec<_> = list.as_array().unwrap().iter().map(|one| one[field].to_string()).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 300, "{field}");
    }
}

#[tokio::test]
async fn actions_of_one_server_run_one_after_the_other_newest_first_in_the_list() {
    let client = Client::slow();
    let id = client.create("web").await;
    let other = client.create("other").await;
    client.pass(60_000);
    let off = client.act(id, json!({"Type": "PowerOff"})).await.ok();
    let resize = client.put(&format!("/server/{id}"), json!({"CPU": 4})).await.ok();
    let on = client.act(id, json!({"type": "poweron"})).await.ok();
    assert_eq!((&off["State"], &resize["State"]), (&json!("InProgress"), &json!("Postponed")));
    assert_eq!((&on["State"], &on["Type"]), (&json!("Postponed"), &json!("PowerOn")));
    // Another server does not wait.
    assert_eq!(client.act(other, json!({"Type": "PowerReboot"})).await.ok()["State"], "InProgress");
    let list = client.get(&format!("/server/{id}/action")).await.ok();
    let kinds: Vec<_> = list.as_array().unwrap().iter().map(|one| one["Type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["PowerOn", "Resize", "PowerOff", "Create"]);
    client.pass(10_000);
    assert_eq!(client.action_state(id, &off).await, "Completed");
    assert_eq!(client.action_state(id, &resize).await, "InProgress");
    assert_eq!(client.server(id).await["IsPowerOn"], false);
    client.pass(29_999);
    assert_eq!(client.server(id).await["CPU"], 2);
    client.pass(1);
    assert_eq!(client.server(id).await["CPU"], 4);
    assert_eq!(client.action_state(id, &on).await, "InProgress");
    client.pass(10_000);
    assert_eq!(client.action_state(id, &on).await, "Completed");
    assert_eq!(client.server(id).await["IsPowerOn"], true);
}

#[tokio::test]
async fn one_jump_of_the_clock_is_many_small_ones() {
    let mut ends = Vec::new();
    for step in [1_000, 70_000] {
        let client = Client::slow();
        let id = client.create("web").await;
        client.put(&format!("/server/{id}"), json!({"CPU": 4})).await.ok();
        client.put(&format!("/server/{id}"), json!({"RAM": 4096})).await.ok();
        for _ in 0..(140_000 / step) {
            client.pass(step);
        }
        ends.push(client.get(&format!("/server/{id}/action")).await.ok());
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0][0]["EndDate"], "2026-01-02T03:06:05");
}

#[tokio::test]
async fn power_actions() {
    let client = Client::instant();
    let id = client.create("web").await;
    for (kind, on) in [
        ("PowerOff", false),
        ("PowerOff", false),
        ("PowerOn", true),
        ("PowerOn", true),
        ("PowerReboot", true),
        ("RebootGuestOS", true),
        ("ShutDownGuestOS", false),
    ] {
        let action = client.act(id, json!({"Type": kind})).await.ok();
        assert_eq!(action["Type"], kind);
        assert_eq!(client.server(id).await["IsPowerOn"], on, "{kind}");
        assert_eq!(client.action_state(id, &action).await, "Completed");
    }
    client.act(id, json!({"Type": "PowerReboot"})).await.refused(400);
    client.act(id, json!({"Type": "Explode"})).await.refused(400);
    client.act(id, json!({})).await.refused(400);
}

#[tokio::test]
async fn power_that_changes_nothing_is_completed_at_once() {
    let client = Client::slow();
    let id = client.create("web").await;
    client.act(id, json!({"Type": "PowerOn"})).await.refused(400);
    client.pass(60_000);
    assert_eq!(client.act(id, json!({"Type": "PowerOn"})).await.ok()["State"], "Completed");
}

#[tokio::test]
async fn a_deleted_server_is_readable_until_its_end_then_404() {
    let client = Client::slow();
    let id = client.create("web").await;
    client.pass(60_000);
    let gone = client.delete(&format!("/server/{id}")).await;
    assert_eq!((gone.status, gone.text.as_str()), (200, ""));
    assert_eq!(client.server(id).await["State"], "Active");
    client.delete(&format!("/server/{id}")).await.ok();
    client.act(id, json!({"Type": "PowerOff"})).await.refused(400);
    client.pass(20_000);
    assert_eq!(client.get(&format!("/server/{id}")).await.refused(404), "Server not found");
    assert!(client.names().await.is_empty());
    client.delete(&format!("/server/{id}")).await.refused(404);
}

#[tokio::test]
async fn a_new_server_is_deleted_after_it_was_made() {
    let client = Client::slow();
    let id = client.create("web").await;
    client.delete(&format!("/server/{id}")).await.ok();
    client.pass(79_999);
    assert_eq!(client.names().await, ["web"]);
    client.pass(1);
    assert!(client.names().await.is_empty());
}

#[tokio::test]
async fn a_rebuild_keeps_number_and_address_and_changes_password_and_image() {
    let client = Client::slow();
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ";
    let key = client.post("/sshkey", json!({"Title": "k", "PublicKey": line})).await.ok();
    let id =
        client.post("/server", spec_with(json!({"SshKeys": [key["ID"]]}))).await.ok()["ID"].as_u64().unwrap();
    client.pass(60_000);
    let before = client.server(id).await;
    let path = format!("/server/{id}/rebuild");
    assert_eq!(client.post(&path, json!({"ImageId": 4302})).await.ok()["ID"], id);
    client.pass(40_000);
    let after = client.server(id).await;
    assert_eq!((&after["Image"], &after["IP"]), (&json!("Debian12x64"), &before["IP"]));
    assert_ne!(after["AdminPassword"], before["AdminPassword"]);
    assert_eq!(after["LinkedSshKeys"], json!([]));
    client.post(&path, json!({})).await.refused(400);
    client.post(&path, json!({"ImageId": 1})).await.refused(400);
}

#[tokio::test]
async fn an_empty_balance_stops_creates_and_blocks_servers_until_it_is_filled() {
    let client = Client::slow();
    let old = client.create("old").await;
    client.pass(60_000);
    let money = |roubles: i64| Drift::anywhere(Change::Balance(roubles * 100));
    client.simulator.drift(&money(0)).unwrap();
    let blocked = client.server(old).await;
    assert_eq!((&blocked["State"], &blocked["IsPowerOn"]), (&json!("Blocked"), &json!(false)));
    client.act(old, json!({"Type": "PowerOn"})).await.refused(400);
    let new = client.post("/server", spec("new")).await.ok();
    assert_eq!(new["State"], "New");
    let new = new["ID"].as_u64().unwrap();
    client.pass(120_000);
    assert_eq!(client.server(new).await["State"], "NeedMoney");
    let doomed = client.create("doomed").await;
    client.pass(1);
    client.delete(&format!("/server/{doomed}")).await.ok();
    client.pass(20_000);
    assert_eq!(client.names().await, ["old", "new"]);
    client.simulator.drift(&money(10)).unwrap();
    let back = client.server(old).await;
    assert_eq!((&back["State"], &back["IsPowerOn"]), (&json!("Active"), &json!(true)));
    client.pass(60_000);
    assert_eq!(client.server(new).await["State"], "Active");
}
