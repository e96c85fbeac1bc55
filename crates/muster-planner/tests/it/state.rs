//! What the provider's own states mean for a plan (ICT-10).

use insta::assert_snapshot;
use muster_model::plan::WaitingReason;
use muster_model::server::{Power, ServerState};

use crate::apply::apply;
use crate::world::{Setting, server};

/// ICT-10: states in which nothing can be done are explained, and nothing is tried.
#[test]
fn held_up_states_are_explained() {
    let mut setting = Setting::standing(&["web-1", "web-2", "web-3", "web-4"]);
    for (name, state) in [
        ("web-1", ServerState::Blocked),
        ("web-2", ServerState::NeedMoney),
        ("web-3", ServerState::Deleting),
        ("web-4", ServerState::Other("MigrationFromPool".into())),
    ] {
        setting.at(name).state = state;
        setting.at(name).power_on = false;
        setting.at(name).size.cpu = 1;
    }
    assert!(setting.plan().is_empty());
    assert_snapshot!(setting.text());
}

/// One of ours that is still being made (the engine died before it stood) is finished by this plan.
#[test]
fn ours_in_the_making_is_finished() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.want_network("backend", &["web-1"]);
    setting.our_network("50", "backend", &[]);
    setting.want("web-2").power = Power::Stopped;
    for name in ["web-1", "web-2"] {
        setting.at(name).state = ServerState::New;
        setting.at(name).power_on = false;
    }
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
}

/// Somebody else's, still being made, is waited for: nobody knows yet what it will be.
#[test]
fn a_stranger_in_the_making_is_left_alone() {
    let mut setting = Setting::new(&["web-1"]);
    let mut stranger = server("7", "web-1");
    stranger.state = ServerState::New;
    stranger.power_on = false;
    setting.seen.world.servers.push(stranger);
    let draft = setting.plan();
    assert!(draft.is_empty());
    assert_eq!(draft.waiting[0].why, WaitingReason::Unsettled);
}
