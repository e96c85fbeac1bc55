//! What one record says, and when two say the same.

use core::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::super::{FieldValue, Fields, SeenObject};
use super::{APEX, RecordType, TEXT_MAX, TTLS, is_name, plain};

/// The priority of a mail server or service that was given none.
pub const DEFAULT_PRIORITY: u16 = 10;

/// What one record says beside its name and type.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordData {
    /// The address, the target or the text. A target is written whole, without a dot at its end.
    pub value: String,
    /// Of MX and SRV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    /// Of SRV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    /// Of SRV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Seconds; none: what the provider uses, or what the record has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
}

impl RecordData {
    pub(super) fn check(&mut self, kind: RecordType) -> Result<(), String> {
        if let Some(ttl) = self.ttl
            && !TTLS.contains(&ttl)
        {
            let allowed: Vec<String> = TTLS.iter().map(ToString::to_string).collect();
            return Err(format!("a ttl of {ttl} s is not allowed; one of {}", allowed.join(", ")));
        }
        let value = self.value.trim().to_owned();
        self.value = match kind {
            RecordType::A => value
                .parse::<Ipv4Addr>()
                .map_err(|_| format!("\"{value}\" is no IPv4 address, as 203.0.113.7"))?
                .to_string(),
            RecordType::Aaaa => value
                .parse::<Ipv6Addr>()
                .map_err(|_| format!("\"{value}\" is no IPv6 address, as 2001:db8::7"))?
                .to_string(),
            kind if kind.has_target() => {
                let target = if value == APEX { value } else { plain(&value) };
                if target != APEX && !is_name(&target, false) {
                    return Err(format!("\"{target}\" is no host name, as mail.example.com"));
                }
                target
            }
            _ if self.value.is_empty() || self.value.len() > TEXT_MAX => {
                return Err(format!("a text has 1 to {TEXT_MAX} bytes"));
            }
            _ => self.value.clone(),
        };
        let is_ordered = matches!(kind, RecordType::Mx | RecordType::Srv);
        match (is_ordered, self.priority) {
            (true, None) => self.priority = Some(DEFAULT_PRIORITY),
            (false, Some(_)) => return Err(format!("{kind} has no priority")),
            _ => {}
        }
        match kind {
            RecordType::Srv => {
                self.weight.get_or_insert(0);
                if self.port.is_none() {
                    return Err("SRV needs a port".into());
                }
            }
            _ if self.weight.is_some() || self.port.is_some() => {
                return Err(format!("{kind} has neither weight nor port"));
            }
            _ => {}
        }
        Ok(())
    }

    /// As fields of an object.
    pub fn fields(&self, kind: RecordType) -> Fields {
        let mut fields = Fields::new();
        fields.insert("type".into(), kind.word().into());
        fields.insert("value".into(), FieldValue::Text(self.value.clone()));
        let numbers = [
            ("priority", self.priority.map(i64::from)),
            ("weight", self.weight.map(i64::from)),
            ("port", self.port.map(i64::from)),
            ("ttl", self.ttl.map(i64::from)),
        ];
        for (word, number) in numbers {
            if let Some(number) = number {
                fields.insert(word.into(), FieldValue::Number(number));
            }
        }
        fields
    }

    /// From the fields of a record as seen; none where its type is not known to this version.
    pub fn of(seen: &SeenObject) -> Option<(RecordType, RecordData)> {
        RecordData::of_fields(&seen.fields)
    }

    /// From the fields of a record; none where its type is not known to this version.
    pub fn of_fields(fields: &Fields) -> Option<(RecordType, RecordData)> {
        let text = |word: &str| fields.get(word).map(ToString::to_string).unwrap_or_default();
        let kind = RecordType::of_word(&text("type"))?;
        let number = |word: &str| text(word).parse::<u32>().ok();
        let short = |word: &str| number(word).and_then(|number| u16::try_from(number).ok());
        let data = RecordData {
            value: text("value"),
            priority: short("priority"),
            weight: short("weight"),
            port: short("port"),
            ttl: number("ttl"),
        };
        Some((kind, data))
    }

    /// Whether two of this type say the same, apart from how long it may be remembered. Names have no case, texts do.
    pub fn says_the_same(&self, other: &RecordData, kind: RecordType) -> bool {
        let value = |data: &RecordData| match kind {
            RecordType::Txt => data.value.clone(),
            _ => data.value.to_ascii_lowercase(),
        };
        value(self) == value(other)
            && (self.priority, self.weight, self.port) == (other.priority, other.weight, other.port)
    }

    /// Whether two of this type differ in nothing but the order in which they are tried: the later one is the earlier
    /// one changed.
    pub fn is_the_same_service(&self, other: &RecordData, kind: RecordType) -> bool {
        let bare = |data: &RecordData| RecordData { priority: None, weight: None, ..data.clone() };
        matches!(kind, RecordType::Mx | RecordType::Srv) && bare(self).says_the_same(&bare(other), kind)
    }
}

/// Whether a record has all that is wanted of one: each type compares as it means.
pub(in crate::object) fn has(seen: &Fields, wanted: &Fields) -> bool {
    match (RecordData::of_fields(seen), RecordData::of_fields(wanted)) {
        (Some((kind, seen)), Some((wanted_kind, wanted))) => {
            kind == wanted_kind
                && wanted.says_the_same(&seen, kind)
                && wanted.ttl.is_none_or(|ttl| seen.ttl == Some(ttl))
        }
        // A type that this version does not know is compared word by word.
        _ => wanted.iter().all(|(word, value)| seen.get(word) == Some(value)),
    }
}
