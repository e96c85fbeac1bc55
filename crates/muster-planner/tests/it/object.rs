//! Plans about objects of an account, without a file.

use muster_model::account::{AccountIdentity, Provider};
use muster_model::object::record::{RecordData, RecordSet, RecordType};
use muster_model::object::{FieldValue, Fields, ObjectClass, ObjectWish, SeenObject};
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::plan::text::{describe, symbol};
use muster_model::plan::{Action, PlanDraft, Risk};
use muster_planner::{SeenObjects, plan_objects};

use crate::world::server;

fn account() -> AccountIdentity {
    AccountIdentity { provider: Provider::Onecloud, customer: "1".into(), project: "2".into() }
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(word, value)| ((*word).to_owned(), FieldValue::from(*value))).collect()
}

pub fn object(class: ObjectClass, id: &str, name: &str, pairs: &[(&str, &str)]) -> SeenObject {
    SeenObject {
        class,
        id: id.into(),
        name: name.into(),
        state: "Active".into(),
        of: (class == ObjectClass::Record).then(|| "7".into()),
        fields: fields(pairs),
    }
}

pub fn record(id: &str, name: &str, kind: &str, value: &str) -> SeenObject {
    object(ObjectClass::Record, id, name, &[("type", kind), ("value", value)])
}

pub fn seen(objects: Vec<SeenObject>) -> SeenObjects {
    SeenObjects {
        objects,
        locations: vec![muster_model::cloud::SeenLocation {
            technical: "SdnSpb".into(),
            title: "Xelent".into(),
            short: "SPB".into(),
            base_pool: true,
            high_pool: true,
            backup: true,
        }],
        ..SeenObjects::default()
    }
}

fn owned(kind: ObjectKind, id: &str, name: &str, provider_name: &str) -> Ownership {
    Ownership {
        account: account(),
        kind,
        id: id.into(),
        infrastructure: "shop".into(),
        name: name.into(),
        provider_name: provider_name.into(),
        claim: Claim::Created,
        image_words: String::new(),
        image: String::new(),
        protect: false,
        since: jiff::Timestamp::UNIX_EPOCH,
        host_key: None,
        provisioned: Default::default(),
        dns: None,
    }
}

pub fn plan(seen: &SeenObjects, wishes: &[ObjectWish]) -> PlanDraft {
    plan_objects(&"onecloud".into(), &account(), seen, wishes)
}

pub fn lines(draft: &PlanDraft) -> Vec<String> {
    let steps = draft.steps.iter().map(|step| format!("{} {}", symbol(step), describe(&step.action)));
    let refusals = draft.refusals.iter().map(|refusal| format!("! {}: {}", refusal.code, refusal.message));
    steps.chain(refusals).collect()
}

pub fn network(name: &str) -> ObjectWish {
    ObjectWish::Present {
        class: ObjectClass::Network,
        name: name.into(),
        fields: fields(&[("location", "Xelent")]),
    }
}

pub fn absent(class: ObjectClass, name: &str) -> ObjectWish {
    ObjectWish::Absent { class, name: name.into() }
}

#[test]
fn what_is_there_is_left_alone_and_what_is_another_thing_is_refused() {
    let empty = plan(&seen(Vec::new()), &[network("back")]);
    assert_eq!(lines(&empty), ["+ create network back"]);
    let Action::Object(muster_model::plan::ObjectAction::Create { draft, .. }) = &empty.steps[0].action
    else {
        panic!("{:?}", empty.steps)
    };
    assert_eq!(draft.fields["location"].to_string(), "SdnSpb", "the technical word goes out");

    let same = object(ObjectClass::Network, "5", "back", &[("location", "SdnSpb"), ("dhcp", "yes")]);
    let mut same_flag = same.clone();
    same_flag.fields.insert("dhcp".into(), FieldValue::Flag(true));
    assert!(lines(&plan(&seen(vec![same_flag]), &[network("back")])).is_empty());
    let other = object(ObjectClass::Network, "5", "back", &[("location", "DsMsk"), ("dhcp", "yes")]);
    let said = lines(&plan(&seen(vec![other]), &[network("back")]));
    assert!(said[0].contains("location is DsMsk, not SdnSpb"), "{said:?}");
    let two = vec![same.clone(), SeenObject { id: "6".into(), ..same }];
    let said = lines(&plan(&seen(two.clone()), &[absent(ObjectClass::Network, "back")]));
    assert!(said[0].contains("name one by its id: 5, 6"), "{said:?}");
    assert_eq!(lines(&plan(&seen(two), &[absent(ObjectClass::Network, "6")])), ["- delete network back (6)"]);
}

/// ICT-36: records that a file keeps in step are not changed by hand, nor does their domain go.
#[test]
fn records_of_a_file_are_not_touched_by_hand() {
    let mut seen = seen(vec![
        object(ObjectClass::Zone, "3", "example.com", &[]),
        SeenObject {
            of: Some("3".into()),
            ..object(ObjectClass::Record, "8", "www", &[("type", "A"), ("value", "198.18.0.1")])
        },
    ]);
    let dns = muster_model::dns::ServerRecord {
        server: "web-1".into(),
        zone: "3".into(),
        zone_name: "example.com".into(),
        name: "www.example.com".into(),
        kind: RecordType::A,
    };
    let plain = crate::world::record(ObjectKind::Record, "8", dns.owned_as().as_str(), Claim::Created);
    seen.owned.push(Ownership {
        account: account(),
        provider_name: dns.name.clone(),
        dns: Some(Box::new(dns)),
        ..plain
    });
    let records = |remove: bool, value: &str| {
        ObjectWish::Records(RecordSet {
            zone: "example.com".into(),
            name: "www".into(),
            kind: RecordType::A,
            records: vec![RecordData { value: value.into(), ttl: Some(60), ..RecordData::default() }],
            keep_others: false,
            remove,
        })
    };
    for wish in [
        records(true, "198.18.0.1"),
        records(false, "198.18.0.1"),
        records(false, "203.0.113.9"),
        absent(ObjectClass::Zone, "example.com"),
    ] {
        let draft = plan(&seen, &[wish]);
        assert!(draft.steps.iter().all(|step| !step.action.deletes()), "{:?}", draft.steps);
        let said: Vec<_> = draft.refusals.iter().map(|refusal| refusal.message.as_str()).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains("belongs to the file shop") && said[0].contains("www.example.com"),
            "{said:?}"
        );
    }
}

/// ICT-06: nothing that is done by hand contradicts a file.
#[test]
fn what_a_file_owns_is_not_touched_by_hand() {
    let mut seen = seen(vec![object(ObjectClass::Network, "5", "back", &[])]);
    seen.owned.push(owned(ObjectKind::Network, "5", "back", "back"));
    for wish in [
        absent(ObjectClass::Network, "back"),
        ObjectWish::Changed {
            class: ObjectClass::Network,
            name: "back".into(),
            rename: Some("front".into()),
            fields: Fields::new(),
        },
    ] {
        let said = lines(&plan(&seen, &[wish]));
        assert!(said[0].starts_with("! owned") && said[0].contains("muster infra update shop"), "{said:?}");
    }
}

#[test]
fn deletions_that_would_hurt_are_refused_with_the_reason() {
    let login = "ssh-ed25519 AAAAC3NzaLogin muster onecloud";
    let mut seen = seen(vec![
        object(ObjectClass::Network, "5", "used", &[("servers", "11, 12")]),
        object(ObjectClass::Image, "6", "Ubuntu", &[("type", "GoldServer")]),
        object(ObjectClass::Image, "7", "mine", &[("type", "Custom")]),
        object(ObjectClass::Key, "8", "muster", &[("public_key", "AAAAC3NzaLogin")]),
        object(ObjectClass::Zone, "9", "example.com", &[("records", "4")]),
    ]);
    seen.login_key = Some(login.into());
    let wishes = [
        absent(ObjectClass::Network, "used"),
        absent(ObjectClass::Image, "Ubuntu"),
        absent(ObjectClass::Image, "mine"),
        absent(ObjectClass::Key, "muster"),
        absent(ObjectClass::Zone, "Example.com."),
        absent(ObjectClass::Zone, "exmple.com"),
    ];
    let draft = plan(&seen, &wishes);
    let said = lines(&draft);
    assert_eq!(said[..2], ["- delete image mine (7)", "- delete zone example.com (9)"]);
    assert!(draft.steps.iter().all(|step| step.risk == Risk::Destroys));
    assert!(said[2].starts_with("! in-use") && said[2].contains("ids 11, 12"));
    assert!(said[3].starts_with("! stock"));
    assert!(said[4].starts_with("! login-key"));
    assert!(draft.notes.iter().any(|note| note.message.contains("its 4 records go with it")));
    assert!(draft.notes.iter().any(|note| note.message.contains("Did you mean")), "{:?}", draft.notes);
}

/// A rename keeps others from the new name, too, and a copy from the names that servers have at the provider.
#[test]
fn new_names_are_kept_from_others() {
    let mut seen = seen(vec![object(ObjectClass::Network, "1", "back", &[])]);
    let rename = ObjectWish::Changed {
        class: ObjectClass::Network,
        name: "back".into(),
        rename: Some("front".into()),
        fields: Fields::new(),
    };
    let locks = format!("{:?}", plan(&seen, &[rename]).locks);
    assert!(locks.contains("network back") && locks.contains("network front"), "{locks}");
    seen.servers = vec![server("5", "shop-web-1")];
    seen.owned = vec![owned(ObjectKind::Server, "6", "web-2", "shop-web-2")];
    let copy = |name: &str| ObjectWish::Copied { server: "5".into(), copy: name.into(), network: None };
    assert_eq!(plan(&seen, &[copy("web-2")]).steps.len(), 1, "nobody is called so at the provider");
    let said = lines(&plan(&seen, &[copy("shop-web-2")]));
    assert!(said[0].starts_with("! owned"), "{said:?}");
}
