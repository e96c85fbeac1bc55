//! Records of a domain: what a set of one name and type is to be, against what is there.

use muster_model::id::StepNumber;
use muster_model::object::record::{RecordData, RecordSet, RecordType};
use muster_model::object::{FieldValue, Fields, ObjectClass, ObjectDraft, SeenObject};
use muster_model::plan::{Action, ObjectAction, Reason, Risk};

use super::{Made, SeenObjects, find, owned_said, owner, unknown};

pub(super) fn records(seen: &SeenObjects, made: &mut Made, set: &RecordSet) {
    let target = set.target();
    let set = match set.clone().checked() {
        Ok(set) => set,
        Err(problem) => return made.refuse(&target, "record", problem),
    };
    let target = set.target();
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
    let is_touched = |data: &RecordData| match set.records.iter().find(|one| one.says_the_same(data)) {
        Some(_) if set.remove => true,
        Some(wanted) => wanted.ttl.is_some_and(|ttl| data.ttl != Some(ttl)),
        None => !set.remove && !set.keep_others,
    };
    let mut touched = there.iter().filter(|(_, data)| is_touched(data));
    if let Some(record) = touched.find_map(|(object, _)| owner(seen, object)) {
        let said = owned_said(ObjectClass::Record, &record.provider_name, record, "changed or deleted");
        return made.refuse(&target, "owned", said);
    }
    if set.remove {
        for (object, _) in
            there.iter().filter(|(_, data)| set.records.iter().any(|one| one.says_the_same(data)))
        {
            delete(made, &target, object);
        }
        for missing in set.records.iter().filter(|one| !there.iter().any(|(_, data)| one.says_the_same(data)))
        {
            made.note(&target, format!("there is no record {target} {}", missing.value));
        }
        return;
    }
    let first = made.next();
    let stays = |data: &RecordData| set.records.iter().any(|one| one.says_the_same(data));
    if !set.keep_others {
        there.iter().filter(|(_, data)| !stays(data)).for_each(|(object, _)| delete(made, &target, object));
    }
    for wanted in &set.records {
        match there.iter().find(|(_, data)| data.says_the_same(wanted)) {
            None => {
                let draft = ObjectDraft {
                    class: ObjectClass::Record,
                    name: set.name.clone(),
                    of: Some(zone.id.clone()),
                    fields: wanted.fields(set.kind),
                };
                let action = Action::Object(ObjectAction::Create { draft, known_ids: Vec::new() });
                // Beside another CNAME there is no room for this one.
                let after = match set.kind {
                    RecordType::Cname => (first.0..made.next().0).map(StepNumber).collect(),
                    _ => Vec::new(),
                };
                made.step_after(after, &target, action, Reason::Asked, Risk::None);
            }
            Some((object, data)) => {
                if let Some(ttl) = wanted.ttl.filter(|ttl| data.ttl != Some(*ttl)) {
                    let mut to = object.fields.clone();
                    to.insert("ttl".into(), FieldValue::Number(i64::from(ttl)));
                    made.step(
                        &target,
                        ObjectAction::Change {
                            class: ObjectClass::Record,
                            id: object.id.clone(),
                            name: object.name.clone(),
                            of: object.of.clone(),
                            rename: None,
                            expected: object.fields.clone(),
                            // A change says the whole record once more.
                            to: to.into_iter().filter(|(word, _)| is_said(word)).collect::<Fields>(),
                        },
                        Reason::Differs,
                        Risk::None,
                    );
                }
            }
        }
    }
}

fn is_said(word: &str) -> bool {
    ObjectClass::Record.field(word).is_some()
}

fn delete(made: &mut Made, target: &str, object: &SeenObject) {
    let was = ObjectDraft {
        class: ObjectClass::Record,
        name: object.name.clone(),
        of: object.of.clone(),
        fields: object.fields.clone(),
    };
    made.step(target, ObjectAction::Delete { was, id: object.id.clone() }, Reason::Asked, Risk::Interrupts);
}
