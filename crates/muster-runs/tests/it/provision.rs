//! The inside of servers, with machines and Ansible in memory: what a playbook is given, and what nobody may see.

use std::collections::BTreeMap;

use bytes::Bytes;
use muster_model::Secret;
use muster_model::bundle::{Manifest, ManifestFile, sha256_hex};
use muster_model::id::PlanId;
use muster_model::policy::{Policy, Purpose};
use muster_model::run::{Run, RunState};
use muster_runs::{Engine, EngineError, Proposal};

use crate::process::*;

const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
stats: false
servers:
  web: { count: 2, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }
deploy:
  - playbook: playbooks/site.yml
    hosts: all
    vars: { password: \"pw-${secret:db}\", home: \"${env:PLACE}\", plain: \"a$${b}\" }
";
const SITE: &str = "
- hosts: all
  tasks:
    - debug: { msg: \"{{ password }} {{ home }} {{ plain }}\" }
";
pub const HIDDEN: [&str; 2] = ["correct-horse-battery", "/srv/secret-place"];

pub async fn deploy(engine: &Engine) -> Run {
    deploy_to(engine, 2).await
}

/// The same with so many servers.
pub async fn deploy_to(engine: &Engine, servers: usize) -> Run {
    let plan = submit(engine, &SHOP.replace("count: 2", &format!("count: {servers}")), SITE).await.unwrap();
    let view = engine.planned(plan).await.unwrap();
    assert!(view.plan.is_some(), "{:?}", view.message);
    let run = engine.approve(&me(), plan, None).await.unwrap();
    ended(engine, run).await
}

async fn submit(engine: &Engine, shop: &str, site: &str) -> Result<PlanId, EngineError> {
    let mut files = BTreeMap::new();
    for (path, text) in [("infra/shop.yaml", shop), ("playbooks/site.yml", site)] {
        let sha256 = sha256_hex(text.as_bytes());
        engine.put_blob(&sha256, Bytes::copy_from_slice(text.as_bytes())).await.unwrap();
        files.insert(path.to_owned(), ManifestFile { sha256, mode: 0o644, size: text.len() as u64 });
    }
    let proposal = Proposal {
        space: "default".into(),
        infrastructure: "shop".into(),
        bundle: Manifest { files },
        entry: Some("infra/shop.yaml".into()),
        vars: BTreeMap::new(),
        var_files: Vec::new(),
        env: BTreeMap::from([("PLACE".to_owned(), Secret::new(HIDDEN[1]))]),
        account: None,
        policy: Policy { purpose: Purpose::Deploy, ..Policy::default() },
        idempotency_key: None,
    };
    engine.submit(&me(), proposal).await
}

/// ICT-27: whoever asks, also past the command line, gets the problems of a playbook and no plan.
#[test]
fn a_playbook_that_cannot_work_makes_no_plan() {
    let stage = Stage::new(5);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        submit(&engine, SHOP, "- hosts: all\n  tasks: [{ debug: { msg: \"{{ pasword }}\" } }]\n").await
    });
    let Some(Err(EngineError::Document(problems))) = lived.result else { panic!("it has a plan") };
    assert_eq!(problems.items.len(), 1, "{problems}");
    assert_eq!(
        problems.items[0].one_line(),
        "playbooks/site.yml:2:31: error: the variable `pasword` is used here but defined nowhere \
         (did you mean `password`?)"
    );
}

/// ICT-48: the engine's part of a deploy, with machines and Ansible as stand-ins. Secrets are opened for the
/// playbook alone: neither the journal nor the database holds them.
#[test]
fn a_playbook_is_given_its_secrets_and_nobody_else() {
    let stage = Stage::new(5);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        engine.set_secret(&me(), &"default".into(), "db".into(), Secret::new(HIDDEN[0])).await.unwrap();
        let run = deploy(&engine).await;
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
        serde_json::to_string(&journal_of(&engine, run.id).await).unwrap()
    });
    let journal = lived.result.unwrap();
    let runs = stage.ansible.runs();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].extra_vars["password"], "pw-correct-horse-battery");
    assert_eq!(runs[0].extra_vars["home"], "/srv/secret-place");
    assert_eq!(runs[0].extra_vars["plain"], "a${b}");
    let hidden: Vec<&str> = runs[0].hidden.iter().map(Secret::expose).collect();
    for secret in HIDDEN {
        assert!(hidden.contains(&secret), "{secret} is to be hidden in what Ansible says");
        assert!(!journal.contains(secret));
    }
    let mut kept = 0;
    for file in std::fs::read_dir(stage.home()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            kept += bytes.len();
            for secret in HIDDEN {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds a secret in clear text", path.display());
            }
        }
    }
    assert!(kept > 10_000, "the database was looked at");
}

#[test]
fn a_missing_secret_stops_before_any_playbook() {
    let stage = Stage::new(5);
    let lived = stage.process(Cut::Never, async |engine: Engine| deploy(&engine).await);
    let run = lived.result.unwrap();
    assert_eq!(run.state, RunState::Failed);
    assert!(run.message.as_deref().unwrap().contains("muster secret set db"), "{:?}", run.message);
    assert!(stage.ansible.runs().is_empty());
}
