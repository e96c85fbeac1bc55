//! `dns:` of a server: the names that lead to it.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, nearest, shown};
use crate::dns::WantedName;
use crate::document::walk::{Walk, blame, blame_item, field};
use crate::document::{Entry, Node, Span, Value};
use crate::object::record::{TTLS, is_name, plain};

use super::syntax::{DNS, ServerEntry};

/// What may stand in braces in a name.
pub(crate) const NAME_WORDS: &[&str] = &["name", "key", "number"];

/// A name as written.
#[derive(Clone, Debug)]
pub(crate) struct DnsEntry {
    /// The name, with its words in braces.
    pub pattern: String,
    pub at: Span,
    pub ttl: Option<u32>,
}

/// Reads `dns:`: a name, a map of a name and its `ttl`, or a list of them.
pub(crate) fn read(walk: &mut Walk<'_>, entries: &[Entry]) -> Vec<DnsEntry> {
    let Some(entry) = field(entries, "dns") else { return Vec::new() };
    match &entry.node.value {
        Value::List(items) => {
            items.iter().filter_map(|item| one(walk, item, blame_item(item, entry))).collect()
        }
        _ => one(walk, &entry.node, blame(entry)).into_iter().collect(),
    }
}

fn one(walk: &mut Walk<'_>, node: &Node, at: Span) -> Option<DnsEntry> {
    let Value::Map(entries) = &node.value else {
        return walk.text(node, at, "a name in `dns`").map(|pattern| DnsEntry { pattern, at, ttl: None });
    };
    // A name that begins with a brace and stands without quotes is a map for YAML.
    if let [entry] = entries.as_slice()
        && NAME_WORDS.contains(&entry.key.text.as_str())
        && matches!(entry.node.value, Value::Null)
    {
        let message = format!("`{{{}}}` at the beginning of a name needs quotes", entry.key.text);
        let help = format!("write `dns: \"{{{}}}.example.com\"`", entry.key.text);
        walk.error_help(at, "wrong-kind", message, help);
        return None;
    }
    walk.only(entries, "a name in `dns`", DNS, &[]);
    let ttl = field(entries, "ttl").and_then(|entry| ttl(walk, entry));
    let Some(entry) = field(entries, "name") else {
        let help = "write `{ name: www.example.com, ttl: 300 }`, or the name alone";
        walk.error_help(at, "missing-field", "an entry of `dns` does not say its `name`", help);
        return None;
    };
    let at = blame(entry);
    walk.text(&entry.node, at, "`name`").map(|pattern| DnsEntry { pattern, at, ttl })
}

fn ttl(walk: &mut Walk<'_>, entry: &Entry) -> Option<u32> {
    let ttl = walk.whole(entry, "`ttl`", TTLS[0]..=TTLS[TTLS.len() - 1])?;
    if TTLS.contains(&ttl) {
        return Some(ttl);
    }
    let allowed: Vec<String> = TTLS.iter().map(ToString::to_string).collect();
    let near = TTLS.iter().min_by_key(|allowed| allowed.abs_diff(ttl)).copied().unwrap_or(TTLS[0]);
    walk.error_help(
        blame(entry),
        "out-of-range",
        format!("`ttl` is `{ttl}`, and the provider takes {} seconds only", allowed.join(", ")),
        format!("did you mean {near}?"),
    );
    None
}

/// The names of one server.
pub(crate) fn names(entry: &ServerEntry, number: u32, name: &str) -> Vec<WantedName> {
    let number = number.to_string();
    let fill = |pattern: &str| {
        let values = [("{name}", name), ("{key}", &entry.key.0), ("{number}", &number)];
        plain(&values.iter().fold(pattern.to_owned(), |text, (word, value)| text.replace(word, value)))
    };
    entry.dns.iter().map(|dns| WantedName { name: fill(&dns.pattern), ttl: dns.ttl }).collect()
}

/// What is wrong with the names of one entry: what stands in braces, and the longest names that it makes.
pub(crate) fn check(walk: &mut Walk<'_>, entry: &ServerEntry) {
    let longest = entry.count.max(1);
    let names = names(entry, longest, &entry.name(longest));
    let mut known: HashMap<&str, Span> = HashMap::new();
    for (dns, name) in entry.dns.iter().zip(&names) {
        let (name, written) = (name.name.as_str(), shown(&dns.pattern));
        if let Some(word) = unknown_word(&dns.pattern) {
            let help = match nearest(word, NAME_WORDS.iter().copied()) {
                Some(near) => format!("did you mean `{{{near}}}`?"),
                None => "there are `{name}`, `{key}` and `{number}`".to_owned(),
            };
            let message = format!("`{written}`: a server has no `{{{}}}`", shown(word));
            walk.error_help(dns.at, "unknown-word", message, help);
        } else if !is_name(name, true) {
            let message = format!("`{written}` makes `{}`, which is no name in DNS", shown(name));
            let help = "parts of 1 to 63 letters, digits, `-` and `_`, with dots between them, 253 in all";
            walk.error_help(dns.at, "bad-name", message, help);
        } else if !name.contains('.') {
            let message = format!("`{written}` is in no domain");
            let help = format!("write the whole name: `{name}.example.com`");
            walk.error_help(dns.at, "bad-name", message, help);
        } else if let Some(first) = known.insert(name, dns.at) {
            let diagnostic =
                Diagnostic::error("duplicate-name", format!("`{}` stands here twice", shown(name)))
                    .at(walk.place(dns.at))
                    .related(walk.place(first), "the first one");
            walk.problems.push(diagnostic);
        }
    }
}

/// What stands in braces and means nothing.
fn unknown_word(pattern: &str) -> Option<&str> {
    let mut rest = pattern;
    while let Some((_, after)) = rest.split_once('{') {
        let (word, behind) = after.split_once('}').unwrap_or((after, ""));
        if !NAME_WORDS.contains(&word) {
            return Some(word);
        }
        rest = behind;
    }
    None
}

/// Servers may share a name, but not say two things of it.
#[derive(Default)]
pub(crate) struct Times {
    of: HashMap<String, (u32, Span)>,
}

impl Times {
    /// Notes the names of one server, and says where a `ttl` contradicts an earlier one.
    pub fn note(&mut self, walk: &mut Walk<'_>, entry: &ServerEntry, names: &[WantedName]) {
        for (dns, name) in entry.dns.iter().zip(names) {
            let Some(ttl) = name.ttl else { continue };
            let (first, at) = *self.of.entry(name.name.clone()).or_insert((ttl, dns.at));
            if first != ttl && at != dns.at {
                let message = format!("`{}` has a `ttl` of {first} and of {ttl} s", shown(&name.name));
                let diagnostic = Diagnostic::error("contradiction", message)
                    .at(walk.place(dns.at))
                    .related(walk.place(at), "the first one")
                    .help("all records of one name are remembered equally long");
                walk.problems.push(diagnostic);
            }
        }
    }
}
