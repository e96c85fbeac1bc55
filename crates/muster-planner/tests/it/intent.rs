//! Creates whose answer was lost (`SEMANTICS.md` §4).

use insta::assert_snapshot;
use jiff::SignedDuration;
use muster_model::intent::IntentState;
use muster_model::plan::{Action, NoteKind, RecordAction};
use muster_model::server::ServerState;
use muster_planner::CLOCK_SKEW_MS;

use crate::apply::apply;
use crate::world::{Setting, intent, now, server};

/// What the lost create made is settled first and then finished as ours; nothing is made twice.
#[test]
fn one_new_object_is_settled() {
    let mut setting = Setting::new(&["web-1"]);
    setting.want_network("backend", &["web-1"]);
    setting.seen.intents.push(intent("web-1", &["3"], IntentState::Open));
    let mut made = server("7", "web-1");
    made.state = ServerState::New;
    made.power_on = false;
    setting.seen.world.servers.extend([server("3", "web-1"), made]);
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    apply(&mut setting, &draft);
    assert!(setting.plan().is_empty(), "{}", setting.text());
}

/// Nothing to be seen yet: the create stays in the plan, and its own look waits the settle time out.
#[test]
fn nothing_visible_keeps_the_create() {
    let mut setting = Setting::new(&["web-1"]);
    setting.seen.intents.push(intent("web-1", &[], IntentState::Open));
    assert_eq!(setting.plan().summary().create, 1);
}

/// A named change of the setting.
type Change = (&'static str, fn(&mut Setting));

/// Known before, too old, or not fitting: a stranger, not what we made.
#[test]
fn others_are_not_settled() {
    let skew = SignedDuration::from_millis(CLOCK_SKEW_MS);
    let cases: [Change; 3] = [
        ("known before", |setting| setting.seen.intents[0].known_ids = vec!["7".into()]),
        ("does not fit", |setting| setting.at("web-1").size.cpu = 8),
        ("too old", |setting| {
            let skew = SignedDuration::from_millis(CLOCK_SKEW_MS + 1);
            setting.at("web-1").created_at = Some(now() - skew);
        }),
    ];
    for (what, change) in cases {
        let mut setting = Setting::new(&["web-1"]);
        setting.seen.intents.push(intent("web-1", &[], IntentState::Open));
        setting.seen.world.servers.push(server("7", "web-1"));
        change(&mut setting);
        let settles = setting.plan().steps.iter().any(
            |step| matches!(&step.action, Action::Record(RecordAction::Own { settles, .. }) if settles.is_some()),
        );
        assert!(!settles, "{what}");
    }
    // On the edge of the allowed clock skew it is ours.
    let mut setting = Setting::new(&["web-1"]);
    setting.seen.intents.push(intent("web-1", &[], IntentState::Open));
    setting.seen.world.servers.push(server("7", "web-1"));
    setting.at("web-1").created_at = Some(now() - skew);
    assert!(setting.text().contains("an earlier create whose answer was lost made it"));
}

/// Several: refused, with their ids.
#[test]
fn several_are_refused() {
    let mut setting = Setting::new(&["web-1"]);
    setting.seen.intents.push(intent("web-1", &[], IntentState::Open));
    setting.seen.world.servers.extend([server("8", "web-1"), server("7", "web-1")]);
    let draft = setting.plan();
    assert_eq!(draft.refusals[0].code, "two-of-one-name");
    assert!(draft.refusals[0].message.contains("7, 8"), "{}", draft.refusals[0].message);
}

/// A create that was given up and still made something: told with both ids, never deleted.
#[test]
fn a_late_duplicate_is_told() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.seen.intents.push(intent("web-1", &[], IntentState::GivenUp));
    setting.seen.world.servers.push(server("777", "web-1"));
    let draft = setting.plan();
    assert!(draft.is_empty());
    assert!(draft.notes.iter().any(|note| note.kind == NoteKind::LateDuplicate));
    assert_snapshot!(setting.text());
    // Also when the server leaves the file: ours goes, the late one stays.
    setting.unwant("web-1");
    let draft = setting.plan();
    let deleted: Vec<_> = draft.steps.iter().filter(|step| step.action.deletes()).collect();
    assert_eq!(deleted.len(), 1);
    apply(&mut setting, &draft);
    assert_eq!(setting.seen.world.servers[0].id.as_str(), "777");
}

/// A name that nobody wants any more: told in every plan while invisible, taken over and deleted once it shows.
#[test]
fn an_unwanted_intent_is_not_forgotten() {
    let mut setting = Setting::new(&[]);
    setting.seen.intents.push(intent("web-4", &[], IntentState::Open));
    let invisible = setting.text();
    setting.seen.world.servers.push(server("7", "web-4"));
    let draft = setting.plan();
    assert_snapshot!(format!("{invisible}\n{}", setting.text()));
    apply(&mut setting, &draft);
    assert!(setting.seen.world.servers.is_empty());
    assert!(setting.plan().is_empty() && setting.plan().notes.is_empty());
}

/// One that was given up is never deleted unasked, whether or not the file wants the name; wanted, it is ours.
#[test]
fn a_given_up_create_that_shows_late() {
    let mut setting = Setting::new(&[]);
    setting.seen.intents.push(intent("web-4", &[], IntentState::GivenUp));
    setting.seen.world.servers.push(server("7", "web-4"));
    let draft = setting.plan();
    assert!(draft.is_empty());
    assert_eq!(draft.notes[0].kind, NoteKind::LateDuplicate);
    setting.file.servers.push(crate::world::wanted("web-4"));
    let draft = setting.plan();
    assert_eq!(draft.steps[0].reason, muster_model::plan::Reason::SettlesIntent);
    assert_eq!(draft.summary().create, 0);
}

/// Another file's lost create keeps its name.
#[test]
fn an_intent_of_another_file_keeps_its_name() {
    let mut setting = Setting::new(&["web-1"]);
    setting.seen.intents.push(intent("web-1", &[], IntentState::Open));
    setting.seen.intents[0].infrastructure = "bank".into();
    assert_eq!(setting.plan().refusals[0].code, "name-of-another-file");
}
