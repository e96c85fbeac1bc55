//! History and rollback as a person goes through them: the program itself against a simulated cloud.

use std::process::Command;

use muster_outside::host::local::Technique;
use serde_json::Value;

use crate::machines;
use crate::place::{MUSTER, Place, Ran, Running};

const FIRST: &str = "version: 1
location: SdnSpb
stats: false
servers:
  web:
    count: 3
    image: Ubuntu 22.04
    cpu: 1
    ram: 1 GiB
    disk: 20 GiB ssd
";

fn write(place: &Place, text: &str) {
    std::fs::write(place.project().join("infra/shop.yaml"), text).unwrap();
}

fn update(place: &Place) -> Value {
    let ran =
        place.run(&["infra", "update", "shop", "--yes", "--skip-provision", "--format", "json"]).json(0);
    assert_eq!(ran["run"]["state"], "succeeded", "{ran}");
    ran
}

/// Three servers, then larger ones, then one less.
fn three_revisions() -> (Place, String) {
    let place = Place::new(FIRST);
    // Marks the root, so that paths of the bundle begin there.
    std::fs::write(place.project().join("muster.yaml"), "version: 1\n").unwrap();
    update(&place);
    let second = FIRST.replace("cpu: 1", "cpu: 2");
    write(&place, &second);
    update(&place);
    let third = second.replace("count: 3", "count: 2");
    write(&place, &third);
    update(&place);
    (place, third)
}

/// Name, size and image of each server as the provider shows it.
fn fleet(place: &Place) -> Vec<(String, u64, String)> {
    let servers = place.run(&["server", "list", "--format", "json"]).json(0);
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let of = |row: &Value| (text(row, "name"), row["cpu"].as_u64().unwrap(), text(row, "image"));
    servers.as_array().unwrap().iter().map(of).collect()
}

fn told(ran: &Ran, words: &[&str]) {
    for word in words {
        assert!(ran.out.contains(word) || ran.err.contains(word), "{word}: {ran:?}");
    }
}

/// ICT-37: three servers, a change, a deletion; back to revision 1 is the same as revision 1. Before it begins, the disk
/// that is gone is named. It is a revision itself, a second time there is nothing to do, and the file here is not touched.
#[tokio::test]
async fn a_rollback_makes_what_was_and_says_what_is_lost() {
    let (place, third) = three_revisions();
    let back = ["infra", "rollback", "shop", "--to", "1", "--skip-provision"];
    let with = |more: &[&'static str]| back.iter().chain(more).copied().collect::<Vec<_>>();
    place.writes().await;

    let shown = place.run(&with(&["--dry-run"]));
    assert_eq!(shown.code, 0, "{shown:?}");
    told(
        &shown,
        &["back to revision 1", "What does not come back:", "! web-3", "comes back empty", "cpu: 2 → 1"],
    );
    let checked = place.run(&with(&["--check", "--format", "json"])).json(4);
    let lost: Vec<&Value> = checked["plan"]["notes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|note| note["kind"] == "not-restored")
        .collect();
    assert_eq!((lost.len(), &lost[0]["target"]), (1, &Value::from("web-3")));
    assert_eq!(checked["plan"]["rollback_to"], 1);
    let unasked = place.run(&back);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    let declined = place.at_terminal(&back, &[("(yes/no)", "no")]);
    assert_eq!(declined.code, 3, "{declined:?}");
    assert_eq!(place.writes().await, Vec::<String>::new());

    let update_plan = place.run(&["infra", "plan", "shop", "--skip-provision", "--format", "json"]).json(0);
    let other = update_plan["plan"]["id"].as_str().unwrap();
    let other = place.run(&["infra", "rollback", "shop", "--yes", "--plan", other]);
    assert_eq!(other.code, 2, "{other:?}");
    told(&other, &["goes back to no revision"]);
    let plan = place.run(&with(&["--dry-run", "--format", "json"])).json(0);
    let id = plan["plan"]["id"].as_str().unwrap();
    let done = place.run(&["infra", "rollback", "shop", "--yes", "--plan", id]);
    assert_eq!(done.code, 0, "{done:?}");
    told(&done, &["What does not come back:", "infra/shop.yaml", "were not touched", "--revision 1 --write"]);
    let web = |name: &str| (name.to_owned(), 1, "Ubuntu22.04x64".to_owned());
    assert_eq!(fleet(&place), [web("web-1"), web("web-2"), web("web-3")]);
    assert_eq!(std::fs::read_to_string(place.project().join("infra/shop.yaml")).unwrap(), third);

    place.writes().await;
    let again = place.run(&with(&["--yes", "--format", "json"])).json(0);
    assert_eq!(again["outcome"], "nothing-to-do");
    assert_eq!(place.writes().await, Vec::<String>::new());
    let history = place.run(&["infra", "history", "shop", "--format", "json"]).json(0);
    let numbers: Vec<u64> =
        history.as_array().unwrap().iter().map(|row| row["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    assert_eq!(history[0]["rollback_to"], 1);
    // The file as it was comes back by hand; then nothing differs from what stands.
    std::fs::remove_file(place.project().join("infra/shop.yaml")).unwrap();
    let away = place.run(&with(&["--yes"]));
    told(&away, &["infra/shop.yaml is not here"]);
    let written = place.run(&["infra", "history", "shop", "--revision", "1", "--write", "infra/shop.yaml"]);
    assert_eq!(written.code, 0, "{written:?}");
    assert_eq!(std::fs::read_to_string(place.project().join("infra/shop.yaml")).unwrap(), FIRST);
    let update = ["infra", "update", "shop", "--yes", "--skip-provision", "--format", "json"];
    assert_eq!(place.run(&update).json(0)["outcome"], "nothing-to-do");
    assert_eq!(place.run(&with(&["--yes"])).err, "", "the file here is that of revision 1");
}

/// ICT-69: who applied what when, with which outcome; one revision names each server; two differ field by field and line
/// by line; a file comes back as it was, over nothing that is there.
#[tokio::test]
async fn a_history_is_read_and_compared() {
    let (place, third) = three_revisions();
    let history = place.run(&["infra", "history", "shop"]);
    assert_eq!(history.code, 0, "{history:?}");
    told(&history, &["REVISION", "+3 ~0 -0", "+0 ~3 -0", "+0 ~0 -1", "succeeded"]);
    let rows = place.run(&["infra", "history", "shop", "--format", "json", "--limit", "2"]).json(0);
    assert_eq!(rows.as_array().unwrap().len(), 2);
    let run = rows[0]["run"].as_str().unwrap();
    assert_eq!(place.run(&["run", "show", run, "--format", "json"]).json(0)["state"], "succeeded");

    let one = place.run(&["infra", "history", "shop", "--revision", "2", "--format", "json"]).json(0);
    let servers = one["detail"]["applied"]["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 3);
    assert_eq!((&servers[2]["name"], &servers[2]["cpu"]), (&Value::from("web-3"), &Value::from(2)));
    assert_eq!(servers[2]["image"], "Ubuntu22.04x64");
    let shown = place.run(&["infra", "show", "shop", "--revision", "2"]);
    told(&shown, &["shop revision 2", "2 cpu, 1 GiB, 20 GiB SSD", "web-3", "infra/shop.yaml"]);

    let diff = place.run(&["infra", "diff", "shop", "1", "3"]);
    assert_eq!(diff.code, 0, "{diff:?}");
    told(
        &diff,
        &[
            "~ server web-1 cpu  1 → 2",
            "- server web-3",
            "-    count: 3",
            "+    count: 2",
            "--- a/infra/shop.yaml",
        ],
    );
    let now = place.run(&["infra", "diff", "shop", "3", "now"]);
    told(&now, &["Nothing differs"]);
    write(&place, &third.replace("ram: 1 GiB", "ram: 2 GiB"));
    let now = place.run(&["infra", "diff", "shop", "3", "--format", "json"]).json(0);
    assert_eq!((now["to"].is_null(), &now["fields"][0]["field"]), (true, &Value::from("ram")));

    let file = place.run(&["infra", "history", "shop", "--revision", "1", "--file"]);
    assert_eq!((file.code, file.out.as_str()), (0, FIRST));
    let over = place.run(&["infra", "history", "shop", "--revision", "1", "--write", "infra/shop.yaml"]);
    assert_eq!(over.code, 2, "{over:?}");
    told(&over, &["not overwritten"]);
}

/// Bad input is exit 2, says what is there instead, and changes nothing.
#[tokio::test]
async fn what_is_not_there_is_said() {
    let place = Place::new(FIRST);
    for command in [
        &["infra", "history", "shop"][..],
        &["infra", "rollback", "shop", "--yes"],
        &["infra", "diff", "shop", "1", "2"],
        &["infra", "show", "shop", "--revision", "1"],
    ] {
        let ran = place.run(command);
        assert_eq!(ran.code, 2, "{command:?} {ran:?}");
        told(&ran, &["shop has no history", "muster infra update"]);
    }
    update(&place);
    let only_one = place.run(&["infra", "rollback", "shop", "--yes"]);
    assert_eq!(only_one.code, 2, "{only_one:?}");
    told(&only_one, &["nothing to go back to", "--to N"]);
    for (command, words) in [
        (&["infra", "rollback", "shop", "--to", "9", "--yes"][..], "has no revision 9; it has 1 to 1"),
        (&["infra", "diff", "shop", "1", "9"], "has no revision 9"),
        (&["infra", "diff", "shop", "1", "1"], "compared with itself"),
        (&["infra", "diff", "shop", "1", "soon"], "`soon` is no revision"),
        (&["infra", "diff", "shop", "1", "2", "--var", "a=b"], "`--var` and `--var-file` are for `now`"),
        (&["infra", "history", "shop", "--revision", "1", "--file", "x.yaml"], "has no file `x.yaml`"),
        (&["infra", "history", "shop", "--account", "prod"], "no history at the account prod"),
        (&["infra", "history", "shop", "--file"], "--revision"),
        (&["infra", "rollback", "shop", "--deploy", "--no-deploy"], "cannot be used with"),
    ] {
        let ran = place.run(command);
        assert_eq!(ran.code, 2, "{command:?} {ran:?}");
        told(&ran, &[words]);
    }
}

/// ICT-37, ICT-69, ICT-70: the same through a control plane, and its API is described.
#[tokio::test]
async fn a_control_plane_answers_the_same() {
    let (place, _) = three_revisions();
    let local = place.run(&["infra", "history", "shop", "--format", "json"]).json(0);
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(["server", "--listen", "127.0.0.1:0"]);
    let server = Running::start(command);
    let token = std::fs::read_to_string(place.home().join("token")).unwrap();
    // From another home, so that only the network leads there.
    let elsewhere = tempfile::tempdir().unwrap();
    let remote = |arguments: &[&str], typed: &str| -> Ran {
        let mut command = Command::new(MUSTER);
        place.dress(&mut command);
        command.env("MUSTER_HOME", elsewhere.path()).env_remove("ONECLOUD_API_KEY").args(arguments);
        let mut child = command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), typed.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    };
    let added = remote(&["context", "add", "prod", &server.address(), "--token", "-"], &token);
    assert_eq!(added.code, 0, "{added:?}");
    let at = |arguments: &[&str]| {
        remote(
            &["--context", "prod", "--format", "json"].iter().chain(arguments).copied().collect::<Vec<_>>(),
            "",
        )
    };
    assert_eq!(at(&["infra", "history", "shop"]).json(0), local);
    let diff = at(&["infra", "diff", "shop", "3", "now"]).json(0);
    assert_eq!(diff["files"], serde_json::json!([]));
    let diff = at(&["infra", "diff", "shop", "1", "2"]).json(0);
    assert_eq!(diff["fields"].as_array().unwrap().len(), 3);
    let file = at(&["infra", "history", "shop", "--revision", "1", "--file"]);
    assert_eq!((file.code, file.out.as_str()), (0, FIRST));
    let missing = at(&["infra", "history", "shop", "--revision", "9"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    let back = at(&["infra", "rollback", "shop", "--skip-provision", "--yes"]).json(0);
    assert_eq!((&back["run"]["state"], &back["plan"]["rollback_to"]), (&"succeeded".into(), &2.into()));
    assert_eq!(fleet(&place).len(), 3);
    let api = crate::place::client().get(format!("{}/openapi.json", server.address()));
    let api: Value = api.bearer_auth(token.trim()).send().await.unwrap().json().await.unwrap();
    for path in [
        "revisions",
        "revisions/{number}",
        "revisions/{number}/file",
        "revisions/{number}/differences",
        "rollbacks",
    ] {
        let path = format!("/api/v1/infrastructures/{{name}}/{path}");
        assert!(api["paths"][&path].is_object(), "{path}");
    }
}

const DEPLOYED: &str = "version: 1
location: SdnSpb
stats: false
servers:
  web: { count: 2, image: Ubuntu20.04x64, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd }
deploy:
  - code: { from: ./app, to: /srv/app }
    hosts: all
  - playbook: playbooks/site.yml
    hosts: all
    vars: { greeting: first }
";
const SITE: &str = r#"- hosts: all
  become: true
  gather_facts: false
  tasks:
    - ansible.builtin.copy: { dest: /etc/greeting, mode: "0644", content: "{{ greeting }}\n" }
"#;

/// ICT-37, ICT-69: on real machines. The release and the playbook of revision 1 come back, also on a server that was
/// deleted meanwhile; the versions inside each server are part of each revision; a second time nothing is run.
#[tokio::test]
async fn a_rollback_on_machines_brings_code_and_playbooks_back() {
    let files = [("app/version", "one\n"), ("playbooks/site.yml", SITE)];
    let Some(place) = machines::place(Technique::Nspawn, "history::rollback_on_machines", DEPLOYED, &files)
    else {
        return;
    };
    let infra = |arguments: &[&str]| {
        let all: Vec<&str> = ["--format", "json", "infra"].iter().chain(arguments).copied().collect();
        place.run(&all).json(0)
    };
    assert_eq!(infra(&["deploy", "shop", "--yes"])["run"]["state"], "succeeded");
    machines::write(&place, "app/version", "two\n");
    let second = DEPLOYED.replace("greeting: first", "greeting: second");
    write(&place, &second);
    assert_eq!(infra(&["deploy", "shop", "--yes"])["run"]["state"], "succeeded");
    write(&place, &second.replace("count: 2", "count: 1"));
    assert_eq!(infra(&["update", "shop", "--yes"])["run"]["state"], "succeeded");

    let has =
        |server: &str| machines::exec(&place, server, &["cat", "/srv/app/current/version", "/etc/greeting"]);
    assert_eq!(has("web-1"), "two\nsecond");
    let only_the_server = infra(&["rollback", "shop", "--to", "2", "--no-deploy", "--dry-run"]);
    let summary = &only_the_server["plan"]["summary"];
    assert_eq!((&summary["create"], &summary["provision"]), (&1.into(), &0.into()));
    let back = infra(&["rollback", "shop", "--to", "1", "--yes"]);
    assert_eq!(back["run"]["state"], "succeeded");
    assert_eq!((has("web-1"), has("web-2")), ("one\nfirst".to_owned(), "one\nfirst".to_owned()));
    let again = infra(&["rollback", "shop", "--to", "1", "--yes"]);
    assert_eq!(again["outcome"], "nothing-to-do", "the servers have it");

    let inside = |revision: &str| -> Vec<(String, String)> {
        let shown = infra(&["show", "shop", "--revision", revision]);
        let servers = shown["detail"]["applied"]["servers"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of = |server: &Value| server["inside"].as_array().unwrap().clone();
        let all = servers.iter().flat_map(of).filter(|inside| !text(&inside["what"]).starts_with("builtin:"));
        all.map(|inside| (text(&inside["what"]), text(&inside["version"]))).collect()
    };
    let first = inside("1");
    assert_eq!(
        first.iter().map(|(what, _)| what.as_str()).collect::<Vec<_>>(),
        ["code:/srv/app", "playbooks/site.yml", "code:/srv/app", "playbooks/site.yml"]
    );
    assert_eq!(inside("4"), first);
    let second = inside("2");
    assert_eq!(second.len(), first.len());
    for (second, first) in second.iter().zip(&first) {
        assert!(second.0 == first.0 && second.1 != first.1, "{second:?} {first:?}");
    }
    infra(&["destroy", "shop", "--yes", "--allow-deletes", "2"]);
}
