//! What only a new server would set.

use insta::assert_snapshot;
use muster_model::ownership::Claim;

use crate::apply::apply;
use crate::world::Setting;

fn moved() -> Setting {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.want("web-1").image = "Debian 12".into();
    setting.want("web-1").size.cpu = 4;
    setting.want("web-2").location = "DsMsk".into();
    setting
}

/// ICT-11: image and location are compared; without consent they wait, and the rest is changed in place.
#[test]
fn waits_for_consent() {
    assert_snapshot!(moved().text());
}

/// With consent the old one goes first, and the deletion budget counts both.
#[test]
fn replaced_with_consent() {
    let mut setting = moved();
    setting.policy.allow_replace = true;
    assert_eq!(setting.plan().refusals[0].code, "deletion-budget");
    setting.policy.allow_deletes = Some(2);
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty(), "{}", setting.text());
}

/// Consent does not reach what was only claimed, nor what the file protects.
#[test]
fn claimed_and_protected_are_not_replaced() {
    let mut setting = moved();
    setting.policy.allow_replace = true;
    setting.recorded("web-1").claim = Claim::Claimed;
    setting.recorded("web-2").protect = true;
    setting.want("web-2").protect = true;
    assert_snapshot!(setting.text());
}

/// A drifted meaning of the same words is a note; the server keeps what it was made with.
#[test]
fn changed_meaning_is_a_note() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.seen.world.images[0].technical = "Ubuntu22.04.5x64".into();
    let draft = setting.plan();
    assert!(draft.is_empty());
    assert_snapshot!(setting.text());
}

/// Other words for the image that a server has change the record only.
#[test]
fn other_words_for_the_same_image() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.want("web-1").image = "ubuntu22.04x64".into();
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
}

/// A server that was rebuilt by hand with another image differs, although the file's words did not change.
#[test]
fn rebuilt_by_hand() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.at("web-1").image = "Debian12x64".into();
    assert_snapshot!(setting.text());
}

/// A smaller disk is fine for a server that is made anew anyway.
#[test]
fn a_replacement_may_have_a_smaller_disk() {
    let mut setting = moved();
    setting.unwant("web-2");
    setting.at("web-1").size.disk_gb = 80;
    setting.policy.allow_replace = true;
    setting.policy.allow_deletes = Some(2);
    assert!(setting.plan().refusals.is_empty(), "{}", setting.text());
}
