//! Public networks, their firewalls and their tunnels.

use serde_json::{Value, json};

use crate::support::Client;

#[tokio::test]
async fn a_public_network_comes_from_the_pool_and_is_active_then() {
    let client = Client::slow();
    let body = json!({"NetworkCapacity": "5", "Name": "edge", "Bandwidth": "100", "DCLocation": "DsMsk"});
    let made = client.post("/PublicNetwork/", body.clone()).await.ok();
    assert_eq!((&made["State"], &made["DCLocation"]), (&json!("FromPool"), &json!("DsMsk")));
    assert!(made["CIDR"].as_str().unwrap().ends_with("/29"), "{made}");
    assert_eq!(made["Mask"], "255.255.255.248");
    assert_eq!(made["Firewall"], json!({"Enabled": false, "DefaultRuleAction": "Allow", "Rules": []}));
    assert_eq!(made["Vpn"], json!({"Tunnels": []}));
    let path = format!("/publicnetwork/{}", made["Id"]);
    client.put(&path, json!({"Bandwidth": 200})).await.refused(400);
    client.pass(15_000);
    assert_eq!(client.get(&path).await.ok()["State"], "Active");
    assert_eq!(client.put(&path, json!({"Bandwidth": 10})).await.ok()["Bandwidth"], 10);
    let renamed = client.put(&path, json!({"name": "border"})).await.ok();
    assert_eq!((&renamed["Name"], &renamed["Bandwidth"]), (&json!("border"), &json!(10)));
    let other = client.post("/publicnetwork", body).await.ok();
    for field in ["Id", "CIDR", "Gateway", "EdgeExternalIp"] {
        assert_ne!(other[field], made[field], "{field}");
    }
    let gone = client.delete(&path).await;
    assert_eq!((gone.status, gone.text.as_str()), (200, ""));
    assert_eq!(client.get(&path).await.ok()["State"], "Active");
    client.put(&path, json!({"Bandwidth": 20})).await.refused(400);
    client.delete(&path).await.ok();
    client.pass(2_000);
    client.get(&path).await.refused(404);
    assert_eq!(client.get("/publicnetwork").await.ok().as_array().unwrap().len(), 1);
    assert_eq!(client.other().get("/publicnetwork").await.ok(), json!([]));
}

#[tokio::test]
async fn without_money_it_stays_in_the_pool_until_there_is_some() {
    let client = Client::slow();
    client.post("/_sim/drift", json!({"balance": 0})).await.ok();
    let made = client.post("/publicnetwork", json!({"NetworkCapacity": 1, "Name": "edge"})).await.ok();
    let path = format!("/publicnetwork/{}", made["Id"]);
    client.pass(60_000);
    assert_eq!(client.get(&path).await.ok()["State"], "FromPool");
    client.post("/_sim/drift", json!({"balance": 10})).await.ok();
    client.pass(15_000);
    assert_eq!(client.get(&path).await.ok()["State"], "Active");
}

#[tokio::test]
async fn firewall_and_tunnels_are_put_there_by_drift() {
    let client = Client::instant();
    let drift = async |body: Value| client.post("/_sim/drift", body).await;
    let rule = json!({"Number": 1, "Name": "web", "Action": "Allow", "Protocol": "TcpAndUdp", "Source": "any",
        "SourcePort": "any", "Destination": "192.0.2.0/24", "DestinationPort": "443"});
    let tunnel = json!({"Id": 7, "State": "Up", "Name": "home", "Enabled": true, "Mtu": 1400,
        "EncryptionType": "AES256", "SharedKey": "between us", "PeerNetwork": "198.51.100.0/24",
        "PeerEndpoint": "203.0.113.1", "PeerIdentificator": "203.0.113.1"});
    let firewall = json!({"Enabled": true, "DefaultRuleAction": "Deny", "Rules": [rule]});
    let create = json!({"NetworkCapacity": 13, "Firewall": firewall, "Vpn": {"Tunnels": [tunnel]}});
    drift(json!({"publicnetwork": "edge", "create": create})).await.ok();
    let seen = client.get("/publicnetwork").await.ok()[0].clone();
    assert_eq!((&seen["Firewall"], &seen["Vpn"]["Tunnels"][0]), (&firewall, &tunnel));
    assert_eq!((&seen["State"], &seen["NetworkCapacity"]), (&json!("Active"), &json!(13)));
    drift(json!({"publicnetwork": "edge", "set": {"Vpn": {}, "Bandwidth": 70, "State": "Odd"}})).await.ok();
    let after = client.get(&format!("/publicnetwork/{}", seen["Id"])).await.ok();
    assert_eq!((&after["Vpn"]["Tunnels"], &after["Firewall"]), (&json!([]), &firewall));
    assert_eq!((&after["Bandwidth"], &after["State"]), (&json!(70), &json!("Odd")));
    for wrong in [
        json!({"Firewall": {"Rules": [{"Protocol": "Sctp"}]}}),
        json!({"Firewall": {"Colour": "red"}}),
        json!({"Vpn": []}),
        json!({"Bandwidth": 80, "Colour": "red"}),
    ] {
        drift(json!({"publicnetwork": "edge", "set": wrong})).await.refused(400);
        drift(json!({"publicnetwork": "another", "create": wrong})).await.refused(400);
    }
    assert_eq!(client.get("/publicnetwork").await.ok(), json!([after]), "a wrong drift changes nothing");
    drift(json!({"publicnetwork": seen["Id"], "delete": true})).await.ok();
    assert_eq!(client.get("/publicnetwork").await.ok(), json!([]));
    drift(json!({"publicnetwork": "edge", "delete": true})).await.refused(404);
}
