//! The requests about objects, built by pure functions (`spec/onecloud-api.md` §1.2, rows 6–8, 11–13, 15–49).

use http::Method;
use muster_model::id::ProviderId;
use muster_model::object::{FieldValue, Fields, ObjectClass, ObjectDraft, ObjectVerb, PUBLIC_KEY};
use serde_json::{Map, Value, json};

use super::super::request::{About, Ask, segment};

/// A request.
pub(super) fn ask(method: Method, path: impl Into<String>, doing: impl Into<String>, about: About) -> Ask {
    Ask { method, path: path.into(), body: None, doing: doing.into(), about }
}

/// A request with a body.
pub(super) fn with(ask: Ask, body: Map<String, Value>) -> Ask {
    Ask { body: Some(Value::Object(body).to_string()), ..ask }
}

/// A value as it travels: numbers that are ids as numbers.
pub(super) fn value(field: &FieldValue) -> Value {
    match field {
        FieldValue::Flag(flag) => json!(flag),
        FieldValue::Number(number) => json!(number),
        FieldValue::Text(text) => json!(text),
        FieldValue::Rows(_) => Value::Null,
    }
}

/// An id inside a body: a number if it is one, else text.
pub(super) fn id_value(id: &str) -> Value {
    match id.parse::<u64>() {
        Ok(number) if number.to_string() == id => json!(number),
        Ok(_) | Err(_) => json!(id),
    }
}

fn path(class: ObjectClass) -> &'static str {
    match class {
        ObjectClass::Image => "/image",
        ObjectClass::Network => "/network",
        ObjectClass::PublicNetwork => "/publicnetwork",
        ObjectClass::Key => "/sshkey",
        ObjectClass::Zone => "/dns",
        ObjectClass::Record => "/dns/record",
        ObjectClass::Storage => "/storage",
        ObjectClass::StorageUser => "/storage/users",
        ObjectClass::Action => "/server",
    }
}

/// All objects of a class.
pub(super) fn list(class: ObjectClass) -> Ask {
    ask(Method::GET, path(class), format!("list objects of the class {}", class.word()), About::Account)
}

/// One object.
pub(super) fn one(class: ObjectClass, id: &ProviderId) -> Ask {
    ask(
        Method::GET,
        format!("{}/{}", path(class), segment(id)),
        format!("read {} {id}", class.word()),
        About::Object,
    )
}

/// One action of a server.
pub(super) fn action(server: &ProviderId, id: &ProviderId) -> Ask {
    let path = format!("/server/{}/action/{}", segment(server), segment(id));
    ask(Method::GET, path, format!("read action {id} of server {server}"), About::Object)
}

/// One record.
pub(super) fn record(id: &ProviderId) -> Ask {
    one(ObjectClass::Record, id)
}

/// The storage.
pub(super) fn storage() -> Ask {
    ask(Method::GET, "/storage", "read the storage", About::Account)
}

/// The storage is to be there.
pub(super) fn activate_storage() -> Ask {
    ask(Method::POST, "/storage", "activate the storage", About::Account)
}

/// A new object that is no record.
pub(super) fn create(draft: &ObjectDraft) -> Ask {
    let mut body = Map::new();
    let names: &[(&str, &str)] = match draft.class {
        ObjectClass::Image => &[("technical", "TechName"), ("server", "ServerID")],
        ObjectClass::Network => &[("location", "DCLocation"), ("dhcp", "IsDHCP")],
        ObjectClass::PublicNetwork => {
            &[("capacity", "NetworkCapacity"), ("bandwidth", "Bandwidth"), ("location", "DCLocation")]
        }
        ObjectClass::Key => &[(PUBLIC_KEY, "PublicKey")],
        ObjectClass::StorageUser => &[("persist_password", "PersistPassword")],
        ObjectClass::Zone | ObjectClass::Record | ObjectClass::Storage | ObjectClass::Action => &[],
    };
    let name = match draft.class {
        ObjectClass::Key => "Title",
        ObjectClass::StorageUser => "UserName",
        ObjectClass::Image
        | ObjectClass::Network
        | ObjectClass::PublicNetwork
        | ObjectClass::Zone
        | ObjectClass::Record
        | ObjectClass::Storage
        | ObjectClass::Action => "Name",
    };
    body.insert(name.to_owned(), json!(draft.name));
    for (word, name) in names {
        if let Some(field) = draft.fields.get(*word) {
            let sent = if *name == "ServerID" { id_value(&field.to_string()) } else { value(field) };
            body.insert((*name).to_owned(), sent);
        }
    }
    if draft.class == ObjectClass::StorageUser {
        body.entry("PersistPassword").or_insert(json!(false));
    }
    let doing = format!("create {} {}", draft.class.word(), draft.name);
    with(ask(Method::POST, path(draft.class), doing, About::Account), body)
}

/// Other fields, or another name, of a network.
pub(super) fn change(class: ObjectClass, id: &ProviderId, name: &str, to: &Fields) -> Ask {
    let mut body = Map::new();
    body.insert("Name".into(), json!(name));
    if let Some(bandwidth) = to.get("bandwidth") {
        body.insert("Bandwidth".into(), value(bandwidth));
    }
    let doing = format!("change {} {name}", class.word());
    with(ask(Method::PUT, format!("{}/{}", path(class), segment(id)), doing, About::Object), body)
}

/// Deletion.
pub(super) fn delete(was: &ObjectDraft, id: &ProviderId) -> Ask {
    let path = match (was.class, &was.of) {
        (ObjectClass::Record, Some(zone)) => format!("/dns/{}/{}", segment(zone), segment(id)),
        (ObjectClass::Storage, _) => "/storage".to_owned(),
        (class, _) => format!("{}/{}", path(class), segment(id)),
    };
    ask(Method::DELETE, path, format!("delete {} {}", was.class.word(), was.name), About::Object)
}

/// Something else about a user of the storage.
pub(super) fn tell(id: &ProviderId, verb: ObjectVerb) -> Ask {
    let word = match verb {
        ObjectVerb::Block => "block",
        ObjectVerb::Unblock => "unblock",
        ObjectVerb::ChangePassword => "change-password",
    };
    let doing = format!("{} storage-user {id}", verb.word());
    let plain = ask(Method::POST, format!("/storage/users/{}/{word}", segment(id)), doing, About::Object);
    match verb {
        ObjectVerb::ChangePassword => {
            with(plain, Map::from_iter([("PersistPassword".to_owned(), json!(false))]))
        }
        ObjectVerb::Block | ObjectVerb::Unblock => plain,
    }
}

/// A server made anew.
pub(super) fn rebuild(id: &ProviderId, image: &ProviderId, sysprep: bool) -> Ask {
    let mut body = Map::from_iter([("ImageId".to_owned(), id_value(image.as_str()))]);
    if sysprep {
        body.insert("IsNeedSysprep".into(), json!(true));
    }
    let doing = format!("rebuild server {id}");
    with(ask(Method::POST, format!("/server/{}/rebuild", segment(id)), doing, About::Server), body)
}

/// A copy of a server.
pub(super) fn copy(id: &ProviderId, name: &str, network: Option<&ProviderId>) -> Ask {
    let mut body = Map::from_iter([("Name".to_owned(), json!(name))]);
    if let Some(network) = network {
        body.insert("NetworkId".into(), id_value(network.as_str()));
    }
    let doing = format!("copy server {id} to {name}");
    with(ask(Method::POST, format!("/server/{}/copy", segment(id)), doing, About::Server), body)
}

/// Another speed of a link. The field of the speed is not documented (§1.10, 5).
pub(super) fn bandwidth(id: &ProviderId, link: &ProviderId, mbit: u32) -> Ask {
    let body = Map::from_iter([
        ("Type".to_owned(), json!("EditNetworkBandwidth")),
        ("NetworkLinkID".to_owned(), id_value(link.as_str())),
        ("Bandwidth".to_owned(), json!(mbit)),
    ]);
    let doing = format!("set the speed of link {link} of server {id}");
    with(ask(Method::POST, format!("/server/{}/action", segment(id)), doing, About::Server), body)
}
