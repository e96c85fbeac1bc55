//! The machine forms: one JSON or YAML document, the same data.

use serde::Serialize;
use serde_json::{Value, json};

use crate::command::Report;
use crate::exit::Failure;

/// A report as JSON, ended by a line break.
pub fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(&value(report)).unwrap_or_default();
    text.push('\n');
    text
}

/// A page of a list as a part of one JSON document, an element a line; whoever draws the last one closes the list.
pub fn json_page(report: &Report, first: bool) -> String {
    let Value::Array(items) = value(report) else { return json(report) };
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        text.push_str(if first && index == 0 { "[\n" } else { ",\n" });
        text.push_str(&item.to_string());
    }
    text
}

/// A report as YAML.
pub fn yaml(report: &Report) -> String {
    let mut text = serde_saphyr::to_string(&value(report)).unwrap_or_default();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// A failure as one line of JSON.
pub fn failure(failure: &Failure) -> String {
    json!({"error": failure.message, "exit": failure.exit.code(), "problems": failure.problems}).to_string()
}

fn of(value: &impl Serialize) -> Value {
    // What is said is plain data; it always has a JSON form.
    serde_json::to_value(value).unwrap_or_default()
}

/// A report as a value.
pub fn value(report: &Report) -> Value {
    match report {
        Report::Nothing => Value::Null,
        Report::Text(text) => of(text),
        Report::Did(sentence) => json!({"did": sentence}),
        Report::Planned(planned) => of(planned),
        Report::Run(run) => of(run),
        Report::Runs(runs) => of(runs),
        Report::Queue(requests) => of(requests),
        Report::Events(events) | Report::Found(events) => of(events),
        Report::Output(lines) => of(lines),
        Report::Account(account) => of(account),
        Report::Accounts(accounts) => of(accounts),
        Report::AccountTest(test) => of(test),
        Report::Explained(explained) => of(explained),
        Report::Contexts(contexts) => of(contexts),
        Report::Offers(offers) => of(offers),
        Report::Prices(prices) => of(prices),
        Report::Cost(cost) => of(cost),
        Report::Server(server) => of(server),
        Report::Servers(servers) => of(servers),
        Report::Infrastructure(owned) => of(owned),
        Report::Revisions(revisions) => of(revisions),
        Report::Revision(revision) => of(revision),
        Report::Differences(found) => of(found),
        Report::Files(files) => of(files),
        Report::Secrets(names) => of(names),
        Report::Limits(limits) => of(limits),
        Report::Objects(_, objects) => of(objects),
        Report::Object(object) => of(object),
        Report::Details(fields) => of(fields),
        Report::Releases(releases) => of(releases),
        Report::Stats(stats) => of(stats),
        Report::Validated(validated) => of(validated),
        Report::Converted(converted) => of(converted),
        Report::Checks(checks) => of(checks),
    }
}
