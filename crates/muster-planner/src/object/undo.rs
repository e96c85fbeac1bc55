//! What would take back a plan about objects, as far as anything can.

use muster_model::id::ProviderId;
use muster_model::object::record::{RecordData, RecordSet, RecordType};
use muster_model::object::{Given, ObjectClass, ObjectDraft, ObjectVerb, ObjectWish};
use muster_model::plan::{Action, ObjectAction, Step};

/// What takes steps back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// What to want, last step first.
    pub wishes: Vec<ObjectWish>,
    /// What cannot be taken back, and why.
    pub cannot: Vec<String>,
}

/// What takes back these steps, which did something, each with the id of what it made. `zone_name` gives a domain's name
/// for its id.
pub fn undo<'a>(
    steps: impl DoubleEndedIterator<Item = (&'a Step, Option<&'a ProviderId>)>,
    zone_name: impl Fn(&str) -> Option<String>,
) -> Undone {
    let mut undone = Undone::default();
    for (step, made) in steps.rev() {
        let Action::Object(action) = &step.action else { continue };
        match wish(action, made, &zone_name) {
            Ok(wish) => {
                undone.cannot.extend(lost(action).map(|what| format!("{}: {what}", step.target)));
                undone.wishes.push(wish);
            }
            Err(why) => undone.cannot.push(format!("{}: {why}", step.target)),
        }
    }
    undone
}

/// What stays lost of something that comes back.
fn lost(action: &ObjectAction) -> Option<String> {
    let ObjectAction::Delete { was, .. } = action else { return None };
    let records = was.fields.get("records").map(ToString::to_string).unwrap_or_default();
    match was.class {
        ObjectClass::Zone if !matches!(records.as_str(), "" | "0") => {
            Some(format!("its {records} records do not come back with it; read them from a zone file"))
        }
        ObjectClass::PublicNetwork | ObjectClass::Network => {
            Some("it is made anew, with other addresses and without its servers".to_owned())
        }
        _ => None,
    }
}

fn wish(
    action: &ObjectAction,
    made: Option<&ProviderId>,
    zone_name: &impl Fn(&str) -> Option<String>,
) -> Result<ObjectWish, String> {
    match action {
        ObjectAction::Create { draft, .. } if draft.class == ObjectClass::Record => {
            record(draft, zone_name, |data| (vec![data], true))
        }
        ObjectAction::Create { draft, .. } => {
            // By its id: another one may bear the name.
            let name = made.map_or_else(|| draft.name.clone(), ToString::to_string);
            Ok(ObjectWish::Absent { class: draft.class, name })
        }
        ObjectAction::Change { class: ObjectClass::Record, name, of, expected, .. } => {
            let was = ObjectDraft {
                class: ObjectClass::Record,
                name: name.clone(),
                of: of.clone(),
                fields: expected.clone(),
            };
            record(&was, zone_name, |data| (vec![data], false))
        }
        ObjectAction::Change { class, id, name, rename, expected, .. } => Ok(ObjectWish::Changed {
            class: *class,
            name: id.to_string(),
            rename: rename.as_ref().map(|_| name.clone()),
            fields: expected.clone(),
        }),
        ObjectAction::Delete { was, .. } if was.class == ObjectClass::Record => {
            record(was, zone_name, |data| (vec![data], false))
        }
        ObjectAction::Delete { was, .. } if was.class.holds_data() => {
            Err(format!("a deleted {} does not come back", was.class.word()))
        }
        ObjectAction::Delete { was, .. } => {
            let given = was
                .fields
                .iter()
                .filter(|(word, _)| was.class.field(word).is_some_and(|rule| rule.given != Given::Never));
            Ok(ObjectWish::Present {
                class: was.class,
                name: was.name.clone(),
                fields: given.map(|(word, value)| (word.clone(), value.clone())).collect(),
            })
        }
        ObjectAction::Do { class, id, verb, .. } => {
            let verb = match verb {
                ObjectVerb::Block => ObjectVerb::Unblock,
                ObjectVerb::Unblock => ObjectVerb::Block,
                ObjectVerb::ChangePassword => {
                    return Err("the password before it is not known any more".into());
                }
            };
            Ok(ObjectWish::Done { class: *class, name: id.to_string(), verb })
        }
        ObjectAction::Rebuild { .. } => Err("what was on the disk is gone".into()),
        ObjectAction::Copy { copy, .. } => {
            Err(format!("delete server {copy} through its file, or in the provider's panel"))
        }
    }
}

fn record(
    draft: &ObjectDraft,
    zone_name: &impl Fn(&str) -> Option<String>,
    is: impl Fn(RecordData) -> (Vec<RecordData>, bool),
) -> Result<ObjectWish, String> {
    let text = |word: &str| draft.fields.get(word).map(ToString::to_string);
    let number = |word: &str| text(word).and_then(|text| text.parse::<u32>().ok());
    let short = |word: &str| number(word).and_then(|number| u16::try_from(number).ok());
    let id = draft.of.as_ref().map(|of| of.as_str()).unwrap_or_default();
    let zone = zone_name(id).ok_or("its domain is gone")?;
    let kind = text("type").and_then(|word| RecordType::of_word(&word)).ok_or("its type is not known")?;
    let (records, remove) = is(RecordData {
        value: text("value").unwrap_or_default(),
        priority: short("priority"),
        weight: short("weight"),
        port: short("port"),
        ttl: number("ttl"),
    });
    Ok(ObjectWish::Records(RecordSet {
        zone,
        name: draft.name.clone(),
        kind,
        records,
        // There is one CNAME of a name: the earlier one takes the place of the later.
        keep_others: remove || kind != RecordType::Cname,
        remove,
    }))
}
