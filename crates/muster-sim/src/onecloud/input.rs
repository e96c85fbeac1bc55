//! Request bodies: JSON or form, names in any case, numbers and booleans also as strings.

use std::collections::BTreeMap;

use serde_json::Value;

use super::refusal::Refusal;

/// The fields of a body under lower-case names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// Reads a body. Without a content type, what starts with `{` is JSON.
    pub fn read(content_type: Option<&str>, body: &[u8]) -> Result<Fields, Refusal> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Fields::default());
        }
        let kind = content_type.unwrap_or("").to_ascii_lowercase();
        let looks_like_json = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        if kind.contains("json") || (!kind.contains("form") && looks_like_json) {
            Fields::json(body)
        } else if kind.contains("form") || kind.is_empty() {
            Fields::form(body)
        } else {
            Err(Refusal::new(415, "The request entity's media type is not supported for this resource."))
        }
    }

    /// The fields of a JSON object.
    pub fn of_object(object: &serde_json::Map<String, Value>) -> Fields {
        Fields(object.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect())
    }

    fn json(body: &[u8]) -> Result<Fields, Refusal> {
        let value: Value =
            serde_json::from_slice(body).map_err(|_| Refusal::bad("The request body is not valid JSON."))?;
        match value {
            Value::Object(object) => Ok(Fields::of_object(&object)),
            _ => Err(Refusal::bad("The request body must be a JSON object.")),
        }
    }

    fn form(body: &[u8]) -> Result<Fields, Refusal> {
        let mut fields: BTreeMap<String, Value> = BTreeMap::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            let value = Value::String(decode(value)?);
            // `SshKeys[]=1&SshKeys[]=2` and `SshKeys[0]=1` are how forms write arrays.
            let full = decode(name)?.to_lowercase();
            let (name, in_array) = match full.split_once('[') {
                Some((name, _)) => (name.to_owned(), true),
                None => (full, false),
            };
            match fields.get_mut(&name) {
                Some(Value::Array(values)) => values.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
                None if in_array => {
                    fields.insert(name, Value::Array(vec![value]));
                }
                None => {
                    fields.insert(name, value);
                }
            }
        }
        Ok(Fields(fields))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(&name.to_lowercase()).filter(|value| !value.is_null())
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A text; a number is taken as its digits. Empty is absent.
    pub fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(wrong(name, "text")),
        }
    }

    /// A whole number, also as a string.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => whole(value).map(Some).ok_or_else(|| wrong(name, "a whole number")),
        }
    }

    /// A whole number that fits a field of the objects.
    pub fn count(&self, name: &str) -> Result<Option<u32>, Refusal> {
        match self.number(name)? {
            None => Ok(None),
            Some(number) => u32::try_from(number).map(Some).map_err(|_| wrong(name, "within its limits")),
        }
    }

    /// The number of another object.
    pub fn id(&self, name: &str) -> Result<Option<u64>, Refusal> {
        match self.number(name)? {
            None => Ok(None),
            Some(number) => {
                u64::try_from(number).map(Some).map_err(|_| wrong(name, "the number of an object"))
            }
        }
    }

    /// A truth value, also as a string.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
                "" => Ok(None),
                "true" | "1" => Ok(Some(true)),
                "false" | "0" => Ok(Some(false)),
                _ => Err(wrong(name, "true or false")),
            },
            Some(Value::Number(number)) if number.as_i64() == Some(1) => Ok(Some(true)),
            Some(Value::Number(number)) if number.as_i64() == Some(0) => Ok(Some(false)),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    /// Numbers of other objects: an array, one number, or numbers between commas. A `null` among them is nothing:
    /// one client in use sends `[null]` for no keys.
    pub fn ids(&self, name: &str) -> Result<Vec<u64>, Refusal> {
        let refused = || wrong(name, "numbers of objects");
        let read = |value: &Value| whole(value).and_then(|number| u64::try_from(number).ok());
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => values
                .iter()
                .filter(|value| !value.is_null())
                .map(|value| read(value).ok_or_else(refused))
                .collect(),
            Some(Value::String(text)) => text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| part.parse().map_err(|_| refused()))
                .collect(),
            Some(value) => read(value).map(|id| vec![id]).ok_or_else(refused),
        }
    }
}

fn wrong(name: &str, wanted: &str) -> Refusal {
    Refusal::bad(format!("Parameter {name} must be {wanted}"))
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            // Beyond 2^53 a float is not a count any more.
            (float.fract() == 0.0 && float.abs() < 9.0e15).then_some(float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn decode(text: &[u8]) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(byte.ok_or_else(|| Refusal::bad("The form is not well encoded."))?);
                rest = &tail[2..];
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).map_err(|_| Refusal::bad("The form is not UTF-8."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_json_say_the_same() {
        let json = Fields::read(
            Some("application/json; charset=utf-8"),
            r#"{"cPu": "2", "isHighPerformance": "False", "SshKeys": [1, "2", null], "name": "а b"}"#
                .as_bytes(),
        )
        .unwrap();
        let form = Fields::read(
            Some("application/x-www-form-urlencoded"),
            b"CPU=2&IsHighPerformance=false&sshkeys[]=1&SshKeys[]=2&Name=%D0%B0+b",
        )
        .unwrap();
        for fields in [json, form] {
            assert_eq!(fields.count("CPU").unwrap(), Some(2));
            assert_eq!(fields.flag("ishighperformance").unwrap(), Some(false));
            assert_eq!(fields.ids("SshKeys").unwrap(), vec![1, 2]);
            assert_eq!(fields.text("Name").unwrap().as_deref(), Some("а b"));
        }
    }

    #[test]
    fn broken_bodies_are_refused() {
        for (kind, body) in [
            ("application/json", "{"),
            ("application/json", "[1]"),
            ("application/x-www-form-urlencoded", "a=%4"),
            ("application/x-www-form-urlencoded", "a=%zz"),
            ("application/x-www-form-urlencoded", "a=%ff"),
            ("text/xml", "<a/>"),
        ] {
            assert!(Fields::read(Some(kind), body.as_bytes()).is_err(), "{kind} {body}");
        }
        let fields = Fields::read(None, b"{\"CPU\": 1.5, \"RAM\": -1, \"On\": 2}").unwrap();
        assert!(fields.count("CPU").is_err());
        assert!(fields.count("RAM").is_err());
        assert!(fields.flag("On").is_err());
    }
}
