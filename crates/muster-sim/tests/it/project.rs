//! Projects do not see each other.

use serde_json::json;

use crate::support::Client;

#[tokio::test]
async fn each_key_has_servers_networks_keys_and_money_of_its_own() {
    let one = Client::instant();
    let two = one.other();
    let server = one.create("web").await;
    let network = one.create_network("back").await;
    let key = json!({"Title": "k", "PublicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ"});
    let key = one.post("/sshkey", key).await.ok()["ID"].as_u64().unwrap();
    let edge = json!({"Name": "edge", "NetworkCapacity": 1});
    let edge = one.post("/publicnetwork", edge).await.ok()["Id"].as_u64().unwrap();
    let domain = one.post("/dns", json!({"Name": "example.org"})).await.ok()["ID"].as_u64().unwrap();
    let record = json!({"DomainId": domain, "Name": "www", "IP": "192.0.2.1"});
    let record = one.post("/dns/recorda", record.clone()).await.ok()["ID"].as_u64().unwrap();
    for list in ["/server", "/network", "/sshkey", "/publicnetwork", "/dns"] {
        assert_eq!(two.get(list).await.ok(), json!([]), "{list}");
        assert_eq!(one.get(list).await.ok().as_array().unwrap().len(), 1, "{list}");
    }
    for path in [format!("/server/{server}"), format!("/network/{network}"), format!("/sshkey/{key}")] {
        two.get(&path).await.refused(404);
        two.delete(&path).await.refused(404);
    }
    for path in [format!("/publicnetwork/{edge}"), format!("/dns/{domain}")] {
        two.get(&path).await.refused(404);
        two.delete(&path).await.refused(404);
    }
    two.get(&format!("/dns/record/{record}")).await.refused(404);
    two.delete(&format!("/dns/{domain}/{record}")).await.refused(404);
    let stolen = json!({"DomainId": domain, "Name": "www", "IP": "192.0.2.66"});
    two.put(&format!("/dns/recorda/{record}"), stolen.clone()).await.refused(404);
    two.post("/dns/recorda", stolen).await.refused(400);
    two.post(&format!("/server/{server}/copy"), json!({"Name": "copy"})).await.refused(404);
    two.get(&format!("/server/{server}/action")).await.refused(404);
    let mine = two.create("web").await;
    two.act(mine, json!({"Type": "AddNetwork", "NetworkID": network})).await.refused(400);
    one.post("/_sim/drift", json!({"balance": 0, "project": 1})).await.ok();
    assert_eq!(one.get("/customer/balance").await.ok(), json!(100000.0));
    assert_eq!(two.get("/customer/balance").await.ok(), json!(0.0));
    assert_eq!(two.server(mine).await["State"], "Blocked");
    assert_eq!(one.server(server).await["State"], "Active");
}
