//! Whose is what (`SEMANTICS.md` §3).

use insta::assert_snapshot;
use muster_model::ownership::{Claim, ObjectKind};
use muster_model::plan::{Action, RecordAction, WaitingReason};

use crate::apply::apply;
use crate::world::{Setting, network, record, server};

/// With the database lost, the file's own servers are found again, and nothing at the provider changes, now or
/// at the next update.
#[test]
fn a_lost_database_changes_nothing() {
    let mut setting = Setting::standing(&["web-1", "web-2", "db-1"]);
    setting.want_network("backend", &["web-1"]);
    setting.our_network("50", "backend", &["web-1"]);
    setting.seen.owned.clear();
    setting.seen.login_key = Some("ssh-ed25519 AAAAC3another muster".into());
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    assert!(draft.steps.iter().all(|step| matches!(step.action, Action::Record(_))));
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty(), "{}", setting.text());
}

/// A renamed server is found again too: at the provider it still bears its old name.
#[test]
fn a_lost_database_finds_renamed_servers() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.want("web-1").name = "www-1".into();
    setting.file.servers[0].was = vec!["web-1".into()];
    setting.seen.owned.clear();
    let draft = setting.plan();
    assert_eq!(draft.steps.len(), 1);
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
}

/// ICT-13, ICT-65: strangers are told of and never touched, whatever they are called.
#[test]
fn strangers_are_left_alone() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.file.servers.push(crate::world::wanted("web-2"));
    let mut differing = server("7", "web-2");
    differing.size.cpu = 8;
    setting.seen.world.servers.extend([differing, server("8", "mail"), server("9", "web-1")]);
    setting.seen.world.networks.push(network("60", "office"));
    let draft = setting.plan();
    assert!(draft.is_empty());
    assert_eq!(draft.waiting[0].why, WaitingReason::Unclaimed);
    assert_snapshot!(setting.text());
}

/// `--adopt` brings them under the file, and then to what it says.
#[test]
fn adopted_strangers_are_changed() {
    let mut setting = Setting::new(&["web-1"]);
    let mut differing = server("7", "web-1");
    differing.size.cpu = 8;
    setting.seen.world.servers.push(differing);
    setting.policy.adopt = true;
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
}

/// ICT-13: what is ours and left the file is deleted; protected and merely claimed ones stay and are told of.
#[test]
fn surplus_goes_unless_protected_or_claimed() {
    let mut setting = Setting::standing(&["web-1", "web-2", "web-3", "web-4", "web-5"]);
    setting.recorded("web-3").protect = true;
    setting.recorded("web-4").claim = Claim::Claimed;
    for name in ["web-2", "web-3", "web-4"] {
        setting.unwant(name);
    }
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
}

/// Ours, and gone at the provider: made anew, and the old record dropped first.
#[test]
fn vanished_servers_are_made_anew() {
    let mut setting = Setting::standing(&["web-1", "web-2"]);
    setting.unwant("web-2");
    setting.seen.world.servers.clear();
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
}

/// A new name with `was:` changes our record and nothing else; protection is recorded too.
#[test]
fn renamed_without_replacing() {
    let mut setting = Setting::standing(&["web-1", "db-1"]);
    setting.want("web-1").name = "www-1".into();
    setting.file.servers[0].was = vec!["web-1".into()];
    setting.want("db-1").protect = true;
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
}

/// An earlier name that another server of the file bears now is that server's.
#[test]
fn an_earlier_name_in_use_is_not_taken() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.file.servers.push(crate::world::wanted("web-2"));
    setting.want("web-2").was = vec!["web-1".into()];
    let draft = setting.plan();
    assert_eq!(draft.summary().create, 1);
    assert_eq!(draft.summary().record, 0);
}

/// A name at the account belongs to one file.
#[test]
fn a_name_of_another_file_is_refused() {
    let mut setting = Setting::new(&["web-1"]);
    setting.ours("7", "web-1");
    setting.recorded("web-1").infrastructure = "bank".into();
    let draft = setting.plan();
    assert_eq!(draft.refusals[0].code, "name-of-another-file");
    assert_snapshot!(setting.text());
}

/// Two of one name: nobody guesses.
#[test]
fn two_of_one_name_are_refused() {
    let mut strangers = Setting::new(&["web-1"]);
    strangers.seen.world.servers.extend([server("8", "web-1"), server("7", "web-1")]);
    let mut ours = Setting::new(&["web-1"]);
    ours.ours("8", "web-1");
    ours.ours("7", "web-1");
    assert_snapshot!(format!("{}\n{}", strangers.text(), ours.text()));
}

/// A name changed in the panel: it stays ours, and is told of.
#[test]
fn a_name_changed_by_hand_is_told() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.at("web-1").name = "web-one".into();
    let draft = setting.plan();
    assert!(draft.is_empty());
    assert_snapshot!(setting.text());
}

/// Records of another account say nothing about this one.
#[test]
fn records_of_another_account_are_not_ours() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.recorded("web-1").account.project = "2".into();
    let draft = setting.plan();
    assert!(matches!(
        &draft.steps[0].action,
        Action::Record(RecordAction::Own { claim: Claim::Claimed, .. })
    ));
}

/// The budget: one, or ten per cent of what the file owned before.
#[test]
fn deletion_budget() {
    let names: Vec<String> = (1..=30).map(|number| format!("web-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut setting = Setting::standing(&names);
    setting.file.servers.truncate(27);
    assert!(setting.plan().refusals.is_empty());
    setting.file.servers.truncate(26);
    let refusals = setting.plan().refusals;
    assert_eq!(refusals[0].code, "deletion-budget");
    assert_eq!(
        refusals[0].message,
        "The plan deletes 4 servers (replacements count), and 3 are allowed: the file owns 30. To consent, name the number: `muster infra update shop --allow-deletes 4`."
    );
    setting.policy.allow_deletes = Some(4);
    assert!(setting.plan().refusals.is_empty());
}

/// A network that has left the file goes after its servers are unlinked; one that strangers use stays.
#[test]
fn surplus_networks() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.our_network("50", "backend", &["web-1"]);
    setting.our_network("51", "shared", &[]);
    setting.seen.world.servers.push(server("9", "mail"));
    setting.at("mail").links.push(crate::world::link("51"));
    setting.seen.owned.push(record(ObjectKind::Network, "52", "gone", Claim::Created));
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
}

/// Two servers cannot both have been the same one.
#[test]
fn one_earlier_name_of_two_servers_is_refused() {
    let mut setting = Setting::new(&["www-1", "www-2"]);
    setting.ours("7", "web-1");
    for name in ["www-1", "www-2"] {
        setting.want(name).was = vec!["web-1".into()];
    }
    assert_eq!(setting.plan().refusals[0].code, "duplicate-was");
}

/// A narrowed plan does not take a renamed server, which it leaves out, for surplus.
#[test]
fn a_renamed_server_left_out_is_not_surplus() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.want("web-1").groups.clear();
    setting.file.servers[0].name = "www-1".into();
    setting.file.servers[0].key = "www".into();
    setting.file.servers[0].was = vec!["web-1".into()];
    setting.policy.only = ["web".to_owned()].into();
    assert!(setting.plan().is_empty(), "{}", setting.text());
}

/// A new server does not get the name that a renamed one still bears at the provider.
#[test]
fn a_name_still_borne_is_refused() {
    let mut setting = Setting::standing(&["www-1"]);
    setting.at("www-1").name = "web-1".into();
    setting.recorded("www-1").provider_name = "web-1".into();
    setting.file.servers.push(crate::world::wanted("web-1"));
    let draft = setting.plan();
    assert_eq!(draft.refusals[0].code, "name-still-borne");
    assert!(draft.is_empty());
    // Once the renamed one has left the file, the name is free: the old one goes, the new one comes.
    setting.unwant("www-1");
    let draft = setting.plan();
    assert!(draft.refusals.is_empty());
    assert_eq!((draft.summary().create, draft.summary().delete), (1, 1));
}
