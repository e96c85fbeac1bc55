//! Lists inside objects, and references to other objects in them (`spec/onecloud-api.md` §1.1).

use std::fmt;

use muster_model::id::ProviderId;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::scalar::{Text, whole};

/// A list inside an object; `null` is an empty one. (A whole answer that should be a list is a
/// [`super::List`], where `null` is an error: an empty account must never be concluded from it.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Many(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Many<T>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list")
            }
            fn visit_unit<E>(self) -> Result<Many<T>, E> {
                Ok(Many(Vec::new()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Many<T>, A::Error> {
                super::entries(list).map(Many)
            }
        }
        deserializer.deserialize_any(Reader(std::marker::PhantomData))
    }
}

/// A reference to another object inside a list: the bare id, or an object that holds it under one of `keys`.
/// Entries without an id (`null`, an object of another kind) are none.
pub struct Reference(pub Option<ProviderId>);

/// The names under which such an object holds the id, the best first.
const REFERENCE_KEYS: [&str; 4] = ["ServerID", "SshKeyID", "KeyID", "ID"];

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Reference;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an id, or an object with one")
            }
            fn visit_unit<E>(self) -> Result<Reference, E> {
                Ok(Reference(None))
            }
            fn visit_str<E>(self, text: &str) -> Result<Reference, E> {
                Ok(Reference((!text.trim().is_empty()).then(|| ProviderId(text.trim().to_owned()))))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Reference, E> {
                Ok(Reference(Some(ProviderId(value.to_string()))))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Reference, E> {
                Ok(Reference(whole(value).map(|value| ProviderId(value.to_string()))))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reference, A::Error> {
                let mut best: Option<(usize, ProviderId)> = None;
                while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                    let rank = REFERENCE_KEYS.iter().position(|known| known.eq_ignore_ascii_case(&key));
                    match rank {
                        Some(rank) if best.as_ref().is_none_or(|(held, _)| rank < *held) => {
                            let Text(value) = map.next_value::<Text<'de>>()?;
                            if !value.trim().is_empty() {
                                best = Some((rank, ProviderId(value.trim().to_owned())));
                            }
                        }
                        Some(_) | None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Reference(best.map(|(_, id)| id)))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_ids_or_objects() {
        let read = |text: &str| -> Vec<String> {
            let many: Many<Reference> = serde_json::from_str(text).unwrap();
            many.0.into_iter().filter_map(|reference| reference.0).map(|id| id.0).collect()
        };
        assert_eq!(
            read(r#"[1, "2", {"ID": 3}, {"LinkID": 9, "Id": 8, "ServerID": 4}, null, {}]"#),
            ["1", "2", "3", "4"]
        );
        assert_eq!(read("null"), Vec::<String>::new());
    }
}
