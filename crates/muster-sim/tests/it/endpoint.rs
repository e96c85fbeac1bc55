//! All 49 endpoints, each in the forms that public clients use: JSON and form bodies, numbers and truth values as
//! strings, names and paths in every case, with and without a slash at the end.

use std::collections::BTreeSet;

use muster_sim::onecloud::{Durations, RefusalWorld, SimulatorConfig};
use serde_json::{Map, Value};

use crate::endpoint_table::{Answer, ROWS, Row};
use crate::support::{Client, Got, KEY, config};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn text_of(scalar: &Value) -> String {
    scalar.as_str().map_or_else(|| scalar.to_string(), str::to_owned)
}

/// Every scalar as a string.
fn as_strings(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(as_strings).collect(),
        scalar => text_of(scalar).into(),
    }
}

fn encoded(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(letter).collect()
}

fn as_form(fields: &Map<String, Value>) -> String {
    let mut pairs = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Array(values) => {
                pairs.extend(values.iter().map(|one| format!("{name}[]={}", encoded(&text_of(one)))));
            }
            scalar => pairs.push(format!("{name}={}", encoded(&text_of(scalar)))),
        }
    }
    pairs.join("&")
}

fn renamed(fields: &Map<String, Value>, change: impl Fn(&str) -> String) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (change(name), value.clone())).collect()
}

/// The forms of one request: what it is called, path, content type, body.
fn forms(path: &str, fields: &Map<String, Value>) -> Vec<(&'static str, String, &'static str, String)> {
    let lower = path.to_lowercase();
    let strings: Map<String, Value> =
        fields.iter().map(|(name, value)| (name.clone(), as_strings(value))).collect();
    let json = |fields: &Map<String, Value>| {
        if fields.is_empty() { String::new() } else { Value::Object(fields.clone()).to_string() }
    };
    let mut capital: Vec<char> = lower.chars().collect();
    for at in 1..capital.len() {
        if capital[at - 1] == '/' {
            capital[at] = capital[at].to_ascii_uppercase();
        }
    }
    let capital: String = capital.into_iter().collect();
    let low_names = json(&renamed(fields, str::to_lowercase));
    vec![
        ("JSON", path.to_owned(), JSON, json(fields)),
        ("JSON, no content type of its own, slash", format!("{path}/"), "", json(fields)),
        ("strings for scalars, small path, slash", format!("{lower}/"), JSON, json(&strings)),
        ("form, large path", path.to_uppercase(), FORM, as_form(fields)),
        (
            "small names, capital path, slash",
            format!("{capital}/"),
            "application/json; charset=utf-8",
            low_names,
        ),
        ("form, large names, small path", lower, FORM, as_form(&renamed(&strings, str::to_uppercase))),
    ]
}

/// Whether a value is of the kind that a letter stands for.
fn is_kind(value: &Value, kind: char) -> bool {
    match kind {
        '#' => value.is_number(),
        '$' => value.is_string(),
        '!' => value.is_boolean(),
        '[' => value.is_array(),
        '{' => value.is_object(),
        '?' => value.is_string() || value.is_null(),
        _ => panic!("no kind is written {kind}"),
    }
}

/// The object has exactly these fields, each of its kind.
fn has_shape(value: &Value, shape: &str) -> Result<(), String> {
    let object = value.as_object().ok_or_else(|| format!("no object: {value}"))?;
    let mut names = BTreeSet::new();
    for word in shape.split_whitespace() {
        let (name, kind) = word.split_at(word.len() - 1);
        names.insert(name);
        let field = object.get(name).ok_or_else(|| format!("{name} is missing: {value}"))?;
        if !is_kind(field, kind.chars().next().unwrap()) {
            return Err(format!("{word} is {field}"));
        }
    }
    match object.keys().find(|name| !names.contains(name.as_str())) {
        Some(more) => Err(format!("{more} should not be there: {value}")),
        None => Ok(()),
    }
}

fn check(row: &Row, got: &Got) -> Result<(), String> {
    if got.status != 200 {
        return Err(format!("{} {}", got.status, got.text));
    }
    if matches!(row.answer, Answer::Empty) {
        return if got.text.is_empty() { Ok(()) } else { Err(format!("not empty: {}", got.text)) };
    }
    let value: Value = serde_json::from_str(&got.text).map_err(|error| error.to_string())?;
    let first = match row.answer {
        Answer::Empty => Value::Null,
        Answer::Number if value.is_number() => return Ok(()),
        Answer::Number => return Err(format!("no number: {value}")),
        Answer::One(shape) => {
            has_shape(&value, shape)?;
            value
        }
        Answer::Many(shape) => {
            let list = value.as_array().ok_or_else(|| format!("no bare array: {value}"))?;
            for one in list {
                has_shape(one, shape)?;
            }
            list.first().ok_or("an empty list shows no shape")?.clone()
        }
    };
    let says: Map<String, Value> = serde_json::from_str(row.says).unwrap();
    for (name, wanted) in says {
        if first[&name] != wanted {
            return Err(format!("{name} is {} instead of {wanted}", first[&name]));
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_endpoint_answers_every_form_with_its_shape() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let mut texts = Vec::new();
        for number in 0.. {
            let client = Client::of(SimulatorConfig { durations: Durations::real(), ..config() });
            let world = RefusalWorld::lay_out(&client.simulator, KEY).unwrap();
            let fields: Map<String, Value> = serde_json::from_str(&world.fill(row.body)).unwrap();
            let forms = forms(&world.fill(row.path), &fields);
            let Some((name, path, kind, body)) = forms.into_iter().nth(number) else { break };
            for (method, path) in row.before {
                client.raw(method, path, JSON, "").await.unwrap().ok();
            }
            let got = client.raw(row.method, &path, kind, &body).await.unwrap();
            if let Err(problem) = check(row, &got) {
                wrong.push(format!("{} ({name}): {problem}", row.name));
            }
            texts.push((name, got.text));
        }
        for (name, text) in &texts {
            if *text != texts[0].1 {
                wrong.push(format!("{} ({name}) answers otherwise:\n  {text}\n  {}", row.name, texts[0].1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_all_49_endpoints() {
    let numbers: BTreeSet<u8> = ROWS.iter().map(|row| row.name[..2].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=49).collect());
    let names: BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), ROWS.len(), "a name twice");
}

/// Without a key nothing is answered, and every request is journaled.
#[tokio::test]
async fn every_endpoint_wants_a_key_is_journaled_and_can_be_bent() {
    let client = Client::of(SimulatorConfig { durations: Durations::real(), ..config() });
    let world = RefusalWorld::lay_out(&client.simulator, KEY).unwrap();
    client.simulator.clear_journal();
    let stranger = Client { simulator: client.simulator.clone(), key: "nobody" };
    let before = client.simulator.state();
    for row in ROWS {
        let (path, body) = (world.fill(row.path), world.fill(row.body));
        let got = stranger.raw(row.method, &path, JSON, &body).await.unwrap();
        assert_eq!(got.refused(401), "Authorization has been denied for this request.", "{}", row.name);
        for (fault, status) in [(r#"{"status": 503}"#, 503), (r#"{"html": 502}"#, 502)] {
            let fault: Value = serde_json::from_str(fault).unwrap();
            client
                .fault(serde_json::json!({"match": {"method": row.method, "path": path}, "fault": fault}))
                .await;
            let got = client.raw(row.method, &path, JSON, &body).await.unwrap();
            assert_eq!(got.status, status, "{}", row.name);
        }
        let rule = serde_json::json!({"match": {"method": row.method, "path": path}, "fault": "hang"});
        client.fault(rule).await;
        let broken = tokio::time::timeout(
            std::time::Duration::from_millis(1),
            client.raw(row.method, &path, JSON, &body),
        );
        assert!(broken.await.is_err(), "{} does not hang", row.name);
    }
    let after = client.simulator.state();
    assert_eq!(before["projects"], after["projects"], "a bent request had an effect");
    assert_eq!(client.simulator.journal().len(), 4 * ROWS.len());
}
