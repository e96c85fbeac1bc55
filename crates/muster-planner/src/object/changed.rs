//! An object is to have other fields, or another name.

use muster_model::object::{Fields, ObjectClass};
use muster_model::plan::{ObjectAction, Reason, Risk};

use super::{Made, SeenObjects, find, owned_said, owner, unknown};

pub(super) fn changed(
    seen: &SeenObjects,
    made: &mut Made,
    class: ObjectClass,
    name: &str,
    rename: Option<&str>,
    fields: &Fields,
) {
    let fields = match class.check(fields, false) {
        Ok(fields) => fields,
        Err(problems) => {
            problems.into_iter().for_each(|problem| made.refuse(name, "field", problem));
            return;
        }
    };
    let object = match find(seen, class, name) {
        Ok(Some(object)) => object,
        Ok(None) => return made.refuse(name, "unknown", unknown(seen, class, name)),
        Err(message) => return made.refuse(name, "ambiguous", message),
    };
    if object.is_in_the_making() && class != ObjectClass::Record {
        let message = format!(
            "{} {} is still being made ({}); try again in a minute",
            class.word(),
            object.name,
            object.state
        );
        return made.refuse(name, "state", message);
    }
    let rename = rename.map(str::trim).filter(|new| *new != object.name);
    if let Some(new) = rename {
        if !class.can_be_renamed() {
            return made.refuse(
                name,
                "field",
                format!("a {} cannot be renamed at the provider", class.word()),
            );
        }
        if new.is_empty() {
            return made.refuse(name, "name-missing", "the new name is empty");
        }
        if let Some(other) = seen.of(class).find(|other| other.name == new) {
            let message =
                format!("there is a {} {new} (id {}) already; choose another name", class.word(), other.id);
            return made.refuse(name, "exists", message);
        }
    }
    let to: Fields = fields
        .into_iter()
        .filter(|(word, value)| {
            object.fields.get(word).is_none_or(|seen| seen.to_string() != value.to_string())
        })
        .collect();
    if to.is_empty() && rename.is_none() {
        return;
    }
    if let Some(record) = owner(seen, object) {
        let what = if rename.is_some() { "renamed" } else { "changed" };
        return made.refuse(name, "owned", owned_said(class, name, record, what));
    }
    let expected = object.fields.iter().filter(|(word, _)| to.contains_key(*word));
    let action = ObjectAction::Change {
        class,
        id: object.id.clone(),
        name: object.name.clone(),
        of: object.of.clone(),
        rename: rename.map(str::to_owned),
        expected: expected.map(|(word, value)| (word.clone(), value.clone())).collect(),
        to,
    };
    made.step(&object.name, action, Reason::Asked, Risk::None);
}
