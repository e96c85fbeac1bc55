//! Objects of an account: columns by the table of their fields.

use muster_api::object::ObjectAttributes;
use muster_model::object::{FieldForm, FieldRule, FieldValue, Fields, ObjectClass};

use super::human::fields;
use super::table::draw;
use crate::command::report::Row;

/// Objects of one class, a line each.
pub fn many(class: ObjectClass, objects: &[Row<ObjectAttributes>]) -> String {
    let shown = |rule: &&FieldRule| rule.is_shown && rule.form != FieldForm::Rows;
    let rules: Vec<&FieldRule> = class.fields().iter().filter(shown).collect();
    // A column that nothing fills says nothing.
    let filled = |word: &str| objects.iter().any(|object| object.said.fields.contains_key(word));
    let words: Vec<&str> = rules.iter().map(|rule| rule.word).filter(|word| filled(word)).collect();
    let states = objects.iter().any(|object| !object.said.state.is_empty());
    let mut header = vec!["name"];
    header.extend(states.then_some("state"));
    header.extend(&words);
    header.push("id");
    let row = |object: &Row<ObjectAttributes>| {
        let mut cells = vec![object.said.name.clone()];
        cells.extend(states.then(|| object.said.state.clone()));
        let value = |word: &&str| object.said.fields.get(*word).map(ToString::to_string).unwrap_or_default();
        cells.extend(words.iter().map(value).map(|value| short(&value)));
        cells.push(object.id.clone());
        cells
    };
    draw(&header, objects.iter().map(row).collect())
}

/// The longest value in a column, in characters.
const CELL_MAX: usize = 60;

fn short(value: &str) -> String {
    match value.char_indices().nth(CELL_MAX) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value.to_owned(),
    }
}

/// One object with everything that is known of it.
pub fn one(object: &Row<ObjectAttributes>) -> String {
    let said = &object.said;
    let mut lines = vec![(said.class.as_str(), said.name.clone()), ("id", object.id.clone())];
    if !said.state.is_empty() {
        lines.push(("state", said.state.clone()));
    }
    let plain = |value: &FieldValue| !matches!(value, FieldValue::Rows(_));
    let known = said.fields.iter().filter(|(_, value)| plain(value));
    lines.extend(known.map(|(word, value)| (word.as_str(), value.to_string())));
    let mut out = fields(&lines);
    out.push_str(&tables(&said.fields));
    out
}

/// What a provider tells, by its words.
pub fn details(said: &Fields) -> String {
    let plain = said.iter().filter(|(_, value)| !matches!(value, FieldValue::Rows(_)));
    let lines: Vec<(&str, String)> = plain.map(|(word, value)| (word.as_str(), value.to_string())).collect();
    let mut out = fields(&lines);
    out.push_str(&tables(said));
    out
}

/// The fields that are tables themselves: a firewall's rules, tunnels.
fn tables(said: &Fields) -> String {
    let mut out = String::new();
    for (word, value) in said {
        let FieldValue::Rows(rows) = value else { continue };
        if rows.is_empty() {
            continue;
        }
        let mut header: Vec<&str> = Vec::new();
        for key in rows.iter().flat_map(|row| row.keys()) {
            if !header.contains(&key.as_str()) {
                header.push(key);
            }
        }
        let cell = |row: &Fields, key: &str| row.get(key).map(ToString::to_string).unwrap_or_default();
        let cells = rows.iter().map(|row| header.iter().map(|key| cell(row, key)).collect());
        out.push_str(&format!("\n{}\n{}", word.replace('_', " "), draw(&header, cells.collect())));
    }
    out
}

/// Nothing of a class.
pub fn none(class: ObjectClass) -> String {
    let word = match class {
        ObjectClass::Image => "No images.",
        ObjectClass::Network => "No private networks.",
        ObjectClass::PublicNetwork => "No public networks.",
        ObjectClass::Key => "No public keys.",
        ObjectClass::Zone => "No domains; add one with: muster dns zone create NAME",
        ObjectClass::Record => "No records.",
        ObjectClass::Storage => "No storage; make it with: muster storage activate",
        ObjectClass::StorageUser => "No users of the storage.",
        ObjectClass::Action => "No actions.",
    };
    format!("{word}\n")
}
