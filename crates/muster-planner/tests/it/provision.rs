//! The inside of servers.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use muster_model::infrastructure::{CodeEntry, DeployEntry, Hosts, PlaybookEntry};
use muster_model::ownership::Claim;
use muster_model::plan::{Action, PlaybookRef, ProvisionAction, Reason};
use muster_model::policy::Purpose;
use muster_model::server::Power;
use muster_planner::BundleFacts;

use crate::apply::apply;
use crate::world::{Setting, manifest, provisioned};

const EXPORTER: &str = "builtin:node_exporter";

fn deploying() -> Setting {
    let mut setting = Setting::standing(&["web-1", "web-2", "db-1"]);
    setting.policy.purpose = Purpose::Deploy;
    setting.file.deploy = vec![
        DeployEntry::Code(Box::new(CodeEntry::new(
            "./app",
            "/srv/app",
            Hosts::Groups(vec!["web".into()]),
            3,
        ))),
        DeployEntry::Playbook(PlaybookEntry {
            playbook: "playbooks/site.yml".into(),
            hosts: Hosts::All,
            repeatable: true,
            vars: BTreeMap::from([("port".into(), 80.into()), ("colour".into(), "red".into())]),
        }),
    ];
    setting
}

/// ICT-15: differences first, then the inventory, then the entries in the file's order.
#[test]
fn deploy_compares_first() {
    let mut setting = deploying();
    setting.at("web-1").power_on = false;
    setting.want("db-1").power = Power::Stopped;
    setting.policy.extra_vars.insert("colour".into(), "blue".into());
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    let Some(Action::Provision(ProvisionAction::Playbook { vars, .. })) =
        draft.steps.last().map(|step| &step.action)
    else {
        panic!("the playbook is last");
    };
    assert_eq!(vars["colour"], "blue");
    assert_eq!(vars["port"], 80);
}

/// Playbooks that an old file binds to single servers, each once for all its servers.
#[test]
fn playbooks_bound_to_servers() {
    let mut setting = deploying();
    setting.file.deploy.clear();
    for (name, playbook) in [("web-1", "playbooks/site.yml"), ("web-2", "playbooks/site.yml")] {
        setting.want(name).playbooks = vec![playbook.into()];
    }
    assert_snapshot!(setting.text());
}

/// A playbook or a directory that the bundle lacks refuses a deploy, and not an update.
#[test]
fn missing_files_refuse_a_deploy_only() {
    let mut setting = deploying();
    let files = manifest(&["application/index.html", "playbooks/sites.yml", "ap/x"]);
    setting.bundle = BundleFacts::of(&files, "exporter-1");
    let deploy = setting.text();
    setting.policy.purpose = Purpose::Update;
    assert!(setting.plan().is_empty() && setting.plan().refusals.is_empty());
    assert_snapshot!(deploy);
}

/// Installed once; a new version, and one that failed, again; stopped, skipped and claimed servers not.
#[test]
fn node_exporter_where_it_is_needed() {
    let mut setting = Setting::standing(&["web-1", "web-2", "web-3", "web-4", "web-5"]);
    let hosts = |setting: &Setting| -> Vec<String> {
        let draft = setting.plan();
        draft
            .steps
            .iter()
            .find_map(|step| match &step.action {
                Action::Provision(ProvisionAction::Playbook {
                    playbook: PlaybookRef::NodeExporter,
                    hosts,
                    ..
                }) => Some(hosts.iter().map(|host| host.name.to_string()).collect()),
                _ => None,
            })
            .unwrap_or_default()
    };
    assert!(setting.plan().is_empty());
    setting.recorded("web-1").provisioned.insert(EXPORTER.into(), provisioned("exporter-1", false));
    assert_eq!(setting.plan().steps.last().map(|step| step.reason.clone()), Some(Reason::FailedBefore));
    setting.recorded("web-2").provisioned.insert(EXPORTER.into(), provisioned("exporter-0", true));
    for name in ["web-3", "web-4", "web-5"] {
        setting.recorded(name).provisioned.clear();
    }
    setting.recorded("web-4").claim = Claim::Claimed;
    setting.want("web-5").power = Power::Stopped;
    setting.at("web-5").power_on = false;
    assert_eq!(hosts(&setting), ["web-1", "web-2", "web-3"]);
    let before = setting.clone();
    let draft = setting.plan();
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
    let mut skipped = before.clone();
    skipped.policy.skip_provision = true;
    assert!(skipped.plan().is_empty());
    let mut unmeasured = before;
    unmeasured.file.stats = false;
    assert!(unmeasured.plan().is_empty());
}

/// A Windows server has no inside for us.
#[test]
fn only_linux_is_provisioned() {
    let mut setting = Setting::new(&["web-1"]);
    setting.want("web-1").image = "WinServer2022".into();
    setting.want("web-1").size.disk_gb = 60;
    assert!(setting.plan().steps.iter().all(|step| !matches!(step.action, Action::Host(_))));
}

/// Nothing to deploy to: told, not silent.
#[test]
fn entries_without_hosts_are_told() {
    let mut setting = deploying();
    for name in ["web-1", "web-2", "db-1"] {
        setting.want(name).power = Power::Stopped;
        setting.at(name).power_on = false;
    }
    assert_snapshot!(setting.text());
}
