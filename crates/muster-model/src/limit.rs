//! Limits of concurrency: of what only so many steps may be under way at once, over all runs and nodes.

use std::fmt;

use crate::account::Provider;
use crate::id::{AccountName, SpaceName};

/// The largest limit.
pub const LIMIT_MAX: u32 = 100_000;
/// Longest name in a key, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// The name that means each host which has no limit of its own.
const EACH: &str = "*";

/// What is limited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitKey {
    /// Steps at one account.
    Account(SpaceName, AccountName),
    /// Steps inside one server.
    Host(SpaceName, String),
    /// Steps inside each server that has no limit of its own, each counted by itself.
    EachHost(SpaceName),
    /// Steps at all accounts of a kind of cloud, in every Space.
    Provider(Provider),
    /// All steps of a Space.
    Space(SpaceName),
}

impl LimitKey {
    /// Reads a key as people write it: `provider:onecloud`, `account:NAME`, `host:NAME`, `host:*`, `space:NAME`;
    /// accounts and hosts are those of `space`.
    pub fn read(text: &str, space: &SpaceName) -> Result<LimitKey, String> {
        let allowed = "a limit is for `provider:NAME`, `account:NAME`, `space:NAME`, `host:NAME` or `host:*`";
        let Some((kind, name)) = text.split_once(':') else {
            return Err(format!("`{text}` names nothing that can be limited: {allowed}"));
        };
        let printable = !name.chars().any(|letter| letter.is_control() || letter == '/');
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !printable {
            return Err(format!(
                "`{text}` has no usable name: 1 to {NAME_BYTES_MAX} bytes without `/` after the colon, e.g. `{kind}:web-1`"
            ));
        }
        match kind {
            "provider" => Provider::parse(name).map(LimitKey::Provider).ok_or_else(|| {
                let known: Vec<String> =
                    Provider::ALL.iter().map(|provider| format!("`provider:{}`", provider.word())).collect();
                format!("there is no provider `{name}`; Muster knows {}", known.join(", "))
            }),
            "account" => Ok(LimitKey::Account(space.clone(), name.into())),
            "space" => Ok(LimitKey::Space(name.into())),
            "host" if name == EACH => Ok(LimitKey::EachHost(space.clone())),
            "host" => Ok(LimitKey::Host(space.clone(), name.to_owned())),
            _ => Err(format!("`{kind}` is no kind of limit: {allowed}")),
        }
    }

    /// The key as the store has it, the same for all Spaces and nodes.
    pub fn stored(&self) -> String {
        match self {
            LimitKey::Account(space, name) => format!("account:{space}/{name}"),
            LimitKey::Host(space, name) => format!("host:{space}/{name}"),
            LimitKey::EachHost(space) => format!("host:{space}/{EACH}"),
            LimitKey::Provider(_) | LimitKey::Space(_) => self.to_string(),
        }
    }

    /// Reads what [`LimitKey::stored`] wrote.
    pub fn from_stored(text: &str) -> Option<LimitKey> {
        let (kind, rest) = text.split_once(':')?;
        let (space, name) = match kind {
            "account" | "host" => rest.rsplit_once('/')?,
            _ => ("", rest),
        };
        LimitKey::read(&format!("{kind}:{name}"), &space.into()).ok()
    }

    /// The key whose limit counts where this one has none of its own.
    pub fn or_else(&self) -> Option<LimitKey> {
        match self {
            LimitKey::Host(space, _) => Some(LimitKey::EachHost(space.clone())),
            LimitKey::Account(..) | LimitKey::EachHost(_) | LimitKey::Provider(_) | LimitKey::Space(_) => {
                None
            }
        }
    }

    /// The Space it is within; none for what all Spaces share.
    pub fn space(&self) -> Option<&SpaceName> {
        match self {
            LimitKey::Account(space, _)
            | LimitKey::Host(space, _)
            | LimitKey::EachHost(space)
            | LimitKey::Space(space) => Some(space),
            LimitKey::Provider(_) => None,
        }
    }
}

/// As people write it, within its Space.
impl fmt::Display for LimitKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LimitKey::Account(_, name) => write!(out, "account:{name}"),
            LimitKey::Host(_, name) => write!(out, "host:{name}"),
            LimitKey::EachHost(_) => write!(out, "host:{EACH}"),
            LimitKey::Provider(provider) => write!(out, "provider:{}", provider.word()),
            LimitKey::Space(name) => write!(out, "space:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_kept() {
        let space = SpaceName::from("shop");
        for text in
            ["provider:onecloud", "provider:local", "account:prod", "space:shop", "host:web-1", "host:*"]
        {
            let key = LimitKey::read(text, &space).unwrap();
            assert_eq!(key.to_string(), text);
            assert_eq!(LimitKey::from_stored(&key.stored()), Some(key));
        }
        assert_eq!(LimitKey::read("host:web-1", &space).unwrap().stored(), "host:shop/web-1");
        assert_eq!(LimitKey::read("space:bank", &space).unwrap().space(), Some(&"bank".into()));
    }

    #[test]
    fn what_cannot_be_limited_is_told_what_can() {
        let refused = |text| LimitKey::read(text, &"default".into()).unwrap_err();
        assert!(refused("web-1").contains("`host:NAME` or `host:*`"));
        assert!(refused("pool:a").contains("`pool` is no kind of limit: a limit is for `provider:NAME`"));
        assert!(refused("provider:aws").contains("Muster knows `provider:onecloud`"));
        assert!(refused("host:").contains("no usable name"));
        assert!(refused("host:a/b").contains("without `/`"));
    }

    #[test]
    fn a_host_without_a_limit_has_that_of_each() {
        let key = LimitKey::read("host:web-1", &"default".into()).unwrap();
        assert_eq!(key.or_else(), Some(LimitKey::EachHost("default".into())));
        assert_eq!(LimitKey::Space("default".into()).or_else(), None);
    }
}
