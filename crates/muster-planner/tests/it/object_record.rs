//! Plans about records of a domain, and the way back from a plan.

use muster_model::object::record::{RecordData, RecordSet, RecordType};
use muster_model::object::{FieldValue, ObjectClass, ObjectWish, SeenObject};
use muster_model::plan::text::symbol;
use muster_model::plan::{Action, ObjectAction};
use muster_planner::undo;

use crate::object::{absent, lines, network, object, plan, record, seen};

fn set(name: &str, kind: RecordType, values: &[&str]) -> RecordSet {
    RecordSet {
        zone: "example.com".into(),
        name: name.into(),
        kind,
        records: values
            .iter()
            .map(|value| RecordData { value: (*value).into(), ..RecordData::default() })
            .collect(),
        keep_others: false,
        remove: false,
    }
}

fn zone() -> Vec<SeenObject> {
    vec![
        object(ObjectClass::Zone, "7", "example.com", &[]),
        record("21", "www", "A", "203.0.113.7"),
        record("22", "www", "A", "203.0.113.8"),
        record("23", "www", "TXT", "Token"),
    ]
}

#[test]
fn records_of_a_name_and_type_become_what_is_wanted() {
    let seen = seen(zone());
    let planned = |set: RecordSet| {
        let draft = plan(&seen, &[ObjectWish::Records(set)]);
        draft
            .steps
            .iter()
            .map(|step| format!("{}{}", symbol(step), value_of(&step.action)))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        planned(set("www", RecordType::A, &["203.0.113.8", "203.0.113.9"])),
        ["+203.0.113.9", "-203.0.113.7"],
        "the old one goes once the new one is there"
    );
    let added = RecordSet { keep_others: true, ..set("www", RecordType::A, &["203.0.113.9"]) };
    assert_eq!(planned(added), ["+203.0.113.9"]);
    let removed = RecordSet { remove: true, ..set("www.example.com.", RecordType::A, &["203.0.113.7"]) };
    assert_eq!(planned(removed), ["-203.0.113.7"]);
    assert_eq!(planned(set("www", RecordType::A, &[])), ["-203.0.113.7", "-203.0.113.8"]);
    assert!(planned(set("www", RecordType::A, &["203.0.113.8", "203.0.113.7"])).is_empty(), "as it is");
    assert_eq!(planned(set("www", RecordType::Txt, &["token"])), ["+token", "-Token"], "texts have a case");
    let mut later = set("www", RecordType::A, &["203.0.113.7", "203.0.113.8"]);
    later.records[0].ttl = Some(300);
    assert_eq!(planned(later), ["~203.0.113.7"]);
    let said = lines(&plan(
        &seen,
        &[ObjectWish::Records(RecordSet {
            zone: "exmaple.com".into(),
            ..set("www", RecordType::A, &["203.0.113.7"])
        })],
    ));
    assert!(said[0].contains("Did you mean") && said[0].contains("example.com"), "{said:?}");
}

/// What may stand once only is changed in place, so that the name answers all the while; and the way back is one too.
#[test]
fn what_stands_once_is_changed_in_place() {
    let mail = object(
        ObjectClass::Record,
        "24",
        "@",
        &[("type", "MX"), ("value", "mx.example.com"), ("priority", "10"), ("ttl", "60")],
    );
    let mut all = zone();
    all.extend([record("25", "blog", "CNAME", "old.example.net"), mail]);
    let before = seen(all);
    let blog = set("blog", RecordType::Cname, &["new.example.net"]);
    let mut mail = set("@", RecordType::Mx, &["mx.example.com"]);
    mail.records[0].priority = Some(20);
    let draft = plan(&before, &[ObjectWish::Records(blog.clone()), ObjectWish::Records(mail)]);
    let said: Vec<String> =
        draft.steps.iter().map(|step| format!("{}{}", symbol(step), value_of(&step.action))).collect();
    assert_eq!(said, ["~new.example.net", "~mx.example.com"]);
    let Action::Object(ObjectAction::Change { to, .. }) = &draft.steps[1].action else { panic!("{draft:?}") };
    assert_eq!((&to["priority"], &to["ttl"]), (&FieldValue::Number(20), &FieldValue::Number(60)));
    let back = undo(draft.steps.iter().map(|step| (step, None)), |_| Some("example.com".into()));
    let after = seen(vec![
        object(ObjectClass::Zone, "7", "example.com", &[]),
        record("25", "blog", "CNAME", "new.example.net"),
        object(
            ObjectClass::Record,
            "24",
            "@",
            &[("type", "MX"), ("value", "mx.example.com"), ("priority", "20"), ("ttl", "60")],
        ),
    ]);
    let back = plan(&after, &back.wishes);
    let said: Vec<String> =
        back.steps.iter().map(|step| format!("{}{}", symbol(step), value_of(&step.action))).collect();
    assert_eq!(said, ["~mx.example.com", "~old.example.net"]);
    let second = RecordSet { keep_others: true, ..blog };
    let said = lines(&plan(&before, &[ObjectWish::Records(second)]));
    assert!(said[0].contains("a name has one CNAME") && said[0].contains("dns record set"), "{said:?}");
}

#[test]
fn what_is_the_providers_or_is_not_there_is_said() {
    let mut all = zone();
    all.push(record("26", "@", "NS", "ns1.1cloud.ru"));
    let seen = seen(all);
    for values in [&["ns1.other.net"][..], &[]] {
        let said = lines(&plan(&seen, &[ObjectWish::Records(set("@", RecordType::Ns, values))]));
        assert!(said[0].contains("are the provider's and stay"), "{said:?}");
    }
    let part = plan(&seen, &[ObjectWish::Records(set("dev", RecordType::Ns, &["ns1.other.net"]))]);
    assert_eq!(part.steps.len(), 1);
    let nothing = plan(&seen, &[ObjectWish::Records(set("wwww", RecordType::A, &[]))]);
    assert!(nothing.steps.is_empty());
    assert!(nothing.notes[0].message.contains("Did you mean \"www\""), "{:?}", nothing.notes);
}

fn value_of(action: &Action) -> String {
    use muster_model::plan::ObjectAction::{Change, Create, Delete};
    let Action::Object(action) = action else { panic!("{action:?}") };
    let fields = match action {
        Create { draft, .. } => &draft.fields,
        Delete { was, .. } => &was.fields,
        Change { to, .. } => to,
        other => panic!("{other:?}"),
    };
    fields["value"].to_string()
}

#[test]
fn what_was_done_is_taken_back_from_the_plan_itself() {
    let before = seen(zone());
    let wishes = [
        ObjectWish::Records(set("www", RecordType::A, &["203.0.113.9"])),
        network("back"),
        absent(ObjectClass::Zone, "example.com"),
    ];
    let draft = plan(&before, &wishes);
    let undone =
        undo(draft.steps.iter().map(|step| (step, None)), |id| (id == "7").then(|| "example.com".into()));
    assert!(undone.cannot.is_empty(), "the domain was empty: {undone:?}");
    assert_eq!(undone.wishes.len(), draft.steps.len());
    assert_eq!(undone.wishes[1], absent(ObjectClass::Network, "back"));
    // After the first wish alone, the way back leads to what was there.
    let steps: Vec<_> = draft.steps.iter().take(3).collect();
    assert!(steps[1..].iter().all(|step| step.after == [steps[0].number]), "{steps:?}");
    let after = seen(vec![
        object(ObjectClass::Zone, "7", "example.com", &[]),
        record("24", "www", "A", "203.0.113.9"),
        record("23", "www", "TXT", "Token"),
    ]);
    let back =
        undo(steps.into_iter().map(|step| (step, None)), |id| (id == "7").then(|| "example.com".into()));
    let draft = plan(&after, &back.wishes);
    let values: Vec<String> =
        draft.steps.iter().map(|step| format!("{}{}", symbol(step), value_of(&step.action))).collect();
    assert_eq!(values, ["+203.0.113.8", "+203.0.113.7", "-203.0.113.9"]);
    let gone = plan(
        &seen(vec![object(ObjectClass::Image, "6", "mine", &[])]),
        &[absent(ObjectClass::Image, "mine")],
    );
    let lost = plan(
        &seen(vec![object(ObjectClass::Zone, "7", "example.com", &[("records", "4")])]),
        &[absent(ObjectClass::Zone, "example.com")],
    );
    let undone = undo(lost.steps.iter().map(|step| (step, None)), |_| None);
    assert!(undone.cannot[0].contains("its 4 records do not come back"), "{undone:?}");
    let undone = undo(gone.steps.iter().map(|step| (step, None)), |_| None);
    assert!(undone.wishes.is_empty() && undone.cannot[0].contains("does not come back"), "{undone:?}");
}
