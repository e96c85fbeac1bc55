//! Traces with the feature `otlp`: the program itself and a small receiver that decodes protobuf by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;

use crate::place::{KEY, MUSTER, Place, Ran, SHOP};

/// One field of a message: a number (of which field is of no interest here), or a field's number and its bytes.
enum Field<'b> {
    Number(u64),
    Bytes(u64, &'b [u8]),
}

/// Reads a message field by field (<https://protobuf.dev/programming-guides/encoding/>).
fn fields(mut bytes: &[u8]) -> Vec<Field<'_>> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (first, rest) = bytes.split_first().expect("a whole number");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let length = match tag & 7 {
            0 => {
                found.push(Field::Number(varint(&mut bytes)));
                continue;
            }
            1 => 8,
            2 => varint(&mut bytes) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (part, rest) = bytes.split_at(length);
        bytes = rest;
        found.push(Field::Bytes(tag >> 3, part));
    }
    found
}

fn all<'b>(bytes: &'b [u8], number: u64) -> Vec<&'b [u8]> {
    let of = |field| match field {
        Field::Bytes(found, part) if found == number => Some(part),
        Field::Bytes(..) | Field::Number(_) => None,
    };
    fields(bytes).into_iter().filter_map(of).collect()
}

#[derive(Debug, Default)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    attributes: BTreeMap<String, String>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn attribute(bytes: &[u8]) -> (String, String) {
    let value = all(bytes, 2).first().map(|value| match fields(value).first() {
        Some(Field::Bytes(_, part)) => text(part),
        Some(Field::Number(number)) => number.to_string(),
        None => String::new(),
    });
    (text(all(bytes, 1)[0]), value.unwrap_or_default())
}

/// The spans of an `ExportTraceServiceRequest`.
fn spans(body: &[u8]) -> Vec<Span> {
    let mut found = Vec::new();
    for resource in all(body, 1) {
        for scope in all(resource, 2) {
            for span in all(scope, 2) {
                let one = |number| all(span, number).first().map(|part| part.to_vec()).unwrap_or_default();
                let attributes = all(span, 9).into_iter().map(attribute).collect();
                found.push(Span {
                    trace: one(1),
                    id: one(2),
                    parent: one(4),
                    name: text(&one(5)),
                    attributes,
                });
            }
        }
    }
    found
}

/// A run is a trace: its steps are below it, and each request to the provider below its step. No key in any of it.
#[tokio::test]
async fn a_run_is_a_trace_of_steps_and_requests() {
    let bodies: Arc<Mutex<Vec<Bytes>>> = Arc::default();
    let kept = bodies.clone();
    let take = async move |headers: axum::http::HeaderMap, body: Bytes| {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        kept.lock().unwrap().push(body);
        ([("content-type", "application/x-protobuf")], Bytes::new())
    };
    let router = axum::Router::new().route("/v1/traces", axum::routing::post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let receiver = tokio::spawn(async move { axum::serve(listener, router).await });

    let place = Place::new(SHOP);
    let mut command = tokio::process::Command::from({
        let mut command = std::process::Command::new(MUSTER);
        place.dress(&mut command);
        command
    });
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
    command.args(["infra", "update", "shop", "--yes", "--skip-provision", "--format", "json"]);
    let ran = Ran::from(command.output().await.unwrap()).json(0);
    let run = ran["run"]["id"].as_str().unwrap();
    receiver.abort();

    let bodies = bodies.lock().unwrap();
    let spans: Vec<Span> = bodies.iter().flat_map(|body| spans(body)).collect();
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let [whole] = named("run")[..] else { panic!("{spans:#?}") };
    assert_eq!(whole.attributes["run"], run);
    assert!(whole.parent.is_empty());
    let steps = named("step");
    let planned = ran["plan"]["steps"].as_array().unwrap().len();
    assert_eq!(steps.len(), planned, "{steps:#?}");
    for step in &steps {
        assert_eq!((&step.parent, &step.trace), (&whole.id, &whole.trace));
        assert_eq!(step.attributes["run"], run);
        assert!((1..=planned).contains(&step.attributes["step"].parse().unwrap()));
    }
    let post = |span: &&Span| span.attributes["method"] == "POST" && span.attributes["path"] == "/server";
    let created: Vec<&Span> = named("request").into_iter().filter(post).collect();
    assert_eq!(created.len(), 2, "{spans:#?}");
    for request in created {
        assert!(steps.iter().any(|step| step.id == request.parent), "{request:#?}");
        assert_eq!(request.attributes["status"], "200");
    }
    let known = ["run", "step", "request"];
    assert!(spans.iter().all(|span| known.contains(&span.name.as_str())));
    assert!(bodies.iter().all(|body| !body.windows(KEY.len()).any(|window| window == KEY.as_bytes())));
}
