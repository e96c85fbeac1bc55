//! Reading a tree and reporting every problem of it: each reader takes what fits and goes on.

use std::ops::RangeInclusive;

use super::node::{Entry, Node, Span, Value};
use super::source::Source;
use crate::diagnostic::{Diagnostic, Diagnostics, Place, nearest, shown};

/// The longest single text that is accepted anywhere, in bytes.
pub const TEXT_BYTES_MAX: usize = 65_536;

/// One document being read, with the problems found so far.
#[derive(Debug)]
pub struct Walk<'a> {
    /// The text, for places.
    pub source: &'a Source,
    /// What was found.
    pub problems: Diagnostics,
}

/// Where to point for an entry: at its value, or at its key where the value is not one piece of text.
pub fn blame(entry: &Entry) -> Span {
    match &entry.node.value {
        Value::List(_) | Value::Map(_) | Value::Null => entry.key.at,
        _ if entry.node.at.start == entry.node.at.end => entry.key.at,
        _ => entry.node.at,
    }
}

/// Where to point for an item of a list: at itself where it is text, otherwise at the list's key.
pub fn blame_item(item: &Node, list: &Entry) -> Span {
    match &item.value {
        Value::Map(entries) => entries.first().map_or(list.key.at, |first| first.key.at),
        Value::List(_) | Value::Null => list.key.at,
        _ if item.at.start == item.at.end => list.key.at,
        _ => item.at,
    }
}

impl<'a> Walk<'a> {
    /// Starts reading.
    pub fn new(source: &'a Source) -> Walk<'a> {
        Walk { source, problems: Diagnostics::new() }
    }

    /// The place of some bytes.
    pub fn place(&self, at: Span) -> Place {
        self.source.place(at)
    }

    /// Reports an error.
    pub fn error(&mut self, at: Span, code: &'static str, message: impl Into<String>) {
        self.problems.push(Diagnostic::error(code, message).at(self.source.place(at)));
    }

    /// Reports an error with what to try next.
    pub fn error_help(
        &mut self,
        at: Span,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Diagnostic::error(code, message).at(self.source.place(at)).help(help));
    }

    /// Reports a warning with what to write instead.
    pub fn warn(
        &mut self,
        at: Span,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Diagnostic::warning(code, message).at(self.source.place(at)).help(help));
    }

    /// Reports a value of the wrong kind.
    pub fn wrong_kind(&mut self, at: Span, what: &str, wants: &str, node: &Node) {
        let message = match node.value {
            Value::Null => format!("{what} has no value; it wants {wants}"),
            _ => format!("{what} wants {wants}, but this is {}", node.described()),
        };
        self.error(at, "wrong-kind", message);
    }

    /// The entries of a map; anything else is a problem.
    pub fn map<'n>(&mut self, node: &'n Node, at: Span, what: &str) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            _ => {
                self.wrong_kind(at, what, "a map", node);
                None
            }
        }
    }

    /// Reports every key that is neither known nor `x-…`; those of a later version are said to be so.
    pub fn only(&mut self, entries: &[Entry], what: &str, words: &[&'static str], later: &[&'static str]) {
        for Entry { key, .. } in entries {
            let word = key.text.as_str();
            if words.contains(&word) || word.starts_with("x-") {
                continue;
            }
            if later.contains(&word) {
                self.error_help(
                    key.at,
                    "not-in-this-version",
                    format!("`{word}` is known, but not in this version"),
                    "leave it out for now; `muster schema` shows what this version reads",
                );
                continue;
            }
            let message = format!("{what} has no field `{}`", shown(word));
            let help = match nearest(word, words.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has: {}; keys of your own start with `x-`", words.join(", ")),
            };
            self.error_help(key.at, "unknown-field", message, help);
        }
    }

    /// Text as written; a number keeps its spelling (`22.04`).
    pub fn text(&mut self, node: &Node, at: Span, what: &str) -> Option<String> {
        let Some(text) = node.spelling() else {
            self.wrong_kind(at, what, "text", node);
            return None;
        };
        if text.trim().is_empty() {
            self.error(at, "empty", format!("{what} is empty"));
            return None;
        }
        if text.len() > TEXT_BYTES_MAX {
            self.error(at, "too-long", format!("{what} is longer than {TEXT_BYTES_MAX} bytes"));
            return None;
        }
        if text.chars().any(char::is_control) {
            self.error(at, "control-character", format!("{what} has a control character in it"));
            return None;
        }
        Some(text.trim().to_owned())
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, entry: &Entry, what: &str) -> Option<bool> {
        if let Value::Bool(value) = entry.node.value {
            return Some(value);
        }
        let word = entry.node.spelling().map(str::to_lowercase);
        let help = match word.as_deref() {
            Some("yes" | "on" | "y" | "1" | "true") => "write `true`",
            Some("no" | "off" | "n" | "0" | "false") => "write `false`",
            _ => "write `true` or `false`",
        };
        let message = match entry.node.value {
            Value::Null => format!("{what} has no value; it wants `true` or `false`"),
            _ => format!("{what} wants `true` or `false`, but this is {}", entry.node.described()),
        };
        self.error_help(blame(entry), "wrong-kind", message, help);
        None
    }

    /// A whole number within bounds.
    pub fn whole(&mut self, entry: &Entry, what: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let at = blame(entry);
        let wants = format!("a whole number from {} to {}", range.start(), range.end());
        match &entry.node.value {
            Value::Int(value, spelling) => match u32::try_from(*value) {
                Ok(number) if range.contains(&number) => Some(number),
                _ => {
                    let message = format!("{what} is `{}`; it wants {wants}", shown(spelling));
                    self.error(at, "out-of-range", message);
                    None
                }
            },
            Value::Text(text) if text.trim().parse::<i128>().is_ok() => {
                let message = format!("{what} wants {wants}, but this is {}", entry.node.described());
                self.error_help(at, "wrong-kind", message, "write the number without quotes");
                None
            }
            _ => {
                self.wrong_kind(at, what, &wants, &entry.node);
                None
            }
        }
    }

    /// One text, or a list of texts, each with where to point for it.
    pub fn texts(&mut self, entry: &Entry, what: &str) -> Vec<(String, Span)> {
        match &entry.node.value {
            Value::List(items) => items
                .iter()
                .filter_map(|item| {
                    let at = blame_item(item, entry);
                    self.text(item, at, &format!("an item of {what}")).map(|text| (text, at))
                })
                .collect(),
            _ => {
                let at = blame(entry);
                match entry.node.spelling() {
                    Some(_) => self.text(&entry.node, at, what).map(|text| (text, at)).into_iter().collect(),
                    None => {
                        self.wrong_kind(at, what, "a list", &entry.node);
                        Vec::new()
                    }
                }
            }
        }
    }

    /// One of a few words; `others` maps what people also write to what is meant.
    pub fn word<T: Copy>(
        &mut self,
        entry: &Entry,
        what: &str,
        words: &[(&'static str, T)],
        others: &[(&str, &'static str)],
    ) -> Option<T> {
        let at = blame(entry);
        let list = either(words.iter().map(|(word, _)| *word));
        let written = match &entry.node.value {
            Value::Bool(value) => value.to_string(),
            _ => match entry.node.spelling() {
                Some(text) => text.trim().to_owned(),
                None => {
                    self.wrong_kind(at, what, &list, &entry.node);
                    return None;
                }
            },
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == written) {
            return Some(*value);
        }
        let lower = written.to_lowercase();
        let near = others
            .iter()
            .find(|(other, _)| *other == lower)
            .map(|(_, meant)| *meant)
            .or_else(|| nearest(&written, words.iter().map(|(word, _)| *word)));
        let message = format!("{what} is {list}, not `{}`", shown(&written));
        let diagnostic = Diagnostic::error("unknown-word", message)
            .at(self.place(at))
            .help_maybe(near.map(|near| format!("did you mean `{near}`?")));
        self.problems.push(diagnostic);
        None
    }
}

/// Words as a choice: `a`, `b` or `c`.
fn either(words: impl Iterator<Item = &'static str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => String::new(),
    }
}

/// The entry under a key.
pub fn field<'n>(entries: &'n [Entry], key: &str) -> Option<&'n Entry> {
    entries.iter().find(|entry| entry.key.text == key)
}
