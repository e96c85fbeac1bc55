//! Objects of an account that a person manages one by one, outside any file: images, networks, keys, domains and their
//! records, storage. One table ([`ObjectClass::fields`]) says what each class knows; lists, plans, requests and views
//! all read it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::ProviderId;

mod class;
pub mod record;
pub mod zone_file;

pub use class::{FieldForm, FieldRule, Given, ObjectClass};

/// One value of a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// Yes or no.
    Flag(bool),
    /// A whole number, in the unit that the field's rule names.
    Number(i64),
    /// Text.
    Text(String),
    /// Rows of further fields: rules of a firewall, tunnels.
    Rows(Vec<Fields>),
}

/// Fields by their word.
pub type Fields = BTreeMap<String, FieldValue>;

impl fmt::Display for FieldValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldValue::Flag(true) => out.write_str("yes"),
            FieldValue::Flag(false) => out.write_str("no"),
            FieldValue::Number(number) => number.fmt(out),
            FieldValue::Text(text) => out.write_str(text),
            FieldValue::Rows(rows) => {
                for (at, row) in rows.iter().enumerate() {
                    let fields: Vec<String> =
                        row.iter().map(|(word, value)| format!("{word}={value}")).collect();
                    write!(out, "{}{}", if at == 0 { "" } else { "; " }, fields.join(" "))?;
                }
                Ok(())
            }
        }
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> FieldValue {
        FieldValue::Text(text.to_owned())
    }
}

/// An object as seen at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenObject {
    /// What it is.
    pub class: ObjectClass,
    /// The provider's id.
    pub id: ProviderId,
    /// The name people use for it; need not be unique.
    pub name: String,
    /// The provider's word for its state; empty if it has none.
    pub state: String,
    /// The object it belongs to: a record's domain.
    pub of: Option<ProviderId>,
    /// The rest, by the words of [`ObjectClass::fields`].
    pub fields: Fields,
}

impl SeenObject {
    /// Whether the provider is still making it: its words for a thing that is not ready yet
    /// (`spec/onecloud-api.md` §1.4).
    pub fn is_in_the_making(&self) -> bool {
        ["New", "FromPool", "InPool"].iter().any(|word| self.state.eq_ignore_ascii_case(word))
    }

    /// A field's text; empty if it is not there.
    pub fn text(&self, word: &str) -> String {
        self.fields.get(word).map(ToString::to_string).unwrap_or_default()
    }

    /// Whether it has all of these values.
    pub fn has(&self, wanted: &Fields) -> bool {
        if self.class == ObjectClass::Record {
            return record::has(&self.fields, wanted);
        }
        wanted
            .iter()
            .all(|(word, value)| self.fields.get(word).is_some_and(|seen| is_same(word, seen, value)))
    }
}

/// Whether two values of a field mean the same: a key comes back without its comment, or without its algorithm.
fn is_same(word: &str, seen: &FieldValue, wanted: &FieldValue) -> bool {
    if seen == wanted {
        return true;
    }
    match word {
        PUBLIC_KEY => key_material(&seen.to_string()) == key_material(&wanted.to_string()),
        _ => seen.to_string().eq_ignore_ascii_case(&wanted.to_string()),
    }
}

/// The field that holds a public key.
pub const PUBLIC_KEY: &str = "public_key";

/// The part of an OpenSSH line that tells keys apart.
fn key_material(line: &str) -> &str {
    line.split_whitespace().find(|part| part.starts_with("AAAA")).unwrap_or(line.trim())
}

/// What a create asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectDraft {
    /// What it is.
    pub class: ObjectClass,
    /// Its name.
    pub name: String,
    /// The object it belongs to.
    pub of: Option<ProviderId>,
    /// Its fields.
    pub fields: Fields,
}

impl ObjectDraft {
    /// Whether an object is what this asks for, as far as the provider shows it.
    pub fn fits(&self, seen: &SeenObject) -> bool {
        let shown: Fields = self
            .fields
            .iter()
            .filter(|(word, _)| self.class.field(word).is_some_and(|rule| rule.is_shown))
            .map(|(word, value)| (word.clone(), value.clone()))
            .collect();
        self.class == seen.class
            && self.of == seen.of
            && self.class.same_name(&self.name, &seen.name)
            && seen.has(&shown)
    }
}

/// What can be done to an object beside changing its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectVerb {
    /// A storage user may not use the storage for now.
    Block,
    /// It may again.
    Unblock,
    /// A storage user gets another password, made by the provider.
    ChangePassword,
}

impl ObjectVerb {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            ObjectVerb::Block => "block",
            ObjectVerb::Unblock => "unblock",
            ObjectVerb::ChangePassword => "change password of",
        }
    }
}

/// What a person wants of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "want")]
pub enum ObjectWish {
    /// There is one with this name and these fields.
    Present {
        /// What it is.
        class: ObjectClass,
        /// Its name.
        name: String,
        /// Its fields; those left out keep what they are, or get what the table says.
        #[serde(default)]
        fields: Fields,
    },
    /// The one of this name, or id, gets these fields, and perhaps another name.
    Changed {
        /// What it is.
        class: ObjectClass,
        /// Its name or id.
        name: String,
        /// The name it gets.
        #[serde(default)]
        rename: Option<String>,
        /// The fields it gets.
        #[serde(default)]
        fields: Fields,
    },
    /// There is none of this name, or id.
    Absent {
        /// What it is.
        class: ObjectClass,
        /// Its name or id.
        name: String,
    },
    /// Something is done to the one of this name, or id.
    Done {
        /// What it is.
        class: ObjectClass,
        /// Its name or id.
        name: String,
        /// What is done.
        verb: ObjectVerb,
    },
    /// The records of one name and type in a domain are these.
    Records(record::RecordSet),
    /// A server is made anew from an image, under its id and address.
    Rebuilt {
        /// Its name or id.
        server: String,
        /// The image in words; none: the one it has.
        #[serde(default)]
        image: Option<String>,
        /// Whether a Windows system gets a new identity.
        #[serde(default)]
        sysprep: bool,
    },
    /// There is a copy of a server.
    Copied {
        /// Its name or id.
        server: String,
        /// The copy's name.
        copy: String,
        /// A private network for the copy, by its name or id.
        #[serde(default)]
        network: Option<String>,
    },
}

impl ObjectWish {
    /// The class it is about; none: a server.
    pub fn class(&self) -> Option<ObjectClass> {
        match self {
            ObjectWish::Present { class, .. }
            | ObjectWish::Changed { class, .. }
            | ObjectWish::Absent { class, .. }
            | ObjectWish::Done { class, .. } => Some(*class),
            ObjectWish::Records(_) => Some(ObjectClass::Record),
            ObjectWish::Rebuilt { .. } => None,
            // The network is looked up.
            ObjectWish::Copied { network, .. } => network.as_ref().map(|_| ObjectClass::Network),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_fits_what_it_made() {
        let draft = ObjectDraft {
            class: ObjectClass::Key,
            name: "laptop".into(),
            of: None,
            fields: Fields::from([(PUBLIC_KEY.into(), "ssh-ed25519 AAAAC3Nz me@laptop".into())]),
        };
        let mut seen = SeenObject {
            class: ObjectClass::Key,
            id: "7".into(),
            name: "laptop".into(),
            state: String::new(),
            of: None,
            fields: Fields::from([(PUBLIC_KEY.into(), "AAAAC3Nz".into())]),
        };
        assert!(draft.fits(&seen), "it came back without its algorithm and comment");
        seen.fields.insert(PUBLIC_KEY.into(), "AAAAB4Xx".into());
        assert!(!draft.fits(&seen));
    }

    #[test]
    fn values_read_as_people_write_them() {
        let row = Fields::from([("port".into(), FieldValue::Number(22)), ("to".into(), "any".into())]);
        assert_eq!(FieldValue::Rows(vec![row.clone(), row]).to_string(), "port=22 to=any; port=22 to=any");
        assert_eq!(serde_json::from_str::<FieldValue>("true").unwrap(), FieldValue::Flag(true));
        assert_eq!(serde_json::from_str::<FieldValue>("\"10\"").unwrap(), FieldValue::Text("10".into()));
    }
}
