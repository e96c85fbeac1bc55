//! Sending one batch: in parts of bounded size, again with growing pauses, and what is refused for good set aside.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use muster_model::World;
use muster_outside::sink::{BATCH_BYTES_MAX, BATCH_DOCUMENTS_MAX, Document, Sink, Trouble, Verdict};
use tokio::sync::watch;

use super::stats::SinkStats;

/// Attempts at one batch before it goes to disk.
const ATTEMPTS_MAX: u32 = 3;
/// The pause after the first failure; it doubles, plus up to half of it by chance.
pub(super) const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// The longest pause between attempts.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Sends batches.
pub(super) struct Delivery {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) world: World,
    pub(super) prefix: String,
    pub(super) refused: PathBuf,
    pub(super) stats: Arc<SinkStats>,
    pub(super) prepared: bool,
    /// Whether the other side wants to be left alone: nobody answers, or it is too busy.
    pub(super) away: bool,
    /// How long it asked for.
    pub(super) asked: Option<Duration>,
}

/// What became of one request.
enum Sent {
    /// These are left, to be sent again.
    Left(Vec<Document>),
    /// Nobody took anything.
    Nothing,
}

impl Delivery {
    /// Sends documents; gives those that could not be sent now. Once `stop` is true, nothing is tried twice.
    pub(super) async fn deliver(
        &mut self,
        documents: Vec<Document>,
        stop: &watch::Receiver<bool>,
    ) -> Vec<Document> {
        let mut left = documents;
        for attempt in 0..ATTEMPTS_MAX {
            self.away = false;
            left = self.once(left).await;
            if !self.away || *stop.borrow() {
                break;
            }
            if attempt + 1 < ATTEMPTS_MAX {
                tokio::time::sleep(self.pause(attempt)).await;
            }
        }
        left
    }

    /// How long to wait after so many failures.
    pub(super) fn pause(&mut self, failures: u32) -> Duration {
        let wanted = PAUSE_FIRST.saturating_mul(1 << failures.min(10)).min(PAUSE_MAX);
        let jitter_ms = self.world.random.below(wanted.as_millis() as u64 / 2 + 1);
        let asked = self.asked.take().unwrap_or_default();
        wanted.max(asked) + Duration::from_millis(jitter_ms)
    }

    async fn once(&mut self, documents: Vec<Document>) -> Vec<Document> {
        if !self.prepared {
            match self.sink.prepare(&self.prefix).await {
                Ok(()) => self.prepared = true,
                Err(error) => {
                    self.failed(&error.message, error.after);
                    return documents;
                }
            }
        }
        let mut left = Vec::new();
        // Parts that are still to be sent, the next one last.
        let mut parts = in_parts(documents);
        parts.reverse();
        while let Some(part) = parts.pop() {
            match self.part(&part, &mut parts).await {
                Sent::Left(some) => left.extend(some),
                Sent::Nothing => {
                    left.extend(part);
                    left.extend(parts.into_iter().rev().flatten());
                    break;
                }
            }
        }
        left
    }

    async fn part(&mut self, part: &[Document], parts: &mut Vec<Vec<Document>>) -> Sent {
        self.stats.requests.fetch_add(1, Ordering::Relaxed);
        let error = match self.sink.send(part).await {
            Ok(verdicts) => return Sent::Left(self.judged(part, verdicts)),
            Err(error) => error,
        };
        match (error.trouble, part) {
            (Trouble::Later, _) => {
                self.failed(&error.message, error.after);
                Sent::Nothing
            }
            (Trouble::Split, [alone]) => {
                self.refuse(vec![(alone.clone(), error.message)]);
                Sent::Left(Vec::new())
            }
            (Trouble::Split, several) => {
                let (first, second) = several.split_at(several.len() / 2);
                parts.extend([second.to_vec(), first.to_vec()]);
                Sent::Left(Vec::new())
            }
        }
    }

    fn judged(&mut self, part: &[Document], verdicts: Vec<Verdict>) -> Vec<Document> {
        let (mut left, mut refused) = (Vec::new(), Vec::new());
        let (mut busy, mut blocked) = (None, None);
        for (document, verdict) in part.iter().zip(verdicts) {
            match verdict {
                Verdict::Kept => _ = self.stats.sent.fetch_add(1, Ordering::Relaxed),
                Verdict::Again(reason) => {
                    left.push(document.clone());
                    busy = Some(reason);
                }
                Verdict::Blocked(reason) => {
                    left.push(document.clone());
                    blocked = Some(reason);
                }
                Verdict::Refused(reason) => refused.push((document.clone(), reason)),
            }
        }
        self.refuse(refused);
        match (busy, blocked) {
            (Some(reason), _) => {
                self.failed(&format!("{} documents were put off: {reason}", left.len()), None)
            }
            (None, Some(reason)) => self.say(&format!("{} documents are blocked: {reason}", left.len())),
            (None, None) => self.stats.failing.store(false, Ordering::Relaxed),
        }
        left
    }

    fn refuse(&self, refused: Vec<(Document, String)>) {
        let Some((first, reason)) = refused.first() else { return };
        self.stats.refused.fetch_add(refused.len() as u64, Ordering::Relaxed);
        tracing::warn!(
            count = refused.len(),
            "{} documents were refused and set aside in {}; the first, {} for {}: {reason}",
            refused.len(),
            self.refused.display(),
            first.id,
            first.index
        );
        if let Err(error) = super::spill::keep_refused(&self.refused, &refused) {
            tracing::warn!("refused documents cannot be kept in {}: {error}", self.refused.display());
        }
    }

    fn failed(&mut self, why: &str, after: Option<Duration>) {
        self.away = true;
        self.asked = after;
        self.say(why);
    }

    fn say(&self, why: &str) {
        self.stats.failures.fetch_add(1, Ordering::Relaxed);
        // Once for each outage; what happens meanwhile is in the numbers.
        if !self.stats.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!("records cannot be sent to Elasticsearch and are kept here until they can: {why}");
        }
    }
}

/// Cuts a batch into parts that one request may carry.
fn in_parts(documents: Vec<Document>) -> Vec<Vec<Document>> {
    let (mut parts, mut part, mut bytes) = (Vec::new(), Vec::new(), 0);
    for document in documents {
        let weight = document.weight();
        if !part.is_empty() && (part.len() >= BATCH_DOCUMENTS_MAX || bytes + weight > BATCH_BYTES_MAX) {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
        bytes += weight;
        part.push(document);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(count: usize, bytes: usize) -> Vec<Document> {
        let one = |number| Document { index: "i".into(), id: format!("{number}"), body: "x".repeat(bytes) };
        (0..count).map(one).collect()
    }

    #[test]
    fn parts_are_bounded_and_keep_the_order() {
        let lengths = |parts: Vec<Vec<Document>>| parts.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(in_parts(documents(2_500, 10))), [1_000, 1_000, 500]);
        assert_eq!(lengths(in_parts(documents(3, 2 * 1024 * 1024))), [2, 1]);
        assert_eq!(lengths(in_parts(documents(2, 6 * 1024 * 1024))), [1, 1], "a large one goes alone");
        let ids: Vec<String> = in_parts(documents(1_200, 1)).concat().into_iter().map(|one| one.id).collect();
        assert_eq!(ids, (0..1_200).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}
