//! Records of a domain on the wire (`spec/onecloud-api.md` §1.8): each type has its own address and its own fields,
//! and what is read back is spelled otherwise than what was sent.

use http::Method;
use muster_model::id::ProviderId;
use muster_model::object::record::{APEX, RecordData, RecordType, full_name, plain, relative, service_of};
use muster_model::object::{FieldValue, Fields, ObjectClass, ObjectDraft, SeenObject, zone_file};
use serde_json::{Map, Value, json};

use super::super::request::{About, Ask, segment};
use super::json::Json;
use super::request::{ask, with};
use crate::cloud::{CloudError, CloudErrorKind};

/// A record as seen; none where it has no id. One of a type that this version does not know keeps its words.
pub(super) fn record(zone: &SeenObject, json: Json<'_>) -> Option<SeenObject> {
    let word = json.text("TypeRecord").unwrap_or_default().to_ascii_uppercase();
    let word = word.strip_prefix("RECORD").unwrap_or(&word).to_owned();
    let (name, mut fields) = match RecordType::of_word(&word) {
        Some(kind) => {
            let (name, data) = said(zone, kind, json);
            (name, data.fields(kind))
        }
        None => {
            let name = relative(&json.text("HostName").unwrap_or_default(), &zone.name);
            let value = json.text("CanonicalDescription").unwrap_or_default();
            (
                name,
                Fields::from([
                    ("type".into(), FieldValue::Text(word)),
                    ("value".into(), FieldValue::Text(value)),
                ]),
            )
        }
    };
    if let Some(ttl) = json.number("TTL") {
        fields.insert("ttl".into(), FieldValue::Number(ttl));
    }
    Some(SeenObject {
        class: ObjectClass::Record,
        id: json.id("ID")?,
        name,
        state: json.text("State").unwrap_or_default(),
        of: Some(zone.id.clone()),
        fields,
    })
}

/// Its name and what it says: by the line of a zone file that comes with it, else by its fields.
fn said(zone: &SeenObject, kind: RecordType, json: Json<'_>) -> (String, RecordData) {
    if let Some(line) = json.text("CanonicalDescription")
        && let Ok(read) = zone_file::read(&zone.name, &with_ttl(&line))
        && let [set] = read.sets.as_slice()
        && let [data] = set.records.as_slice()
        && set.kind == kind
    {
        return (set.name.clone(), RecordData { ttl: None, ..data.clone() });
    }
    let text = |name: &str| json.text(name).unwrap_or_default();
    let short = |name: &str| json.number(name).and_then(|number| u16::try_from(number).ok());
    let host = relative(&text("HostName"), &zone.name);
    let target = |value: String| if value == APEX { plain(&zone.name) } else { plain(&value) };
    let (name, value) = match kind {
        RecordType::A | RecordType::Aaaa => (host, text("IP")),
        RecordType::Cname => {
            let alias = relative(&text("MnemonicName"), &zone.name);
            let other = [text("ExtHostName"), text("Target"), text("HostName")];
            (alias, target(other.into_iter().find(|value| !value.is_empty()).unwrap_or_default()))
        }
        RecordType::Mx => (APEX.to_owned(), target(text("HostName"))),
        RecordType::Ns => {
            // Of the two names the one within the domain is the part that the other one answers for.
            let part = relative(&text("ExtHostName"), &zone.name);
            let part = if part.ends_with('.') { APEX.to_owned() } else { part };
            (part, target(text("HostName")))
        }
        RecordType::Txt => (host, unquoted(&text("Text"))),
        RecordType::Srv => {
            let label = |name: &str| text(name).trim_end_matches('.').to_owned();
            let (service, protocol) = (label("Service"), label("Proto"));
            let begins = format!("{service}.{protocol}");
            let name = match host.as_str() {
                APEX => begins,
                host if host.starts_with(&begins) => host.to_owned(),
                host => format!("{begins}.{host}"),
            };
            (name, target(text("Target")))
        }
    };
    let is_ordered = matches!(kind, RecordType::Mx | RecordType::Srv);
    let data = RecordData {
        value,
        priority: short("Priority").filter(|_| is_ordered),
        weight: short("Weight").filter(|_| kind == RecordType::Srv),
        port: short("Port").filter(|_| kind == RecordType::Srv),
        ttl: None,
    };
    (name, data)
}

/// A line may have no time to live, which a zone file needs somewhere.
fn with_ttl(line: &str) -> String {
    format!("$TTL 3600\n{}\n", line.trim())
}

/// A text without the quotes, and the blank behind them, that it comes back with.
fn unquoted(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => text.to_owned(),
    }
}

/// A new record.
pub(super) fn create(zone: &SeenObject, draft: &ObjectDraft) -> Result<Ask, CloudError> {
    let (kind, data) = data_of(draft)?;
    let doing = format!("create record {} {kind}", full_name(&draft.name, &zone.name));
    let path = format!("/dns/record{}", kind.word().to_ascii_lowercase());
    Ok(with(ask(Method::POST, path, doing, About::Account), body(zone, draft, kind, &data)))
}

/// Another content of a record.
pub(super) fn change(zone: &SeenObject, id: &ProviderId, draft: &ObjectDraft) -> Result<Ask, CloudError> {
    let (kind, data) = data_of(draft)?;
    let doing = format!("change record {} {kind}", full_name(&draft.name, &zone.name));
    let path = format!("/dns/record{}/{}", kind.word().to_ascii_lowercase(), segment(id));
    Ok(with(ask(Method::PUT, path, doing, About::Object), body(zone, draft, kind, &data)))
}

fn data_of(draft: &ObjectDraft) -> Result<(RecordType, RecordData), CloudError> {
    let seen = SeenObject {
        class: draft.class,
        id: ProviderId(String::new()),
        name: draft.name.clone(),
        state: String::new(),
        of: draft.of.clone(),
        fields: draft.fields.clone(),
    };
    RecordData::of(&seen).ok_or_else(|| {
        let doing = format!("write record {}", draft.name);
        CloudError::new(CloudErrorKind::Refused, doing, "its type is not known to this version")
    })
}

/// The fields of a request: ids and numbers travel as text, as all known clients send them.
fn body(zone: &SeenObject, draft: &ObjectDraft, kind: RecordType, data: &RecordData) -> Map<String, Value> {
    let number = |number: Option<u16>| json!(number.unwrap_or_default().to_string());
    let (name, value) = (json!(draft.name), json!(data.value));
    let mut body = Map::from_iter([("DomainId".to_owned(), json!(zone.id.as_str()))]);
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    match kind {
        RecordType::A | RecordType::Aaaa => {
            put("IP", value);
            put("Name", name);
        }
        RecordType::Cname => {
            put("Name", value);
            put("MnemonicName", name);
        }
        RecordType::Mx => {
            put("HostName", value);
            put("Priority", number(data.priority));
        }
        RecordType::Ns => {
            put("HostName", value);
            put("Name", name);
        }
        RecordType::Txt => {
            put("Name", name);
            put("Text", value);
        }
        RecordType::Srv => {
            let (service, protocol, rest) = service_of(&draft.name).unwrap_or((&draft.name, "_tcp", APEX));
            put("Service", json!(service));
            put("Proto", json!(protocol));
            put("Name", json!(rest));
            put("Priority", number(data.priority));
            put("Weight", number(data.weight));
            put("Port", number(data.port));
            put("Target", value);
        }
    }
    if let Some(ttl) = data.ttl {
        put("TTL", json!(ttl.to_string()));
    }
    body
}
