//! ICT-02: code on real machines, from a commit to the way back, by the program itself.

use std::path::Path;
use std::process::{Command, Stdio};

use muster_outside::host::local::Technique;
use serde_json::{Value, json};

use crate::machines::{events, exec, infra, place, tasks, write};
use crate::place::Place;

const SHOP: &str = "version: 1
location: SdnSpb
stats: false
servers:
  web:
    count: 2
    image: Ubuntu20.04x64
    cpu: 1
    ram: 1 GiB
    disk: 20 GiB ssd
deploy:
  - code:
      from: { git: source, revision: main }
      to: /srv/app
      build: [sh, build.sh]
      shared: { directories: [uploads], files: [.env] }
      health:
        command: [grep, -q, built, index.html]
        http: http://127.0.0.1:8000/index.html
        within: 8s
      restart: [sh, serve.sh]
      keep: 5
    hosts: all
";

/// Serves the release it stands in; a broken one is begun, and serves nothing.
const SERVE: &str = "systemctl stop app
systemctl reset-failed app
grep -q broken index.html && exit 0
exec systemd-run --quiet --collect --unit=app --working-directory=\"$RELEASE\" \\
  python3 -m http.server 8000 --bind 127.0.0.1
";

const BUILD: &str = "echo compiling $REVISION\nsed s/page/built/ page > index.html\nrm page build.sh\n";

fn git(directory: &Path, arguments: &[&str]) -> String {
    let who = ["-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "init.defaultBranch=main"];
    let said = Command::new("git").arg("-C").arg(directory).args(who).args(arguments).output().unwrap();
    assert!(said.status.success(), "{arguments:?}: {said:?}");
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// Commits a page; gives the commit.
fn commit(place: &Place, page: &str) -> String {
    let source = place.project().join("source");
    write(place, "source/page", page);
    write(place, "source/build.sh", BUILD);
    write(place, "source/serve.sh", SERVE);
    if !source.join(".git").exists() {
        git(&source, &["init", "--quiet"]);
    }
    git(&source, &["add", "."]);
    git(&source, &["commit", "--quiet", "-m", page.trim()]);
    git(&source, &["rev-parse", "HEAD"])
}

/// What a server serves.
fn served(place: &Place, name: &str) -> String {
    exec(
        place,
        name,
        &[
            "python3",
            "-c",
            "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/index.html').read().decode(), end='')",
        ],
    )
}

fn current(place: &Place, name: &str) -> String {
    let path = exec(place, name, &["readlink", "/srv/app/current"]);
    path.strip_prefix("releases/").unwrap().to_owned()
}

fn releases(place: &Place) -> Vec<Value> {
    place.run(&["infra", "releases", "shop", "--format", "json"]).json(0).as_array().unwrap().clone()
}

#[test]
fn code_from_a_commit_to_the_way_back() {
    let test = "machines_code::code_from_a_commit_to_the_way_back";
    let Some(place) = place(Technique::Nspawn, test, SHOP, &[]) else { return };
    let first = commit(&place, "page one\n");
    let answer = infra(&place, "deploy").json(0);
    assert_eq!(answer["run"]["state"], "succeeded");
    for name in ["web-1", "web-2"] {
        assert_eq!(served(&place, name), "built one");
        let release = current(&place, name);
        assert!(release.starts_with(&first[..12]), "the release is called after its commit: {release}");
        assert_eq!(
            exec(&place, name, &["ls", "-A", "/srv/app/current"]),
            ".env\nindex.html\nserve.sh\nuploads"
        );
        exec(&place, name, &["touch", "/srv/app/current/uploads/kept"]);
    }
    let id = answer["run"]["id"].as_str().unwrap();
    let output = place.run(&["run", "log", id, "--level", "detail", "--grep", "compiling"]);
    assert!(output.out.contains(&first), "what the build printed is kept: {output:?}");
    built_once(&place);
    let second = commit(&place, "page two\n");
    infra(&place, "deploy").json(0);
    assert!(current(&place, "web-1").starts_with(&second[..12]));
    assert_eq!(
        exec(&place, "web-2", &["ls", "/srv/app/current/uploads"]),
        "kept",
        "shared outlives releases"
    );
    unhealthy_goes_back(&place, &second);
    broken_build_touches_nothing(&place, &second);
    back_by_number(&place, &first);
    finished_after_a_death(&place, &first);
}

/// The same once more: nothing is built, delivered or restarted.
fn built_once(place: &Place) {
    let since = exec(place, "web-1", &["systemctl", "show", "--property=MainPID", "app"]);
    let answer = infra(place, "deploy").json(0);
    let kinds: Vec<&str> = answer["plan"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["kind"].as_str().unwrap())
        .collect();
    assert!(!kinds.contains(&"provision.build"), "{kinds:?}");
    let deliveries: Vec<String> =
        tasks(&events(place, &answer)).into_iter().filter(|task| task.contains("deliver")).collect();
    assert!(deliveries.len() == 2 && deliveries.iter().all(|task| task.ends_with(": ok")), "{deliveries:?}");
    assert_eq!(exec(place, "web-1", &["systemctl", "show", "--property=MainPID", "app"]), since);
}

/// A release whose service does not start is left again, on the first server; the other one never saw it.
fn unhealthy_goes_back(place: &Place, good: &str) {
    let bad = commit(place, "page broken\n");
    let ran = infra(place, "deploy");
    let answer = ran.json(1);
    let message = answer["run"]["message"].as_str().unwrap();
    for words in
        [&bad[..12], "not healthy", "`current` is back at", &good[..12], "no other server was switched"]
    {
        assert!(message.contains(words), "{words}: {message}");
    }
    for name in ["web-1", "web-2"] {
        assert!(current(place, name).starts_with(&good[..12]));
        assert_eq!(served(place, name), "built two");
    }
}

/// A build that fails ends the run before any server is touched.
fn broken_build_touches_nothing(place: &Place, good: &str) {
    let source = place.project().join("source");
    write(place, "source/build.sh", "echo no rule to make it >&2; exit 3\n");
    git(&source, &["commit", "--quiet", "-am", "broken build"]);
    let answer = infra(place, "deploy").json(1);
    let message = answer["run"]["message"].as_str().unwrap();
    for words in ["no server was touched", "exit status 3", "no rule to make it"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert_eq!(tasks(&events(place, &answer)), Vec::<String>::new());
    assert!(current(place, "web-1").starts_with(&good[..12]));
}

/// Back to the first release by its number, and forth again by its name.
fn back_by_number(place: &Place, first: &str) {
    let kept = releases(place);
    let numbers = |row: &Value| -> Vec<(u64, bool)> {
        let releases = row["releases"].as_array().unwrap().iter();
        let all = releases
            .filter_map(|release| Some((release["number"].as_u64()?, release["name"] == row["current"])));
        all.collect()
    };
    assert_eq!(kept.len(), 2);
    assert!(numbers(&kept[0]).contains(&(1, false)) && numbers(&kept[0]).contains(&(2, true)), "{kept:?}");
    let of_second = |release: &&Value| release["name"] == kept[1]["current"];
    let second = kept[1]["releases"].as_array().unwrap().iter().find(of_second).unwrap();
    assert_eq!((&second["source"], &second["number"]), (&json!("source at main"), &json!(2)));
    let back =
        place.run(&["infra", "deploy", "shop", "--to-release", "1", "--yes", "--format", "json"]).json(0);
    assert_eq!(back["plan"]["steps"].as_array().unwrap().last().unwrap()["kind"], "provision.release");
    for name in ["web-1", "web-2"] {
        assert!(current(place, name).starts_with(&first[..12]));
        assert_eq!(served(place, name), "built one");
    }
    let again =
        place.run(&["infra", "deploy", "shop", "--to-release", "1", "--yes", "--format", "json"]).json(0);
    assert_eq!(again["outcome"], "nothing-to-do");
    // One server lost it.
    let name = current(place, "web-1");
    place.run(&["infra", "deploy", "shop", "--to-release", "2", "--yes"]);
    exec(place, "web-2", &["rm", "-r", &format!("/srv/app/releases/{name}")]);
    let refused = place.run(&["infra", "deploy", "shop", "--to-release", &name, "--yes"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.out.contains("web-2 keeps") && refused.out.contains("--only"), "{refused:?}");
    let only =
        ["infra", "deploy", "shop", "--to-release", &name, "--yes", "--only", "web-1", "--format", "json"];
    let narrowed = place.run(&only);
    assert!([0, 5].contains(&narrowed.code), "{narrowed:?}");
    assert!(
        current(place, "web-1").starts_with(&first[..12])
            && !current(place, "web-2").starts_with(&first[..12])
    );
}

/// The program is killed after the switch, before anybody knows whether the release is healthy. The next deploy finds
/// that out, and still knows the release that was good.
fn finished_after_a_death(place: &Place, first: &str) {
    let source = place.project().join("source");
    git(&source, &["checkout", "--quiet", first, "--", "."]);
    let good = commit(place, "page three\n");
    infra(place, "deploy").json(0);
    let bad = commit(place, "page broken again\n");
    let mut command = Command::new(crate::place::MUSTER);
    place.dress(&mut command);
    command.args(["infra", "deploy", "shop", "--yes"]).stdin(Stdio::null());
    let mut killed = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut left = 300;
    while releases(place)[0]["unfinished"].is_null() {
        left -= 1;
        assert!(left > 0 && matches!(killed.try_wait(), Ok(None)), "it never switched");
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let kept = releases(place);
    assert!(kept[0]["unfinished"].as_str().unwrap().starts_with(&bad[..12]), "{kept:?}");
    assert!(kept[0]["current"].as_str().unwrap().starts_with(&bad[..12]), "{kept:?}");
    let answer = infra(place, "deploy").json(1);
    let message = answer["run"]["message"].as_str().unwrap();
    assert!(message.contains(&format!("`current` is back at {}", &good[..12])), "{message}");
    assert!(releases(place)[0]["unfinished"].is_null());
    commit(place, "page four\n");
    infra(place, "deploy").json(0);
    for name in ["web-1", "web-2"] {
        assert_eq!(served(place, name), "built four");
    }
}
