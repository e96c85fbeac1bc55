//! A run in flight survives a newer program: a home that an older one left behind (schema 1, killed in mid-run) is
//! migrated, and the run is taken up where it was.
//!
//! `fixtures/home-schema-1.tar.gz` was made by the program as it was before schema 2: `infra update shop` with
//! `MUSTER_CRASH_AT=after:13`. It had made the login key and asked for the network, and was about to ask for `web-1`.

use std::process::Command;

use serde_json::{Value, json};

use crate::place::{KEY, Place, client};

const SHOP: &str = "version: 1
location: SdnSpb
stats: false
networks:
  backend: {}
servers:
  web: { count: 3, image: Ubuntu 22.04, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd, networks: [backend] }
";

/// What the older program had made at the provider, with the ids that it noted.
async fn made_then(place: &Place) {
    let public_key =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINiH1z+ik7vsayAsDFch2GKkBbKHkk3T3UoGfx/rmpMq muster onecloud";
    for (path, body, id) in [
        ("sshkey", json!({"PublicKey": public_key, "Title": "muster"}), 4001),
        ("network", json!({"DCLocation": "SdnSpb", "IsDHCP": true, "Name": "backend"}), 30001),
    ] {
        let request = client().post(format!("{}/{path}", place.cloud.address())).bearer_auth(KEY).json(&body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["ID"], id, "{answer}");
    }
}

#[tokio::test]
async fn a_run_of_an_older_program_is_taken_up() {
    let place = Place::new(SHOP);
    std::fs::create_dir_all(place.home()).unwrap();
    let archive = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/home-schema-1.tar.gz");
    let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(place.home()).status().unwrap();
    assert!(unpacked.success());
    made_then(&place).await;
    place.requests().await;

    let runs = place.run(&["run", "list", "--format", "json"]).json(0);
    assert_eq!(runs[0]["state"], "interrupted", "{runs}");
    let id = runs[0]["id"].as_str().unwrap();
    let before = place.run(&["run", "log", id]);
    assert!(before.out.contains("key 4001"), "{before:?}");
    let resumed = place.run(&["run", "resume", id, "--format", "json"]).json(0);
    assert_eq!(resumed["state"], "succeeded", "{resumed}");
    let mut writes = place.writes().await;
    writes.sort();
    let creates = writes.iter().filter(|write| write.eq_ignore_ascii_case("POST /server")).count();
    assert_eq!(creates, 3, "{writes:?}");
    assert!(
        !writes.iter().any(|write| write.ends_with("/sshkey") || write.ends_with("/network")),
        "{writes:?}"
    );
    let again = place.run(&["infra", "update", "shop", "--yes", "--skip-provision"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("Nothing to do"), "{again:?}");
}
