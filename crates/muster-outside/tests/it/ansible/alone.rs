//! The runner against a program that only writes down what it was given, our inventory and playbook before stock
//! Ansible, and the stand-in.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use bytes::Bytes;
use muster_model::Secret;
use muster_model::ansible::{Inventory, InventoryHost, Question, check};
use muster_outside::ansible::builtin::{NODE_EXPORTER_PLAYBOOK, NodeExporterSource, node_exporter};
use muster_outside::ansible::{
    Ansible, AnsibleError, AnsibleRunner, PlaybookRun, RunOutcome, ScriptedAnsible,
};

use super::{file, is_installed};

/// Without Ansible: what the program is given, and that no secret is in its arguments or environment.
#[tokio::test(flavor = "multi_thread")]
async fn hands_passwords_over_without_arguments() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("fake");
    let written = directory.path().join("written");
    let text = format!(
        "#!/bin/sh\nexec > {}\nprintf '%s\\n' \"$@\"\nenv\necho stdin=$(cat)\nstat -c '%a %n' \"$PWD\"/../*\n\
         cat ../extra_vars.json\nexit 4\n",
        written.display()
    );
    std::fs::write(&program, text).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut settings = super::settings(directory.path());
    settings.program = program.into();
    let mut run = PlaybookRun::new("r1", "site.yml", Inventory::default());
    run.files.insert("site.yml".into(), file("[]"));
    run.become_password = Some(Secret::new("become-me"));
    run.secret_vars.insert("password".into(), Secret::new("hunter2"));
    run.tags = vec!["one".into(), "two".into()];
    run.limit = vec!["web".into(), "db".into()];
    let error = AnsibleRunner::new(settings.clone()).run(&run, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, AnsibleError::NoOutcome { exit_status: 4, started: false, .. }), "{error}");
    let written = std::fs::read_to_string(&written).unwrap();
    let (before, after) = written.split_once("stdin=become-me\n").unwrap();
    assert!(!before.contains("become-me") && !before.contains("hunter2"), "{before}");
    assert!(
        before.contains("--become-password-file\n-\n") && before.contains("--tags\none,two\n"),
        "{before}"
    );
    assert!(before.contains("--limit\nweb,db\n") && before.contains("\n--\nsite.yml\n"), "{before}");
    for line in after.lines().filter(|line| line.contains("/runs/")) {
        assert!(line.starts_with("600 ") || line.starts_with("700 "), "{line}");
    }
    assert!(after.contains("{\"password\":\"hunter2\"}"));
    settings.program = "/no/such/ansible-playbook".into();
    run.mark = "r2".into();
    let error = AnsibleRunner::new(settings.clone()).run(&run, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, AnsibleError::NotInstalled { .. }), "{error}");
    assert!(error.to_string().contains("ansible-core"));
    run.files.insert("../x".into(), file(""));
    let error = AnsibleRunner::new(settings).run(&run, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, AnsibleError::BadRun { .. }), "{error}");
    assert_eq!(std::fs::read_dir(directory.path().join("runs")).unwrap().count(), 0);
}

/// ICT-51: stock Ansible reads the inventory.
#[test]
fn stock_ansible_reads_the_inventory() {
    if !is_installed() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let host = |name: &str, groups: &[&str]| InventoryHost {
        name: name.to_owned(),
        address: "10.0.0.1".to_owned(),
        port: 2222,
        user: "root".to_owned(),
        groups: groups.iter().map(|&group| group.to_owned()).collect::<BTreeSet<_>>(),
        playbook: Some("playbooks/it's.yml".to_owned()),
        vars: [("truth".to_owned(), "yes".into()), ("list".to_owned(), serde_json::json!([1, {"a": null}]))]
            .into(),
    };
    let inventory = Inventory::build([host("web-1", &["front-end", "all-web"]), host("1-db", &[])]).unwrap();
    let path = directory.path().join("hosts.yml");
    std::fs::write(&path, inventory.to_yaml()).unwrap();
    let said = Command::new("ansible-inventory").args(["--list", "-i"]).arg(&path).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let read: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(read["front_end"]["hosts"], serde_json::json!(["web-1"]));
    assert_eq!(read["ungrouped"]["hosts"], serde_json::json!(["1-db"]));
    let vars = &read["_meta"]["hostvars"]["web-1"];
    assert_eq!(vars["ansible_port"], 2222);
    assert_eq!(vars["truth"], "yes");
    assert_eq!(vars["list"], serde_json::json!([1, {"a": null}]));
    assert_eq!(vars["muster_playbook"], "playbooks/it's.yml");
}

/// ICT-30: our own playbook passes our own check and Ansible's.
#[test]
fn the_node_exporter_playbook_is_sound() {
    let source = NodeExporterSource::File {
        name: "/somewhere/node_exporter-1.8.2.linux-amd64.tar.gz".into(),
        content: Bytes::from_static(b"x"),
        sha256: "AB".repeat(32),
    };
    let (files, vars) = node_exporter(&source);
    let bundle = files.iter().map(|(path, file)| (path.as_str(), file.content.as_ref()));
    let question = Question {
        playbook: NODE_EXPORTER_PLAYBOOK,
        extra_vars: vars.keys().cloned().collect(),
        ..Question::default()
    };
    assert_eq!(check(bundle, &question).items, []);
    assert_eq!(vars["node_exporter_sha256"], "ab".repeat(32));
    if !is_installed() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(NODE_EXPORTER_PLAYBOOK);
    std::fs::write(&path, &files[NODE_EXPORTER_PLAYBOOK].content).unwrap();
    let said =
        Command::new("ansible-playbook").args(["--syntax-check", "-i", "localhost,"]).arg(&path).output();
    let said = said.unwrap();
    assert!(said.status.success(), "{said:?}");
}

/// ICT-48, ICT-49: the runner is a component of its own; whoever uses it can be tested with a stand-in.
#[tokio::test]
async fn the_stand_in_answers_and_remembers() {
    let host = |name: &str, group: &str| InventoryHost {
        name: name.to_owned(),
        address: "10.0.0.1".to_owned(),
        port: 22,
        user: "root".to_owned(),
        groups: BTreeSet::from([group.to_owned()]),
        playbook: None,
        vars: BTreeMap::new(),
    };
    let inventory = Inventory::build([host("web-1", "front-end"), host("db-1", "db")]).unwrap();
    let mut run = PlaybookRun::new("r1", "site.yml", inventory);
    run.limit = vec!["front_end".into()];
    let ansible = ScriptedAnsible::new();
    let outcome = ansible.run(&run, &mut Vec::new()).await.unwrap();
    assert_eq!(outcome.hosts.keys().collect::<Vec<_>>(), ["web-1"]);
    assert!(outcome.success());
    let bad = RunOutcome { hosts: BTreeMap::new(), exit_status: 1, complaint: "x".into() };
    ansible.answer(Ok((Vec::new(), bad)));
    assert!(!ansible.run(&run, &mut Vec::new()).await.unwrap().success());
    ansible.answer(Err(AnsibleError::NotInstalled { program: "p".into() }));
    assert!(ansible.run(&run, &mut Vec::new()).await.is_err());
    assert_eq!(ansible.runs().len(), 3);
}
