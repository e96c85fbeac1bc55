//! The account `local`: sandboxes of this computer from an infrastructure file, without any account anywhere.
//!
//! The place has a simulated cloud too, and nobody has its key.

use std::process::{Command, Stdio};
use std::time::Duration;

use muster_outside::host::local::{Launcher, LocalMachines, MachineName, Technique, Wish};
use serde_json::Value;

use crate::place::{MUSTER, Place};

/// Two sandboxes in a network of their own. IMAGE is the one that this computer offers.
const SHOP: &str = "version: 1
account: local
stats: false
networks:
  backend: {}
servers:
  web:
    count: 2
    image: IMAGE
    cpu: 1
    ram: 512 MiB
    disk: 10 GiB ssd
    networks: [backend]
deploy:
  - playbook: site.yml
    hosts: web
";

const SITE: &str = "- hosts: web
  gather_facts: false
  tasks:
    - name: The greeting
      ansible.builtin.copy: { dest: /etc/greeting, mode: \"0644\", content: \"from {{ inventory_hostname }}\\n\" }
";

/// A place where sandboxes can be made, or none with the reason said.
fn place(test: &str) -> Option<Place> {
    let wish = Wish { technique: Some(Technique::Nspawn), range: "10.210.0.0/16".parse().unwrap() };
    if let Err(missing) = LocalMachines::probe_as(&wish) {
        crate::skip::skip(test, &missing.to_string());
        return None;
    }
    let mut place = Place::new(SHOP);
    place.account = false;
    let offers = place.run(&["account", "offers", "local", "--format", "json"]).json(0);
    let images = offers["images"].as_array().unwrap();
    assert_eq!((images.len(), &offers["locations"][0]["name"]), (1, &"local".into()), "{offers}");
    let shop = SHOP.replace("IMAGE", images[0]["name"].as_str().unwrap());
    std::fs::write(place.project().join("infra/shop.yaml"), shop).unwrap();
    std::fs::write(place.project().join("muster.yaml"), "version: 1\n").unwrap();
    std::fs::write(place.project().join("site.yml"), SITE).unwrap();
    Some(place)
}

/// The machines behind the servers, as somebody at this computer has them.
async fn machines(place: &Place) -> LocalMachines {
    let launcher = Launcher { program: MUSTER.into(), arguments: Vec::new(), environment: Vec::new() };
    let wish = Wish { technique: Some(Technique::Nspawn), range: "10.210.0.0/16".parse().unwrap() };
    LocalMachines::open_as(&place.home().join("local"), launcher, &wish).await.unwrap()
}

async fn machine(place: &Place, host_name: &str) -> MachineName {
    let all = machines(place).await.list().await.unwrap();
    all.into_iter().find(|machine| machine.hostname == host_name).unwrap().name
}

fn infra(place: &Place, verb: &str, more: &[&str]) -> Value {
    let arguments = [&["infra", verb, "shop", "--yes", "--format", "json"], more].concat();
    place.run(&arguments).json(0)
}

/// What a command on a server said, without the last line's end.
fn exec(place: &Place, server: &str, command: &[&str]) -> String {
    let arguments = [&["--format", "json", "server", "exec", server, "--"], command].concat();
    let lines = place.run(&arguments).json(0);
    let lines = lines.as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// Servers by name, with the power that they have.
fn servers(place: &Place) -> Vec<(String, String)> {
    let rows = place.run(&["server", "list", "--account", "local", "--format", "json"]).json(0);
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    rows.as_array().unwrap().iter().map(|row| (text(row, "name"), text(row, "power"))).collect()
}

fn both(power: &str) -> Vec<(String, String)> {
    ["web-1", "web-2"].map(|name| (name.to_owned(), power.to_owned())).to_vec()
}

/// Destroys what the file owns, and sees that this computer is as it was.
async fn destroyed(place: &Place) {
    let refused = place.run(&["infra", "destroy", "shop", "--yes"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.out.contains("--allow-deletes 2"), "{refused:?}");
    let answer = infra(place, "destroy", &["--allow-deletes", "2"]);
    assert_eq!(answer["run"]["state"], "succeeded", "{answer}");
    assert_eq!(servers(place), []);
    let left = machines(place).await.leftovers().await.unwrap();
    assert_eq!(left.total(), 0, "{left:#?}");
    assert_eq!(place.requests().await, Vec::<String>::new(), "nobody asked the cloud");
}

/// NEP-03, ICT-07, ICT-08: from nothing to two sandboxes, a deploy, drift of both kinds, and back to nothing.
#[tokio::test]
async fn machines_of_this_computer_are_servers() {
    let Some(place) = place("local::machines_of_this_computer_are_servers") else { return };
    let first = infra(&place, "update", &[]);
    assert_eq!(
        (&first["run"]["state"], &first["plan"]["summary"]["create"]),
        (&"succeeded".into(), &3.into())
    );
    assert_eq!(servers(&place), both("running"));
    assert_eq!(exec(&place, "web-2", &["hostname"]).trim(), "web-2");
    let inside = exec(&place, "web-1", &["ip", "-4", "-o", "address", "show", "eth1"]);
    assert!(inside.contains("inet 10.211."), "the private network has no address: {inside}");
    let again = infra(&place, "update", &[]);
    assert_eq!(
        (&again["outcome"], &again["plan"]["steps"]),
        (&"nothing-to-do".into(), &Value::Array(vec![]))
    );

    deployed(&place);

    // One loses its power, and the other one is taken away.
    let behind = machines(&place).await;
    behind.kill(&machine(&place, "web-1").await).await.unwrap();
    let told = place.run(&["infra", "update", "shop", "--check"]);
    assert_eq!(told.code, 4, "{told:?}");
    assert!(told.out.contains("power: stopped → running"), "{}", told.out);
    infra(&place, "update", &[]);
    assert_eq!(servers(&place), both("running"));
    behind.delete(&machine(&place, "web-2").await).await.unwrap();
    assert_eq!(servers(&place).len(), 1);
    let mended = infra(&place, "update", &[]);
    assert_eq!(mended["plan"]["summary"]["create"], 1, "{mended}");
    assert_eq!(servers(&place), both("running"));

    destroyed(&place).await;
}

/// A playbook runs on both, and what it wrote outlives a power cut.
fn deployed(place: &Place) {
    let ansible = Command::new("ansible-playbook").arg("--version").output();
    if !ansible.is_ok_and(|said| said.status.success()) {
        crate::skip::skip("local: the deploy", "no ansible-playbook (PyPI: ansible-core)");
        return;
    }
    let answer = infra(place, "deploy", &[]);
    assert_eq!(answer["run"]["state"], "succeeded", "{answer}");
    for name in ["web-1", "web-2"] {
        assert_eq!(exec(place, name, &["cat", "/etc/greeting"]).trim(), format!("from {name}"));
    }
}

/// A command that is killed while it makes machines leaves nothing that the next one does not find: two servers, and
/// two machines.
#[tokio::test]
async fn machines_that_a_killed_command_began_are_found() {
    let Some(place) = place("local::machines_that_a_killed_command_began_are_found") else { return };
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(["infra", "update", "shop", "--yes"]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let folder = place.home().join("local/servers");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while std::fs::read_dir(&folder).into_iter().flatten().flatten().count() == 0 {
        assert!(tokio::time::Instant::now() < deadline, "no server was begun");
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    infra(&place, "update", &[]);
    assert_eq!(servers(&place), both("running"));
    assert_eq!(machines(&place).await.list().await.unwrap().len(), 2);
    destroyed(&place).await;
}

/// Nobody registers under the name `local`, and a control plane does not lend its computer unless it was told to.
#[tokio::test]
async fn the_account_is_only_a_persons_own() {
    let place = Place::new(&SHOP.replace("IMAGE", "Debian 12"));
    let taken = place.run(&["register", "local"]);
    assert_eq!(taken.code, 2, "{taken:?}");
    assert!(taken.err.contains("this computer's own machines"), "{taken:?}");

    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(["server", "--listen", "127.0.0.1:0"]).env_remove("MUSTER_LOCAL_MACHINES");
    let _server = crate::place::Running::start(command);
    let refused = place.run(&["infra", "update", "shop", "--yes", "--skip-provision"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let said = format!("{}{}", refused.out, refused.err);
    assert!(said.contains("MUSTER_LOCAL_MACHINES=1"), "{said}");
    let accounts = place.run(&["account", "list", "--format", "json"]).json(0);
    assert!(!accounts.to_string().contains("\"local\""), "{accounts}");
}
