//! Public keys: the same key may be written with another comment, and a provider may drop its first word.

use std::collections::{BTreeMap, HashMap};

use muster_model::cloud::SeenKey;
use muster_model::id::{ProviderId, StepNumber};
use muster_model::ownership::Ownership;
use muster_model::plan::{KEYS_RECORD, ObjectRef, keys_digest};
use muster_model::server::{SeenServer, WantedServer};

/// The title of the account's own login key at the provider.
pub(crate) const LOGIN_KEY_TITLE: &str = "muster";

/// Every OpenSSH key begins with this in base64 (the length of its algorithm's name).
const MATERIAL_START: &str = "AAAA";

/// The part of a public key that makes it that key: neither the algorithm's word nor the comment.
pub(crate) fn material(line: &str) -> &str {
    line.split_whitespace().find(|word| word.starts_with(MATERIAL_START)).unwrap_or_else(|| line.trim())
}

/// A title for a key of the file: its comment, or a part of the key itself.
pub(crate) fn title(line: &str) -> String {
    let comment = line.split_whitespace().skip_while(|word| !word.starts_with(MATERIAL_START)).skip(1);
    let comment: Vec<&str> = comment.collect();
    if !comment.is_empty() {
        return comment.join(" ");
    }
    let material = material(line);
    let tail: String = material.chars().rev().take(8).collect::<Vec<char>>().into_iter().rev().collect();
    format!("muster-{tail}")
}

/// The keys that the account keeps at the provider, by material.
pub(crate) struct Keys<'a> {
    by_material: HashMap<&'a str, &'a ProviderId>,
}

impl<'a> Keys<'a> {
    /// Indexes the keys.
    pub(crate) fn new(all: &'a [SeenKey]) -> Keys<'a> {
        Keys { by_material: all.iter().map(|key| (material(&key.public_key), &key.id)).collect() }
    }

    /// The id of a key at the provider.
    pub(crate) fn id(&self, line: &str) -> Option<&'a ProviderId> {
        self.by_material.get(material(line)).copied()
    }

    /// How many of the wanted keys have not reached a server: neither made with it nor recorded as brought over SSH.
    pub(crate) fn missing(
        &self,
        wanted: &WantedServer,
        seen: &SeenServer,
        record: Option<&Ownership>,
    ) -> usize {
        if wanted.keys.is_empty() {
            return 0;
        }
        let reached = record
            .and_then(|record| record.provisioned.get(KEYS_RECORD))
            .is_some_and(|reached| reached.succeeded && reached.digest == keys_digest(&wanted.keys));
        if reached {
            return 0;
        }
        wanted.keys.iter().filter(|line| !self.id(line).is_some_and(|id| seen.keys.contains(id))).count()
    }
}

/// References to keys at the provider, seen or made by an earlier step, by material.
pub(crate) type KeyRefs<'a> = BTreeMap<&'a str, (ObjectRef, Option<StepNumber>)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn material_is_the_key_itself() {
        assert_eq!(material("ssh-ed25519 AAAAC3Nz me@home"), "AAAAC3Nz");
        assert_eq!(material("AAAAC3Nz"), "AAAAC3Nz");
        assert_eq!(material("no-touch-required ssh-rsa AAAAB3 x"), "AAAAB3");
    }

    #[test]
    fn title_is_the_comment_or_a_part_of_the_key() {
        assert_eq!(title("ssh-ed25519 AAAAC3Nz me at home"), "me at home");
        assert_eq!(title("ssh-ed25519 AAAAC3Nz12345678"), "muster-12345678");
    }
}
