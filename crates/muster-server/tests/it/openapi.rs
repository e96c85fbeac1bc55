//! The published description: complete, and valid in the eyes of others where they are at hand.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

fn description() -> Value {
    serde_json::to_value(muster_server::routes::description()).unwrap()
}

fn operations(doc: &Value) -> Vec<(String, Value)> {
    let paths = doc["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        item.iter().map(move |(method, operation)| (format!("{method} {path}"), operation.clone()))
    });
    methods.collect()
}

#[test]
fn every_operation_has_a_name_a_success_and_the_common_problems() {
    let doc = description();
    assert_eq!(doc["openapi"], "3.1.0");
    let operations = operations(&doc);
    assert!(operations.len() >= 25, "{}", operations.len());
    let mut names = std::collections::BTreeSet::new();
    for (what, operation) in &operations {
        let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{what} has no name"));
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{what}");
        for status in ["400", "401", "403", "404", "406", "500"] {
            assert!(responses.contains_key(status), "{what} does not tell {status}");
        }
        for (status, response) in responses {
            assert!(!response["description"].as_str().unwrap_or("").is_empty(), "{what} {status}");
            assert!(response["content"].get("application/json").is_none(), "{what} {status}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let doc = description();
    let mut wanted = Vec::new();
    collect(&doc, &mut wanted);
    assert!(wanted.len() > 50);
    for reference in wanted {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(doc.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                into.push(reference.clone());
            }
            map.values().for_each(|value| collect(value, into));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, into)),
        _ => {}
    }
}

/// Runs where Python has the validator, and says so where it does not.
#[test]
fn an_independent_validator_accepts_it() {
    let script = "import json,sys\n\
                  try:\n    import openapi_spec_validator as v\n\
                  except ImportError:\n    sys.exit(77)\n\
                  v.validate(json.load(sys.stdin))\n";
    let child = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("not run: there is no python3");
        return;
    };
    let text = serde_json::to_vec(&description()).unwrap();
    // A script that ended already (no validator) closed its end of the pipe.
    let _ = child.stdin.take().unwrap().write_all(&text);
    let output = child.wait_with_output().unwrap();
    if output.status.code() == Some(77) {
        eprintln!("not run: Python has no openapi-spec-validator");
        return;
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
