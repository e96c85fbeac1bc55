//! Records of a domain: what a set of one name and type is to be, against what is there.

use muster_model::diagnostic::nearest;
use muster_model::id::StepNumber;
use muster_model::object::record::{APEX, RecordData, RecordSet, RecordType};
use muster_model::object::{ObjectClass, ObjectDraft, SeenObject};
use muster_model::plan::{Action, ObjectAction, Reason, Risk};

use super::{Made, SeenObjects, find, owned_said, owner, unknown};
use crate::why::did_you_mean;

pub(super) fn records(seen: &SeenObjects, made: &mut Made, set: &RecordSet) {
    let target = set.target();
    let set = match set.clone().checked() {
        Ok(set) => set,
        Err(problem) => return made.refuse(&target, "record", problem),
    };
    let target = set.target();
    if set.kind == RecordType::Ns && set.name == APEX {
        let message = "the domain's own name servers are the provider's and stay; name the part that another server \
                       answers for, as dev";
        return made.refuse(&target, "providers-own", message);
    }
    let zone = match find(seen, ObjectClass::Zone, &set.zone) {
        Ok(Some(zone)) => zone,
        Ok(None) => return made.refuse(&target, "unknown", unknown(seen, ObjectClass::Zone, &set.zone)),
        Err(message) => return made.refuse(&target, "ambiguous", message),
    };
    let there: Vec<(&SeenObject, RecordData)> = seen
        .of(ObjectClass::Record)
        .filter(|object| object.of.as_ref() == Some(&zone.id) && object.name == set.name)
        .filter_map(|object| RecordData::of(object).map(|(kind, data)| (object, kind, data)))
        .filter(|(_, kind, _)| *kind == set.kind)
        .map(|(object, _, data)| (object, data))
        .collect();
    let says = |one: &RecordData, other: &RecordData| one.says_the_same(other, set.kind);
    let is_touched = |data: &RecordData| match set.records.iter().find(|one| says(one, data)) {
        Some(_) if set.remove => true,
        Some(wanted) => wanted.ttl.is_some_and(|ttl| data.ttl != Some(ttl)),
        None if set.remove => false,
        None => !set.keep_others || set.records.iter().any(|one| data.is_the_same_service(one, set.kind)),
    };
    let mut touched = there.iter().filter(|(_, data)| is_touched(data));
    if let Some(record) = touched.find_map(|(object, _)| owner(seen, object)) {
        let said = owned_said(ObjectClass::Record, &record.provider_name, record, "changed or deleted");
        return made.refuse(&target, "owned", said);
    }
    if set.remove {
        let goes = |data: &RecordData| set.records.iter().any(|one| says(one, data));
        there.iter().filter(|(_, data)| goes(data)).for_each(|(object, _)| {
            delete(made, Vec::new(), &target, object);
        });
        for missing in set.records.iter().filter(|one| !there.iter().any(|(_, data)| says(one, data))) {
            made.note(&target, format!("there is no record {target} {}", missing.value));
        }
        return;
    }
    if there.is_empty() && set.records.is_empty() {
        return made.note(&target, nothing_there(seen, zone, &set));
    }
    let mut others: Vec<&(&SeenObject, RecordData)> =
        there.iter().filter(|(_, data)| !set.records.iter().any(|one| says(one, data))).collect();
    if set.kind == RecordType::Cname
        && set.keep_others
        && let (Some((other, data)), [wanted]) = (others.first(), set.records.as_slice())
    {
        let message = format!(
            "{target} is {} (id {}) already, and a name has one CNAME; `muster dns record set {} {} CNAME {}` changes it",
            data.value, other.id, zone.name, set.name, wanted.value
        );
        return made.refuse(&target, "exists", message);
    }
    let first = made.next();
    for wanted in &set.records {
        if let Some((object, data)) = there.iter().find(|(_, data)| says(data, wanted)) {
            if wanted.ttl.is_some_and(|ttl| data.ttl != Some(ttl)) {
                change(made, &target, object, data, wanted, set.kind);
            }
            continue;
        }
        // What may stand there once only is changed in place: the name answers all the while.
        let earlier = others.iter().position(|(_, data)| {
            set.kind == RecordType::Cname || data.is_the_same_service(wanted, set.kind)
        });
        match earlier.map(|earlier| others.remove(earlier)) {
            Some((object, data)) => change(made, &target, object, data, wanted, set.kind),
            None => {
                let draft = ObjectDraft {
                    class: ObjectClass::Record,
                    name: set.name.clone(),
                    of: Some(zone.id.clone()),
                    fields: wanted.fields(set.kind),
                };
                let create = ObjectAction::Create { draft, known_ids: Vec::new() };
                made.step(&target, create, Reason::Asked, Risk::None);
            }
        }
    }
    if !set.keep_others {
        // The old ones go once the new ones are there; if one of those is refused, the name still answers.
        let new: Vec<StepNumber> = (first.0..made.next().0).map(StepNumber).collect();
        others.iter().for_each(|(object, _)| delete(made, new.clone(), &target, object));
    }
}

/// There is none of these, and a person who mistyped the name should hear of it.
fn nothing_there(seen: &SeenObjects, zone: &SeenObject, set: &RecordSet) -> String {
    let of_kind = seen.of(ObjectClass::Record).filter(|object| {
        object.of.as_ref() == Some(&zone.id)
            && RecordData::of(object).is_some_and(|(kind, _)| kind == set.kind)
    });
    let hint = did_you_mean(nearest(&set.name, of_kind.map(|object| object.name.as_str())));
    format!("there is no record {}.{hint}", set.target())
}

/// Makes a record say something else, under its id. A time to live that nobody speaks of stays.
fn change(
    made: &mut Made,
    target: &str,
    object: &SeenObject,
    data: &RecordData,
    wanted: &RecordData,
    kind: RecordType,
) {
    let to = RecordData { ttl: wanted.ttl.or(data.ttl), ..wanted.clone() };
    let action = ObjectAction::Change {
        class: ObjectClass::Record,
        id: object.id.clone(),
        name: object.name.clone(),
        of: object.of.clone(),
        rename: None,
        expected: object.fields.clone(),
        // A change says the whole record once more.
        to: to.fields(kind),
    };
    made.step(target, action, Reason::Asked, Risk::None);
}

fn delete(made: &mut Made, after: Vec<StepNumber>, target: &str, object: &SeenObject) {
    let was = ObjectDraft {
        class: ObjectClass::Record,
        name: object.name.clone(),
        of: object.of.clone(),
        fields: object.fields.clone(),
    };
    let action = Action::Object(ObjectAction::Delete { was, id: object.id.clone() });
    made.step_after(after, target, action, Reason::Asked, Risk::Interrupts);
}
