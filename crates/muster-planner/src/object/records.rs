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
    if set.remove {
        for (object, _) in
            there.iter().filter(|(_, data)| set.records.iter().any(|one| one.says_the_same(data)))
        {
            delete(seen, made, &target, object);
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
        let others = there.iter().filter(|(_, data)| !stays(data));
        others.for_each(|(object, _)| delete(seen, made, &target, object));
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
                    if let Some(record) = owner(seen, object) {
                        let name = &record.provider_name;
                        let said = owned_said(ObjectClass::Record, name, record, "changed");
                        made.refuse(&target, "owned", said);
                        continue;
                    }
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

fn delete(seen: &SeenObjects, made: &mut Made, target: &str, object: &SeenObject) {
    if let Some(record) = owner(seen, object) {
        let said = owned_said(ObjectClass::Record, &record.provider_name, record, "deleted");
        return made.refuse(target, "owned", said);
    }
    let was = ObjectDraft {
        class: ObjectClass::Record,
        name: object.name.clone(),
        of: object.of.clone(),
        fields: object.fields.clone(),
    };
    made.step(target, ObjectAction::Delete { was, id: object.id.clone() }, Reason::Asked, Risk::Interrupts);
}
