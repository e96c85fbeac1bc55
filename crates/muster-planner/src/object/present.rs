//! There is to be an object: made where there is none, left alone where there is this one, refused where there is another.

use muster_model::id::ProviderId;
use muster_model::intent::CreationIntent;
use muster_model::object::{FieldValue, Fields, ObjectClass, ObjectDraft, SeenObject};
use muster_model::plan::{ObjectAction, Reason, Risk};

use super::{Made, SeenObjects, intent_name, is_the_one, server, several_said};
use crate::location::Locations;

pub(super) fn present(seen: &SeenObjects, made: &mut Made, class: ObjectClass, name: &str, fields: &Fields) {
    let name = name.trim();
    let target = if class == ObjectClass::Storage { "storage" } else { name };
    if target.is_empty() {
        made.refuse(class.word(), "name-missing", format!("a {} needs a name", class.word()));
        return;
    }
    let mut fields = match class.check(fields, true) {
        Ok(fields) => fields,
        Err(problems) => {
            problems.into_iter().for_each(|problem| made.refuse(target, "field", problem));
            return;
        }
    };
    if class == ObjectClass::Zone
        && let Err(problem) = zone_name(name)
    {
        made.refuse(target, "name", problem);
        return;
    }
    if let Err((code, message)) = resolve(seen, class, &mut fields) {
        made.refuse(target, code, message);
        return;
    }
    if class == ObjectClass::Image
        && let Some(technical) = fields.get("technical").map(ToString::to_string)
        && let Some(other) =
            seen.of(class).find(|other| other.name != name && other.text("technical") == technical)
    {
        let message = format!(
            "the image {} (id {}) has the technical name {technical} already; give another one: --technical WORD",
            other.name, other.id
        );
        return made.refuse(target, "exists", message);
    }
    let draft = ObjectDraft { class, name: name.to_owned(), of: None, fields };
    let same: Vec<&SeenObject> = seen.of(class).filter(|object| is_the_one(class, object, name)).collect();
    let is_open = |intent: &&CreationIntent| intent.name.as_str() == intent_name(&draft);
    match same.as_slice() {
        // What an unanswered create left is settled by the step, which looks before it acts.
        [] => create(made, target, draft, Vec::new()),
        _ if seen.intents.iter().any(|intent| is_open(&intent)) => {
            let open = seen.intents.iter().find(is_open);
            let known = open.map(|intent| intent.known_ids.clone()).unwrap_or_default();
            create(made, target, draft, known);
        }
        [only] if class == ObjectClass::Image => made.refuse(
            target,
            "exists",
            format!(
                "there is an image {name} (id {}) already; choose another name, or delete that one first",
                only.id
            ),
        ),
        [only] if draft.fits(only) => {}
        [only] => {
            let differing = draft.fields.iter().filter(|(word, value)| {
                only.fields.get(*word).is_some_and(|seen| seen.to_string() != value.to_string())
            });
            let differing: Vec<String> = differing
                .map(|(word, value)| format!("{word} is {}, not {value}", only.text(word)))
                .collect();
            made.refuse(
                target,
                "exists",
                format!(
                    "there is a {} {name} (id {}) already and it is another one ({}); change or delete that one, or choose another name",
                    class.word(),
                    only.id,
                    differing.join(", ")
                ),
            );
        }
        several => made.refuse(target, "ambiguous", several_said(class, name, several)),
    }
}

fn create(made: &mut Made, target: &str, draft: ObjectDraft, known_ids: Vec<ProviderId>) {
    made.step(target, ObjectAction::Create { draft, known_ids }, Reason::Asked, Risk::None);
}

/// Words of a person to what the provider calls it.
fn resolve(
    seen: &SeenObjects,
    class: ObjectClass,
    fields: &mut Fields,
) -> Result<(), (&'static str, String)> {
    if let Some(words) = fields.get("location").map(ToString::to_string) {
        let place = Locations::new(&seen.locations).find(&words)?;
        fields.insert("location".into(), FieldValue::Text(place.technical.clone()));
    }
    if class == ObjectClass::Image
        && let Some(words) = fields.get("server").map(ToString::to_string)
    {
        let server = server::find(&seen.servers, &words).map_err(|message| ("server-unknown", message))?;
        fields.insert("server".into(), FieldValue::Text(server.id.to_string()));
    }
    if class == ObjectClass::Network {
        // As the file has it.
        fields.entry("dhcp".into()).or_insert(FieldValue::Flag(true));
    }
    Ok(())
}

/// The provider keeps second-level domains only (`spec/onecloud-api.md` §1.8).
fn zone_name(name: &str) -> Result<(), String> {
    let labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    let good = labels.iter().all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    match (good, labels.len()) {
        (true, 2) => Ok(()),
        (true, 3..) => Err(format!(
            "{name} is below another domain; the provider keeps domains of two parts only, as {}. Put records named {} into that one",
            labels[labels.len() - 2..].join("."),
            labels[..labels.len() - 2].join(".")
        )),
        _ => Err(format!("\"{name}\" is no domain, as example.com (an international one is written xn--…)")),
    }
}
