//! Fifty real machines of this computer in two networks: update, deploy, rollback and end, with what each costs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use muster_outside::host::local::{Launcher, LocalMachines, Technique, Wish};
use serde_json::{Value, json};

use crate::cost::cost;
use crate::skip;

const MUSTER: &str = env!("CARGO_BIN_EXE_muster");
const TEST: &str = "machine_fleet::fifty_machines_in_two_networks";

const SHOP: &str = "version: 1
account: local
stats: false
vars: { greeting: first }
networks:
  front: {}
  back: {}
servers:
  web: { count: 40, image: IMAGE, cpu: 1, ram: 512 MiB, disk: 10 GiB ssd, networks: [front, back] }
  db: { count: 10, image: IMAGE, cpu: 1, ram: 512 MiB, disk: 10 GiB ssd, networks: [back] }
deploy:
  - playbook: site.yml
    hosts: all
    vars: { greeting: \"${var:greeting}\" }
";

const SITE: &str = r#"- hosts: all
  gather_facts: false
  tasks:
    - name: The greeting
      ansible.builtin.copy: { dest: /etc/greeting, mode: "0644", content: "{{ greeting }} from {{ inventory_hostname }}\n" }
"#;

struct Fleet {
    folder: tempfile::TempDir,
    image: String,
}

impl Fleet {
    fn wish() -> Wish {
        Wish { technique: Some(Technique::Nspawn), range: "10.210.0.0/16".parse().unwrap() }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(MUSTER);
        command.args(arguments).current_dir(self.folder.path()).env("MUSTER_HOME", self.home());
        command.env("MUSTER_MACHINES", "nspawn").env("NO_COLOR", "1").env_remove("ONECLOUD_API_KEY");
        command
    }

    fn write(&self, shop: &str) {
        let shop = shop.replace("IMAGE", &self.image);
        std::fs::write(self.folder.path().join("infra/shop.yaml"), shop).unwrap();
    }

    /// Runs a command that must succeed, and gives back the JSON it prints.
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command(&["--format", "json"]).args(arguments).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {err}{out}");
        serde_json::from_str(&out).unwrap()
    }

    /// The same for what is measured: prints a row of the table.
    fn measured(&self, what: &str, arguments: &[&str]) -> Value {
        let (cost, output) = cost(self.command(arguments).args(["--yes", "--format", "json"]));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        if answer["outcome"] != "nothing-to-do" {
            assert_eq!(answer["run"]["state"], "succeeded", "{answer}");
        }
        println!(
            "{what:<44}  {:>7}  {:>8.1}  {:>7.2}  {:>8.1}  {:>12}",
            answer["plan"]["steps"].as_array().unwrap().len(),
            cost.wall_s,
            cost.cpu_s,
            cost.peak_mb,
            memory_used_mb()
        );
        answer
    }

    fn names(&self) -> BTreeSet<String> {
        let rows = self.json(&["server", "list", "--account", "local"]);
        let running = |row: &&Value| row["power"] == "running";
        let rows = rows.as_array().unwrap().iter().filter(running);
        rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }

    /// What each server says of itself.
    fn greetings(&self, names: &BTreeSet<String>) -> Vec<String> {
        let of = |name: &String| {
            let lines = self.json(&["server", "exec", name, "--", "cat", "/etc/greeting"]);
            lines[0]["text"].as_str().unwrap().trim().to_owned()
        };
        names.iter().map(of).collect()
    }

    async fn machines(&self) -> LocalMachines {
        let launcher = Launcher { program: MUSTER.into(), arguments: Vec::new(), environment: Vec::new() };
        LocalMachines::open_as(&self.home().join("local"), launcher, &Fleet::wish()).await.unwrap()
    }
}

impl Drop for Fleet {
    /// Where the test failed half-way, its machines go too.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let end = ["infra", "destroy", "shop", "--allow-deletes", "50", "--yes", "--quiet"];
            eprintln!("what is left is destroyed: {:?}", self.command(&end).status());
        }
    }
}

/// Memory of this computer that is not available to others, in MB.
fn memory_used_mb() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let of = |word: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(word)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (of("MemTotal:") - of("MemAvailable:")) / 1024
}

fn wanted(web: usize) -> BTreeSet<String> {
    let of = |kind: &str, count| (1..=count).map(|number| format!("{kind}-{number}")).collect::<Vec<_>>();
    [of("web", web), of("db", 10)].concat().into_iter().collect()
}

fn from_all(greeting: &str, names: &BTreeSet<String>) -> Vec<String> {
    names.iter().map(|name| format!("{greeting} from {name}")).collect()
}

fn fleet() -> Option<Fleet> {
    if let Err(missing) = LocalMachines::probe_as(&Fleet::wish()) {
        skip::skip(TEST, &missing.to_string());
        return None;
    }
    let ansible = Command::new("ansible-playbook").arg("--version").output();
    if !ansible.is_ok_and(|said| said.status.success()) {
        skip::skip(TEST, "no ansible-playbook (PyPI: ansible-core)");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("infra")).unwrap();
    std::fs::write(folder.path().join("muster.yaml"), "version: 1\n").unwrap();
    std::fs::write(folder.path().join("site.yml"), SITE).unwrap();
    let mut fleet = Fleet { folder, image: String::new() };
    let offers = fleet.json(&["account", "offers", "local"]);
    fleet.image = offers["images"][0]["name"].as_str().unwrap().to_owned();
    Some(fleet)
}

/// ICT-36, ICT-37: fifty machines in two networks are made, set up, changed, brought back, and gone without a trace.
#[tokio::test]
async fn fifty_machines_in_two_networks() {
    let Some(fleet) = fleet() else { return };
    println!(
        "{:<44}  {:>7}  {:>8}  {:>7}  {:>8}  {:>12}",
        "command", "steps", "wall s", "CPU s", "peak MB", "in use, MB"
    );
    println!("{:<44}  {:>7}  {:>8}  {:>7}  {:>8}  {:>12}", "before", "", "", "", "", memory_used_mb());

    fleet.write(SHOP);
    let made = fleet.measured("infra update: 50 machines from nothing", &["infra", "update", "shop"]);
    assert_eq!(made["plan"]["summary"]["create"], 52, "{}", made["plan"]["summary"]);
    assert_eq!(fleet.names(), wanted(40));
    let again = fleet.measured("infra update: nothing to do", &["infra", "update", "shop"]);
    assert_eq!(again["outcome"], "nothing-to-do");
    fleet.measured("infra deploy: a playbook on all", &["infra", "deploy", "shop"]);
    assert_eq!(fleet.greetings(&wanted(40)), from_all("first", &wanted(40)));

    let second = SHOP.replace("greeting: first", "greeting: second").replace("count: 40", "count: 38");
    fleet.write(&second);
    let fewer = fleet.measured("infra update: two fewer", &["infra", "update", "shop"]);
    assert_eq!(fewer["plan"]["summary"]["delete"], 2, "{}", fewer["plan"]["summary"]);
    fleet.measured("infra deploy: another greeting", &["infra", "deploy", "shop"]);
    assert_eq!(fleet.names(), wanted(38));
    assert_eq!(fleet.greetings(&wanted(38)), from_all("second", &wanted(38)));

    let back = fleet.measured(
        "infra rollback: two anew, the first greeting",
        &["infra", "rollback", "shop", "--to", "2"],
    );
    assert_eq!(back["plan"]["summary"]["create"], 2, "{}", back["plan"]["summary"]);
    assert_eq!(fleet.names(), wanted(40));
    assert_eq!(fleet.greetings(&wanted(40)), from_all("first", &wanted(40)));
    let history = fleet.json(&["infra", "history", "shop"]);
    assert_eq!(history.as_array().unwrap().len(), 5, "{history}");
    assert_eq!(history[0]["rollback_to"], json!(2));

    ended(&fleet).await;
}

async fn ended(fleet: &Fleet) {
    let gone = fleet.measured("infra destroy", &["infra", "destroy", "shop", "--allow-deletes", "50"]);
    assert_eq!(gone["plan"]["summary"]["delete"], 52, "{}", gone["plan"]["summary"]);
    assert_eq!(fleet.names(), BTreeSet::new());
    let left = fleet.machines().await.leftovers().await.unwrap();
    assert_eq!(left.total(), 0, "{left:#?}");
}
