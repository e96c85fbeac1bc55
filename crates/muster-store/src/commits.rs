//! How large the group commits are: what arrived during one is the next one, so their size tells how busy it is.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of the buckets, in changes; the last bucket has none.
pub const BATCH_BOUNDS: [u64; 8] = [1, 2, 5, 10, 50, 100, 1_000, 4_096];

/// Counts of one writer, from the process's start.
#[derive(Debug, Default)]
pub struct Commits {
    buckets: [AtomicU64; BATCH_BOUNDS.len() + 1],
    changes: AtomicU64,
}

/// The same at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitCounts {
    /// Commits by their size, one number for each bound and one beyond.
    pub buckets: [u64; BATCH_BOUNDS.len() + 1],
    /// Changes in all of them.
    pub changes: u64,
}

impl Commits {
    /// A commit of so many changes.
    pub(crate) fn observe(&self, changes: usize) {
        let changes = changes as u64;
        let bucket = BATCH_BOUNDS.partition_point(|bound| *bound < changes);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(changes, Ordering::Relaxed);
    }

    /// The counts now.
    pub(crate) fn counts(&self) -> CommitCounts {
        let buckets = std::array::from_fn(|bucket| self.buckets[bucket].load(Ordering::Relaxed));
        CommitCounts { buckets, changes: self.changes.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_commit_falls_into_one_bucket() {
        let commits = Commits::default();
        for changes in [1, 2, 3, 5, 6, 4_096, 4_097] {
            commits.observe(changes);
        }
        let counts = commits.counts();
        assert_eq!(counts.buckets, [1, 1, 2, 1, 0, 0, 0, 1, 1]);
        assert_eq!(counts.changes, 1 + 2 + 3 + 5 + 6 + 4_096 + 4_097);
    }
}
