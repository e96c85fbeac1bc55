//! Domains and records.

use muster_sim::onecloud::{RecordType, SimulatorConfig, Switches};
use serde_json::{Value, json};

use crate::support::{Client, config};

async fn domain(client: &Client) -> u64 {
    client.post("/dns", json!({"Name": "Example.org"})).await.ok()["ID"].as_u64().unwrap()
}

#[tokio::test]
async fn a_domain_and_a_record_are_new_then_active() {
    let client = Client::slow();
    let made = client.post("/Dns", json!({"name": "Example.org"})).await.ok();
    assert_eq!((&made["Name"], &made["TechName"]), (&json!("example.org"), &json!("example_org")));
    let id = made["ID"].as_u64().unwrap();
    assert_eq!(client.get(&format!("/dns/{id}")).await.ok()["State"], "New");
    client.pass(3_000);
    assert_eq!(client.get("/dns").await.ok()[0]["State"], "Active");
    let body = json!({"DomainId": id.to_string(), "Name": "www", "IP": "192.0.2.1", "TTL": "300"});
    let record = client.post("/dns/recorda", body).await.ok();
    assert_eq!((&record["State"], &record["TTL"]), (&json!("New"), &json!(300)));
    let path = format!("/dns/record/{}", record["ID"]);
    client.pass(2_999);
    assert_eq!(client.get(&path).await.ok()["State"], "New");
    client.pass(1);
    let ready = client.get(&path).await.ok();
    assert_eq!(ready["State"], "Active");
    assert_eq!(client.get(&format!("/dns/{id}")).await.ok()["LinkedRecords"], json!([ready]));
    let gone = client.delete(&format!("/dns/{id}/{}", record["ID"])).await;
    assert_eq!((gone.status, gone.text.as_str()), (200, ""));
    client.get(&path).await.refused(404);
    assert_eq!(client.get(&format!("/dns/{id}")).await.ok()["LinkedRecords"], json!([]));
    client.delete(&format!("/dns/{id}")).await.ok();
    client.get(&format!("/dns/{id}")).await.refused(404);
}

#[tokio::test]
async fn dates_have_no_offset_and_one_to_seven_digits_of_fraction() {
    let client = Client::instant();
    let id = domain(&client).await;
    let mut lengths = std::collections::BTreeSet::new();
    for number in 0..7 {
        let body = json!({"DomainId": id, "Name": format!("h{number}"), "IP": "192.0.2.1"});
        let record = client.post("/dns/recorda", body).await.ok();
        let date = record["DateCreate"].as_str().unwrap().to_owned();
        let (seconds, fraction) = date.split_once('.').unwrap();
        assert_eq!(seconds, "2026-01-02T03:04:05");
        assert!(fraction.bytes().all(|byte| byte.is_ascii_digit()), "{date}");
        lengths.insert(fraction.len());
    }
    assert_eq!(lengths, (1..=7).collect());
}

#[tokio::test]
async fn texts_come_back_in_quotes_and_sometimes_with_a_space_behind_them() {
    let client = Client::instant();
    let id = domain(&client).await;
    let mut seen = Vec::new();
    for text in ["plain", "\"quoted\""] {
        let body =
            json!({"DomainId": id, "Name": "_acme-challenge", "HostName": "_acme-challenge", "Text": text});
        let made = client.post("/dns/recordtxt/", body).await.ok();
        let read = client.get(&format!("/dns/record/{}", made["ID"])).await.ok();
        assert_eq!(read["HostName"], "_acme-challenge.example.org.");
        seen.push(read["Text"].as_str().unwrap().to_owned());
    }
    seen.sort();
    assert_eq!(seen, ["\"plain\"", "\"quoted\" "]);
}

#[tokio::test]
async fn a_record_is_changed_in_place_and_stays_unique() {
    let client = Client::slow();
    let id = domain(&client).await;
    let body = |name: &str, ip: &str| json!({"DomainId": id, "Name": name, "IP": ip, "TTL": 60});
    let first = client.post("/dns/recorda", body("www", "192.0.2.1")).await.ok();
    client.post("/dns/recorda", body("www", "192.0.2.2")).await.ok();
    let same = client.post("/dns/recorda", body("WWW.example.org", "192.0.2.1")).await.refused(400);
    assert_eq!(same, "Подобная запись для данного домена уже существует");
    client.pass(3_000);
    let path = format!("/dns/recorda/{}", first["ID"]);
    client.put(&path, body("www", "192.0.2.2")).await.refused(400);
    // Said once more as it is, it is no duplicate of itself.
    client.put(&path, body("www", "192.0.2.1")).await.ok();
    let changed = client.put(&path, json!({"Name": "www", "IP": "192.0.2.3"})).await.ok();
    assert_eq!((&changed["ID"], &changed["IP"]), (&first["ID"], &json!("192.0.2.3")));
    assert_eq!((&changed["TTL"], &changed["State"]), (&json!(60), &json!("New")));
    client.pass(3_000);
    let read = client.get(&format!("/dns/record/{}", first["ID"])).await.ok();
    assert_eq!((&read["IP"], &read["State"]), (&json!("192.0.2.3"), &json!("Active")));
    assert_eq!(client.get("/dns").await.ok()[0]["LinkedRecords"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn uncertain_facts_of_dns_can_be_switched() {
    let switches = Switches {
        record_state_null: true,
        record_names_qualified: true,
        srv_service_dot: false,
        ..Switches::default()
    };
    let client = Client::of(SimulatorConfig { switches, ..config() });
    let id = domain(&client).await;
    let a = client.post("/dns/recorda", json!({"DomainId": id, "Name": "www", "IP": "192.0.2.1"})).await.ok();
    assert_eq!((&a["State"], &a["HostName"]), (&Value::Null, &json!("www.example.org.")));
    let body = json!({"DomainId": id, "Service": "_sip", "Proto": "_tcp", "Name": "@", "Priority": "1",
        "Weight": "2", "Port": "5060", "Target": "sip"});
    assert_eq!(client.post("/dns/recordsrv", body).await.ok()["Service"], "_sip");
}

#[tokio::test]
async fn domains_and_records_drift() {
    let client = Client::slow();
    let drift = async |body: Value| client.post("/_sim/drift", body).await;
    drift(json!({"domain": "example.org", "create": {"IsDelegate": true}})).await.ok();
    let seen = client.get("/dns").await.ok()[0].clone();
    assert_eq!((&seen["State"], &seen["IsDelegate"]), (&json!("Active"), &json!(true)));
    for kind in RecordType::ALL {
        let body = json!({"TypeRecord": kind.word(), "Name": "n", "IP": if kind == RecordType::Aaaa { "::1" } else { "192.0.2.1" },
            "MnemonicName": "m", "HostName": "h", "Priority": 1, "Weight": 2, "Port": 3, "Target": "t",
            "Service": "_s", "Proto": "_p", "Text": "x"});
        drift(json!({"record": "example.org", "create": body})).await.ok();
    }
    let records = client.get("/dns").await.ok()[0]["LinkedRecords"].clone();
    assert_eq!(records.as_array().unwrap().len(), 7);
    assert!(records.as_array().unwrap().iter().all(|one| one["State"] == "Active"));
    let path = format!("/dns/record/{}", records[0]["ID"]);
    drift(json!({"record": records[0]["ID"], "set": {"Name": "n", "IP": "192.0.2.66"}})).await.ok();
    assert_eq!(client.get(&path).await.ok()["IP"], "192.0.2.66");
    drift(json!({"record": records[0]["ID"], "set": {"State": "Odd", "TTL": 5}})).await.ok();
    let odd = client.get(&path).await.ok();
    assert_eq!((&odd["State"], &odd["TTL"], &odd["IP"]), (&json!("Odd"), &json!(5), &json!("192.0.2.66")));
    drift(json!({"record": records[0]["ID"], "delete": true})).await.ok();
    client.get(&path).await.refused(404);
    drift(json!({"record": records[0]["ID"], "delete": true})).await.refused(404);
    drift(json!({"record": "example.org", "create": {"TypeRecord": "CAA"}})).await.refused(400);
    drift(json!({"domain": "www.example.org", "create": {}})).await.refused(400);
    drift(json!({"domain": "example.org", "set": {"Colour": 1}})).await.refused(400);
    drift(json!({"domain": "example.org", "set": {"State": "Strange"}})).await.ok();
    assert_eq!(client.get("/dns").await.ok()[0]["State"], "Strange");
    drift(json!({"domain": "example.org", "delete": true})).await.ok();
    assert_eq!(client.get("/dns").await.ok(), json!([]));
}

/// A lost answer, a late effect and a repeated one are what a client of records must live with.
#[tokio::test]
async fn faults_bend_records_too() {
    let client = Client::slow();
    let id = domain(&client).await;
    let body = |name: &str| json!({"DomainId": id, "Name": name, "IP": "192.0.2.1"});
    let rule = |fault: Value| json!({"match": {"method": "POST", "path": "/dns/recorda"}, "fault": fault});
    let count = async || client.get("/dns").await.ok()[0]["LinkedRecords"].as_array().unwrap().len();
    client.fault(rule(json!("drop_answer_after_effect"))).await;
    client.try_send("POST", "/dns/recorda", body("a")).await.unwrap_err();
    assert_eq!(count().await, 1);
    client.fault(rule(json!({"effect_after_ms": 5_000}))).await;
    client.try_send("POST", "/dns/recorda", body("b")).await.unwrap_err();
    assert_eq!(count().await, 1);
    client.pass(5_000);
    assert_eq!(count().await, 2);
    // The second of two equal ones is refused by the provider itself.
    client.fault(rule(json!("duplicate_effect"))).await;
    client.post("/dns/recorda", body("c")).await.ok();
    assert_eq!(count().await, 3);
    client.fault(rule(json!({"state": "Odd"}))).await;
    assert_eq!(client.post("/dns/recorda", body("d")).await.ok()["State"], "Odd");
    let list = json!({"match": {"method": "GET", "path": "/dns", "name": "example.org"}, "fault": {"state": "Closed"}});
    client.fault(list).await;
    assert_eq!(client.get("/dns").await.ok()[0]["State"], "Closed");
    client.pass(10_000);
    assert_eq!(client.get("/dns").await.ok()[0]["State"], "Active");
}

#[tokio::test]
async fn lists_of_records_lag_but_the_record_itself_does_not() {
    let client = Client::slow();
    let id = domain(&client).await;
    client.pass(60_000);
    let rule =
        json!({"match": {"method": "POST", "path": "/dns/recorda"}, "fault": {"stale_list_ms": 5_000}});
    client.fault(rule).await;
    let body = json!({"DomainId": id, "Name": "www", "IP": "192.0.2.1"});
    let made = client.post("/dns/recorda", body.clone()).await.ok();
    let records = async |client: &Client| {
        let one = client.get(&format!("/dns/{id}")).await.ok()["LinkedRecords"].clone();
        assert_eq!(client.get("/dns").await.ok()[0]["LinkedRecords"], one);
        one.as_array().unwrap().len()
    };
    assert_eq!(records(&client).await, 0);
    assert_eq!(client.get(&format!("/dns/record/{}", made["ID"])).await.ok()["State"], "New");
    // What exists is a duplicate, also when the list does not show it yet.
    client.post("/dns/recorda", body).await.refused(400);
    client.pass(4_999);
    assert_eq!(records(&client).await, 0);
    client.pass(1);
    assert_eq!(records(&client).await, 1);
    // A domain that is younger than the lag can be read by its number, and is not listed.
    let rule = json!({"match": {"method": "POST", "path": "/dns"}, "fault": {"stale_list_ms": 5_000}});
    client.fault(rule).await;
    let young = client.post("/dns", json!({"Name": "example.net"})).await.ok();
    assert_eq!(client.get(&format!("/dns/{}", young["ID"])).await.ok()["Name"], "example.net");
    assert_eq!(client.get("/dns").await.ok().as_array().unwrap().len(), 1);
    client.pass(5_000);
    assert_eq!(client.get("/dns").await.ok().as_array().unwrap().len(), 2);
}
