//! Where a problem of one of Ansible's documents stands: from the place of a value to the very word in it.

use std::collections::BTreeMap;

use super::files::Files;
use crate::diagnostic::Place;
use crate::document::{Source, Span};

/// What is marked, from a place on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mark<'m> {
    /// The rest of the line.
    Line,
    /// A value that stands there, perhaps in quotes.
    Value(&'m str),
    /// A name inside a text that begins there, after so many others like it.
    Name { name: &'m str, before: usize },
}

/// The texts that problems were found in, with their lines.
#[derive(Debug, Default)]
pub(crate) struct Places {
    sources: BTreeMap<String, Source>,
}

impl Places {
    /// The place of something in a file of the bundle; none if the file is not there.
    pub(crate) fn of(
        &mut self,
        files: &Files<'_>,
        path: &str,
        (line, column): (usize, usize),
        mark: Mark<'_>,
    ) -> Option<Place> {
        if !self.sources.contains_key(path) {
            let text = String::from_utf8_lossy(files.get(path)?);
            self.sources.insert(path.to_owned(), Source::new(path, text));
        }
        let source = self.sources.get(path)?;
        let rest = source.span_from(line.max(1) as u64, column.max(1) as u64);
        let found = match mark {
            Mark::Line => None,
            Mark::Value(value) => {
                let at = source.text[rest.start..rest.end].find(value).filter(|_| !value.is_empty());
                at.map(|at| (rest.start + at, value.len()))
            }
            Mark::Name { name, before } => {
                words(&source.text[rest.start..], name).nth(before).map(|at| (rest.start + at, name.len()))
            }
        };
        let span = found.map_or(rest, |(start, length)| Span { start, end: start + length });
        Some(source.place(span))
    }
}

/// Where a name stands by itself in a text.
pub(crate) fn words<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = usize> + 't {
    let part_of_a_name = |char: char| char.is_alphanumeric() || char == '_';
    text.match_indices(name)
        .map(|(at, _)| at)
        .filter(move |at| {
            !text[..*at].ends_with(part_of_a_name) && !text[at + name.len()..].starts_with(part_of_a_name)
        })
        .filter(|_| !name.is_empty())
}
