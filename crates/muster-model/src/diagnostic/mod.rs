//! Problems and warnings about what a person wrote: what, where, and what to try next.
//!
//! A place carries the line it points at, so that a problem can be drawn where the file itself is not at
//! hand (a control plane found it, a laptop shows it). Drawing is in `render.rs`; the nearest word in
//! `nearest.rs`. Which problems exist is decided by whoever reads the document, not here.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

mod nearest;
mod render;

pub use nearest::nearest;
pub use render::Style;

/// The most problems kept of one document; what is beyond is only counted.
pub const DIAGNOSTICS_MAX: usize = 100;
/// The longest line carried along with a place, in bytes; a longer one is pointed at without being shown.
pub const EXCERPT_BYTES_MAX: usize = 400;
/// The longest piece of a person's own text that is repeated inside a message, in characters.
pub const SHOWN_CHARS_MAX: usize = 60;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The document cannot be used.
    Error,
    /// It can be used; the person should know.
    Warning,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file, relative to the root.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// The bytes in the file.
    pub bytes: Range<usize>,
    /// The text of the line, where it is at most [`EXCERPT_BYTES_MAX`] long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A second place that belongs to a problem: where the name was used first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Related {
    /// Where.
    pub place: Place,
    /// What is there.
    pub label: String,
}

/// One problem or warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable word for machines, e.g. `unknown-field`.
    pub code: Cow<'static, str>,
    /// What is wrong, as one sentence without its full stop.
    pub message: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// A word beside the marked text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What to try next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Further places that belong to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// An error with no place yet.
    pub fn error(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: Cow::Borrowed(code),
            message: message.into(),
            place: None,
            label: None,
            help: None,
            related: Vec::new(),
        }
    }

    /// A warning with no place yet.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, message) }
    }

    /// The same, at a place.
    pub fn at(mut self, place: Place) -> Diagnostic {
        self.place = Some(place);
        self
    }

    /// The same, with a word beside the marked text.
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = Some(label.into());
        self
    }

    /// The same, with what to try next.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// The same, with what to try next where there is something.
    pub fn help_maybe(mut self, help: Option<String>) -> Diagnostic {
        self.help = help.or(self.help);
        self
    }

    /// The same, with a further place.
    pub fn related(mut self, place: Place, label: impl Into<String>) -> Diagnostic {
        self.related.push(Related { place, label: label.into() });
        self
    }

    /// In one line, for where there is no room to draw.
    pub fn one_line(&self) -> String {
        let place = self.place.as_ref().map_or_else(String::new, |place| format!("{place}: "));
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let help = self.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
        format!("{place}{word}: {}{help}", self.message)
    }

    fn order(&self) -> (Option<(&str, usize, usize)>, Severity, &str, &str) {
        let place = self.place.as_ref().map(|at| (at.file.as_str(), at.bytes.start, at.bytes.end));
        (place, self.severity, &self.code, &self.message)
    }
}

/// All problems of a document, bounded; sorted by place and without repetition once [`Diagnostics::sorted`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostics {
    /// The problems kept, at most [`DIAGNOSTICS_MAX`].
    pub items: Vec<Diagnostic>,
    /// How many more there were.
    #[serde(default)]
    pub left_out: usize,
}

impl Diagnostics {
    /// No problems.
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// Keeps one more, or counts it when there are too many already. An error takes the place of a
    /// warning then, so that a full list never hides why a document was refused.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.items.len() < DIAGNOSTICS_MAX {
            self.items.push(diagnostic);
            return;
        }
        if self.items.contains(&diagnostic) {
            return;
        }
        self.left_out = self.left_out.saturating_add(1);
        if diagnostic.severity == Severity::Error
            && let Some(warning) = self.items.iter_mut().rfind(|kept| kept.severity == Severity::Warning)
        {
            *warning = diagnostic;
        }
    }

    /// Takes over all of another list.
    pub fn append(&mut self, other: Diagnostics) {
        for item in other.items {
            self.push(item);
        }
        self.left_out = self.left_out.saturating_add(other.left_out);
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.left_out == 0
    }

    /// How many there are, the uncounted ones included.
    pub fn len(&self) -> usize {
        self.items.len() + self.left_out
    }

    /// Whether one of them makes the document unusable.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// The same by file and place, each once; those without a place first.
    pub fn sorted(mut self) -> Diagnostics {
        self.items.sort_by(|left, right| left.order().cmp(&right.order()));
        self.items.dedup();
        self
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Diagnostics {
        Diagnostics { items: vec![one], left_out: 0 }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for Diagnostics {}

/// A person's own text, fit to stand inside a message: control characters escaped (a document must not
/// paint on the terminal), at most [`SHOWN_CHARS_MAX`] characters.
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    for (count, char) in text.chars().enumerate() {
        if count == SHOWN_CHARS_MAX {
            out.push('…');
            break;
        }
        if char.is_control() || is_invisible(char) {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

/// Characters that reorder or hide text on a terminal without being control characters.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &str, start: usize) -> Place {
        Place { file: file.to_owned(), line: 1, column: 1, bytes: start..start + 1, excerpt: None }
    }

    #[test]
    fn sorts_by_place_and_says_each_once() {
        let mut all = Diagnostics::new();
        for (file, start) in [("b", 1), ("a", 9), ("a", 2), ("b", 1)] {
            all.push(Diagnostic::error("x", format!("{file}{start}")).at(place(file, start)));
        }
        let all = all.sorted();
        let order: Vec<_> = all.items.iter().map(|item| item.message.as_str()).collect();
        assert_eq!(order, ["a2", "a9", "b1"]);
    }

    #[test]
    fn keeps_a_bounded_number_and_prefers_errors() {
        let mut all = Diagnostics::new();
        for number in 0..DIAGNOSTICS_MAX {
            all.push(Diagnostic::warning("w", format!("{number}")));
        }
        all.push(Diagnostic::error("e", "the reason"));
        assert_eq!(all.items.len(), DIAGNOSTICS_MAX);
        assert_eq!(all.left_out, 1);
        assert!(all.has_errors());
        assert!(all.render(Style::Plain).contains("and 1 more"));
    }

    #[test]
    fn a_document_cannot_paint_on_the_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\u{202e}c"), "a\\u{1b}[31mb\\u{202e}c");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), SHOWN_CHARS_MAX + 1);
    }
}
