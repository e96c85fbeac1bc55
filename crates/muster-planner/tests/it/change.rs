//! What differs and can be changed where it stands.

use insta::assert_snapshot;
use muster_model::server::{Performance, Power};

use crate::apply::apply;
use crate::world::{Setting, link, network};

/// ICT-05, ICT-06: as the file says already, so nothing is done.
#[test]
fn nothing_to_do() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.want_network("backend", &["web-1"]);
    setting.our_network("50", "backend", &["web-1"]);
    let draft = setting.plan();
    assert!(
        draft.is_empty() && draft.waiting.is_empty() && draft.refusals.is_empty() && draft.notes.is_empty()
    );
    assert_snapshot!(setting.text());
}

/// ICT-07, ICT-08, ICT-11, ICT-14: every field that was changed by hand is reported, old and new, and brought back.
#[test]
fn drift_is_brought_back() {
    let mut setting = Setting::standing(&["web-1", "web-2", "web-3"]);
    setting.want_network("backend", &["web-2"]);
    setting.our_network("50", "backend", &[]);
    setting.seen.world.networks.push(network("51", "office"));
    let one = setting.at("web-1");
    one.size.cpu = 1;
    one.size.ram_mb = 512;
    one.size.disk_gb = 30;
    one.size.disk_type = "SAS".into();
    one.size.performance = Performance::High;
    one.power_on = false;
    setting.at("web-2").links.push(link("51"));
    setting.at("web-3").power_on = false;
    setting.want("web-3").size.cpu = 4;
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty(), "{}", setting.text());
}

/// ICT-10: on and off are compared both ways.
#[test]
fn power_both_ways() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.at("web-1").power_on = false;
    setting.want("web-2").power = Power::Stopped;
    assert_snapshot!(setting.text());
}

/// A key that the file gained reaches the server over SSH, once.
#[test]
fn new_key_is_brought_over_ssh() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.want("web-1").keys = vec!["ssh-ed25519 AAAAC3ann ann@home".into()];
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
}

/// The shared public network is nobody's to unlink, and a network of no list neither.
#[test]
fn only_private_networks_are_unlinked() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.at("web-1").links.push(link("public-of-the-customer"));
    assert!(setting.plan().is_empty());
}
