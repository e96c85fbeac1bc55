//! Zone files (RFC 1035 §5): a domain's records as text that every name server reads, there and back.

use std::collections::BTreeMap;
use std::fmt::Write;

use domain::base::iana::Class;
use domain::base::{Name, Ttl};
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};

use super::record::{APEX, RecordData, RecordSet, RecordType, TTLS, full_name, plain, relative};

/// The longest zone file that is read, in bytes.
pub const BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a zone file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Its records, a set for each name and type.
    pub sets: Vec<RecordSet>,
    /// What was left out or changed, and why.
    pub warnings: Vec<String>,
}

/// Reads a zone file for a domain.
///
/// # Errors
/// Where it cannot be read, with the place.
pub fn read(zone: &str, text: &str) -> Result<Read, String> {
    let zone = plain(zone);
    if text.len() > BYTES_MAX {
        return Err(format!("the zone file has {} bytes; {BYTES_MAX} at most", text.len()));
    }
    let origin: Name<bytes::Bytes> =
        format!("{zone}.").parse().map_err(|error| format!("\"{zone}\" is no domain: {error}"))?;
    let mut file = Zonefile::from(text);
    file.set_origin(origin);
    file.set_default_class(Class::IN);
    let mut sets: BTreeMap<(String, RecordType), RecordSet> = BTreeMap::new();
    let mut warnings = Vec::new();
    loop {
        let entry = file.next_entry().map_err(|error| format!("the zone file cannot be read: {error}"))?;
        let record = match entry {
            None => break,
            Some(Entry::Record(record)) => record,
            Some(Entry::Include { path, .. }) => {
                return Err(format!("the zone file includes {path}; give one file with everything in it"));
            }
        };
        let owner = format!("{}.", record.owner().to_string().trim_end_matches('.'));
        let name = relative(&owner, &zone);
        if name.ends_with('.') {
            return Err(format!("{owner} is not in {zone}"));
        }
        let (kind, mut data) = match data_of(record.data()) {
            Some(known) => known,
            None => {
                let kind = record.rtype();
                if name != APEX || kind != domain::base::iana::Rtype::SOA {
                    warnings.push(format!(
                        "{} {kind}: left out, the provider keeps no such record",
                        full_name(&name, &zone)
                    ));
                }
                continue;
            }
        };
        data.ttl = Some(allowed_ttl(record.ttl(), &full_name(&name, &zone), &mut warnings));
        let set = sets.entry((name.clone(), kind)).or_insert_with(|| RecordSet {
            zone: zone.clone(),
            name,
            kind,
            records: Vec::new(),
            keep_others: false,
            remove: false,
        });
        set.records.push(data);
    }
    let sets: Result<Vec<RecordSet>, String> = sets
        .into_values()
        .map(|set| {
            let target = set.target();
            set.checked().map_err(|problem| format!("{target}: {problem}"))
        })
        .collect();
    warnings.dedup();
    Ok(Read { sets: sets?, warnings })
}

/// The nearest time to live that is allowed, not longer than the one that is wanted.
fn allowed_ttl(ttl: Ttl, name: &str, warnings: &mut Vec<String>) -> u32 {
    let wanted = ttl.as_secs();
    let allowed = TTLS.into_iter().rev().find(|allowed| *allowed <= wanted).unwrap_or(TTLS[0]);
    if allowed != wanted {
        warnings.push(format!("{name}: a ttl of {wanted} s is not allowed, {allowed} s is used"));
    }
    allowed
}

fn data_of<O: AsRef<[u8]>, N: domain::base::name::ToName + std::fmt::Display>(
    data: &ZoneRecordData<O, N>,
) -> Option<(RecordType, RecordData)> {
    let bare = |value: String| RecordData { value, ..RecordData::default() };
    // The parser takes an `@` behind the type for a label.
    let host = |name: &N| {
        let name = plain(&name.to_string());
        name.strip_prefix("@.").map(str::to_owned).unwrap_or(name)
    };
    Some(match data {
        ZoneRecordData::A(address) => (RecordType::A, bare(address.addr().to_string())),
        ZoneRecordData::Aaaa(address) => (RecordType::Aaaa, bare(address.addr().to_string())),
        ZoneRecordData::Cname(target) => (RecordType::Cname, bare(host(target.cname()))),
        ZoneRecordData::Ns(server) => (RecordType::Ns, bare(host(server.nsdname()))),
        ZoneRecordData::Mx(mail) => {
            (RecordType::Mx, RecordData { priority: Some(mail.preference()), ..bare(host(mail.exchange())) })
        }
        ZoneRecordData::Txt(text) => {
            let bytes: Vec<u8> = text.iter().flat_map(|part| part.to_vec()).collect();
            // The provider takes text; bytes that are none would become others.
            (RecordType::Txt, bare(String::from_utf8(bytes).ok()?))
        }
        ZoneRecordData::Srv(service) => (
            RecordType::Srv,
            RecordData {
                priority: Some(service.priority()),
                weight: Some(service.weight()),
                port: Some(service.port()),
                ..bare(host(service.target()))
            },
        ),
        _ => return None,
    })
}

/// Writes a zone file. Names are whole, so that it means the same wherever it is read.
pub fn write(zone: &str, records: &[(String, RecordType, RecordData)]) -> String {
    let zone = plain(zone);
    let mut text = format!("$ORIGIN {zone}.\n");
    let mut lines: Vec<&(String, RecordType, RecordData)> = records.iter().collect();
    lines.sort_by_key(|(name, kind, data)| (name != APEX, name, kind, data));
    for (name, kind, data) in lines {
        let ttl = data.ttl.map(|ttl| format!("{ttl} ")).unwrap_or_default();
        // Writing into memory cannot fail.
        let _ = writeln!(text, "{} {ttl}IN {kind} {}", name, rdata(*kind, data, &zone));
    }
    text
}

fn rdata(kind: RecordType, data: &RecordData, zone: &str) -> String {
    let host = match data.value.as_str() {
        APEX => format!("{zone}."),
        value => format!("{value}."),
    };
    let number = |number: Option<u16>| number.unwrap_or_default();
    match kind {
        RecordType::A | RecordType::Aaaa => data.value.clone(),
        RecordType::Cname | RecordType::Ns => host,
        RecordType::Mx => format!("{} {host}", number(data.priority)),
        RecordType::Srv => {
            format!("{} {} {} {host}", number(data.priority), number(data.weight), number(data.port))
        }
        RecordType::Txt => quoted(&data.value),
    }
}

/// The most bytes of one string of a TXT record (RFC 1035 §3.3).
const STRING_MAX: usize = 255;

fn quoted(text: &str) -> String {
    let parts: Vec<String> = text
        .as_bytes()
        .chunks(STRING_MAX)
        .map(|part| {
            let mut out = String::from("\"");
            for byte in part {
                match byte {
                    b'"' | b'\\' => {
                        out.push('\\');
                        out.push(char::from(*byte));
                    }
                    b' '..=b'~' => out.push(char::from(*byte)),
                    other => out.push_str(&format!("\\{other:03}")),
                }
            }
            out.push('"');
            out
        })
        .collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
$TTL 3600
@   IN SOA ns1.example.net. root.example.net. ( 1 7200 900
        1209600 300 ) ; over two lines
@   IN NS  ns1.1cloud.ru.
@   300 IN A 203.0.113.7
    IN MX 10 mx
www IN CNAME @
; a comment
_sip._tcp 60 IN SRV 5 10 5060 sip.example.com.
txt IN TXT \"v=spf1 -all; \\\"quoted\\\"\" \" and more\"
odd 21600 IN AAAA 2001:db8::7
key IN CAA 0 issue \"letsencrypt.org\"
";

    #[test]
    fn a_zone_file_is_read_and_what_is_left_out_is_said() {
        let read = read("example.com", FILE).unwrap();
        let find = |name: &str, kind| {
            let set = read.sets.iter().find(|set| set.name == name && set.kind == kind);
            set.unwrap_or_else(|| panic!("{name} {kind}")).records[0].clone()
        };
        assert_eq!(find("@", RecordType::A).value, "203.0.113.7");
        assert_eq!(find("@", RecordType::A).ttl, Some(300));
        assert_eq!(find("@", RecordType::Mx).value, "mx.example.com");
        assert_eq!(find("www", RecordType::Cname).value, "example.com");
        assert_eq!(find("_sip._tcp", RecordType::Srv).port, Some(5060));
        assert_eq!(find("txt", RecordType::Txt).value, "v=spf1 -all; \"quoted\" and more");
        assert_eq!(find("odd", RecordType::Aaaa).ttl, Some(21_160));
        assert_eq!(read.warnings.len(), 2, "{:?}", read.warnings);
        assert!(read.warnings.iter().any(|warning| warning.contains("21160 s is used")));
        assert!(read.warnings.iter().any(|warning| warning.contains("key.example.com CAA: left out")));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let sets = read("example.com", FILE).unwrap().sets;
        let all: Vec<(String, RecordType, RecordData)> = sets
            .iter()
            .flat_map(|set| set.records.iter().map(|data| (set.name.clone(), set.kind, data.clone())))
            .collect();
        let text = write("example.com", &all);
        assert!(text.starts_with("$ORIGIN example.com.\n@ 300 IN A 203.0.113.7\n"), "{text}");
        assert_eq!(read("example.com", &text).unwrap(), Read { sets, warnings: Vec::new() }, "{text}");
        let long = vec![(
            "long".to_owned(),
            RecordType::Txt,
            RecordData { value: "é".repeat(200), ttl: Some(60), ..RecordData::default() },
        )];
        let back = read("example.com", &write("example.com", &long)).unwrap();
        assert_eq!(back.sets[0].records[0], long[0].2);
    }

    #[test]
    fn a_broken_file_names_the_place() {
        let said = read("example.com", "www IN A 203.0.113.7\nwww IN A not-an-address\n").unwrap_err();
        assert!(said.ends_with("3:1: expected IPv4 address"), "where reading stopped: {said}");
        let said = read("example.com", "www.other.net. 60 IN A 203.0.113.7\n").unwrap_err();
        assert!(said.contains("www.other.net. is not in example.com"), "{said}");
        let said = read("example.com", "$INCLUDE more.zone\n").unwrap_err();
        assert!(said.contains("one file"), "{said}");
    }
}
