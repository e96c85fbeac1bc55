//! ICT-36: names in DNS that lead to servers of the file, kept in step with them.

use insta::assert_snapshot;
use muster_model::account::Provider;
use muster_model::dns::{PublicAddresses, SeenRecord, SeenZone, ServerRecord, WantedName, zone_of};
use muster_model::id::{ProviderId, RunId};
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::object::record::RecordType;
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::plan::{Action, DnsAction, ObjectRef, WaitingReason};
use muster_model::policy::Purpose;

use crate::apply::apply as carry_out;
use crate::world::{Setting, account, now, record};

const ADDRESS: &str = "198.18.0.1";

/// Carries out what a plan does about names.
pub fn apply(
    setting: &mut Setting,
    action: &DnsAction,
    resolve: impl Fn(&ObjectRef) -> ProviderId,
    id: &mut impl FnMut() -> ProviderId,
) {
    match action {
        DnsAction::Delete(delete) => {
            let (kind, of) = (ObjectKind::Record, &delete.id);
            let ours = setting.seen.record_of(kind, of).is_some_and(|record| record.claim.may_delete());
            assert!(ours || delete.settles.is_some(), "{of} may be deleted");
            for zone in &mut setting.seen.zones {
                zone.records.retain(|seen| seen.id != delete.id);
            }
            setting.seen.owned.retain(|record| record.kind != kind || record.id != *of);
            if let Some(settled) = &delete.settles {
                setting.seen.intents.retain(|intent| intent != &**settled);
            }
        }
        DnsAction::Point(point) => {
            let server = resolve(&point.server);
            let seen = setting.seen.world.servers.iter().find(|seen| seen.id == server).expect("the server");
            let addresses = PublicAddresses::of(seen);
            for kind in [RecordType::A, RecordType::Aaaa] {
                let Some(value) = addresses.value(kind) else { continue };
                let known = point.ours.iter().find(|ours| ours.kind == kind && ours.value.is_some());
                let known = known.map(|known| known.id.clone());
                let id = known.unwrap_or_else(&mut *id);
                let zone = setting.seen.zones.iter_mut().find(|zone| zone.id == point.zone).expect("a zone");
                zone.records.retain(|seen| seen.id != id);
                let twin = zone.records.iter().any(|seen| seen.name == point.record && seen.value == value);
                assert!(!twin, "the provider refuses a second record that says the same");
                let (name, ttl) = (point.record.clone(), point.ttl.or(Some(3600)));
                zone.records.push(SeenRecord { id: id.clone(), name, kind, value, ttl });
                let gone = point.ours.iter().filter(|ours| ours.kind == kind).map(|ours| ours.id.clone());
                let gone: Vec<ProviderId> = gone.collect();
                setting.seen.owned.retain(|record| !gone.contains(&record.id) && record.id != id);
                let own = owned(id.as_str(), point.name.as_str(), &point.record, kind, Claim::Created);
                setting.seen.owned.push(own);
            }
        }
    }
}

fn of(server: &str, name: &str, kind: RecordType) -> ServerRecord {
    let zone_name = if name.ends_with("dev.example.com") { "dev.example.com" } else { "example.com" };
    ServerRecord {
        server: server.into(),
        zone: zone_name.into(),
        zone_name: zone_name.into(),
        name: name.into(),
        kind,
    }
}

fn owned(id: &str, server: &str, name: &str, kind: RecordType, claim: Claim) -> Ownership {
    let dns = of(server, name, kind);
    let plain = record(ObjectKind::Record, id, dns.owned_as().as_str(), claim);
    Ownership { provider_name: name.into(), dns: Some(Box::new(dns)), ..plain }
}

fn says(id: &str, name: &str, kind: RecordType, value: &str) -> SeenRecord {
    SeenRecord { id: id.into(), name: name.into(), kind, value: value.into(), ttl: Some(3600) }
}

/// The account holds two domains, one of them within the other.
fn with_zones(mut setting: Setting) -> Setting {
    let zone = |name: &str| SeenZone { id: name.into(), name: name.into(), records: Vec::new() };
    setting.seen.zones = vec![zone("example.com"), zone("dev.example.com")];
    setting
}

fn put(setting: &mut Setting, seen: SeenRecord) {
    let at = zone_of(&seen.name, &setting.seen.zones).map(|zone| zone.id.clone()).expect("a zone");
    let zone = setting.seen.zones.iter_mut().find(|zone| zone.id == at).expect("a zone");
    zone.records.push(seen);
}

fn name_it(setting: &mut Setting, server: &str, name: &str, ttl: Option<u32>) {
    setting.want(server).dns.push(WantedName { name: name.into(), ttl });
}

/// `web-1` stands, and `www.example.com` leads to it by a record of ours.
fn in_step() -> Setting {
    let mut setting = with_zones(Setting::standing(&["web-1"]));
    name_it(&mut setting, "web-1", "www.example.com", None);
    put(&mut setting, says("7", "www.example.com", RecordType::A, ADDRESS));
    setting.seen.owned.push(owned("7", "web-1", "www.example.com", RecordType::A, Claim::Created));
    setting
}

fn silent(setting: &Setting) {
    assert!(setting.plan().is_empty(), "{}", setting.text());
}

/// A new server, one that stands, and a name in the inner domain; afterwards there is nothing to do.
#[test]
fn names_are_made() {
    let mut setting = with_zones(Setting::standing(&["web-1"]));
    setting.file.servers.push(crate::world::wanted("web-2"));
    name_it(&mut setting, "web-1", "www.example.com", Some(300));
    name_it(&mut setting, "web-1", "web-1.dev.example.com", None);
    name_it(&mut setting, "web-2", "www.example.com", Some(300));
    assert_snapshot!(setting.text());
    let draft = setting.plan();
    let zone = |step: &muster_model::plan::Step| match &step.action {
        Action::Dns(DnsAction::Point(point)) => Some((point.record.clone(), point.zone_name.clone())),
        _ => None,
    };
    let zones: Vec<_> = draft.steps.iter().filter_map(zone).collect();
    assert!(zones.contains(&("web-1.dev.example.com".into(), "dev.example.com".into())), "{zones:?}");
    carry_out(&mut setting, &draft);
    silent(&setting);
    assert_eq!(setting.seen.zones[0].records.len(), 2, "one name, two servers");
}

#[test]
fn what_is_in_step_stays() {
    silent(&in_step());
}

/// Changed and deleted in the panel: both are brought back.
#[test]
fn drift_is_brought_back() {
    let mut setting = in_step();
    setting.seen.zones[0].records[0].value = "203.0.113.9".into();
    assert_snapshot!("changed_in_the_panel", setting.text());
    let draft = setting.plan();
    carry_out(&mut setting, &draft);
    silent(&setting);
    setting.seen.zones[0].records.clear();
    assert_snapshot!("deleted_in_the_panel", setting.text());
    let draft = setting.plan();
    carry_out(&mut setting, &draft);
    silent(&setting);
    setting.want("web-1").dns[0].ttl = Some(60);
    assert_snapshot!("another_time_to_live", setting.text());
}

/// A server that is made anew has another address: its record is changed, not made twice.
#[test]
fn a_replaced_server_keeps_its_name() {
    let mut setting = in_step();
    setting.want("web-1").image = "Debian 12".into();
    setting.policy.allow_replace = true;
    assert_snapshot!(setting.text());
    let draft = setting.plan();
    carry_out(&mut setting, &draft);
    setting.recorded("web-1").provisioned =
        [("builtin:node_exporter".to_owned(), crate::world::provisioned("exporter-1", true))].into();
    silent(&setting);
    let records = &setting.seen.zones[0].records;
    assert_eq!((records.len(), records[0].id.as_str()), (1, "7"));
    assert_ne!(records[0].value, ADDRESS);
}

/// The record goes before its server, and with the name alone.
#[test]
fn what_leaves_the_file_goes() {
    let mut setting = in_step();
    setting.want("web-1").dns.clear();
    assert_snapshot!("the_name_left", setting.text());
    let draft = setting.plan();
    let mut after = setting.clone();
    carry_out(&mut after, &draft);
    silent(&after);
    setting.unwant("web-1");
    assert_snapshot!("the_server_left", setting.text());
    let draft = setting.plan();
    let step = |deletes: fn(&Action) -> bool| {
        draft.steps.iter().find(|step| deletes(&step.action)).expect("a deletion")
    };
    let of_record = step(|action| matches!(action, Action::Dns(DnsAction::Delete(_))));
    let of_server = step(|action| matches!(action, Action::Server(_)));
    assert!(of_server.after.contains(&of_record.number));
    assert_eq!(of_server.target, of_record.target, "both are in one lane");
    carry_out(&mut setting, &draft);
    silent(&setting);
}

/// A server that stays although it left the file keeps its names.
#[test]
fn a_protected_server_keeps_its_name() {
    let mut setting = in_step();
    setting.recorded("web-1").protect = true;
    setting.unwant("web-1");
    let draft = setting.plan();
    assert!(draft.is_empty());
    assert_eq!(draft.waiting[0].why, WaitingReason::Protected);
}

/// Records that are not ours stay and are told; one that says the same is claimed, and never deleted.
#[test]
fn strangers_stay_and_twins_are_claimed() {
    let mut setting = in_step();
    setting.seen.owned.retain(|record| record.kind != ObjectKind::Record);
    put(&mut setting, says("9", "www.example.com", RecordType::A, "203.0.113.9"));
    put(&mut setting, says("10", "other.example.com", RecordType::A, "203.0.113.9"));
    assert_snapshot!(setting.text());
    let draft = setting.plan();
    carry_out(&mut setting, &draft);
    silent(&setting);
    setting.want("web-1").dns.clear();
    let draft = setting.plan();
    assert!(draft.is_empty());
    assert_eq!(draft.waiting[0].why, WaitingReason::ClaimForbids);
    setting.policy.adopt = true;
    assert_eq!(setting.plan().steps.len(), 1, "{}", setting.text());
}

/// `infra adopt` by the name takes the one record that stands there; the next update changes it. `infra disown` gives
/// it up again, by the server's name.
#[test]
fn adopted_and_disowned() {
    let mut setting = with_zones(Setting::standing(&["web-1"]));
    name_it(&mut setting, "web-1", "www.example.com", None);
    put(&mut setting, says("9", "www.example.com", RecordType::A, "203.0.113.9"));
    setting.policy.purpose = Purpose::Adopt;
    setting.policy.names = ["www.example.com".to_owned()].into();
    let draft = setting.plan();
    assert_eq!(draft.steps.len(), 1, "{}", setting.text());
    carry_out(&mut setting, &draft);
    setting.policy = Default::default();
    let draft = setting.plan();
    carry_out(&mut setting, &draft);
    assert_eq!(setting.seen.zones[0].records, [says("9", "www.example.com", RecordType::A, ADDRESS)]);
    silent(&setting);
    setting.policy.purpose = Purpose::Disown;
    setting.policy.names = ["web-1".to_owned()].into();
    assert_snapshot!(setting.text());
    let draft = setting.plan();
    carry_out(&mut setting, &draft);
    assert_eq!(setting.seen.owned, []);
    assert_eq!(setting.seen.zones[0].records.len(), 1, "given up, untouched");
}

/// No domain, and another name in the way: refused, with what is there.
#[test]
fn names_that_cannot_be_kept_are_refused() {
    let mut setting = in_step();
    name_it(&mut setting, "web-1", "www.example.net", None);
    name_it(&mut setting, "web-1", "shop.example.com", None);
    put(&mut setting, says("11", "shop.example.com", RecordType::Cname, "www.example.com"));
    assert_snapshot!(setting.text());
    let codes: Vec<_> = setting.plan().refusals.into_iter().map(|refusal| refusal.code).collect();
    assert_eq!(codes, ["cname-in-the-way", "no-zone"]);
    // Another file's record says the same of the same name.
    let mut setting = in_step();
    let of = setting.seen.owned.iter_mut().find(|record| record.kind == ObjectKind::Record).unwrap();
    of.infrastructure = "blog".into();
    assert_eq!(setting.plan().refusals[0].code, "record-of-another-file");
    // Machines of this computer have no names at all.
    let mut setting = in_step();
    setting.seen.world.account.provider = Provider::Local;
    let draft = setting.plan();
    assert!(draft.refusals.iter().any(|refusal| refusal.code == "no-dns"), "{}", setting.text());
    assert!(draft.steps.iter().all(|step| !matches!(step.action, Action::Dns(_))));
}

/// A renamed server keeps its record: only ours about it changes.
#[test]
fn a_renamed_server_keeps_its_record() {
    let mut setting = in_step();
    let wanted = setting.want("web-1");
    wanted.name = "front-1".into();
    wanted.was = vec!["web-1".into()];
    let draft = setting.plan();
    assert!(draft.steps.iter().all(|step| matches!(step.action, Action::Record(_))), "{}", setting.text());
    carry_out(&mut setting, &draft);
    silent(&setting);
    setting.want("front-1").was.clear();
    silent(&setting);
}

/// A create whose answer was lost: what it made is ours, or goes where nothing wants it any more.
#[test]
fn a_lost_create_is_settled() {
    let mut setting = in_step();
    setting.seen.owned.retain(|record| record.kind != ObjectKind::Record);
    let dns = of("web-1", "www.example.com", RecordType::A);
    setting.seen.intents.push(CreationIntent {
        account: account(),
        infrastructure: "shop".into(),
        name: dns.created_as(ADDRESS),
        wanted: Created::Record { record: Box::new(dns), value: ADDRESS.into() },
        known_ids: Vec::new(),
        sent_at: now(),
        run: RunId(uuid::Uuid::nil()),
        state: IntentState::Open,
    });
    let mut unwanted = setting.clone();
    assert_snapshot!("settled", setting.text());
    let draft = setting.plan();
    carry_out(&mut setting, &draft);
    silent(&setting);
    unwanted.want("web-1").dns.clear();
    assert_snapshot!("settled_and_deleted", unwanted.text());
    let draft = unwanted.plan();
    carry_out(&mut unwanted, &draft);
    silent(&unwanted);
    assert_eq!(unwanted.seen.zones[0].records, []);
}

/// Both addresses of a server are told; one that goes takes its record along.
#[test]
fn an_ipv6_address_has_a_record_of_its_own() {
    let mut setting = in_step();
    let mut link = setting.at("web-1").links[0].clone();
    link.address = "2001:DB8::0:7".into();
    setting.at("web-1").links.push(link);
    assert_snapshot!(setting.text());
    put(&mut setting, says("8", "www.example.com", RecordType::Aaaa, "2001:db8::7"));
    setting.seen.owned.push(owned("8", "web-1", "www.example.com", RecordType::Aaaa, Claim::Created));
    silent(&setting);
    setting.at("web-1").links.pop();
    let draft = setting.plan();
    assert!(matches!(draft.steps[0].action, Action::Dns(DnsAction::Delete(_))), "{}", setting.text());
}

/// Taking the file down takes its names down, and a server without an address has none.
#[test]
fn taken_down_and_without_an_address() {
    let mut setting = in_step();
    setting.policy.purpose = Purpose::Destroy;
    setting.policy.allow_deletes = Some(1);
    let draft = setting.plan();
    assert_eq!(draft.steps.len(), 2, "{}", setting.text());
    carry_out(&mut setting, &draft);
    assert_eq!((setting.seen.owned, &setting.seen.zones[0].records), (Vec::new(), &Vec::new()));
    let mut setting = in_step();
    setting.at("web-1").address = None;
    setting.at("web-1").links.clear();
    let draft = setting.plan();
    assert!(draft.is_empty(), "{}", setting.text());
    assert_eq!(draft.waiting[0].why, WaitingReason::Unsettled);
}

/// `--only` leaves other servers' records alone, and an address that moved makes a plan stale.
#[test]
fn what_is_left_out_stays() {
    let mut setting = in_step();
    setting.ours("200", "db-1");
    setting.file.servers.push(crate::world::wanted("db-1"));
    setting.want("web-1").dns.clear();
    setting.policy.only = ["db-1".to_owned()].into();
    silent(&setting);
    let mut setting = in_step();
    let before = setting.plan().hash;
    setting.at("web-1").address = Some("198.18.0.77".into());
    assert_ne!(setting.plan().hash, before);
}
