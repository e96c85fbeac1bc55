//! A file's text with its lines, so that bytes become line and column.

use super::node::Span;
use crate::diagnostic::{EXCERPT_BYTES_MAX, Place};

/// The text of one file.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, relative to the root.
    pub file: String,
    /// Its text.
    pub text: String,
    line_starts: Vec<usize>,
}

impl Source {
    /// Takes over a file's text.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Source {
        let text = text.into();
        let line_starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        Source { file: file.into(), text, line_starts }
    }

    /// The place of some bytes.
    pub fn place(&self, at: Span) -> Place {
        let mut start = at.start.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let index = self.line_starts.partition_point(|line| *line <= start).saturating_sub(1);
        let line_start = self.line_starts[index];
        let line_end = self.line_starts.get(index + 1).copied().unwrap_or(self.text.len());
        let line = self.text[line_start..line_end].trim_end_matches(['\n', '\r']);
        // A byte-order mark is part of the first line's bytes, and nothing a person sees or counts.
        let mark = if line_start == 0 && line.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let before = &self.text[(line_start + mark).min(start)..start];
        Place {
            file: self.file.clone(),
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            column: u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX),
            bytes: start..at.end.clamp(start, self.text.len()),
            excerpt: (line.len() <= EXCERPT_BYTES_MAX).then(|| line[mark..].to_owned()),
        }
    }

    /// The bytes of a line (from 1) from a column (from 1, in characters) to its end.
    pub fn span_from(&self, line: u64, column: u64) -> Span {
        let index =
            usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX).min(self.line_starts.len() - 1);
        let line_start = self.line_starts[index];
        let line_end = self.line_starts.get(index + 1).copied().unwrap_or(self.text.len());
        let text = self.text[line_start..line_end].trim_end_matches(['\n', '\r']);
        let skip = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
        let offset = text.char_indices().nth(skip).map_or(text.len(), |(at, _)| at);
        Span { start: line_start + offset, end: line_start + text.len() }
    }
}
