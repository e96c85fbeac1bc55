//! The schema of one map of our words, built field by field.

use schemars::{Schema, json_schema};

/// A map of our words while its fields are gathered.
#[derive(Default)]
pub(super) struct Map {
    fields: serde_json::Map<String, serde_json::Value>,
    needed: Vec<&'static str>,
}

impl Map {
    /// Adds a field with the lines of its comment.
    pub(super) fn field(&mut self, name: &'static str, needed: bool, about: &[&str], mut schema: Schema) {
        if !about.is_empty() {
            schema.insert("description".to_owned(), sentences(about).into());
        }
        self.fields.insert(name.to_owned(), schema.to_value());
        self.needed.extend(needed.then_some(name));
    }

    /// Keys that start with `x-` are the person's own.
    pub(super) fn schema(self, about: &[&str]) -> Schema {
        let Map { fields, needed } = self;
        let mut schema = json_schema!({
            "description": sentences(about),
            "type": "object",
            "properties": fields,
            "patternProperties": {"^x-": true},
            "additionalProperties": false
        });
        if !needed.is_empty() {
            schema.insert("required".to_owned(), needed.into());
        }
        schema
    }
}

/// The lines of a comment as one text.
fn sentences(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n")
}
