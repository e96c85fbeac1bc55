//! Comments: found in the old text, and put to the lines that their places became.

use std::collections::HashMap;

use crate::document::{Node, Source, Span, Value};

use super::Line;
use super::anchor::{Anchors, Slot};

/// Spaces of one level.
const INDENT: usize = 2;

/// One comment with the line it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// From its `#` on.
    pub text: String,
    /// The line of the new file.
    pub slot: Slot,
    /// Whether it stands behind something on its line; otherwise above it.
    pub trailing: bool,
}

/// Every comment of a text, in order. One on a line of its own goes to what begins next, one behind something to that.
pub(super) fn notes(source: &Source, root: &Node, anchors: &Anchors) -> Vec<Note> {
    if source.file.to_ascii_lowercase().ends_with(".json") {
        return Vec::new();
    }
    let mut scalars = Vec::new();
    spans(root, &mut scalars);
    scalars.sort_unstable();
    let first_anchor = anchors.first().map_or(usize::MAX, |(at, _)| *at);
    let mut notes: Vec<Note> = Vec::new();
    let (mut start, mut head) = (0, 0);
    for line in source.text.split_inclusive('\n') {
        let end = start + line.len();
        match comment(line, start, &scalars) {
            Some(at) => {
                let text = source.text[at..end].trim_end().to_owned();
                let trailing = !source.text[start..at].trim_start_matches('\u{feff}').trim().is_empty();
                let slot = match trailing {
                    true => {
                        let mut before = anchors.iter().filter(|(begins, _)| *begins < at);
                        let here = before.clone().find(|(begins, _)| *begins >= start);
                        here.or_else(|| before.next_back()).map_or(Slot::Head, |(_, slot)| *slot)
                    }
                    false => anchors
                        .iter()
                        .find(|(begins, _)| *begins >= end)
                        .map_or(Slot::Foot, |(_, slot)| *slot),
                };
                notes.push(Note { text, slot, trailing });
            }
            // A block of comments above everything, with an empty line behind it, is about the file.
            None if line.trim().is_empty() && start < first_anchor => {
                for note in &mut notes[head..] {
                    note.slot = Slot::Head;
                }
                head = notes.len();
            }
            None => {}
        }
        if head == 0 && start <= first_anchor && first_anchor < end {
            // The only block above everything; from here on nothing is.
            for note in notes.iter_mut().filter(|note| !note.trailing) {
                note.slot = Slot::Head;
            }
        }
        start = end;
    }
    notes
}

/// Where the comment of a line begins, if it has one: a `#` at the beginning or behind a blank, inside no text.
fn comment(line: &str, start: usize, scalars: &[(usize, usize)]) -> Option<usize> {
    let mut before = ' ';
    for (index, char) in line.char_indices() {
        if char == '#' && (before.is_whitespace() || before == '\u{feff}') {
            let at = start + index;
            let inside = scalars.partition_point(|(begins, _)| *begins < at);
            // Texts do not overlap, so the last one that begins before it is the only one that could hold it.
            if scalars[..inside].last().is_none_or(|(_, ends)| at >= *ends) {
                return Some(at);
            }
        }
        before = char;
    }
    None
}

/// The places of all keys and texts.
fn spans(node: &Node, found: &mut Vec<(usize, usize)>) {
    let mut take = |at: Span| {
        if at.end > at.start {
            found.push((at.start, at.end));
        }
    };
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| spans(item, found)),
        Value::Map(entries) => {
            for entry in entries {
                found.push((entry.key.at.start, entry.key.at.end));
                spans(&entry.node, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(..) | Value::Float(..) | Value::Text(_) => take(node.at),
    }
}

/// The lines with their comments, as text.
pub(super) fn with_comments(lines: Vec<Line>, notes: Vec<Note>) -> String {
    let there: Vec<Slot> = lines.iter().flat_map(|line| line.slots.iter().copied()).collect();
    let mut above: HashMap<Slot, Vec<String>> = HashMap::new();
    let mut behind: HashMap<Slot, String> = HashMap::new();
    for note in notes {
        let mut slot = note.slot;
        while slot != Slot::Foot && !there.contains(&slot) {
            slot = slot.or_else();
        }
        let own = note.trailing && slot == note.slot && slot != Slot::Head;
        if own && !behind.contains_key(&slot) {
            behind.insert(slot, note.text);
        } else {
            above.entry(slot).or_default().push(note.text);
        }
    }
    let mut text = String::new();
    for line in lines {
        let indent = " ".repeat(line.indent * INDENT);
        for comment in line.slots.iter().filter_map(|slot| above.remove(slot)).flatten() {
            text += &format!("{indent}{comment}\n");
        }
        text += &format!("{indent}{}", line.text);
        for comment in line.slots.iter().filter_map(|slot| behind.remove(slot)) {
            text += &format!("  {comment}");
        }
        text.push('\n');
    }
    for comment in above.remove(&Slot::Foot).into_iter().flatten() {
        text += &format!("{comment}\n");
    }
    text
}
