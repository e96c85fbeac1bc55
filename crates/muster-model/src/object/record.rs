//! Records of a DNS domain: what one may say, and how a set of them is wanted (`spec/onecloud-api.md` §1.8).

use std::fmt;

use serde::{Deserialize, Serialize};

mod data;

pub(super) use data::has;
pub use data::{DEFAULT_PRIORITY, RecordData};

/// The times to live that the provider accepts, in seconds. Others are refused there.
pub const TTLS: [u32; 14] =
    [1, 5, 30, 60, 300, 600, 900, 1800, 3600, 7200, 21_160, 43_200, 86_400, 2_592_000];

/// The longest text of one TXT record.
pub const TEXT_MAX: usize = 4_000;

/// A name that is the domain itself.
pub const APEX: &str = "@";

/// A type of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Another name for a name.
    Cname,
    /// A mail server.
    Mx,
    /// A name server.
    Ns,
    /// Text.
    Txt,
    /// A service.
    Srv,
}

impl RecordType {
    /// All of them.
    pub const ALL: [RecordType; 7] = [
        RecordType::A,
        RecordType::Aaaa,
        RecordType::Cname,
        RecordType::Mx,
        RecordType::Ns,
        RecordType::Txt,
        RecordType::Srv,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            RecordType::A => "A",
            RecordType::Aaaa => "AAAA",
            RecordType::Cname => "CNAME",
            RecordType::Mx => "MX",
            RecordType::Ns => "NS",
            RecordType::Txt => "TXT",
            RecordType::Srv => "SRV",
        }
    }

    /// Whether its value is the name of a host.
    pub fn has_target(self) -> bool {
        matches!(self, RecordType::Cname | RecordType::Mx | RecordType::Ns | RecordType::Srv)
    }

    /// Reads a word of any case.
    pub fn of_word(word: &str) -> Option<RecordType> {
        RecordType::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word.trim()))
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// The records that one name and type of a domain are to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordSet {
    /// The domain, by its name.
    pub zone: String,
    /// The name within it: `www`, `_xmpp._tcp`, [`APEX`] for the domain itself.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: RecordType,
    /// What they are; empty with `keep_others` off: there are none.
    pub records: Vec<RecordData>,
    /// Whether others of this name and type stay.
    #[serde(default)]
    pub keep_others: bool,
    /// Whether those given here are to go, instead of to be there.
    #[serde(default)]
    pub remove: bool,
}

impl RecordSet {
    /// How it is called in plans: `www A`.
    pub fn target(&self) -> String {
        format!("{} {}", full_name(&self.name, &self.zone), self.kind)
    }

    /// Checks it and brings it into the form in which records are compared.
    ///
    /// # Errors
    /// What is wrong and what is allowed.
    pub fn checked(mut self) -> Result<RecordSet, String> {
        self.zone = plain(&self.zone);
        self.name = relative(&self.name, &self.zone);
        if self.name != APEX && !is_name(&self.name, true) {
            return Err(format!("\"{}\" is no name that a record may have", self.name));
        }
        match self.kind {
            RecordType::Mx if self.name != APEX => {
                return Err(
                    "the provider keeps MX records only for the domain itself; leave the name @".into()
                );
            }
            RecordType::Cname if self.name == APEX => {
                return Err("a domain itself cannot be another name; use A or AAAA".into());
            }
            RecordType::Srv if service_of(&self.name).is_none() => {
                return Err(
                    "the name of an SRV record begins with a service and a protocol, as _sip._tcp".into()
                );
            }
            _ => {}
        }
        if self.kind == RecordType::Cname && self.records.len() > 1 {
            return Err("a name has at most one CNAME".into());
        }
        for record in &mut self.records {
            record.check(self.kind)?;
            // The provider gives the domain back by its name.
            if record.value == APEX && self.kind.has_target() {
                record.value.clone_from(&self.zone);
            }
        }
        self.records.sort();
        self.records.dedup();
        Ok(self)
    }
}

/// A domain's name in lower case, without a dot at its end.
pub fn plain(name: &str) -> String {
    name.trim().trim_end_matches('.').to_ascii_lowercase()
}

/// A name within a domain, from one that may be whole, relative or empty.
pub fn relative(name: &str, zone: &str) -> String {
    let (whole, name, zone) = (name.trim().ends_with('.'), plain(name), plain(zone));
    if name.is_empty() || name == APEX || name == zone {
        return APEX.to_owned();
    }
    match name.strip_suffix(&zone).and_then(|rest| rest.strip_suffix('.')) {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ if whole => format!("{name}."),
        _ => name,
    }
}

/// A name with its domain.
pub fn full_name(name: &str, zone: &str) -> String {
    match name {
        APEX | "" => plain(zone),
        name => format!("{name}.{}", plain(zone)),
    }
}

/// The service, the protocol and the rest of an SRV record's name.
pub fn service_of(name: &str) -> Option<(&str, &str, &str)> {
    let (service, rest) = name.split_once('.')?;
    let (protocol, rest) = rest.split_once('.').unwrap_or((rest, APEX));
    let is_label = |label: &str| label.len() > 1 && label.starts_with('_');
    (is_label(service) && is_label(protocol)).then_some((service, protocol, rest))
}

/// Whether a text may be a name: labels of 1 to 63 letters, digits, hyphens and underscores, 253 in all.
pub(crate) fn is_name(text: &str, wildcard: bool) -> bool {
    let is_label = |(at, label): (usize, &str)| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let star = wildcard && at == 0 && label == "*";
        (1..=63).contains(&label.len()) && (plain || star) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').enumerate().all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, kind: RecordType, value: &str) -> RecordSet {
        RecordSet {
            zone: "Example.com.".into(),
            name: name.into(),
            kind,
            records: vec![RecordData { value: value.into(), ..RecordData::default() }],
            keep_others: false,
            remove: false,
        }
    }

    #[test]
    fn names_are_brought_into_one_form() {
        for (given, wanted) in [
            ("www", "www"),
            ("WWW.example.com.", "www"),
            ("www.example.com", "www"),
            ("example.com.", "@"),
            ("@", "@"),
            ("", "@"),
            ("*.dev", "*.dev"),
        ] {
            assert_eq!(relative(given, "example.com"), wanted, "{given}");
        }
        assert_eq!(full_name("@", "example.com."), "example.com");
        assert_eq!(set("www", RecordType::A, "203.0.113.7").target(), "www.example.com A");
    }

    #[test]
    fn what_the_provider_would_refuse_is_refused_with_what_is_allowed() {
        let refused = |set: RecordSet, words: &str| {
            let said = set.checked().unwrap_err();
            assert!(said.contains(words), "{said}");
        };
        refused(set("www", RecordType::A, "2001:db8::1"), "no IPv4 address");
        refused(set("www", RecordType::Aaaa, "203.0.113.7"), "no IPv6 address");
        refused(set("mail", RecordType::Mx, "mx.example.com"), "only for the domain itself");
        refused(set("@", RecordType::Cname, "other.net"), "use A or AAAA");
        refused(set("sip", RecordType::Srv, "host.example.com"), "_sip._tcp");
        refused(set("a b", RecordType::A, "203.0.113.7"), "no name that a record may have");
        refused(set("other.net.", RecordType::A, "203.0.113.7"), "no name");
        refused(set("www", RecordType::Txt, ""), "1 to 4000 bytes");
        let mut odd = set("www", RecordType::A, "203.0.113.7");
        odd.records[0].ttl = Some(21_600);
        refused(odd, "7200, 21160, 43200");
        let mut mail = set("@", RecordType::Mx, "MX.example.com.").checked().unwrap();
        assert_eq!((mail.records[0].value.as_str(), mail.records[0].priority), ("mx.example.com", Some(10)));
        mail.records[0].port = Some(25);
        refused(mail, "neither weight nor port");
    }

    #[test]
    fn texts_have_a_case_and_names_have_none() {
        let data = |value: &str| RecordData { value: value.into(), ..RecordData::default() };
        assert!(data("mx.Example.com").says_the_same(&data("mx.example.com"), RecordType::Mx));
        for (one, other) in
            [("Token", "token"), ("A.b", "a.b"), ("v=1; rua=mailto:Ops", "v=1; rua=mailto:ops")]
        {
            assert!(!data(one).says_the_same(&data(other), RecordType::Txt), "{one}");
        }
        let fields = |value: &str| data(value).fields(RecordType::Txt);
        assert!(!has(&fields("ABC"), &fields("abc")) && has(&fields("ABC"), &fields("ABC")));
        let ttl = RecordData { ttl: Some(60), ..data("ABC") }.fields(RecordType::Txt);
        assert!(
            !has(&fields("ABC"), &ttl) && has(&ttl, &fields("ABC")),
            "a ttl is compared where one is wanted"
        );
        assert_eq!(service_of("_sip._tcp"), Some(("_sip", "_tcp", "@")));
        assert_eq!(service_of("_sip._tcp.dev"), Some(("_sip", "_tcp", "dev")));
        assert_eq!(service_of("sip._tcp"), None);
    }

    #[test]
    fn the_domain_itself_is_a_target_by_its_name() {
        let checked = |name: &str, kind| set(name, kind, "@").checked().unwrap().records[0].value.clone();
        assert_eq!(checked("www", RecordType::Cname), "example.com");
        assert_eq!(checked("@", RecordType::Mx), "example.com");
        assert_eq!(checked("www", RecordType::Txt), "@", "a text is a text");
    }
}
