//! A private network between real machines: configured inside, tried, given up with its link, at the wanted speed.

use muster_outside::host::local::Technique;
use serde_json::{Value, json};

use crate::machines::{events, exec, infra, place, tasks, write};
use crate::place::{KEY, Place, client};

const SHOP: &str = "version: 1
location: SdnSpb
stats: false
networks:
  backend: { dhcp: false, bandwidth: 50 }
servers:
  web: { count: 2, image: Ubuntu20.04x64, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd, networks: [backend] }
  db: { image: Ubuntu20.04x64, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd, networks: [backend], bandwidth: 20 }
";

/// A command inside a server, by a shell there.
fn sh(place: &Place, server: &str, command: &str) -> String {
    exec(place, server, &["sh", "-c", command])
}

/// The private link of a server as the provider tells it, and the speed of its public one.
async fn links(place: &Place, name: &str) -> (Value, u64) {
    let request = client().get(format!("{}/server", place.cloud.address())).bearer_auth(KEY);
    let servers: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
    let server = servers.as_array().unwrap().iter().find(|server| server["Name"] == name).unwrap();
    let links = server["LinkedNetworks"].as_array().unwrap();
    let is_public = |link: &&Value| link["NetworkType"].as_str().unwrap().starts_with("Public");
    let private = links.iter().find(|link| !is_public(link)).cloned().unwrap_or(Value::Null);
    let public = links.iter().find(is_public).unwrap()["Bandwidth"].as_u64().unwrap();
    (json!({"server": server["ID"], "link": private}), public)
}

fn silent(place: &Place) {
    let again = infra(place, "update").json(0);
    assert_eq!((&again["outcome"], &again["plan"]["steps"]), (&json!("nothing-to-do"), &json!([])));
}

/// ICT-36: three machines in one private network, from nothing to gone, with a configuration that is really made.
#[tokio::test]
async fn a_network_between_machines() {
    let test = "machine_networks::a_network_between_machines";
    let Some(place) = place(Technique::Nspawn, test, SHOP, &[]) else { return };
    made(&place).await;
    configured(&place).await;
    speeds(&place).await;
    given_up(&place);
}

/// The machines have their addresses from their first boot, so nothing is configured; they reach each other.
async fn made(place: &Place) {
    let answer = infra(place, "update").json(0);
    let mut done = tasks(&events(place, &answer));
    done.sort();
    // Each its successor in the file's order, so that nobody is everybody's target.
    assert_eq!(
        done,
        [("db-1", "web-1"), ("web-1", "web-2"), ("web-2", "db-1")]
            .map(|(from, to)| format!("{from} reach {to} in network backend: ok"))
    );
    assert_eq!(sh(place, "web-1", "ls /etc/systemd/network 2>/dev/null || true"), "");
    place.writes().await;
    silent(place);
    assert_eq!(place.writes().await, Vec::<String>::new());
}

/// A guest without its address, as a provider leaves it, is configured by what runs there; it lasts.
async fn configured(place: &Place) {
    let (told, _) = links(place, "web-1").await;
    let address = told["link"]["IP"].as_str().unwrap().to_owned();
    let device =
        sh(place, "web-1", &format!("ip -4 -o addr | grep -F ' {address}/' | tr -s ' ' | cut -d' ' -f2"));
    sh(place, "web-1", "systemctl enable --now systemd-networkd");
    sh(place, "web-1", &format!("ip address flush dev {device}"));
    // Given up and taken again, Muster remembers nothing of its inside.
    assert_eq!(place.run(&["infra", "disown", "shop", "web-1", "--yes"]).code, 0);
    let answer = place.run(&["infra", "update", "shop", "--adopt", "--yes", "--format", "json"]).json(0);
    let said = serde_json::to_string(&events(place, &answer)).unwrap();
    assert!(
        said.contains(&format!("{device} in network backend has {address}/16, through systemd-networkd")),
        "{said}"
    );
    assert!(tasks(&events(place, &answer)).iter().any(|task| task.starts_with("web-1 reach ")), "{said}");
    let mac = told["link"]["MAC"].as_str().unwrap().replace(':', "");
    let file = format!("/etc/systemd/network/05-muster-{mac}.network");
    assert!(sh(place, "web-1", &format!("cat {file}")).contains(&format!("Address={address}/16")));
    sh(place, "web-1", &format!("ip address flush dev {device}; systemctl restart systemd-networkd"));
    let there = format!(
        "for n in $(seq 50); do ip -4 -o addr show dev {device} | grep -F {address} && break; sleep 0.1; done"
    );
    assert!(sh(place, "web-1", &there).contains(&address), "it lasts");
    silent(place);
}

/// Each link has the speed of the file, and gets it back.
async fn speeds(place: &Place) {
    let (web, public) = links(place, "web-1").await;
    assert_eq!((&web["link"]["Bandwidth"], public), (&json!(50), 10));
    let (db, public) = links(place, "db-1").await;
    assert_eq!((&db["link"]["Bandwidth"], public), (&json!(50), 20));
    let slower =
        json!({"Type": "EditNetworkBandwidth", "NetworkLinkID": db["link"]["LinkID"], "Bandwidth": 10});
    let path = format!("{}/server/{}/action", place.cloud.address(), db["server"]);
    let sent = client().post(path).bearer_auth(KEY).header("content-type", "application/json");
    assert!(sent.body(slower.to_string()).send().await.unwrap().status().is_success());
    let mut told = place.run(&["infra", "update", "shop", "--check"]);
    for _ in 0..100 {
        if told.code == 4 {
            break;
        }
        told = place.run(&["infra", "update", "shop", "--check"]);
    }
    assert!(told.code == 4 && told.out.contains("10 Mbit/s → 50 Mbit/s"), "{told:?}");
    infra(place, "update").json(0);
    assert_eq!(links(place, "db-1").await.0["link"]["Bandwidth"], 50);
    silent(place);
}

/// A server that leaves the network loses its interface and what was written for it.
fn given_up(place: &Place) {
    let left = SHOP.replacen(", networks: [backend]", "", 1);
    write(place, "infra/shop.yaml", &left);
    let shown = place.run(&["infra", "plan", "shop"]);
    assert!(shown.out.contains("remove the configuration of network"), "{shown:?}");
    infra(place, "update").json(0);
    assert_eq!(sh(place, "web-1", "ls /etc/systemd/network 2>/dev/null || true"), "");
    let cards = sh(place, "web-1", "ls /sys/class/net");
    assert!(!cards.contains("eth1"), "{cards}");
    silent(place);
}
