//! Private networks.

use std::collections::{BTreeMap, BTreeSet};

use insta::assert_snapshot;
use muster_model::id::NetworkName;
use muster_model::infrastructure::{DeployEntry, Hosts, PlaybookEntry};
use muster_model::ownership::Claim;
use muster_model::plan::{Action, HostAction, Risk, WaitingReason, text};
use muster_model::policy::Purpose;
use muster_model::server::SeenLink;

use crate::apply::apply;
use crate::world::{Setting, link, network};

/// A same-named network that differs is left alone, nothing is linked to it, and existing links to it stay.
#[test]
fn a_differing_stranger_is_not_used() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.want_network("backend", &["web-1", "web-2"]);
    let mut seen = network("50", "backend");
    seen.dhcp = false;
    setting.seen.world.networks.push(seen);
    setting.at("web-1").links.push(link("50"));
    let draft = setting.plan();
    assert!(draft.is_empty());
    assert_snapshot!(setting.text());
}

/// A network cannot be changed: with consent it is made anew, if no server is linked to it.
#[test]
fn replaced_with_consent() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.want_network("backend", &["web-1", "web-2"]);
    setting.our_network("50", "backend", &[]);
    setting.seen.world.networks[0].dhcp = false;
    let waiting = setting.plan().waiting;
    assert_eq!(waiting[0].why, WaitingReason::NeedsReplaceConsent);
    setting.policy.allow_replace = true;
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty(), "{}", setting.text());
}

/// It is not made anew under a server that is linked to it, ours or not.
#[test]
fn not_replaced_in_use() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.want_network("backend", &["web-1"]);
    setting.our_network("50", "backend", &["web-1"]);
    setting.seen.world.networks[0].dhcp = false;
    setting.inside("web-1", "50");
    setting.policy.allow_replace = true;
    let draft = setting.plan();
    assert!(draft.is_empty());
    assert_eq!(draft.waiting[0].why, WaitingReason::InUse);
    assert_snapshot!(setting.text());
}

/// A network that vanished is made anew and its servers are linked to the new one.
#[test]
fn vanished_network_is_made_anew() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.want_network("backend", &["web-1"]);
    setting.our_network("50", "backend", &[]);
    setting.seen.world.networks.clear();
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
}

/// A narrowed plan still makes the network that its servers need.
#[test]
fn needed_networks_come_along() {
    let mut setting = Setting::new(&["web-1", "db-1"]);
    setting.want_network("backend", &["web-1"]);
    setting.want_network("storage", &["db-1"]);
    setting.policy.only.insert("web".into());
    setting.policy.skip_provision = true;
    assert_snapshot!(setting.text());
    assert!(setting.file.networks.contains_key(&NetworkName::from("storage")));
}

/// ICT-36: a link is configured inside the guest, then the servers of a network try to reach each other; afterwards
/// nothing is left to do.
#[test]
fn linked_servers_are_configured_and_reach_each_other() {
    let mut setting = Setting::standing(&["web-1", "web-2", "db-1"]);
    setting.want_network("backend", &["web-1", "web-2", "db-1"]);
    setting.our_network("50", "backend", &["db-1"]);
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty(), "{}", setting.text());
}

/// A network without DHCP is static inside; one that is only now made is configured once its links stand.
#[test]
fn a_new_network_without_dhcp() {
    let mut setting = Setting::new(&["web-1", "web-2"]);
    setting.want_network("backend", &["web-1", "web-2"]);
    setting.file.networks.get_mut(&NetworkName::from("backend")).unwrap().dhcp = false;
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty(), "{}", setting.text());
}

/// Another hardware address, and without DHCP another address, is another link: the guest is configured for it, and
/// tries again. An address that the network handed out is the network's business.
#[test]
fn a_link_that_changed_is_configured_anew() {
    let mac = |link: &mut SeenLink| link.mac = "00:50:56:00:00:77".into();
    let address = |link: &mut SeenLink| link.address = "10.20.0.77".into();
    let standing = |dhcp: bool| {
        let mut setting = Setting::standing(&["web-1", "web-2"]);
        setting.want_network("backend", &["web-1", "web-2"]);
        setting.file.networks.get_mut(&NetworkName::from("backend")).unwrap().dhcp = dhcp;
        setting.our_network("50", "backend", &["web-1", "web-2"]);
        setting.seen.world.networks[0].dhcp = dhcp;
        ["web-1", "web-2"].iter().for_each(|name| setting.inside(name, "50"));
        assert!(setting.plan().is_empty(), "{}", setting.text());
        setting
    };
    let mut handed_out = standing(true);
    handed_out.at("web-2").links.iter_mut().filter(|link| !link.public).for_each(address);
    assert!(handed_out.plan().is_empty(), "{}", handed_out.text());
    for (dhcp, change) in [(true, &mac as &dyn Fn(&mut SeenLink)), (false, &mac), (false, &address)] {
        let mut changed = standing(dhcp);
        changed.at("web-2").links.iter_mut().filter(|link| !link.public).for_each(change);
        let draft = changed.plan();
        let done: Vec<String> = draft.steps.iter().map(|step| text::describe(&step.action)).collect();
        let way = if dhcp { "DHCP" } else { "static" };
        assert_eq!(
            done,
            [
                "reach server web-2 over SSH".to_owned(),
                format!("configure network backend on web-2 ({way})"),
                "check network backend from web-2".to_owned()
            ]
        );
        apply(&mut changed, &draft);
        assert!(changed.plan().is_empty());
    }
}

/// A server that is alone in its network has nobody to reach; the second one makes both try.
#[test]
fn the_second_server_makes_both_try() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.want_network("backend", &["web-1"]);
    setting.our_network("50", "backend", &[]);
    let draft = setting.plan();
    assert!(!setting.text().contains("check network"), "{}", setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
    setting.want("web-2").networks.insert(NetworkName::from("backend"));
    assert!(setting.text().contains("check network backend from web-1, web-2"), "{}", setting.text());
}

/// What was configured goes before its link, where the inside may be touched and the server runs.
#[test]
fn an_unlink_takes_the_configuration_away_first() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.want_network("backend", &["web-1", "web-2"]);
    setting.our_network("50", "backend", &["web-1", "web-2"]);
    setting.want("web-2").networks.clear();
    let words = |setting: &Setting| -> Vec<String> {
        setting.plan().steps.iter().map(|step| text::describe(&step.action)).collect()
    };
    let unlink = "unlink server web-2 from network backend";
    assert_eq!(words(&setting), ["remove the configuration of network backend on web-2", unlink]);
    let mut skipped = setting.clone();
    skipped.policy.skip_provision = true;
    assert_eq!(words(&skipped), [unlink]);
    let mut by_hand = setting.clone();
    by_hand.recorded("web-2").provisioned.remove("builtin:interface:50");
    assert_eq!(words(&by_hand), [unlink], "what Muster did not configure it does not take away");
    let draft = setting.plan();
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
}

/// The inside of a claimed server, and of every server with `--skip-provision`, is left alone.
#[test]
fn the_inside_is_left_alone() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.want_network("backend", &["web-1", "web-2"]);
    setting.our_network("50", "backend", &["web-1", "web-2"]);
    for name in ["web-1", "web-2"] {
        setting.recorded(name).provisioned.retain(|key, _| key == "builtin:node_exporter");
    }
    let mut skipped = setting.clone();
    skipped.policy.skip_provision = true;
    assert!(skipped.plan().is_empty());
    let mut claimed = setting.clone();
    claimed.recorded("web-1").claim = Claim::Claimed;
    let text = claimed.text();
    assert!(
        !text.contains("on web-1") && text.contains("configure network backend on web-2 (DHCP)"),
        "{text}"
    );
    assert!(!text.contains("check network"), "{text}");
    // A check that failed before is what is left when everything is configured.
    setting.inside("web-1", "50");
    setting.inside("web-2", "50");
    setting.recorded("web-2").provisioned.remove("builtin:reached:50");
    assert_eq!(setting.plan().steps.len(), 1);
    assert!(setting.text().contains("check network backend from web-2"), "{}", setting.text());
}

/// ICT-36: the speeds of the public link and of links to networks; where the file says nothing nothing is done.
#[test]
fn speeds_are_set_and_brought_back() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.want_network("backend", &["web-1", "web-2"]);
    setting.our_network("50", "backend", &["web-1"]);
    setting.inside("web-1", "50");
    setting.policy.skip_provision = true;
    setting.want("web-1").bandwidth_mbit = Some(100);
    setting.file.networks.get_mut(&NetworkName::from("backend")).unwrap().bandwidth_mbit = Some(50);
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty(), "{}", setting.text());
    setting.at("web-1").links.iter_mut().for_each(|link| link.bandwidth_mbit = Some(20));
    let draft = setting.plan();
    assert_eq!(draft.steps.len(), 2, "{}", setting.text());
    // A provider that does not show speeds leaves nothing to compare.
    let mut untold = setting.clone();
    untold.at("web-1").links.iter_mut().for_each(|link| link.bandwidth_mbit = None);
    assert!(untold.plan().is_empty(), "{}", untold.text());
}

/// A check that fails ends its run, so nothing waits for one and it waits for everything: not even a deployment of the
/// same plan is kept back by servers that do not reach each other.
#[test]
fn a_check_keeps_nothing_back() {
    let mut setting = Setting::new(&["web-1", "web-2"]);
    setting.want_network("backend", &["web-1", "web-2"]);
    setting.policy.purpose = Purpose::Deploy;
    setting.file.deploy = vec![DeployEntry::Playbook(PlaybookEntry {
        playbook: "playbooks/site.yml".into(),
        hosts: Hosts::All,
        repeatable: true,
        vars: BTreeMap::new(),
    })];
    let steps = setting.plan().steps;
    let check = steps.last().unwrap();
    assert!(text::describe(&check.action).starts_with("check network backend"), "{}", setting.text());
    let mut before = BTreeSet::from([check.number]);
    for step in steps.iter().rev().filter(|step| step.number != check.number) {
        assert!(!step.after.contains(&check.number), "{}", setting.text());
        let waited =
            steps.iter().any(|later| before.contains(&later.number) && later.after.contains(&step.number));
        assert!(waited, "the check waits for step {}: {}", step.number, setting.text());
        before.insert(step.number);
    }
}

/// To configure an interface of a running server may interrupt what runs there; on a new one nothing runs yet.
#[test]
fn configuring_a_running_server_may_interrupt() {
    let risks = |setting: &Setting| -> Vec<Risk> {
        let steps = setting.plan().steps.into_iter();
        let configured = steps.filter(|step| matches!(step.action, Action::Host(HostAction::Configure(_))));
        configured.map(|step| step.risk).collect()
    };
    let mut running = Setting::standing(&["web-1"]);
    running.want_network("backend", &["web-1"]);
    running.our_network("50", "backend", &[]);
    assert_eq!(risks(&running), [Risk::Interrupts]);
    let mut new = Setting::new(&["web-1"]);
    new.want_network("backend", &["web-1"]);
    assert_eq!(risks(&new), [Risk::None]);
}
