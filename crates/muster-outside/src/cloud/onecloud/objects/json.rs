//! Reading an object whose fields are known by name only: names of any case, numbers and flags perhaps as text.

use muster_model::id::ProviderId;
use muster_model::object::{FieldValue, Fields};
use serde_json::Value;

/// Part of an answer.
#[derive(Clone, Copy)]
pub(super) struct Json<'a>(pub(super) &'a Value);

impl<'a> Json<'a> {
    /// A member, whatever the case of its name; `null` is none.
    pub(super) fn get(self, name: &str) -> Option<Json<'a>> {
        let Value::Object(members) = self.0 else { return None };
        let exact = members.get(name);
        let found = exact.or_else(|| {
            members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        });
        found.filter(|value| !value.is_null()).map(Json)
    }

    /// A scalar as text, trimmed; empty is none.
    pub(super) fn text(self, name: &str) -> Option<String> {
        let text = match self.get(name)?.0 {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// A whole number, perhaps as text.
    pub(super) fn number(self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// Yes or no, perhaps as text.
    pub(super) fn flag(self, name: &str) -> Option<bool> {
        match self.text(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// An id.
    pub(super) fn id(self, name: &str) -> Option<ProviderId> {
        self.text(name).map(ProviderId)
    }

    /// The members of a list; none where it is absent.
    pub(super) fn list(self, name: &str) -> Vec<Json<'a>> {
        match self.get(name) {
            Some(Json(Value::Array(items))) => items.iter().map(Json).collect(),
            _ => Vec::new(),
        }
    }

    /// Puts members into fields, each in the form that its name is listed under.
    pub(super) fn into_fields(self, fields: &mut Fields, members: &[(&str, &str, Form)]) {
        for (name, word, form) in members {
            let value = match form {
                Form::Text => self.text(name).map(FieldValue::Text),
                Form::Number => self.number(name).map(FieldValue::Number),
                Form::Flag => self.flag(name).map(FieldValue::Flag),
            };
            if let Some(value) = value {
                fields.insert((*word).to_owned(), value);
            }
        }
    }
}

/// What a member is read as.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Text,
    Number,
    Flag,
}
