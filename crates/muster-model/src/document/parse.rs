//! From bytes to a tree: one document of YAML 1.2 (core schema) or JSON, with bounds on everything.
//!
//! The parser's own messages name its options and our types; here they become sentences for people.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::node::{Entry, Key, Node, Span, Value};
use super::source::Source;
use crate::diagnostic::{Diagnostic, shown};

/// The largest document, in bytes; a larger one is refused before it is parsed.
pub const DOCUMENT_BYTES_MAX: usize = 1_048_576;
/// The deepest nesting of lists and maps. Reading is recursive, and a test thread of 2 MiB has to hold it
/// unoptimised: 64 levels overflow there.
pub const DEPTH_MAX: usize = 32;
/// The most values of one document. A file of 10,000 servers written one by one has some 150,000.
pub const NODES_MAX: usize = 250_000;
/// The most values that `*aliases` may repeat, together; this is what stops a "billion laughs" file.
pub const REPEATED_NODES_MAX: usize = 20_000;
/// The most `*aliases`, and the most `&anchors`.
pub const ALIASES_MAX: usize = 1_000;

/// Parses a file's bytes.
///
/// # Errors
/// One problem: where the text cannot be read as one document, reading on would only guess.
pub fn parse_bytes(file: &str, bytes: &[u8]) -> Result<(Source, Node), Box<Diagnostic>> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        let problem = Diagnostic::error(
            "file-too-large",
            format!(
                "`{}` has {} bytes; a document has at most {DOCUMENT_BYTES_MAX}",
                shown(file),
                bytes.len()
            ),
        );
        return Err(Box::new(problem.help("use `count:` for servers that are alike, or split the file")));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(file, text),
        Err(error) => {
            let start = error.valid_up_to();
            let source = Source::new(file, String::from_utf8_lossy(bytes));
            let (message, help) = match bytes {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                    ("the file is UTF-16, not UTF-8", "save it as UTF-8 in the editor")
                }
                _ => (
                    "the file is not UTF-8 text",
                    "save it as UTF-8 in the editor; other encodings are not read",
                ),
            };
            let place = source.place(Span { start, end: start + 1 });
            Err(Box::new(Diagnostic::error("not-utf8", message).at(place).help(help)))
        }
    }
}

/// Parses a file's text.
///
/// # Errors
/// As [`parse_bytes`].
pub fn parse(file: &str, text: &str) -> Result<(Source, Node), Box<Diagnostic>> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return parse_bytes(file, text.as_bytes());
    }
    let source = Source::new(file, text);
    // JSON may be indented by tabs, YAML may not. Inside JSON's strings there are none.
    let json;
    let input = if file.to_ascii_lowercase().ends_with(".json") && text.contains('\t') {
        json = text.replace('\t', " ");
        json.as_str()
    } else {
        text
    };
    let mut options = serde_saphyr::options! {
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_aliases: ALIASES_MAX,
            max_anchors: ALIASES_MAX,
            max_recorded_anchor_events: REPEATED_NODES_MAX * 4,
            max_merge_keys: ALIASES_MAX,
            flow_nesting_limit: DEPTH_MAX,
        },
    };
    options.alias_limits.max_total_replayed_events = REPEATED_NODES_MAX;
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(input, options) {
        Ok(raw) => Ok((raw_to_node(raw, text), source)).map(|(node, source)| (source, node)),
        Err(error) => Err(Box::new(reword(&source, error.without_snippet()))),
    }
}

/// The tree as the parser hands it over: numbers without their spelling.
enum Raw {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Int(value.into()))
    }
    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }
    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(i128::try_from(value).map_or(Raw::Text(value.to_string()), Raw::Int))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

/// Where it was written: for something behind an alias that is the anchor, the one place to mend.
fn span_of<T>(spanned: &Spanned<T>) -> Span {
    let span = spanned.defined.span();
    let start = span.byte_offset().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
    let length = span.byte_len().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    Span { start, end: start + length }
}

fn raw_to_node(raw: Spanned<Raw>, text: &str) -> Node {
    let at = span_of(&raw);
    let spelling = || text.get(at.start..at.end).unwrap_or_default().trim().to_owned();
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Int(value) => Value::Int(value, spelling()),
        Raw::Float(value) => {
            let spelling = spelling();
            // `0644` and numbers of more than 38 digits arrive as fractions; they are whole as written.
            match spelling.parse::<i128>() {
                Ok(_) if spelling.len() > 1 && spelling.trim_start_matches(['-', '+']).starts_with('0') => {
                    Value::Text(spelling)
                }
                Ok(whole) => Value::Int(whole, spelling),
                Err(_) => Value::Float(value, spelling),
            }
        }
        Raw::Text(value) => Value::Text(value),
        Raw::List(items) => Value::List(items.into_iter().map(|item| raw_to_node(item, text)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, node)| {
                    let at = span_of(&key);
                    Entry { key: Key { text: key.value, at }, node: raw_to_node(node, text) }
                })
                .collect(),
        ),
    };
    Node { value, at }
}

/// The parser's problem in our words.
fn reword(source: &Source, error: &serde_saphyr::Error) -> Diagnostic {
    use serde_saphyr::Error;
    if let Error::AliasError { error, .. } = error {
        return reword(source, error.without_snippet());
    }
    let location = error.location();
    let (line, column) = location.map_or((1, 1), |at| (at.line(), at.column()));
    let at = source.span_from(line, column);
    let place = source.place(at);
    let line_text = place.excerpt.clone().unwrap_or_default();
    let diagnostic = match error {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map(shown).unwrap_or_default();
            let length = key.len();
            let place = source.place(Span { start: at.start, end: (at.start + length).min(at.end) });
            return Diagnostic::error("duplicate-key", format!("`{key}` stands twice in this map"))
                .at(place)
                .help("keep one of them");
        }
        Error::MultipleDocuments { .. } => {
            Diagnostic::error("several-documents", SEVERAL).help(SEVERAL_HELP)
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => return over_budget(source, error, at),
        Error::UnknownAnchor { .. } => Diagnostic::error("unknown-anchor", "this alias names no anchor above it")
            .help("an anchor is written `&name` before its value, and stands above its first use"),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            Diagnostic::error("recursive-anchor", "this alias stands inside the value that it names")
        }
        Error::NonFiniteFloat { value, .. } => {
            Diagnostic::error("not-a-number", format!("`{}` is not a number that can be used here", shown(value)))
                .help("put it in quotes if it is text, e.g. a commit that looks like `1e999`")
        }
        Error::NullIntoString { .. } => Diagnostic::error("empty-key", "a key is empty"),
        Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            Diagnostic::error("bad-merge", "`<<` takes a map, or a list of maps")
        }
        Error::Eof { .. } => Diagnostic::error("unexpected-end", "the file ends in the middle of a value"),
        _ => match bare_message(error) {
            text if text.contains("recursion limit") || text.contains("nesting") => too_deep(),
            text if text.contains("tag") => {
                let line_at = source.span_from(line, 1);
                let before = &source.text[line_at.start..at.start];
                let start = before.rfind(" !").map_or(at.start, |found| line_at.start + found + 1);
                let place = source.place(Span { start, end: at.end });
                return Diagnostic::error("unknown-tag", "this `!tag` is not known here")
                    .at(place)
                    .help("write the value without a tag; text goes into quotes");
            }
            text if text.contains("expected string scalar") => {
                Diagnostic::error("not-a-key", "a key is one word of text, not a list or a map")
            }
            text if text.contains("mapping values are not allowed") => {
                Diagnostic::error("not-yaml", "a `key: value` cannot stand here")
                    .help("compare the indentation of this line with the one above; text with `: ` in it goes into quotes")
            }
            _ if leading_tab(&line_text) => {
                Diagnostic::error("tab", "a tab stands where the indentation is").help("indent with spaces")
            }
            text => Diagnostic::error("not-yaml", format!("this cannot be read: {text}")).help_maybe(hint(&text)),
        },
    };
    match diagnostic.code.as_ref() {
        "tab" => {
            let tab = line_text.find('\t').unwrap_or(0);
            let line_at = source.span_from(line, 1).start;
            let place = source.place(Span { start: line_at + tab, end: line_at + tab + 1 });
            diagnostic.at(place)
        }
        _ => diagnostic.at(place),
    }
}

fn leading_tab(line: &str) -> bool {
    line.chars().take_while(|char| char.is_whitespace()).any(|char| char == '\t')
}

/// What is known to lie behind the commonest sentences of the parser.
fn hint(text: &str) -> Option<String> {
    let hint = if text.contains("quoted") || text.contains("end of stream") {
        "is a closing quote or bracket missing?"
    } else if text.contains("could not find expected ':'") || text.contains("simple key") {
        "is a `:` missing after the key?"
    } else if text.contains("indent") || text.contains("block") {
        "lines of one map or list start in the same column"
    } else if text.contains("flow") || text.contains("illegal placement") {
        "is a comma or a closing bracket missing above?"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

fn too_deep() -> Diagnostic {
    Diagnostic::error(
        "too-much",
        format!("lists and maps stand more than {DEPTH_MAX} deep inside each other"),
    )
}

fn over_budget(source: &Source, error: &serde_saphyr::Error, at: Span) -> Diagnostic {
    use serde_saphyr::budget::BudgetBreach;
    let values = || {
        (format!("the document has more than {NODES_MAX} values"), "use `count:` for servers that are alike")
    };
    let repeated = || {
        let message = format!("anchors and aliases repeat more than {REPEATED_NODES_MAX} values");
        (message, "write the values out, or use `count:`")
    };
    let (message, help) = match error {
        serde_saphyr::Error::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => return too_deep().at(source.place(at)),
            BudgetBreach::Documents { .. } => {
                return Diagnostic::error("several-documents", SEVERAL)
                    .at(source.place(at))
                    .help(SEVERAL_HELP);
            }
            BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. } => (
                format!("the document has more than {ALIASES_MAX} anchors or aliases"),
                "write the values out",
            ),
            BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } | BudgetBreach::ScalarBytes { .. } => {
                values()
            }
            // Repetition in one of its further forms; the list of them is open.
            _ => repeated(),
        },
        _ => repeated(),
    };
    let at = if error.location().is_some() { at } else { Span::default() };
    Diagnostic::error("too-much", message).at(source.place(at)).help(help)
}

const SEVERAL: &str = "the file holds several documents, separated by `---`";
const SEVERAL_HELP: &str = "put each into a file of its own";

/// The parser's sentence without its place.
fn bare_message(error: &serde_saphyr::Error) -> String {
    let text = match error {
        serde_saphyr::Error::Message { msg, .. } | serde_saphyr::Error::ExternalMessage { msg, .. } => {
            msg.clone()
        }
        other => other.to_string(),
    };
    let text = text.split(" at line ").next().unwrap_or_default();
    shown_long(text.trim().trim_end_matches('.'))
}

fn shown_long(text: &str) -> String {
    text.chars().take(200).map(|char| if char.is_control() { ' ' } else { char }).collect()
}
