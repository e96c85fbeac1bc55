//! Filters and order of lists: the same wherever a list is made, at the server, and over several accounts at the client.

use serde::Serialize;
use serde_json::Value;

use crate::document::Resource;

/// In which order a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The field.
    pub field: String,
    /// Whether the last one comes first.
    pub is_turned: bool,
}

impl Order {
    /// By name, as people count.
    pub fn by_name() -> Order {
        Order::read("name")
    }

    /// Reads `FIELD`, or `-FIELD` for the other way round.
    pub fn read(text: &str) -> Order {
        match text.strip_prefix('-') {
            Some(field) => Order { field: field.to_owned(), is_turned: true },
            None => Order { field: text.to_owned(), is_turned: false },
        }
    }

    /// Puts a list into this order; those that are alike stay as they were.
    pub fn sort<T>(&self, list: &mut [T], value: impl Fn(&T, &str) -> String) {
        list.sort_by_cached_key(|one| counted(&value(one, &self.field)));
        if self.is_turned {
            list.reverse();
        }
    }
}

/// The text of a field of something said: several values with blanks between, nothing as an empty text.
pub fn value_of<T: Serialize>(said: &Resource<T>, field: &str) -> String {
    if field == "id" {
        return said.id.clone();
    }
    let value = serde_json::to_value(&said.attributes).unwrap_or_default();
    text(&value[field])
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(several) => several.iter().map(text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// A key that sorts names as people count: `web-2` before `web-10`.
pub fn counted(name: &str) -> Vec<(String, u64)> {
    let mut parts: Vec<(String, u64)> = vec![(String::new(), 0)];
    let mut in_number = false;
    for char in name.chars() {
        if in_number && !char.is_ascii_digit() {
            parts.push((String::new(), 0));
        }
        in_number = char.is_ascii_digit();
        if let Some((text, number)) = parts.last_mut() {
            match char.to_digit(10) {
                Some(digit) => *number = number.saturating_mul(10).saturating_add(u64::from(digit)),
                None => text.push(char),
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_as_people_count() {
        let mut names = ["web-10", "db", "web-2", "web-1", "web", "a2b10", "a2b9"];
        Order::by_name().sort(&mut names, |name, _| (*name).to_owned());
        assert_eq!(names, ["a2b9", "a2b10", "db", "web", "web-1", "web-2", "web-10"]);
        Order::read("-name").sort(&mut names, |name, _| (*name).to_owned());
        assert_eq!(names[..2], ["web-10", "web-2"]);
    }
}
