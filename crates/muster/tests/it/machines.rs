//! The main job on real machines: the program itself, a simulated cloud whose servers boot, stock Ansible.
//!
//! Few and big tests, because each boots machines. Where none can run the tests say `SKIPPED: …`; with `CI=true`
//! that is a failure.

use std::path::Path;
use std::process::Command;

use muster_outside::host::local::{LocalMachines, Technique, Wish};
use serde_json::{Value, json};

use crate::place::{APP, Place, Ran, client, has_ansible};

/// Two servers that get code and a playbook.
const SHOP: &str = "version: 1
location: SdnSpb
vars: { greeting: hello }
networks:
  backend: { dhcp: true }
servers:
  web:
    count: 2
    image: Ubuntu20.04x64
    cpu: 1
    ram: 1 GiB
    disk: 20 GiB ssd
    networks: [backend]
    groups: [front-end]
deploy:
  - code: { from: ./app, to: /srv/app }
    hosts: all
  - playbook: playbooks/site.yml
    hosts: front-end
    vars: { greeting: \"${var:greeting}\" }
";

/// A file from a variable, and a service that shows the delivered release.
const SITE: &str = r#"- name: Site
  hosts: front_end
  become: true
  gather_facts: false
  tasks:
    - name: The greeting
      ansible.builtin.copy:
        dest: /etc/shop-greeting
        mode: "0644"
        content: "{{ greeting }} from {{ inventory_hostname }}\n"
    - name: The unit
      ansible.builtin.copy:
        dest: /etc/systemd/system/shop.service
        mode: "0644"
        content: |
          [Service]
          ExecStart=/usr/bin/python3 -m http.server 8000 --directory /srv/app/current
          [Install]
          WantedBy=multi-user.target
    - name: It runs
      ansible.builtin.systemd_service: { name: shop, daemon_reload: true, enabled: true, state: started }
    - name: It answers
      ansible.builtin.wait_for: { port: 8000, timeout: 30 }
"#;

/// A place with machines made by this technique, or none with the reason said.
pub fn place(technique: Technique, test: &str, shop: &str, files: &[(&str, &str)]) -> Option<Place> {
    let range = match technique {
        Technique::Nspawn => None,
        // `./dev test` runs an engine behind a route of its own.
        Technique::Docker => std::env::var("MUSTER_TEST_DOCKER_NETWORK").ok(),
    };
    let range = range.as_deref().unwrap_or("10.210.0.0/16").parse().unwrap();
    let wish = Wish { technique: Some(technique), range };
    if let Err(missing) = LocalMachines::probe_as(&wish) {
        crate::skip::skip(test, &missing.to_string());
        return None;
    }
    if !has_ansible(test, &["ansible-playbook", "ansible-inventory"]) {
        return None;
    }
    let place = Place::with_machines(shop, &wish);
    // Marks the root, so that paths are below it and not below `infra`.
    for (path, text) in [("muster.yaml", "version: 1\n")].iter().chain(files) {
        write(&place, path, text);
    }
    Some(place)
}

/// Writes a file of the project.
pub fn write(place: &Place, path: &str, text: &str) {
    let path = place.project().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What a command on a server said, without the last line's end.
pub fn exec(place: &Place, server: &str, command: &[&str]) -> String {
    let mut arguments = vec!["--format", "json", "server", "exec", server, "--"];
    arguments.extend(command);
    let lines = place.run(&arguments).json(0);
    let lines = lines.as_array().unwrap().iter().map(|line| {
        assert_eq!(line["target"], server);
        line["text"].as_str().unwrap()
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub fn infra(place: &Place, verb: &str) -> Ran {
    place.run(&["infra", verb, "shop", "--yes", "--format", "json"])
}

/// The journal of the run that this answer is about.
pub fn events(place: &Place, answer: &Value) -> Vec<Value> {
    let id = answer["run"]["id"].as_str().unwrap_or_else(|| panic!("no run: {answer}"));
    place.run(&["run", "log", id, "--format", "json"]).json(0).as_array().unwrap().clone()
}

/// `HOST TASK: OUTCOME` of each task and delivery, in their order.
pub fn tasks(events: &[Value]) -> Vec<String> {
    let of = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
    let tasks = events.iter().filter(|event| event["kind"] == "task");
    tasks
        .map(|event| format!("{} {}: {}", of(event, "host"), of(event, "task"), of(event, "outcome")))
        .collect()
}

/// The place in the journal of the first entry like this.
fn position(events: &[Value], wanted: impl Fn(&Value) -> bool) -> usize {
    events.iter().position(wanted).unwrap_or_else(|| panic!("no such entry: {events:#?}"))
}

fn server(place: &Place, name: &str) -> Value {
    place.run(&["server", "show", name, "--format", "json"]).json(0)
}

async fn page(place: &Place, name: &str) -> String {
    let address = server(place, name)["address"].as_str().unwrap().to_owned();
    let mut left = 100;
    loop {
        // After a boot the service may still be starting.
        match client().get(format!("http://{address}:8000/index.html")).send().await {
            Ok(answer) => return answer.text().await.unwrap(),
            Err(error) => assert!(left > 0, "{name} does not answer: {error}"),
        }
        left -= 1;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// ICT-02, ICT-03, ICT-16, ICT-17, ICT-18, ICT-20, ICT-22, ICT-23, ICT-26, ICT-27, ICT-30, ICT-51: the main job
/// from the first update to a deploy over drift; `ARCHITECTURE.md` tells it in the same order.
#[tokio::test]
async fn the_main_job() {
    the_main_job_by(Technique::Nspawn, "machines::the_main_job").await;
}

/// The same where each server is a Docker container: neither the engine nor Ansible sees a difference.
#[tokio::test]
async fn the_main_job_in_containers() {
    the_main_job_by(Technique::Docker, "machines::the_main_job_in_containers").await;
}

async fn the_main_job_by(technique: Technique, test: &str) {
    let files = [("app/index.html", "first\n"), ("playbooks/site.yml", SITE)];
    let Some(place) = place(technique, test, SHOP, &files) else { return };
    updated_once(&place).await;
    over_ssh(&place);
    let release = deployed(&place).await;
    deployed_again(&place);
    measured(&place);
    deployed_over_drift(&place, &release).await;
    refused_before_any_host(&place);
}

/// `update` makes the servers and installs node_exporter by itself; the second time nothing is left to do.
async fn updated_once(place: &Place) {
    let first = infra(place, "update").json(0);
    assert_eq!(
        (&first["run"]["state"], &first["plan"]["summary"]["create"]),
        (&json!("succeeded"), &json!(3))
    );
    for name in ["web-1", "web-2"] {
        let unit = "prometheus-node-exporter";
        assert_eq!(exec(place, name, &["systemctl", "is-active", unit]), "active");
        assert_eq!(exec(place, name, &["systemctl", "is-enabled", unit]), "enabled");
        let sockets = exec(place, name, &["ss", "-Hltn"]);
        let listening: Vec<&str> = sockets
            .lines()
            .filter_map(|line| line.split_whitespace().nth(3))
            .filter(|socket| socket.ends_with(":9100"))
            .collect();
        assert_eq!(listening, ["127.0.0.1:9100"], "{sockets}");
    }
    assert!(!place.writes().await.is_empty());
    let second = infra(place, "update").json(0);
    assert_eq!((&second["outcome"], &second["plan"]["steps"]), (&json!("nothing-to-do"), &json!([])));
    assert_eq!(place.writes().await, Vec::<String>::new());
}

/// Commands run over SSH, and how they end is told.
fn over_ssh(place: &Place) {
    assert_eq!(exec(place, "web-2", &["hostname"]), "web-2");
    let failed = place.run(&["server", "exec", "web-1", "--", "sh", "-c", "echo before; exit 7"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let said = format!("{}{}", failed.out, failed.err);
    assert!(said.contains("before") && said.contains("exit status 7"), "{said}");
    let through = place.run(&["server", "ssh", "web-1", "--", "hostname; exit 7"]);
    assert_eq!((through.code, through.out.trim()), (7, "web-1"), "{through:?}");
}

/// `deploy` writes the inventory, delivers the code, and sets the environment up; gives back the release's name.
async fn deployed(place: &Place) -> String {
    let answer = infra(place, "deploy").json(0);
    let inventory = place.home().join("inventories/shop.yml");
    let listed = stock_inventory(&inventory);
    assert_eq!(listed["front_end"]["hosts"], json!(["web-1", "web-2"]));
    let vars = &listed["_meta"]["hostvars"]["web-2"];
    assert_eq!(vars["ansible_host"], server(place, "web-2")["address"]);

    let done = tasks(&events(place, &answer));
    for name in ["web-1", "web-2"] {
        assert!(done.contains(&format!("{name} The greeting: changed")), "{done:#?}");
        assert!(done.contains(&format!("{name} It answers: ok")), "{done:#?}");
        assert_eq!(exec(place, name, &["cat", "/etc/shop-greeting"]), format!("hello from {name}"));
        assert_eq!(page(place, name).await, "first\n");
    }
    let current = exec(place, "web-1", &["readlink", "/srv/app/current"]);
    assert_eq!(exec(place, "web-2", &["readlink", "/srv/app/current"]), current);
    current
}

fn stock_inventory(path: &Path) -> Value {
    let said = Command::new("ansible-inventory").args(["--list", "-i"]).arg(path).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    serde_json::from_slice(&said.stdout).unwrap()
}

/// The same once more: everything is looked at, nothing is changed.
fn deployed_again(place: &Place) {
    let answer = infra(place, "deploy").json(0);
    let done = tasks(&events(place, &answer));
    let deliveries = done.iter().filter(|task| task.contains("deliver app")).count();
    assert_eq!((deliveries, done.len()), (2, 10), "{done:#?}");
    assert!(done.iter().all(|task| task.ends_with(": ok")), "{done:#?}");
}

/// The numbers of node_exporter, read through SSH.
fn measured(place: &Place) {
    let rows = place.run(&["stats", "shop", "--format", "json"]).json(0);
    let rows = rows.as_array().unwrap();
    assert_eq!(
        rows.iter().map(|row| row["server"].as_str().unwrap()).collect::<Vec<_>>(),
        ["web-1", "web-2"]
    );
    for row in rows {
        assert_eq!(row["error"], Value::Null);
        let number = |field: &str| row[field].as_f64().unwrap_or_else(|| panic!("no {field}: {row}"));
        assert!(number("memory_total_bytes") > number("memory_available_bytes"));
        assert!(number("cpu_count") >= 1.0 && number("load_1m") >= 0.0);
    }
}

/// Differences are told one by one; a yes mends the servers first, then deploys. The new code is a new release.
async fn deployed_over_drift(place: &Place, old: &str) {
    write(place, "app/index.html", "second\n");
    place.sim("drift", json!({"server": "web-1", "set": {"CPU": 4}})).await;
    place.sim("drift", json!({"server": "web-2", "set": {"IsPowerOn": false}})).await;
    place.writes().await;
    let told = place.run(&["infra", "deploy", "shop", "--check"]);
    assert_eq!(told.code, 4, "{told:?}");
    for words in ["web-1", "cpu: 4 → 1", "web-2", "power: stopped → running"] {
        assert!(told.out.contains(words), "{words} is not told: {}", told.out);
    }
    let unasked = place.run(&["infra", "deploy", "shop"]);
    assert!(unasked.code == 2 && unasked.err.contains("--yes"), "{unasked:?}");
    assert_eq!(place.writes().await, Vec::<String>::new());

    let answer = infra(place, "deploy").json(0);
    let events = events(place, &answer);
    let steps = answer["plan"]["steps"].as_array().unwrap();
    let mends: Vec<&Value> = steps.iter().filter(|step| step["touches"] == "provider").collect();
    assert!(!mends.is_empty());
    let last_mend = mends
        .iter()
        .map(|step| {
            position(&events, |event| event["kind"] == "succeeded" && event["step"] == step["number"])
        })
        .max()
        .unwrap();
    let written = position(&events, |event| {
        event["kind"] == "succeeded" && event["output"].as_str().unwrap().ends_with("shop.yml")
    });
    let first_task = position(&events, |event| event["kind"] == "task");
    assert!(last_mend < written && written < first_task, "{last_mend} {written} {first_task}: {events:#?}");

    assert_eq!(server(place, "web-1")["cpu"], 1);
    assert_eq!(server(place, "web-2")["power"], "running");
    for name in ["web-1", "web-2"] {
        assert_eq!(page(place, name).await, "second\n");
        let current = exec(place, name, &["readlink", "/srv/app/current"]);
        assert_ne!(current, old);
        assert_eq!(exec(place, name, &["cat", &format!("/srv/app/{old}/index.html")]), "first");
    }
}

/// A playbook that cannot work fails before any host is touched, although code comes first.
fn refused_before_any_host(place: &Place) {
    write(place, "app/index.html", "third\n");
    let role = "- hosts: front_end\n  roles: [ngnix]\n";
    let variable = "- hosts: all\n  tasks: [{ debug: { msg: \"{{ greting }}\" } }]\n";
    for (playbook, named) in [(role, "ngnix"), (variable, "greting")] {
        write(place, "playbooks/site.yml", playbook);
        let refused = infra(place, "deploy");
        assert!([1, 2].contains(&refused.code), "{refused:?}");
        assert!(format!("{}{}", refused.out, refused.err).contains(named), "{refused:?}");
        let answer = serde_json::from_str::<Value>(&refused.out).unwrap_or_default();
        if answer["run"].is_object() {
            assert_eq!(tasks(&events(place, &answer)), Vec::<String>::new());
        }
    }
    assert_eq!(exec(place, "web-1", &["cat", "/srv/app/current/index.html"]), "second");
}

/// ICT-17, ICT-23: what fails on a host is told with its task and its reason, and the next deploy begins again.
#[tokio::test]
async fn what_fails_is_told_and_can_be_mended() {
    let failing = "- hosts: all
  gather_facts: false
  tasks:
    - name: Before
      ansible.builtin.copy: { dest: /before, content: here, mode: \"0644\" }
    - name: The broken one
      ansible.builtin.command: { cmd: ls /nowhere-at-all }
";
    let test = "machines::what_fails_is_told_and_can_be_mended";
    let Some(place) = place(Technique::Nspawn, test, APP, &[("site.yml", failing)]) else { return };
    let failed = place.run(&["infra", "deploy", "shop", "--yes"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let said = format!("{}{}", failed.out, failed.err);
    for word in ["app-1", "The broken one", "/nowhere-at-all"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let listed = place.run(&["run", "list", "--format", "json"]).json(0);
    assert_eq!(listed[0]["state"], "failed");

    write(&place, "site.yml", &failing.replace("/nowhere-at-all", "/before"));
    let answer = infra(&place, "deploy").json(0);
    assert_eq!(answer["run"]["state"], "succeeded");
    assert_eq!(tasks(&events(&place, &answer)), ["app-1 Before: ok", "app-1 The broken one: changed"]);
}
