//! JSON:API documents: one resource, many, and what a client sends.
//!
//! Only what the API uses of <https://jsonapi.org/format/>: `data`, `errors` (in [`crate::problem`]), `meta` and
//! attributes. Links and relationships are left out: ids stand in the attributes under the noun's own word.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Attributes that have a place in the API.
pub trait Said {
    /// The resource type, plural: `plans`.
    const TYPE: &'static str;
}

/// One thing: its type, its id, what is said about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Resource<T> {
    /// The resource type, plural.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id, unique within the type.
    pub id: String,
    /// What is said about it.
    pub attributes: T,
}

impl<T: Said> Resource<T> {
    /// A resource of the type that the attributes belong to.
    pub fn new(id: impl Into<String>, attributes: T) -> Resource<T> {
        Resource { kind: T::TYPE.to_owned(), id: id.into(), attributes }
    }
}

/// An answer about one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct One<T> {
    /// The thing.
    pub data: Resource<T>,
}

impl<T: Said> One<T> {
    /// An answer about one thing.
    pub fn new(id: impl Into<String>, attributes: T) -> One<T> {
        One { data: Resource::new(id, attributes) }
    }
}

/// An answer about many things of one type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Many<T> {
    /// The things.
    pub data: Vec<Resource<T>>,
    /// About the list itself.
    #[serde(default)]
    pub meta: ManyMeta,
}

/// About a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ManyMeta {
    /// How many things this answer holds.
    pub count: u64,
    /// Whether the limit cut the list.
    #[serde(default)]
    pub more: bool,
    /// Where the next page begins, where things are left out or come from several lanes: give it as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Whether something may be missing because an index is not up to date yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind: bool,
}

impl<T> Many<T> {
    /// A complete list.
    pub fn all(data: Vec<Resource<T>>) -> Many<T> {
        Many { meta: ManyMeta { count: data.len() as u64, more: false, ..ManyMeta::default() }, data }
    }

    /// A list that ends at a limit: one thing more than `limit` says that there would be more.
    pub fn cut(mut data: Vec<Resource<T>>, limit: usize) -> Many<T> {
        let more = data.len() > limit;
        data.truncate(limit);
        Many { meta: ManyMeta { count: data.len() as u64, more, ..ManyMeta::default() }, data }
    }

    /// A page that was read from a cursor.
    pub fn page(data: Vec<Resource<T>>, more: bool, cursor: impl ToString) -> Many<T> {
        let cursor = Some(cursor.to_string());
        Many { meta: ManyMeta { count: data.len() as u64, more, cursor, ..ManyMeta::default() }, data }
    }
}

/// What a client sends to make or change one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Incoming<T> {
    /// The thing.
    pub data: IncomingResource<T>,
}

/// A resource on its way in: the server gives the id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncomingResource<T> {
    /// The resource type; must be the one that the route is about.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id, where the client chooses it (names); it must then be the one in the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is asked for.
    pub attributes: T,
}

impl<T: Said> Incoming<T> {
    /// A request of the type that the attributes belong to.
    pub fn new(attributes: T) -> Incoming<T> {
        Incoming { data: IncomingResource { kind: T::TYPE.to_owned(), id: None, attributes } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Spoon {
        length_mm: u32,
    }

    impl Said for Spoon {
        const TYPE: &'static str = "spoons";
    }

    #[test]
    fn a_document_has_the_shape_of_json_api() {
        let text = serde_json::to_value(One::new("s1", Spoon { length_mm: 190 })).unwrap();
        assert_eq!(
            text,
            serde_json::json!({"data": {"type": "spoons", "id": "s1", "attributes": {"length_mm": 190}}})
        );
        let incoming = serde_json::to_value(Incoming::new(Spoon { length_mm: 1 })).unwrap();
        assert_eq!(incoming, serde_json::json!({"data": {"type": "spoons", "attributes": {"length_mm": 1}}}));
    }

    #[test]
    fn a_list_says_when_it_was_cut() {
        let things =
            |count: u32| (0..count).map(|n| Resource::new(n.to_string(), Spoon { length_mm: n })).collect();
        assert_eq!(Many::cut(things(3), 2).meta, ManyMeta { count: 2, more: true, ..ManyMeta::default() });
        assert_eq!(Many::cut(things(2), 2).meta, ManyMeta { count: 2, more: false, ..ManyMeta::default() });
    }
}
