//! What the file has and the account lacks.

use insta::assert_snapshot;
use muster_model::server::Power;

use crate::apply::apply;
use crate::world::Setting;

/// ICT-12, ICT-61, ICT-62: missing servers are made, each named, with its numbers; then measured.
#[test]
fn missing_servers_are_made() {
    let mut setting = Setting::new(&["web-1", "web-2", "db-1"]);
    setting.want_network("backend", &["web-1", "db-1"]);
    setting.want("db-1").power = Power::Stopped;
    setting.want("web-2").keys = vec!["ssh-ed25519 AAAAC3ann ann@home".into()];
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty(), "{}", setting.text());
}

/// ICT-09: too few of one entry; only the missing number is made.
#[test]
fn too_few_servers() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.file.servers.push(crate::world::wanted("web-3"));
    assert_snapshot!(setting.text());
}

/// The account's login key is brought to the provider before the first server is made with it, and not otherwise.
#[test]
fn login_key_is_ensured_for_creations_only() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.seen.world.keys.clear();
    assert!(setting.plan().is_empty());
    setting.file.servers.push(crate::world::wanted("web-2"));
    assert_snapshot!(setting.text());
}

/// ICT-63: a public title works as well as the technical word; the request says the technical word.
#[test]
fn location_by_title_and_image_by_any_name() {
    let mut setting = Setting::new(&["web-1", "web-2", "web-3"]);
    setting.want("web-1").location = "xelent".into();
    setting.want("web-2").image = "debian12X64".into();
    setting.want("web-3").image = "id:11".into();
    setting.policy.skip_provision = true;
    assert_snapshot!(setting.text());
}

/// `--skip-provision` leaves the inside alone.
#[test]
fn inside_is_left_alone_when_asked() {
    let mut setting = Setting::new(&["web-1"]);
    setting.policy.skip_provision = true;
    assert_snapshot!(setting.text());
}
