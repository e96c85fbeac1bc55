//! The stand-in: keeps documents in memory, and fails as told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Document, Sink, SinkError, Trouble, Verdict};

/// A sink in memory.
#[derive(Default)]
pub struct MemorySink(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    documents: BTreeMap<(String, String), String>,
    again: VecDeque<Verdict>,
    sent: u64,
    prepared: u32,
    away: bool,
}

impl MemorySink {
    /// An empty one that takes everything.
    pub fn new() -> MemorySink {
        MemorySink::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic in between leaves maps whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody answers from now on.
    pub fn set_away(&self, away: bool) {
        self.kept().away = away;
    }

    /// The verdicts about the next documents, in order; after them everything is kept.
    pub fn judge_next(&self, verdicts: Vec<Verdict>) {
        self.kept().again.extend(verdicts);
    }

    /// What is kept, by index and id.
    pub fn documents(&self) -> BTreeMap<(String, String), String> {
        self.kept().documents.clone()
    }

    /// How many documents arrived, repeats included.
    pub fn arrived(&self) -> u64 {
        self.kept().sent
    }

    /// How often it was prepared.
    pub fn prepared(&self) -> u32 {
        self.kept().prepared
    }
}

fn away() -> SinkError {
    SinkError { message: "nobody answers".into(), trouble: Trouble::Later, after: None }
}

#[async_trait]
impl Sink for MemorySink {
    async fn prepare(&self, _prefix: &str) -> Result<(), SinkError> {
        let mut kept = self.kept();
        if kept.away {
            return Err(away());
        }
        kept.prepared += 1;
        Ok(())
    }

    async fn send(&self, documents: &[Document]) -> Result<Vec<Verdict>, SinkError> {
        let mut kept = self.kept();
        if kept.away {
            return Err(away());
        }
        let mut verdicts = Vec::new();
        for document in documents {
            kept.sent += 1;
            let verdict = kept.again.pop_front().unwrap_or(Verdict::Kept);
            if verdict == Verdict::Kept {
                let key = (document.index.clone(), document.id.clone());
                kept.documents.entry(key).or_insert_with(|| document.body.clone());
            }
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }
}
