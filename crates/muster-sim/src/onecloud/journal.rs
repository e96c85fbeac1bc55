//! The journal of requests, for assertions such as "the second run wrote nothing".
//!
//! Bounded in entries and in bytes; the oldest are dropped, and how many is said.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;

/// One request of a client. Requests to `/_sim/…` are not journaled.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JournalEntry {
    /// When it came, on the virtual clock (RFC 3339, UTC).
    pub at: String,
    /// Method.
    pub method: String,
    /// Path with query, as it was sent.
    pub path: String,
    /// Body: JSON if it is JSON, else text; null if there was none.
    pub body: Value,
    /// Status of the answer; 0 when the simulator sent none.
    pub status: u16,
}

/// The journal.
pub(super) struct Journal {
    entries: VecDeque<(usize, JournalEntry)>,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
    /// How many were dropped since the last clearing.
    pub dropped: u64,
    /// Number of the first entry still here, counted from the start.
    first: u64,
}

impl Journal {
    pub fn new(entries_max: usize, bytes_max: usize) -> Journal {
        Journal {
            entries: VecDeque::new(),
            bytes: 0,
            entries_max: entries_max.max(1),
            bytes_max,
            dropped: 0,
            first: 0,
        }
    }

    /// Adds a request whose answer is not known yet; gives the number to tell it under.
    pub fn push(&mut self, at: String, method: String, path: String, body: &[u8]) -> u64 {
        let size = body.len() + path.len();
        while !self.entries.is_empty()
            && (self.entries.len() >= self.entries_max || self.bytes + size > self.bytes_max)
        {
            if let Some((bytes, _)) = self.entries.pop_front() {
                self.bytes -= bytes;
            }
            self.dropped += 1;
            self.first += 1;
        }
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into())
        };
        self.bytes += size;
        self.entries.push_back((size, JournalEntry { at, method, path, body, status: 0 }));
        self.first + self.entries.len() as u64 - 1
    }

    /// Notes the status of an answer. An entry that is gone by now stays gone.
    pub fn answered(&mut self, number: u64, status: u16) {
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some((_, entry)) = at.and_then(|at| self.entries.get_mut(at)) {
            entry.status = status;
        }
    }

    /// Every entry, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &JournalEntry> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.first += self.entries.len() as u64;
        self.entries.clear();
        self.bytes = 0;
        self.dropped = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(journal: &mut Journal, path: &str, body: &[u8]) -> u64 {
        journal.push(String::new(), "GET".to_owned(), path.to_owned(), body)
    }

    #[test]
    fn the_oldest_are_dropped_and_counted() {
        let mut journal = Journal::new(2, 1000);
        let first = push(&mut journal, "/a", b"");
        push(&mut journal, "/b", b"x");
        let third = push(&mut journal, "/c", br#"{"a":1}"#);
        journal.answered(first, 500);
        journal.answered(third, 200);
        let seen: Vec<_> = journal.entries().map(|entry| (entry.path.as_str(), entry.status)).collect();
        assert_eq!(seen, vec![("/b", 0), ("/c", 200)]);
        assert_eq!(journal.dropped, 1);
        journal.clear();
        journal.answered(third, 404);
        assert_eq!((journal.entries().count(), journal.dropped), (0, 0));
        let next = push(&mut journal, "/d", b"");
        journal.answered(next, 201);
        assert_eq!(journal.entries().next().map(|entry| entry.status), Some(201));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut journal = Journal::new(100, 50);
        for _ in 0..10 {
            push(&mut journal, "/", &[b'a'; 20]);
        }
        assert_eq!((journal.entries().count(), journal.dropped), (2, 8));
    }
}
