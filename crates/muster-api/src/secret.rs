//! Secrets: their names as said, and the one form in which a clear text travels (towards the server only).

use std::fmt;

use muster_model::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::document::Said;

/// A clear text on its way to the server. Serialises (that is its purpose), prints as dots, is never in an answer.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(pub Secret);

impl fmt::Debug for SecretText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<SecretText, D::Error> {
        String::deserialize(from).map(|text| SecretText(Secret::new(text)))
    }
}

/// What is said about a secret: that it exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretAttributes {
    /// Its name, as used in `${secret:name}`.
    pub name: String,
}

impl Said for SecretAttributes {
    const TYPE: &'static str = "secrets";
}

/// A secret's new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretValue {
    /// The clear text; sealed at once.
    #[schema(value_type = String, format = Password, write_only)]
    pub value: SecretText,
}

impl Said for SecretValue {
    const TYPE: &'static str = "secrets";
}
