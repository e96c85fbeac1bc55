//! The first login by the password that the provider hands out, with the program itself and a real machine.

use muster_outside::host::local::LocalMachines;
use serde_json::{Value, json};

use crate::place::{KEY, Place, Ran, client};

const SHOP: &str = "version: 1
location: SdnSpb
stats: false
servers:
  app:
    image: Ubuntu20.04x64
    cpu: 1
    ram: 1 GiB
    disk: 20 GiB ssd
";

async fn server(place: &Place) -> Value {
    let request = client().get(format!("{}/server", place.cloud.address())).bearer_auth(KEY);
    request.send().await.unwrap().json::<Value>().await.unwrap()[0].clone()
}

/// Runs a command on the server with everything that the log can say.
fn exec(place: &Place, command: &str) -> Ran {
    place.run(&["-vvv", "--format", "json", "server", "exec", "app-1", "--", "sh", "-c", command])
}

/// ICT-22, `SEMANTICS.md` §9: a server that somebody made without our key is entered by its first password, once.
#[tokio::test]
async fn a_machine_without_our_key_is_entered_by_its_first_password() {
    if let Err(missing) = LocalMachines::probe() {
        crate::skip::skip("password::a_machine_without_our_key", &missing.to_string());
        return;
    }
    let place = Place::with_machines(SHOP, &muster_outside::host::local::Wish::from_environment().unwrap());
    let shape = json!({"Name": "app-1", "CPU": 1, "RAM": 1024, "HDD": 20, "Image": "Ubuntu20.04x64", "DCLocation": "SdnSpb"});
    place.sim("drift", json!({"create": shape})).await;
    let mut tries = 0;
    while server(&place).await["IP"].as_str().unwrap_or_default().is_empty() {
        tries += 1;
        assert!(tries < 600, "{}", server(&place).await);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let password = server(&place).await["AdminPassword"].as_str().unwrap().to_owned();
    assert!(password.len() >= 8);
    let spy = crate::spy::watch(&[&password]);

    let claimed = place.run(&["infra", "update", "shop", "--yes", "--format", "json"]).json(0);
    assert_eq!(claimed["plan"]["steps"][0]["kind"], "record.own", "claimed, not made");
    let first = exec(&place, "cat ~/.ssh/authorized_keys");
    let keys = first.json(0);
    let keys: Vec<&str> =
        keys.as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert!(keys.len() == 1 && keys[0].starts_with("ssh-ed25519 "), "{keys:?}");
    // From now on the key does it.
    let log = "grep -c 'Accepted password' /tmp/log; grep -c 'Accepted publickey' /tmp/log";
    let second = exec(&place, &format!("journalctl -q -t sshd > /tmp/log; {log}"));
    let counts = second.json(0);
    assert_eq!(counts[0]["text"], "1", "{counts}");
    assert_ne!(counts[1]["text"], "0", "{counts}");

    // Another one, made here: the machine takes it, and only who asks for it sees it.
    let shadow = || exec(&place, "getent shadow root").json(0)[0]["text"].clone();
    let before = shadow();
    let none = place.run(&["server", "password", "app-1"]);
    assert!(none.code != 0 && none.err.contains("--rotate"), "{none:?}");
    let rotated = place.run(&["server", "password", "app-1", "--rotate"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let ours = place.run(&["server", "password", "app-1"]).out.trim().to_owned();
    assert_eq!(ours.len(), 32, "one password, and no doubt about it: {ours}");
    assert_ne!(shadow(), before);

    let runs = place.run(&["run", "list", "--format", "json"]);
    let mut told = format!("{first:?}{second:?}{runs:?}{claimed}");
    for run in runs.json(0).as_array().unwrap() {
        let id = run["id"].as_str().unwrap();
        told.push_str(&place.run(&["run", "log", id, "--format", "json"]).out);
        told.push_str(&place.run(&["run", "log", id, "--output"]).out);
    }
    assert!(
        told.contains("userauth_success") && !told.contains(&password) && !told.contains(&ours),
        "the log tells of SSH, not of its secret"
    );
    crate::spy::absent_below(&place.home(), &password);
    let seen = spy.end();
    assert!(seen.is_empty(), "{seen:#?}");
}
