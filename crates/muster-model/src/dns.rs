//! Names in DNS that a file gives its servers: what the file wants, what a domain holds, and what of it is ours.
//!
//! Names are whole here (`www.example.com`), in lower case, without a dot at their end. How one record is spelled at
//! a provider, and records that a person manages one by one, are [`crate::object::record`]'s business.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::id::{ProviderId, ServerName};
use crate::object::record::{RecordType, full_name};
use crate::object::{FieldValue, Fields, ObjectClass, ObjectDraft, SeenObject};
use crate::server::SeenServer;

/// A name that a server is to have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WantedName {
    /// The whole name.
    pub name: String,
    /// How long it may be remembered, in seconds; none leaves it to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
}

/// A domain of the account, as seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenZone {
    /// The provider's id.
    pub id: ProviderId,
    /// Its name.
    pub name: String,
    /// Its records of addresses and other names; those of domains that nothing is wanted of are not read.
    pub records: Vec<SeenRecord>,
}

/// A record as seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRecord {
    /// The provider's id.
    pub id: ProviderId,
    /// Its whole name.
    pub name: String,
    /// Its type.
    pub kind: RecordType,
    /// The address, or the name that it stands for.
    pub value: String,
    /// Seconds, where the provider says them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
}

/// Which record of a server something is about: what an ownership record or an intent says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRecord {
    /// The server, by its name in the file.
    pub server: ServerName,
    /// The domain's id at the provider.
    pub zone: ProviderId,
    /// The domain's name.
    pub zone_name: String,
    /// The whole name.
    pub name: String,
    /// *A* or *AAAA*.
    pub kind: RecordType,
}

impl ServerRecord {
    /// Under which name an ownership record keeps it. Several servers may have one name in DNS.
    pub fn owned_as(&self) -> ServerName {
        ServerName(format!("{} {} of {}", self.name, self.kind, self.server))
    }

    /// Under which name a create of it is remembered: one that may be under way for one address at a time.
    pub fn created_as(&self, value: &str) -> ServerName {
        ServerName(format!("{} {} {value}", self.name, self.kind))
    }

    /// The request for it.
    pub fn draft(&self, value: &str, ttl: Option<u32>) -> ObjectDraft {
        let mut fields = Fields::from([
            ("type".to_owned(), self.kind.word().into()),
            ("value".to_owned(), FieldValue::Text(value.to_owned())),
        ]);
        if let Some(ttl) = ttl {
            fields.insert("ttl".to_owned(), FieldValue::Number(i64::from(ttl)));
        }
        ObjectDraft {
            class: ObjectClass::Record,
            name: crate::object::record::relative(&format!("{}.", self.name), &self.zone_name),
            of: Some(self.zone.clone()),
            fields,
        }
    }

    /// Whether a record as seen is of this name and type.
    pub fn is_of(&self, seen: &SeenRecord) -> bool {
        seen.kind == self.kind && seen.name == self.name
    }
}

impl SeenRecord {
    /// From a record of a domain; none where it holds neither an address nor another name.
    pub fn of(zone_name: &str, seen: &SeenObject) -> Option<SeenRecord> {
        let kind = RecordType::of_word(&seen.text("type"))?;
        if !matches!(kind, RecordType::A | RecordType::Aaaa | RecordType::Cname) {
            return None;
        }
        let ttl = match seen.fields.get("ttl") {
            Some(FieldValue::Number(ttl)) => u32::try_from(*ttl).ok(),
            _ => None,
        };
        let value = seen.text("value");
        Some(SeenRecord {
            id: seen.id.clone(),
            name: full_name(&seen.name, zone_name),
            kind,
            value: plain_address(&value).unwrap_or(value),
            ttl,
        })
    }

    /// Whether it says this, and no other time to live than the one that is wanted.
    pub fn says(&self, value: &str, ttl: Option<u32>) -> bool {
        self.value == value && ttl.is_none_or(|ttl| self.ttl == Some(ttl))
    }
}

/// An address in the one spelling in which addresses are compared.
fn plain_address(text: &str) -> Option<String> {
    text.trim().parse::<IpAddr>().ok().map(|address| address.to_string())
}

/// The domain that a name lies in: the longest one that is its end.
pub fn zone_of<'z>(name: &str, zones: &'z [SeenZone]) -> Option<&'z SeenZone> {
    let holds = |zone: &&SeenZone| {
        name == zone.name || name.strip_suffix(&zone.name).is_some_and(|before| before.ends_with('.'))
    };
    zones.iter().filter(holds).max_by_key(|zone| zone.name.len())
}

/// The addresses under which a server is reached from everywhere, as records say them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublicAddresses {
    /// The IPv4 address.
    pub v4: Option<Ipv4Addr>,
    /// The IPv6 address.
    pub v6: Option<Ipv6Addr>,
}

impl PublicAddresses {
    /// Of a server as seen: its own address first, then those of its public links.
    pub fn of(server: &SeenServer) -> PublicAddresses {
        let links = server.links.iter().filter(|link| link.public).map(|link| link.address.as_str());
        let mut found = PublicAddresses::default();
        for text in server.address.as_deref().into_iter().chain(links) {
            match text.trim().parse() {
                Ok(IpAddr::V4(address)) => found.v4 = found.v4.or(Some(address)),
                Ok(IpAddr::V6(address)) => found.v6 = found.v6.or(Some(address)),
                Err(_) => {}
            }
        }
        found
    }

    /// What a record of this type says; none where there is no such address.
    pub fn value(&self, kind: RecordType) -> Option<String> {
        match kind {
            RecordType::A => self.v4.map(|address| address.to_string()),
            RecordType::Aaaa => self.v6.map(|address| address.to_string()),
            RecordType::Cname | RecordType::Mx | RecordType::Ns | RecordType::Txt | RecordType::Srv => None,
        }
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.v4.is_none() && self.v6.is_none()
    }
}

/// The types of records that hold an address.
pub const ADDRESS_TYPES: [RecordType; 2] = [RecordType::A, RecordType::Aaaa];

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> SeenZone {
        SeenZone { id: name.into(), name: name.into(), records: Vec::new() }
    }

    #[test]
    fn a_name_lies_in_the_longest_domain_that_is_its_end() {
        let zones = [zone("example.com"), zone("dev.example.com"), zone("ample.com")];
        let found = |name: &str| zone_of(name, &zones).map(|zone| zone.name.as_str());
        assert_eq!(found("www.example.com"), Some("example.com"));
        assert_eq!(found("www.dev.example.com"), Some("dev.example.com"));
        assert_eq!(found("dev.example.com"), Some("dev.example.com"));
        assert_eq!(found("example.com"), Some("example.com"));
        assert_eq!(found("www.sample.com"), None);
    }

    #[test]
    fn a_record_is_asked_for_by_its_name_within_the_domain() {
        let record = |name: &str| ServerRecord {
            server: "web-1".into(),
            zone: "7".into(),
            zone_name: "example.com".into(),
            name: name.into(),
            kind: RecordType::A,
        };
        let draft = record("a.www.example.com").draft("203.0.113.7", Some(300));
        assert_eq!((draft.name.as_str(), draft.of), ("a.www", Some("7".into())));
        assert_eq!(record("example.com").draft("203.0.113.7", None).name, "@");
        assert_eq!(record("example.com").owned_as().as_str(), "example.com A of web-1");
    }
}
