//! Paths, bodies, keys, errors, catalogues, account.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::http::Request;
use muster_sim::in_process::InProcess;
use muster_sim::onecloud::{EndDateWhileRunning, Limits, RateLimit, SimulatorConfig, Switches};
use serde_json::{Value, json};

use crate::support::{Client, KEY, config, slow, spec, spec_with};

#[tokio::test]
async fn paths_in_any_case_with_or_without_slash() {
    let client = Client::instant();
    let id = client.create("web").await;
    for path in [
        "/server".to_owned(),
        "/Server/".to_owned(),
        format!("/SERVER/{id}"),
        format!("/server/{id}/"),
        format!("/Server/{id}/Action"),
        format!("/server/{id}/action/"),
        "/dcLocation".to_owned(),
        "/dclocation/".to_owned(),
        "/Image".to_owned(),
        "/Network/".to_owned(),
        "/sshKey".to_owned(),
        "/Account".to_owned(),
        "/Customer/Balance/".to_owned(),
        "/project?x=1".to_owned(),
    ] {
        assert_eq!(client.get(&path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_404_and_what_cannot_be_done_405_with_a_message() {
    let client = Client::instant();
    for path in ["/", "/servers", "/server/x", "/server/1/2", "/dns/recordcaa", "/storage/1"] {
        client.get(path).await.refused(404);
    }
    assert_eq!(client.get("/server/1").await.refused(404), "Server not found");
    client.get("/network/1").await.refused(404);
    client.get("/sshkey/1").await.refused(404);
    let id = client.create("web").await;
    client.get(&format!("/server/{id}/action/1")).await.refused(404);
    client.put("/server", json!({})).await.refused(405);
    client.delete("/account").await.refused(405);
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_401() {
    let client = Client::instant();
    let caller = InProcess::new(client.simulator.clone());
    for authorization in
        [None, Some("Bearer"), Some("Bearer nonsense"), Some(KEY), Some(&format!("Basic {KEY}"))]
    {
        let mut request = Request::builder().uri("/server");
        if let Some(text) = authorization {
            request = request.header("authorization", text);
        }
        let response = caller.call(request.body(Bytes::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 401, "{authorization:?}");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert!(body["Message"].is_string());
    }
    assert_eq!(client.simulator.journal().iter().filter(|entry| entry.status == 401).count(), 5);
    // Keys rotate: a second key of the same project sees the same servers.
    client.create("web").await;
    assert!(client.simulator.accept_key(0, "rotated") && !client.simulator.accept_key(7, "nobody"));
    let request = Request::builder().uri("/server").header("authorization", "bearer rotated");
    let response = caller.call(request.body(Bytes::new()).unwrap()).await.unwrap();
    assert!(String::from_utf8_lossy(response.body()).contains("\"web\""));
}

#[tokio::test]
async fn json_and_form_names_in_any_case_numbers_as_strings() {
    let client = Client::instant();
    let json = "application/json; charset=utf-8";
    let form = "application/x-www-form-urlencoded";
    for (kind, body) in [
        (
            json,
            r#"{"name":"a b","cpu":"2","ram":"2048","hdd":"40","hddtype":"ssd","imageid":"3492","ISHIGHPERFORMANCE":"True"}"#,
        ),
        (
            json,
            r#"{"Name":"a b","CPU":2,"RAM":2048.0,"HDD":40,"HDDType":"SSD","ImageID":3492,"IsHighPerformance":true,"SshKeys":[null]}"#,
        ),
        (
            form,
            "Name=a+b&CPU=2&RAM=2048&HDD=40&HDDType=SSD&ImageId=3492&isHighPerformance=true&DCLocation=Nowhere",
        ),
        (form, "name=a%20b&cpu=2&ram=2048&hdd=40&imageID=3492&ishighperformance=1"),
    ] {
        let made = client.raw("POST", "/server/", kind, body).await.unwrap().ok();
        let fields = ["Name", "CPU", "RAM", "HDD", "HDDType", "Image", "IsHighPerformance", "DCLocation"];
        let seen: Vec<Value> = fields.iter().map(|name| made[name].clone()).collect();
        let wanted = json!(["a b", 2, 2048, 40, "SSD", "Ubuntu20.04x64", true, "SdnSpb"]);
        assert_eq!(json!(seen), wanted, "{body}");
    }
}

#[tokio::test]
async fn creates_that_cannot_be_had_are_400_and_make_nothing() {
    let client = Client::instant();
    let missing = |name: &str| {
        let mut body = spec("s");
        body.as_object_mut().unwrap().remove(name);
        body
    };
    for body in [
        missing("Name"),
        missing("CPU"),
        missing("RAM"),
        missing("HDD"),
        missing("ImageID"),
        spec_with(json!({"Name": ""})),
        spec_with(json!({"Name": "x".repeat(256)})),
        spec_with(json!({"CPU": 0})),
        spec_with(json!({"CPU": 17})),
        spec_with(json!({"CPU": "two"})),
        spec_with(json!({"CPU": -1})),
        spec_with(json!({"RAM": 256})),
        spec_with(json!({"RAM": 700})),
        spec_with(json!({"RAM": 1536})),
        spec_with(json!({"RAM": 17408})),
        spec_with(json!({"RAM": 512, "ImageID": 3240, "HDD": 40})),
        spec_with(json!({"HDD": 0})),
        spec_with(json!({"HDD": 45})),
        spec_with(json!({"HDD": 260})),
        spec_with(json!({"HDD": 30, "ImageID": 3240})),
        spec_with(json!({"HDDType": "HDD"})),
        spec_with(json!({"HDDType": "SAS", "DCLocation": "MinskBy3"})),
        spec_with(json!({"ImageID": 999999})),
        spec_with(json!({"DCLocation": "SdnSpb2"})),
        spec_with(json!({"DCLocation": "Vld01", "isHighPerformance": true})),
        spec_with(json!({"isHighPerformance": "maybe"})),
        spec_with(json!({"SshKeys": [1]})),
        spec_with(json!({"NetworkID": 1})),
        spec_with(json!({"NetworkBandwidth": 15})),
        spec_with(json!({"BackupPeriod": 8})),
        json!({}),
    ] {
        let got = client.post("/server", body.clone()).await;
        assert_eq!(got.status, 400, "{body} gave {}", got.text);
        assert!(got.json()["Message"].is_string());
    }
    client.raw("POST", "/server", "application/json", "{").await.unwrap().refused(400);
    client.raw("POST", "/server", "application/json", "[]").await.unwrap().refused(400);
    client.raw("POST", "/server", "text/plain", "hello").await.unwrap().refused(415);
    assert!(client.names().await.is_empty());
    // On the edges.
    for body in [
        spec_with(json!({"CPU": 16, "RAM": 16384, "HDD": 250})),
        spec_with(json!({"CPU": 1, "RAM": 512, "HDD": 10})),
        spec_with(json!({"RAM": 768, "HDDType": "SAS", "NetworkBandwidth": 100})),
        spec_with(json!({"RAM": 1024, "ImageID": 3240, "isBackupActive": "true", "BackupPeriod": "14"})),
    ] {
        client.post("/server", body).await.ok();
    }
    assert_eq!(client.simulator.state()["projects"][0]["servers"][3]["BackupPeriod"], 14);
}

#[tokio::test]
async fn a_body_or_a_project_that_is_too_large_is_refused() {
    let limits =
        Limits { body_bytes_max: 1000, servers_max: 2, networks_max: 1, keys_max: 0, ..Limits::default() };
    let client = Client::of(SimulatorConfig { limits, ..config() });
    client.post("/server", spec_with(json!({"Name": "x".repeat(2000)}))).await.refused(413);
    client.create("a").await;
    client.create("b").await;
    assert!(client.post("/server", spec("c")).await.refused(400).contains("No more than 2"));
    client.create_network("n").await;
    client.post("/network", json!({"Name": "m"})).await.refused(400);
    let key = json!({"Title": "k", "PublicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"});
    client.post("/sshkey", key).await.refused(400);
}

#[tokio::test]
async fn the_journal_is_bounded_says_so_and_holds_no_control_requests() {
    let limits = Limits { journal_entries_max: 3, ..Limits::default() };
    let client = Client::of(SimulatorConfig { limits, ..config() });
    for _ in 0..4 {
        client.get("/server").await;
    }
    client.post("/Server/", spec("web")).await.ok();
    let request = Request::builder().uri("/_sim/journal").body(Bytes::new()).unwrap();
    let response = InProcess::new(client.simulator.clone()).call(request).await.unwrap();
    assert_eq!(response.headers()["x-sim-journal-dropped"], "2");
    let journal: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(journal.as_array().unwrap().len(), 3);
    let last = &journal[2];
    let names: BTreeSet<_> = last.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["at", "body", "method", "path", "status"]));
    assert_eq!(
        (&last["method"], &last["path"], &last["status"]),
        (&json!("POST"), &json!("/Server/"), &json!(200))
    );
    assert_eq!(last["body"]["Name"], "web");
    assert_eq!(journal[0]["body"], Value::Null);
    client.delete("/_sim/journal").await.ok();
    assert!(client.simulator.journal().is_empty());
}

#[tokio::test]
async fn data_centres_and_images_of_the_capture_exist() {
    let client = Client::instant();
    let centres = client.get("/dcLocation").await.ok();
    assert_eq!(centres.as_array().unwrap().len(), 13);
    let mts = centres.as_array().unwrap().iter().filter(|dc| dc["Title"] == "МТС").count();
    assert_eq!(mts, 2, "titles are not unique");
    assert_eq!((&centres[0]["ID"], &centres[0]["TechTitle"]), (&json!(1), &json!("SdnSpb")));
    assert_eq!(centres[1]["IsEnableLowPool"], false);
    let images = client.get("/image").await.ok();
    let image = |id: u64| images.as_array().unwrap().iter().find(|one| one["ID"] == id).unwrap().clone();
    assert_eq!(
        (&image(3492)["Name"], &image(3492)["DisplayName"]),
        (&json!("Ubuntu20.04x64"), &json!("Ubuntu 20.04"))
    );
    assert_eq!(image(2359)["DisplayName"], "CentOS 7.9");
    for name in ["Ubuntu 22.04", "Debian 12"] {
        assert!(images.as_array().unwrap().iter().any(|one| one["DisplayName"] == name), "{name}");
    }
    for (list, key) in [(&images, "ID"), (&images, "Name"), (&centres, "TechTitle"), (&centres, "ID")] {
        let all: BTreeSet<_> = list.as_array().unwrap().iter().map(|one| one[key].to_string()).collect();
        assert_eq!(all.len(), list.as_array().unwrap().len(), "{key} is unique");
    }
}

#[tokio::test]
async fn account_balance_and_project_tell_the_same_money() {
    let client = Client::instant();
    let account = client.get("/account").await.ok();
    let project = client.get("/project").await.ok();
    assert_eq!(client.get("/customer/balance").await.ok(), json!(100000.0));
    assert_eq!(account["ProjectBalances"][0]["Balance"]["Real"], 100000.0);
    assert_eq!(account["ProjectBalances"][0]["ProjectId"], project["ID"]);
    assert_eq!(project["Balances"]["Real"], 100000.0);
    let other = client.other().get("/account").await.ok();
    assert_ne!(account["ProjectBalances"][0]["ProjectId"], other["ProjectBalances"][0]["ProjectId"]);
}

#[tokio::test]
async fn keys_are_made_read_and_deleted() {
    let client = Client::instant();
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@here";
    let key = client.post("/sshkey", json!({"title": "mine", "PublicKey": line})).await.ok();
    assert_eq!((&key["PublicKey"], &key["IsActive"]), (&json!(line), &json!(true)));
    assert_eq!(client.get("/sshkey").await.ok(), json!([key]));
    assert_eq!(client.get(&format!("/sshkey/{}", key["ID"])).await.ok(), key);
    let server = client.post("/server", spec_with(json!({"SshKeys": [key["ID"]]}))).await.ok();
    assert_eq!(server["LinkedSshKeys"][0]["ID"], key["ID"]);
    let gone = client.delete(&format!("/sshkey/{}", key["ID"])).await;
    assert_eq!((gone.status, gone.text.as_str()), (200, ""));
    client.delete(&format!("/sshkey/{}", key["ID"])).await.refused(404);
    for body in [
        json!({"Title": "x"}),
        json!({"PublicKey": line}),
        json!({"Title": "x", "PublicKey": "hello"}),
        json!({"Title": "x", "PublicKey": "ssh-rsa AAAAB3NzaC1yc2EAAAA\nssh-rsa AAAAB3NzaC1yc2EAAAA"}),
    ] {
        client.post("/sshkey", body).await.refused(400);
    }
}

#[tokio::test]
async fn uncertain_facts_can_be_switched() {
    let switches = Switches {
        idle_power_refused: true,
        private_network_type: "Isolated".to_owned(),
        end_date_while_running: EndDateWhileRunning::Absent,
        balance_quoted: true,
        keys_lose_algorithm: true,
        actions_newest_first: false,
        ..Switches::default()
    };
    let client = Client::of(SimulatorConfig { switches, durations: slow(), ..config() });
    assert_eq!(client.get("/customer/balance").await.ok(), json!("100000.0"));
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ";
    let key = client.post("/sshkey", json!({"Title": "mine", "PublicKey": line})).await.ok();
    assert_eq!(key["PublicKey"], "AAAAC3NzaC1lZDI1NTE5AAAAIJ");
    let id = client.create("web").await;
    let actions = client.get(&format!("/server/{id}/action")).await.ok();
    assert_eq!(actions[0].get("EndDate"), None);
    client.pass(60_000);
    client.act(id, json!({"Type": "PowerOn"})).await.refused(400);
    client.act(id, json!({"Type": "PowerOff"})).await.ok();
    let actions = client.get(&format!("/server/{id}/action")).await.ok();
    assert_eq!((&actions[0]["Type"], &actions[1]["Type"]), (&json!("Create"), &json!("PowerOff")));
}

#[tokio::test]
async fn a_rate_limit_can_be_switched_on() {
    let limit = RateLimit { get_gap_ms: 1500, write_gap_ms: 10_000, status: 429 };
    let switches = Switches { rate_limit: Some(limit), ..Switches::default() };
    let client = Client::of(SimulatorConfig { switches, ..config() });
    client.get("/server").await.ok();
    client.get("/server").await.refused(429);
    client.create("a").await;
    client.post("/server", spec("b")).await.refused(429);
    client.other().get("/server").await.ok();
    client.pass(1500);
    client.get("/server").await.ok();
    client.post("/server", spec("b")).await.refused(429);
    client.pass(8500);
    client.create("b").await;
}
