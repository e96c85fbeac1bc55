//! Objects of an account as said, and the requests about them.

use muster_model::object::{Fields, ObjectWish, SeenObject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{Resource, Said};

/// What is said about an object of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObjectAttributes {
    /// `image`, `network`, `public-network`, `key`, `zone`, `record`, `storage` or `storage-user`.
    pub class: String,
    /// Its name; need not be unique.
    pub name: String,
    /// The provider's word for its state; empty if it has none.
    pub state: String,
    /// The id of the object it belongs to: a record's domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What else there is, by class.
    #[schema(value_type = std::collections::BTreeMap<String, Object>)]
    pub fields: Fields,
}

impl Said for ObjectAttributes {
    const TYPE: &'static str = "objects";
}

impl From<SeenObject> for Resource<ObjectAttributes> {
    fn from(seen: SeenObject) -> Resource<ObjectAttributes> {
        let said = ObjectAttributes {
            class: seen.class.word().to_owned(),
            name: seen.name,
            state: seen.state,
            of: seen.of.map(|of| of.to_string()),
            fields: seen.fields,
        };
        Resource::new(seen.id.to_string(), said)
    }
}

/// What the provider tells about the customer, the project and the money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountDetails {
    /// By its words.
    #[schema(value_type = std::collections::BTreeMap<String, Object>)]
    pub fields: Fields,
}

impl Said for AccountDetails {
    const TYPE: &'static str = "account-details";
}

/// Ask for a plan about objects of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectsRequest {
    /// The Space.
    #[serde(default = "crate::plan::default_space")]
    pub space: String,
    /// What is wanted, each `{"want": "present" | "changed" | "absent" | "done" | "records" | "rebuilt" | "copied", …}`.
    #[schema(value_type = Vec<Object>)]
    pub wishes: Vec<ObjectWish>,
}

impl Said for ObjectsRequest {
    const TYPE: &'static str = "object-plans";
}

/// A password that the provider made.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PasswordAttributes {
    /// Whose.
    pub name: String,
    /// In clear text.
    pub password: String,
}

impl std::fmt::Debug for PasswordAttributes {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("PasswordAttributes").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Said for PasswordAttributes {
    const TYPE: &'static str = "passwords";
}
