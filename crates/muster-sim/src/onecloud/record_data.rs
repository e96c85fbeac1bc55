//! What a DNS record says: reading it from a request, and its line in a zone file.
//!
//! Names come in as people write them (`@`, `www`, `www.example.org`, `www.example.org.`). The zone line is the one
//! form in which two ways of saying the same are equal, so it also tells duplicates.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::input::Fields;
use super::record::RecordType;
use super::refusal::Refusal;

/// What one record says; every value was checked, names are as they were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RecordData {
    A {
        name: String,
        ip: Ipv4Addr,
    },
    Aaaa {
        name: String,
        ip: Ipv6Addr,
    },
    Cname {
        alias: String,
        target: String,
    },
    Mx {
        host: String,
        priority: u16,
    },
    Ns {
        name: String,
        host: String,
    },
    Txt {
        name: String,
        text: String,
    },
    Srv {
        name: String,
        service: String,
        proto: String,
        priority: u16,
        weight: u16,
        port: u16,
        target: String,
    },
}

/// Longest name of DNS, in characters.
const NAME_CHARS_MAX: usize = 253;
/// Longest text of a TXT record that the simulator keeps, in characters.
const TEXT_CHARS_MAX: usize = 4_096;

fn required(name: &str) -> Refusal {
    Refusal::bad(format!("Parameter {name} is required"))
}

fn read_name(fields: &Fields, field: &str) -> Result<String, Refusal> {
    let name = fields.text(field)?.ok_or_else(|| required(field))?.trim().to_owned();
    let letter = |one: char| one.is_alphanumeric() || matches!(one, '-' | '_' | '.' | '*' | '@');
    let whole = name == "@" || (!name.contains('@') && !name.starts_with('.') && !name.contains(".."));
    if name.chars().count() > NAME_CHARS_MAX || !name.chars().all(letter) || !whole {
        return Err(Refusal::bad(format!("{field} is not a name of DNS")));
    }
    Ok(name)
}

fn read_number(fields: &Fields, field: &str) -> Result<u16, Refusal> {
    let number = fields.number(field)?.ok_or_else(|| required(field))?;
    u16::try_from(number).map_err(|_| Refusal::bad(format!("{field} must be from 0 to 65535")))
}

fn read_text(fields: &Fields) -> Result<String, Refusal> {
    let text = fields.text("Text")?.ok_or_else(|| required("Text"))?;
    if text.chars().count() > TEXT_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(Refusal::bad(format!("Text must be one line of at most {TEXT_CHARS_MAX} characters")));
    }
    // Some send it in the quotes in which it comes back.
    let bare = text.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Ok(bare.unwrap_or(&text).to_owned())
}

/// A name within its zone, fully qualified.
pub(super) fn qualified(name: &str, zone: &str) -> String {
    let inside = |name: &str| {
        let (name, zone) = (name.to_lowercase(), zone.to_lowercase());
        name == zone || name.ends_with(&format!(".{zone}"))
    };
    if name == "@" {
        format!("{zone}.")
    } else if name.ends_with('.') {
        name.to_owned()
    } else if inside(name) {
        format!("{name}.")
    } else {
        format!("{name}.{zone}.")
    }
}

/// Another host: with a dot inside it is a whole name, without one it is within the zone.
fn host_qualified(name: &str, zone: &str) -> String {
    let whole = name.contains('.') && !name.ends_with('.');
    if whole { format!("{name}.") } else { qualified(name, zone) }
}

impl RecordData {
    /// Reads the fields that a record of that type has.
    pub fn read(kind: RecordType, fields: &Fields) -> Result<RecordData, Refusal> {
        let ip = || fields.text("IP")?.ok_or_else(|| required("IP"));
        Ok(match kind {
            RecordType::A => RecordData::A {
                name: read_name(fields, "Name")?,
                ip: ip()?.trim().parse().map_err(|_| Refusal::bad("IP is not an IPv4 address"))?,
            },
            RecordType::Aaaa => RecordData::Aaaa {
                name: read_name(fields, "Name")?,
                ip: ip()?.trim().parse().map_err(|_| Refusal::bad("IP is not an IPv6 address"))?,
            },
            RecordType::Cname => RecordData::Cname {
                alias: read_name(fields, "MnemonicName")?,
                target: read_name(fields, "Name")?,
            },
            RecordType::Mx => RecordData::Mx {
                host: read_name(fields, "HostName")?,
                priority: read_number(fields, "Priority")?,
            },
            RecordType::Ns => {
                RecordData::Ns { name: read_name(fields, "Name")?, host: read_name(fields, "HostName")? }
            }
            RecordType::Txt => {
                // Some clients say the name a second time, in another field.
                let field = match (fields.text("Name")?, fields.text("HostName")?) {
                    (None, Some(_)) => "HostName",
                    (Some(_), _) | (None, None) => "Name",
                };
                RecordData::Txt { name: read_name(fields, field)?, text: read_text(fields)? }
            }
            RecordType::Srv => RecordData::Srv {
                name: read_name(fields, "Name")?,
                service: read_name(fields, "Service")?,
                proto: read_name(fields, "Proto")?,
                priority: read_number(fields, "Priority")?,
                weight: read_number(fields, "Weight")?,
                port: read_number(fields, "Port")?,
                target: read_name(fields, "Target")?,
            },
        })
    }

    pub fn kind(&self) -> RecordType {
        match self {
            RecordData::A { .. } => RecordType::A,
            RecordData::Aaaa { .. } => RecordType::Aaaa,
            RecordData::Cname { .. } => RecordType::Cname,
            RecordData::Mx { .. } => RecordType::Mx,
            RecordData::Ns { .. } => RecordType::Ns,
            RecordData::Txt { .. } => RecordType::Txt,
            RecordData::Srv { .. } => RecordType::Srv,
        }
    }

    /// Owner and data as a zone file writes them.
    fn zone_parts(&self, zone: &str) -> (String, String) {
        match self {
            RecordData::A { name, ip } => (qualified(name, zone), ip.to_string()),
            RecordData::Aaaa { name, ip } => (qualified(name, zone), ip.to_string()),
            RecordData::Cname { alias, target } => (qualified(alias, zone), host_qualified(target, zone)),
            RecordData::Mx { host, priority } => {
                (qualified("@", zone), format!("{priority} {}", host_qualified(host, zone)))
            }
            RecordData::Ns { name, host } => (qualified(name, zone), host_qualified(host, zone)),
            RecordData::Txt { name, text } => (qualified(name, zone), format!("\"{text}\"")),
            RecordData::Srv { name, service, proto, priority, weight, port, target } => {
                let (service, proto) = (service.trim_end_matches('.'), proto.trim_end_matches('.'));
                let owner = format!("{service}.{proto}.{}", qualified(name, zone));
                (owner, format!("{priority} {weight} {port} {}", host_qualified(target, zone)))
            }
        }
    }

    /// The line of a zone file.
    pub fn zone_line(&self, zone: &str, ttl: u32) -> String {
        let (owner, data) = self.zone_parts(zone);
        format!("{owner} {ttl} IN {} {data}", self.kind().word())
    }

    /// Whether both say the same: case matters in texts only, and how long it is kept does not matter.
    pub fn same(&self, other: &RecordData, zone: &str) -> bool {
        let ((owner, data), (other_owner, other_data)) = (self.zone_parts(zone), other.zone_parts(zone));
        let same_data = match self {
            RecordData::Txt { .. } => data == other_data,
            _ => data.to_lowercase() == other_data.to_lowercase(),
        };
        self.kind() == other.kind() && owner.to_lowercase() == other_owner.to_lowercase() && same_data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: RecordType, body: &str) -> Result<RecordData, Refusal> {
        RecordData::read(kind, &Fields::read(Some("application/json"), body.as_bytes()).unwrap())
    }

    #[test]
    fn names_are_qualified_once() {
        for (name, whole) in [
            ("@", "example.org."),
            ("www", "www.example.org."),
            ("www.example.org", "www.example.org."),
            ("Example.ORG", "Example.ORG."),
            ("www.example.org.", "www.example.org."),
            ("a.b", "a.b.example.org."),
            ("notexample.org", "notexample.org.example.org."),
        ] {
            assert_eq!(qualified(name, "example.org"), whole, "{name}");
        }
    }

    #[test]
    fn zone_lines_of_all_seven_types() {
        for (kind, body, line) in [
            (RecordType::A, r#"{"Name":"www","IP":"192.0.2.1"}"#, "www.example.org. 60 IN A 192.0.2.1"),
            (RecordType::Aaaa, r#"{"Name":"@","IP":"2001:DB8::1"}"#, "example.org. 60 IN AAAA 2001:db8::1"),
            (
                RecordType::Cname,
                r#"{"Name":"@","MnemonicName":"blog"}"#,
                "blog.example.org. 60 IN CNAME example.org.",
            ),
            (
                RecordType::Mx,
                r#"{"HostName":"mail.example.net","Priority":"10"}"#,
                "example.org. 60 IN MX 10 mail.example.net.",
            ),
            (
                RecordType::Ns,
                r#"{"HostName":"ns","Name":"sub"}"#,
                "sub.example.org. 60 IN NS ns.example.org.",
            ),
            (RecordType::Txt, r#"{"Name":"_t","Text":"a b"}"#, "_t.example.org. 60 IN TXT \"a b\""),
            (
                RecordType::Srv,
                r#"{"Name":"@","Service":"_sip","Proto":"_tcp","Priority":1,"Weight":2,"Port":"5060","Target":"sip"}"#,
                "_sip._tcp.example.org. 60 IN SRV 1 2 5060 sip.example.org.",
            ),
        ] {
            assert_eq!(read(kind, body).unwrap().zone_line("example.org", 60), line);
        }
    }

    #[test]
    fn the_same_said_in_two_ways_is_the_same_and_wrong_things_are_refused() {
        let short = read(RecordType::Cname, r#"{"Name":"@","MnemonicName":"Blog"}"#).unwrap();
        let long =
            read(RecordType::Cname, r#"{"Name":"example.org.","MnemonicName":"blog.example.org"}"#).unwrap();
        assert!(short.same(&long, "example.org"));
        let quoted = read(RecordType::Txt, r#"{"HostName":"t","Text":"\"x\""}"#).unwrap();
        assert!(quoted.same(&read(RecordType::Txt, r#"{"Name":"t","Text":"x"}"#).unwrap(), "example.org"));
        assert!(!quoted.same(&read(RecordType::Txt, r#"{"Name":"t","Text":"X"}"#).unwrap(), "example.org"));
        for (kind, body) in [
            (RecordType::A, r#"{"Name":"www","IP":"2001:db8::1"}"#),
            (RecordType::Aaaa, r#"{"Name":"www","IP":"192.0.2.1"}"#),
            (RecordType::A, r#"{"Name":"two words","IP":"192.0.2.1"}"#),
            (RecordType::A, r#"{"Name":"a..b","IP":"192.0.2.1"}"#),
            (RecordType::A, r#"{"Name":"a@b","IP":"192.0.2.1"}"#),
            (RecordType::A, r#"{"Name":"www"}"#),
            (RecordType::Mx, r#"{"HostName":"mail","Priority":65536}"#),
            (RecordType::Mx, r#"{"HostName":"mail","Priority":-1}"#),
            (RecordType::Txt, r#"{"Name":"t","Text":"a\nb"}"#),
            (RecordType::Txt, r#"{"Text":"a"}"#),
            (RecordType::Srv, r#"{"Name":"@","Service":"_sip"}"#),
        ] {
            assert_eq!(read(kind, body).unwrap_err().status, 400, "{body}");
        }
    }
}
