//! Searching the basic events of all runs by their words.
//!
//! The index is kept beside the journal and *behind* it: filling it costs several times what a journaled step does, so
//! nothing that a step waits for fills it. Whoever searches, or has time, brings it up to date in batches; how far each
//! lane is indexed stands in the lane's row.
//!
//! Both databases must find the same, so words are cut here and not by their tokenizers: letters and digits, in
//! lower case; `web-1` is the word *web* followed by *1*.

use async_trait::async_trait;
use jiff::Timestamp;
use muster_model::id::{LaneNumber, RunId, Sequence, SpaceName};

use crate::store::StoreResult;

/// The most events that one call of [`Search::index`] takes.
pub const INDEX_EVENTS_MAX: u32 = 500;
/// The most words of one event that are indexed.
pub const EVENT_WORDS_MAX: usize = 1_000;
/// The most bytes of one word that count.
pub const WORD_BYTES_MAX: usize = 100;

/// A lane with events that are not indexed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unindexed {
    /// The run.
    pub run: RunId,
    /// The lane.
    pub lane: LaneNumber,
    /// The last event that is indexed.
    pub after: Sequence,
}

/// What is found of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventWords {
    /// Its number in the lane.
    pub seq: Sequence,
    /// When.
    pub at: Timestamp,
    /// What it is about.
    pub target: Option<String>,
    /// Names and messages.
    pub text: String,
}

/// What somebody looks for: words next to each other, the last one perhaps only begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    pub(crate) words: Vec<String>,
    pub(crate) begun: bool,
}

impl Phrase {
    /// Of what a person typed: `web-1`, `timeout`, `connect*`. None if there is no letter or digit in it.
    pub fn of(text: &str) -> Option<Phrase> {
        let words: Vec<String> = words_of(text).collect();
        (!words.is_empty()).then(|| Phrase { words, begun: text.ends_with('*') })
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// In runs of this Space.
    pub space: SpaceName,
    /// All of them occur.
    pub phrases: Vec<Phrase>,
    /// Not older.
    pub since: Option<Timestamp>,
    /// About this host or target.
    pub target: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// An event that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundEvent {
    /// The run.
    pub run: RunId,
    /// The lane.
    pub lane: LaneNumber,
    /// Its number there.
    pub seq: Sequence,
}

/// The index of basic events.
#[async_trait]
pub trait Search: Send + Sync {
    /// Lanes with events that are not indexed, oldest runs first; of ended runs only, or of all.
    async fn unindexed(&self, ended_only: bool, limit: u32) -> StoreResult<Vec<Unindexed>>;
    /// Adds events of a lane; all up to `last` are then indexed. Doing it twice is doing it once.
    async fn index(&self, lane: Unindexed, events: Vec<EventWords>, last: Sequence) -> StoreResult<()>;
    /// Indexed events that fit, those that were indexed last first.
    async fn search(&self, query: EventQuery) -> StoreResult<Vec<FoundEvent>>;
}

/// The words of a text, in order.
pub(crate) fn words_of(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word[..word.floor_char_boundary(WORD_BYTES_MAX)].to_lowercase()).take(EVENT_WORDS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits() {
        let words: Vec<String> = words_of("Server WEB-1: HTTP/1.1 500, «Ошибка»").collect();
        assert_eq!(words, ["server", "web", "1", "http", "1", "1", "500", "ошибка"]);
        assert_eq!(Phrase::of("--"), None);
        assert_eq!(Phrase::of("Conn*"), Some(Phrase { words: vec!["conn".into()], begun: true }));
    }
}
