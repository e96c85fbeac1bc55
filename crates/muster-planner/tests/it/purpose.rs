//! Destroying, adopting, disowning, and narrowing.

use insta::assert_snapshot;
use muster_model::intent::IntentState;
use muster_model::ownership::Claim;
use muster_model::plan::WaitingReason;
use muster_model::policy::Purpose;

use crate::apply::apply;
use crate::world::{Setting, intent, server};

/// Taking a file down always needs the number; protected and claimed ones stay.
#[test]
fn destroy() {
    let mut setting = Setting::standing(&["web-1", "web-2", "web-3", "web-4"]);
    setting.want_network("backend", &["web-1"]);
    setting.our_network("50", "backend", &["web-1"]);
    setting.recorded("web-3").protect = true;
    setting.recorded("web-4").claim = Claim::Claimed;
    setting.seen.intents.push(intent("web-9", &[], IntentState::Open));
    setting.seen.world.servers.extend([server("9", "mail"), server("10", "web-9")]);
    setting.policy.purpose = Purpose::Destroy;
    let refusals = setting.plan().refusals;
    assert_eq!(refusals[0].code, "deletion-budget");
    assert!(refusals[0].message.contains("--allow-deletes 3"), "{}", refusals[0].message);
    setting.policy.allow_deletes = Some(3);
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
    let left: Vec<&str> = setting.seen.world.servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(left, ["web-3", "web-4", "mail"]);
}

/// Nothing to take down is nothing to refuse.
#[test]
fn destroying_nothing() {
    let mut setting = Setting::new(&["web-1"]);
    setting.policy.purpose = Purpose::Destroy;
    assert!(setting.plan().is_empty() && setting.plan().refusals.is_empty());
}

/// An adoption changes records only; afterwards the update brings the server to the file.
#[test]
fn adopt() {
    let mut setting = Setting::new(&["web-1", "web-2", "db-1"]);
    let mut differing = server("7", "web-1");
    differing.size.cpu = 1;
    differing.image = "Debian12x64".into();
    setting.seen.world.servers.push(differing);
    setting.ours("8", "web-2");
    setting.recorded("web-2").claim = Claim::Claimed;
    setting.policy.purpose = Purpose::Adopt;
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty());
    setting.policy.purpose = Purpose::Update;
    assert!(setting.plan().waiting.iter().any(|waiting| waiting.why == WaitingReason::NeedsReplaceConsent));
}

/// Adopting what is not there, or not in the file.
#[test]
fn adopt_nothing() {
    let mut setting = Setting::new(&["web-1"]);
    setting.policy.purpose = Purpose::Adopt;
    setting.policy.names.extend(["web-1".into(), "wep-1".into()]);
    assert_snapshot!(setting.text());
}

/// Giving up a protected server: the record goes, the server stays.
#[test]
fn disown() {
    let mut setting = Setting::standing(&["db-1", "web-1"]);
    setting.recorded("db-1").protect = true;
    setting.unwant("db-1");
    setting.policy.purpose = Purpose::Disown;
    let unnamed = setting.text();
    setting.policy.names.insert("db_1".into());
    let unknown = setting.text();
    setting.policy.names = ["db-*".into()].into();
    let draft = setting.plan();
    assert_snapshot!(format!("{unnamed}\n{unknown}\n{}", setting.text()));
    apply(&mut setting, &draft);
    assert_eq!(setting.seen.world.servers.len(), 2);
    setting.policy = muster_model::policy::Policy::default();
    assert!(setting.plan().is_empty());
}

/// `--only` narrows to names, groups and globs, and says in one line what it left out.
#[test]
fn only() {
    let mut setting = Setting::new(&["web-1", "web-2", "db-1", "db-2"]);
    setting.policy.skip_provision = true;
    setting.ours("7", "web-9");
    setting.ours("8", "db-9");
    for (only, made, gone) in [("web", 2, 1), ("web-1", 1, 0), ("*-2", 2, 0), ("db-?", 2, 1), ("db-9", 0, 1)]
    {
        setting.policy.only = [only.to_owned()].into();
        let summary = setting.plan().summary();
        assert_eq!((summary.create, summary.delete), (made, gone), "{only}");
    }
    setting.policy.only = ["web".into()].into();
    assert_snapshot!(setting.text());
}
