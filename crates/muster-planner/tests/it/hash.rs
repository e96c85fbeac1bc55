//! What moves a plan's hash, and what does not.

use jiff::SignedDuration;
use muster_model::id::Generation;
use muster_model::intent::IntentState;
use muster_planner::{BundleFacts, plan_infrastructure};

use crate::world::{Setting, intent, link, manifest, now, server};

fn setting() -> Setting {
    let mut setting = Setting::standing(&["web-1", "web-2", "db-1"]);
    setting.want_network("backend", &["web-1"]);
    setting.our_network("50", "backend", &["web-1"]);
    setting.our_network("51", "storage", &["web-1", "web-2"]);
    setting.file.servers.push(crate::world::wanted("web-3"));
    setting.at("web-2").size.cpu = 1;
    setting
}

/// Strangers, the order of lists, generations and times do not move it.
#[test]
fn does_not_move() {
    let before = setting();
    let hash = before.plan().hash;
    let mut after = before.clone();
    after.seen.world.servers.extend([server("7", "mail"), server("8", "web-1")]);
    after.seen.world.servers.reverse();
    after.seen.world.networks.reverse();
    after.seen.world.images.reverse();
    after.seen.world.locations.reverse();
    after.seen.owned.reverse();
    after.at("web-2").links.reverse();
    after.at("web-2").address = Some("198.18.9.9".into());
    after.seen.generation = Generation(99);
    let later = now() + SignedDuration::from_hours(3);
    let draft = plan_infrastructure(&after.file, &after.seen, &after.policy, &after.bundle, later);
    assert_eq!(draft.hash, hash);
}

/// A stranger that takes the name of a server to be made changes the decision, a going one does not.
#[test]
fn ids_of_strangers_do_not_move_it() {
    let before = setting();
    let mut after = before.clone();
    let mut going = server("7", "web-3");
    going.state = muster_model::server::ServerState::Deleting;
    after.seen.world.servers.push(going);
    assert_eq!(before.plan().hash, after.plan().hash);
}

/// The intent's run and time do not move it; that it settles one does.
#[test]
fn intents() {
    let mut one = Setting::new(&["web-1"]);
    one.seen.world.servers.push(server("7", "web-1"));
    let claimed = one.plan().hash;
    one.seen.intents.push(intent("web-1", &[], IntentState::Open));
    let mut two = one.clone();
    two.seen.intents[0].sent_at = now() - SignedDuration::from_secs(60);
    two.seen.intents[0].run.0 = uuid::Uuid::from_u128(9);
    assert_eq!(one.plan().hash, two.plan().hash);
    assert_ne!(one.plan().hash, claimed);
}

/// A named change of the setting.
type Change = (&'static str, fn(&mut Setting));

/// Everything that was read of ours, the policy, the bundle and the steps move it.
#[test]
fn moves() {
    let changes: [Change; 8] = [
        ("a size that is brought back", |setting| setting.at("web-2").size.cpu = 3),
        ("a size of one that stands", |setting| {
            setting.at("db-1").size.cpu = 4;
            setting.want("db-1").size.cpu = 4;
        }),
        ("power", |setting| setting.at("db-1").power_on = false),
        ("a link", |setting| setting.at("db-1").links.push(link("somewhere"))),
        ("the policy", |setting| setting.policy.allow_replace = true),
        ("the bundle", |setting| setting.bundle = BundleFacts::of(&manifest(&["other"]), "exporter-1")),
        ("another file", |setting| {
            setting.file.name = "bank".into();
            for record in &mut setting.seen.owned {
                record.infrastructure = "bank".into();
            }
        }),
        ("a step", |setting| setting.unwant("web-3")),
    ];
    let hash = setting().plan().hash;
    for (what, change) in changes {
        let mut changed = setting();
        change(&mut changed);
        assert_ne!(changed.plan().hash, hash, "{what}");
    }
}
