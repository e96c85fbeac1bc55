//! The way into a server: by key, by the provider's first password where no key does it, and what is said when
//! neither does.

use std::collections::BTreeMap;

use bytes::Bytes;
use muster_model::bundle::{Manifest, ManifestFile, sha256_hex};
use muster_model::policy::{Policy, Purpose};
use muster_model::run::{Run, RunState};
use muster_outside::host::ssh::SshError;
use muster_runs::{Engine, Proposal};

use crate::process::*;

/// A server whose inside is needed, and nothing else done there than looking for the delivered release.
const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
stats: false
servers:
  web: { count: 1, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }
deploy:
  - playbook: site.yml
    hosts: all
";
const SITE: &str = "- hosts: all\n  tasks: []\n";

async fn deploy(engine: &Engine) -> Run {
    let mut files = BTreeMap::new();
    for (path, text) in [("shop.yaml", SHOP), ("site.yml", SITE)] {
        let sha256 = sha256_hex(text.as_bytes());
        engine.put_blob(&sha256, Bytes::from_static(text.as_bytes())).await.unwrap();
        files.insert(path.to_owned(), ManifestFile { sha256, mode: 0o644, size: text.len() as u64 });
    }
    let proposal = Proposal {
        space: "default".into(),
        infrastructure: "shop".into(),
        bundle: Manifest { files },
        entry: Some("shop.yaml".into()),
        vars: BTreeMap::new(),
        var_files: Vec::new(),
        env: BTreeMap::new(),
        account: None,
        policy: Policy { purpose: Purpose::Deploy, ..Policy::default() },
        idempotency_key: None,
    };
    let plan = engine.submit(&me(), proposal).await.unwrap();
    engine.planned(plan).await.unwrap();
    let run = engine.approve(&me(), plan, None).await.unwrap();
    ended(engine, run).await
}

fn refuse(stage: &Stage, times: usize, tried: &'static str) {
    for _ in 0..times {
        stage.hosts.fail("web-1", move || SshError::Login {
            host: "web-1".into(),
            user: "root".into(),
            tried: tried.into(),
            offered: "publickey, password".into(),
        });
    }
}

fn asked(stage: &Stage) -> Vec<String> {
    stage.hosts.calls().into_iter().map(|call| call.what).collect()
}

fn deployed(stage: &Stage) -> Run {
    stage.process(Cut::Never, async |engine: Engine| deploy(&engine).await).result.unwrap()
}

/// `SEMANTICS.md` §9: the password serves the first login only; it puts the key there, and the key must then do.
#[test]
fn a_password_opens_once_where_no_key_does() {
    let stage = Stage::new(31);
    refuse(&stage, 1, "the key");
    let run = deployed(&stage);
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
    let calls = asked(&stage);
    assert_eq!(
        (calls[0].as_str(), calls[1].as_str(), calls[3].as_str()),
        ("wait", "wait", "wait"),
        "{calls:#?}"
    );
    assert!(calls[2].starts_with("exec sh -c") && calls[2].contains("add-keys"), "{calls:#?}");

    // It has been let in: a key that somebody took away is not put back behind his back.
    refuse(&stage, 1, "the key");
    let before = asked(&stage).len();
    let run = deployed(&stage);
    assert_eq!(run.state, RunState::Failed);
    let message = run.message.unwrap();
    assert!(message.contains("let Muster in before") && message.contains("ssh-ed25519 "), "{message}");
    assert_eq!(asked(&stage).len(), before + 1, "no password was tried");
}

#[test]
fn when_key_and_password_are_refused_the_next_step_is_told() {
    let stage = Stage::new(32);
    refuse(&stage, 6, "a password");
    let run = deployed(&stage);
    assert_eq!(run.state, RunState::Failed);
    let message = run.message.unwrap();
    for words in
        ["web-1: root was not let in", "does not fit either", "authorized_keys of root", "ssh-ed25519 "]
    {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert_eq!(message.matches("web-1").count(), 1, "{message}");
    assert_eq!(asked(&stage), ["wait"; 6], "three times each, as it may still be starting");
}
