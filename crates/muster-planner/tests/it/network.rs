//! Private networks.

use insta::assert_snapshot;
use muster_model::id::NetworkName;
use muster_model::plan::WaitingReason;

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
