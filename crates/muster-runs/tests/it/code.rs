//! Code from the engine's side, with machines and builds in memory: builds first, everywhere prepared before anything
//! is switched, and back again where a release does not get healthy. What the machines do is tested in `muster-outside`.

use std::collections::BTreeMap;

use bytes::Bytes;
use muster_model::Secret;
use muster_model::bundle::{Manifest, ManifestFile, sha256_hex};
use muster_model::code::ReleaseWish;
use muster_model::policy::{Policy, Purpose};
use muster_model::run::{Entry, EntryKind, Run, RunState};
use muster_outside::build::BuildError;
use muster_runs::{Engine, Proposal};
use muster_store::output::LineFilter;

use crate::process::*;

pub const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
stats: false
servers:
  web: { count: 3, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }
deploy:
  - code:
      from: ./app
      to: /srv/app
      build: [make, dist]
      shared: { directories: [uploads] }
      health: { command: [bin/check], http: 'http://127.0.0.1:8080/up', within: 3s }
      restart: [systemctl, restart, app]
    hosts: all
";

pub struct Done {
    run: Run,
    entries: Vec<Entry>,
    output: Vec<String>,
}

impl Done {
    /// What was said of this host at the end.
    fn told(&self, host: &str) -> (&str, &str) {
        let tasks = self.entries.iter().rev().find_map(|entry| match &entry.kind {
            EntryKind::Task { host: of, outcome, message, .. } if of == host => {
                Some((outcome.as_str(), message.as_str()))
            }
            _ => None,
        });
        tasks.unwrap_or(("", ""))
    }

    fn message(&self) -> &str {
        self.run.message.as_deref().unwrap_or_default()
    }
}

pub async fn proposed(engine: &Engine, text: &str, to_release: Option<&str>) -> Proposal {
    let mut files = BTreeMap::new();
    for (path, content) in [("infra/shop.yaml", text), ("app/index.html", "hello")] {
        let sha256 = sha256_hex(content.as_bytes());
        engine.put_blob(&sha256, Bytes::copy_from_slice(content.as_bytes())).await.unwrap();
        files.insert(path.to_owned(), ManifestFile { sha256, mode: 0o644, size: content.len() as u64 });
    }
    let to_release = to_release.map(|text| ReleaseWish::read(text).unwrap());
    Proposal {
        space: "default".into(),
        infrastructure: "shop".into(),
        bundle: Manifest { files },
        entry: Some("infra/shop.yaml".into()),
        vars: BTreeMap::new(),
        var_files: Vec::new(),
        env: BTreeMap::new(),
        account: None,
        policy: Policy { purpose: Purpose::Deploy, to_release, ..Policy::default() },
        idempotency_key: None,
    }
}

pub async fn deploy(engine: &Engine, to_release: Option<&str>) -> Result<Done, String> {
    let proposal = proposed(engine, SHOP, to_release).await;
    let plan = engine.submit(&me(), proposal).await.unwrap();
    let view = engine.planned(plan).await.unwrap();
    let Some(planned) = &view.plan else { return Err(view.message.clone().unwrap_or_default()) };
    if let Some(refusal) = planned.draft.refusals.first() {
        return Err(refusal.message.clone());
    }
    let run = engine.approve(&me(), plan, None).await.unwrap();
    let run = ended(engine, run).await;
    let entries = journal_of(engine, run.id).await;
    let output =
        engine.reads().output(run.id, &BTreeMap::new(), &LineFilter::default(), 1_000).await.unwrap();
    let output = output.lines.into_iter().map(|line| line.record.text).collect();
    Ok(Done { run, entries, output })
}

/// What was asked of a host, by the names of our scripts.
fn asked(stage: &Stage, host: &str) -> Vec<String> {
    let word = |what: &str| {
        let scripts = ["look", "unpack", "switch", "back", "settle", "run"];
        let script = scripts.iter().find(|script| what.contains(&format!("muster-{script} ")));
        match (script, what.split_once(' ')) {
            (Some(&"run"), _) if what.contains("bin/check") => Some("check".to_owned()),
            (Some(&"run"), _) => Some("restart".to_owned()),
            (Some(script), _) => Some((*script).to_owned()),
            (None, Some(("http_get", _))) => Some("http".to_owned()),
            (None, _) => None,
        }
    };
    let calls = stage.hosts.calls();
    calls.iter().filter(|call| call.host == host).filter_map(|call| word(&call.what)).collect()
}

/// ICT-02: built first, prepared and checked everywhere, then one server, then the others.
#[test]
fn a_release_goes_to_one_server_first() {
    let stage = Stage::new(5);
    stage.builder.answer("compiling\n", Ok(BTreeMap::new()));
    for host in ["web-1", "web-2", "web-3"] {
        stage.hosts.page(host, 8080, "/up", "up");
    }
    let lived = stage.process(Cut::Never, async |engine: Engine| deploy(&engine, None).await);
    let done = lived.result.unwrap().unwrap();
    assert_eq!(done.run.state, RunState::Succeeded, "{:?}", done.run.message);
    let builds = stage.builder.runs();
    assert_eq!((builds.len(), builds[0].command.join(" ").as_str()), (1, "make dist"));
    assert!(builds[0].files.contains_key("index.html") && builds[0].environment.contains_key("RELEASE"));
    assert_eq!(done.output.iter().filter(|line| *line == "compiling").count(), 1, "{:?}", done.output);
    for host in ["web-1", "web-2", "web-3"] {
        assert_eq!(asked(&stage, host), ["look", "unpack", "check", "switch", "restart", "http", "settle"]);
        assert_eq!(done.told(host).0, "changed");
    }
    let calls = stage.hosts.calls();
    let first = |host: &str, part: &str| {
        calls.iter().position(|call| call.host == host && call.what.contains(part)).unwrap()
    };
    let last = |host: &str| calls.iter().rposition(|call| call.host == host).unwrap();
    for host in ["web-2", "web-3"] {
        assert!(
            first(host, "muster-unpack ") < first("web-1", "muster-switch "),
            "prepared everywhere before"
        );
        assert!(last("web-1") < first(host, "muster-switch "), "the first one is healthy before the others");
    }
}

/// What a build's environment says in confidence is opened for the build and stands in no plan.
#[test]
fn the_environment_of_a_build_is_in_no_plan() {
    let text = SHOP.replace(
        "build: [make, dist]",
        "build: { command: [make, dist], env: { TOKEN: 't-${env:TOKEN}', KEY: '${secret:ci-key}', KIND: 'a$${b}' } }",
    );
    let stage = Stage::new(5);
    for host in ["web-1", "web-2", "web-3"] {
        stage.hosts.page(host, 8080, "/up", "up");
    }
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let (key, value) = ("ci-key".into(), Secret::new("hunter3hunter3"));
        engine.set_secret(&me(), &"default".into(), key, value).await.unwrap();
        let mut proposal = proposed(&engine, &text, None).await;
        proposal.env.insert("TOKEN".into(), Secret::new("hunter2hunter2"));
        let plan = engine.submit(&me(), proposal).await.unwrap();
        let view = engine.planned(plan).await.unwrap();
        let stored = format!("{:?}", view.plan.as_ref().map(|plan| &plan.draft));
        let run = engine.approve(&me(), plan, None).await.unwrap();
        (ended(&engine, run).await, stored)
    });
    let (run, stored) = lived.result.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
    assert!(stored.contains("${env:TOKEN}") && !stored.contains("hunter"), "{stored}");
    let build = stage.builder.runs().remove(0);
    let value = |name: &str| build.environment[name].clone();
    assert_eq!(
        [value("TOKEN"), value("KEY"), value("KIND")],
        ["t-hunter2hunter2", "hunter3hunter3", "a${b}"]
    );
    let mut hidden: Vec<&str> = build.hidden.iter().map(Secret::expose).collect();
    hidden.sort_unstable();
    assert_eq!(hidden, ["hunter2hunter2", "hunter3hunter3"]);
}

/// ICT-02: a build that fails stops before any server is made or touched.
#[test]
fn a_failed_build_touches_nothing() {
    let stage = Stage::new(5);
    let command = "make dist".to_owned();
    let last = vec!["no rule".to_owned()];
    stage.builder.answer("", Err(BuildError::Failed { command, end: "exit status 2".into(), last }));
    let lived = stage.process(Cut::Never, async |engine: Engine| deploy(&engine, None).await);
    let done = lived.result.unwrap().unwrap();
    assert_eq!(done.run.state, RunState::Failed);
    assert!(
        done.message().contains("no server was touched") && done.message().contains("no rule"),
        "{}",
        done.message()
    );
    assert!(stage.hosts.calls().is_empty() && stage.picture().is_empty(), "{:?}", stage.hosts.calls());
}

/// ICT-02: a release that is no good before the switch is switched to nowhere.
#[test]
fn an_unhealthy_release_is_found_before_the_switch() {
    let stage = Stage::new(5);
    stage.hosts.answer("web-2", "bin/check", 1, "", "no database\n");
    let lived = stage.process(Cut::Never, async |engine: Engine| deploy(&engine, None).await);
    let done = lived.result.unwrap().unwrap();
    assert_eq!(done.run.state, RunState::Failed);
    for words in ["web-2", "`bin/check` ended with exit status 1", "no server was switched"] {
        assert!(done.message().contains(words), "{}", done.message());
    }
    for host in ["web-1", "web-2", "web-3"] {
        assert!(!asked(&stage, host).contains(&"switch".to_owned()), "{host}");
    }
    assert!(done.output.iter().any(|line| line == "no database"), "{:?}", done.output);
}

/// What a machine with two releases says.
fn standing(stage: &Stage, host: &str, more: &str) {
    let said =
        format!("current aaaa\n{more}release bbbb 1700000000\nnumber 2\nrelease aaaa 1600000000\nnumber 1\n");
    stage.hosts.answer(host, "muster-look ", 0, &said, "");
}

/// ICT-02: one that does not get healthy after the switch is left again; who was switched before stays, and is named.
#[test]
fn an_unhealthy_release_is_left_again() {
    let stage = Stage::new(5);
    for host in ["web-1", "web-2", "web-3"] {
        standing(&stage, host, "");
    }
    stage.hosts.page("web-1", 8080, "/up", "up");
    stage.hosts.page("web-3", 8080, "/up", "up");
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let done = deploy(&engine, None).await.unwrap();
        let files = engine.reads().infrastructures(&"default".into()).await.unwrap();
        let record = files[0].records.iter().find(|record| record.name.as_str() == "web-2").unwrap().clone();
        (done, record)
    });
    let (done, record) = lived.result.unwrap();
    assert_eq!(done.run.state, RunState::Failed);
    for words in [
        "web-2",
        "http://127.0.0.1:8080/up",
        "`current` is back at aaaa; the restart command ran again",
        "left so: web-1, web-3",
        "gone back: web-2",
    ] {
        assert!(done.message().contains(words), "{words}: {}", done.message());
    }
    assert_eq!(done.told("web-1").0, "changed");
    assert_eq!(done.told("web-2").0, "failed");
    let asked = asked(&stage, "web-2");
    let end: Vec<&str> = asked.iter().rev().take(3).rev().map(String::as_str).collect();
    assert_eq!(end, ["back", "restart", "settle"], "{asked:?}");
    assert!(!record.provisioned["code:/srv/app"].succeeded);
}

/// If the first server does not get healthy, no other one is tried.
#[test]
fn the_first_server_stops_the_others() {
    let stage = Stage::new(5);
    standing(&stage, "web-1", "");
    stage.hosts.answer("web-1", "systemctl", 5, "", "");
    let lived = stage.process(Cut::Never, async |engine: Engine| deploy(&engine, None).await);
    let done = lived.result.unwrap().unwrap();
    for words in [
        "`systemctl restart app` ended with exit status 5",
        "failed: `systemctl",
        "no other server was switched",
    ] {
        assert!(done.message().contains(words), "{words}: {}", done.message());
    }
    assert!(!asked(&stage, "web-2").contains(&"switch".to_owned()));
}

/// ICT-02: a switch whose process died is gone on with, also where `current` has moved already.
#[test]
fn an_unfinished_switch_is_gone_on_with() {
    let stage = Stage::new(5);
    for host in ["web-1", "web-2", "web-3"] {
        stage.hosts.page(host, 8080, "/up", "up");
        standing(&stage, host, if host == "web-2" { "unfinished aaaa bbbb\n" } else { "" });
    }
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        // Once to have servers.
        deploy(&engine, None).await.unwrap();
        let before = stage.hosts.calls().len();
        (deploy(&engine, Some("aaaa")).await.unwrap(), before)
    });
    let (done, before) = lived.result.unwrap();
    assert_eq!(done.run.state, RunState::Succeeded, "{:?}", done.run.message);
    let calls = stage.hosts.calls();
    let switched: Vec<&str> = calls[before..]
        .iter()
        .filter(|call| call.what.contains("muster-switch "))
        .map(|call| call.host.as_str())
        .collect();
    assert_eq!(switched, ["web-2"], "the others stand on it already");
}

/// ICT-02: back to a release by its number; one that some server lacks is refused with what there is.
#[test]
fn back_to_an_earlier_release() {
    let stage = Stage::new(5);
    let release =
        "current bbbb\nrelease bbbb 1700000000\nnumber 2\nrelease aaaa 1600000000\nnumber 1\nrevision 0123\n";
    for host in ["web-1", "web-2", "web-3"] {
        stage.hosts.page(host, 8080, "/up", "up");
        stage.hosts.answer(host, "muster-look ", 0, release, "");
    }
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        deploy(&engine, None).await.unwrap();
        let builds = stage.builder.runs().len();
        let back = deploy(&engine, Some("1")).await.unwrap();
        let kept = engine.releases(&me(), &"default".into(), &"shop".into()).await.unwrap();
        stage.hosts.answer(
            "web-3",
            "muster-look ",
            0,
            "current bbbb\nrelease bbbb 1700000000\nnumber 2\n",
            "",
        );
        let lacking = deploy(&engine, Some("1")).await.map(|done| done.run.state);
        let unknown = deploy(&engine, Some("7")).await.map(|done| done.run.state);
        (back, kept, lacking.unwrap_err(), unknown.unwrap_err(), builds)
    });
    let (back, kept, lacking, unknown, builds) = lived.result.unwrap();
    assert_eq!(back.run.state, RunState::Succeeded, "{:?}", back.run.message);
    assert_eq!(stage.builder.runs().len(), builds, "nothing is built for it");
    let calls = stage.hosts.calls();
    let switches: Vec<&str> = calls
        .iter()
        .filter(|call| {
            call.what.contains("muster-switch ")
                && call.what.contains(" aaaa 1 ")
                && call.what.ends_with(" bbbb")
        })
        .map(|call| call.host.as_str())
        .collect();
    assert_eq!(switches.len(), 3, "with the number and the revision that it had");
    assert_eq!(kept.len(), 3);
    assert_eq!((kept[0].to.as_str(), kept[0].current.as_deref()), ("/srv/app", Some("bbbb")));
    assert_eq!(kept[0].releases[1].revision.as_deref(), Some("0123"));
    assert!(lacking.contains("web-3 keeps 2 bbbb (current)"), "{lacking}");
    assert!(unknown.contains("No server keeps a release 7"), "{unknown}");
}
