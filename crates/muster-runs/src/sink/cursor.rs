//! What was sent last: one small file, replaced in one step.
//!
//! Old runs are not listed one by one. A run that began before the *floor* and is not named here was sent whole; the
//! floor stays behind the present, because nodes with slightly different clocks insert runs out of order.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use muster_model::id::{LaneNumber, RunId, Sequence};
use serde::{Deserialize, Serialize};

/// How far the floor stays behind the present.
const FLOOR_BEHIND: SignedDuration = SignedDuration::from_mins(10);
/// The form of the file.
const FORM: u16 = 1;

/// What was sent last, of every run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    form: u16,
    /// Since when records are sent at all: what retention took before is no loss.
    pub(crate) since: Timestamp,
    /// Runs that began and ended before it and are not named are done.
    pub(crate) floor: Timestamp,
    /// Runs that are not done, or are young.
    pub(crate) runs: BTreeMap<RunId, RunCursor>,
}

/// What was sent last of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunCursor {
    /// When it began.
    pub(crate) started_at: Timestamp,
    /// The last number of each lane.
    pub(crate) lanes: BTreeMap<LaneNumber, Sequence>,
    /// The next line of each lane's output.
    pub(crate) output: BTreeMap<LaneNumber, u64>,
    /// Steps that were begun and have no outcome yet.
    pub(crate) under_way: BTreeMap<u32, UnderWay>,
    /// Steps whose outcome was seen.
    pub(crate) outcomes: u32,
    /// Whether nothing further was there when it was looked at last.
    pub(crate) caught_up: bool,
    /// Whether nothing further comes.
    pub(crate) done: bool,
    /// When it ended, if it is done: a failed run that is tried again ends once more.
    #[serde(default)]
    pub(crate) ended_at: Option<Timestamp>,
}

/// A step under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnderWay {
    /// Since when.
    pub(crate) since: Timestamp,
    /// Hosts of which a task was told, and whether all went well there so far.
    pub(crate) hosts: BTreeMap<String, bool>,
}

impl RunCursor {
    pub(crate) fn new(started_at: Timestamp) -> RunCursor {
        RunCursor {
            started_at,
            lanes: BTreeMap::new(),
            output: BTreeMap::new(),
            under_way: BTreeMap::new(),
            outcomes: 0,
            caught_up: false,
            done: false,
            ended_at: None,
        }
    }
}

impl Cursor {
    /// Nothing was sent yet.
    pub(crate) fn new(now: Timestamp) -> Cursor {
        Cursor { form: FORM, since: now, floor: Timestamp::UNIX_EPOCH, runs: BTreeMap::new() }
    }

    /// Whether a run needs to be looked at.
    pub(crate) fn is_open(&self, run: RunId, started_at: Timestamp, ended_at: Option<Timestamp>) -> bool {
        match self.runs.get(&run) {
            Some(cursor) => !cursor.done || cursor.ended_at != ended_at,
            None => started_at >= self.floor || ended_at.is_none_or(|ended| ended >= self.floor),
        }
    }

    /// Raises the floor and forgets what lies done below it.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        let floor = now.checked_sub(FLOOR_BEHIND).unwrap_or(self.floor);
        self.floor = self.floor.max(floor);
        let floor = self.floor;
        self.runs.retain(|_, cursor| {
            !cursor.done || cursor.started_at >= floor || cursor.ended_at.is_some_and(|ended| ended >= floor)
        });
    }

    /// Reads the file. One that cannot be read is as good as none: everything is sent again, and nothing twice.
    pub(crate) fn read(path: &Path, now: Timestamp) -> Cursor {
        let kept = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice::<Cursor>(&bytes).map_err(|error| error.to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Cursor::new(now),
            Err(error) => Err(error.to_string()),
        };
        match kept {
            Ok(cursor) if cursor.form == FORM => cursor,
            Ok(cursor) => {
                tracing::warn!("{} has form {}; every run is sent again", path.display(), cursor.form);
                Cursor::new(now)
            }
            Err(error) => {
                tracing::warn!("{} cannot be read ({error}); every run is sent again", path.display());
                Cursor::new(now)
            }
        }
    }

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let bytes = serde_json::to_vec(self).map_err(std::io::Error::other)?;
        replace(path, &bytes)
    }
}

/// Writes a file beside its place, makes it durable, and moves it there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside: PathBuf = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_data(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn run(number: u128) -> RunId {
        RunId(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn what_is_done_and_old_needs_no_line() {
        let mut cursor = Cursor::new(at(10_000));
        assert!(cursor.is_open(run(1), at(5), Some(at(6))), "history is sent too");
        for (number, started, done) in [(1, 100, true), (2, 200, false), (3, 9_990, true)] {
            let ended_at = done.then_some(at(started + 1));
            let kept = RunCursor { done, ended_at, ..RunCursor::new(at(started)) };
            cursor.runs.insert(run(number), kept);
        }
        cursor.settle(at(10_000));
        assert_eq!(cursor.runs.keys().copied().collect::<Vec<_>>(), [run(2), run(3)]);
        assert!(
            !cursor.is_open(run(1), at(100), Some(at(101)))
                && cursor.is_open(run(2), at(200), None)
                && !cursor.is_open(run(3), at(9_990), Some(at(9_991)))
        );
        assert!(cursor.is_open(run(4), at(9_700), Some(at(9_701))), "a clock may be behind");
        assert!(!cursor.is_open(run(5), at(9_000), Some(at(9_001))));
        // Tried again: they run, or ended once more.
        assert!(cursor.is_open(run(3), at(9_990), Some(at(9_995))));
        assert!(cursor.is_open(run(1), at(100), None));
        assert!(cursor.is_open(run(1), at(100), Some(at(9_800))));
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor.json");
        let mut cursor = Cursor::new(at(1));
        let mut kept = RunCursor::new(at(2));
        kept.lanes.insert(LaneNumber(3), Sequence(4));
        kept.under_way
            .insert(5, UnderWay { since: at(6), hosts: BTreeMap::from([("web-1".to_owned(), true)]) });
        cursor.runs.insert(run(7), kept);
        cursor.write(&path).unwrap();
        assert_eq!(Cursor::read(&path, at(9)), cursor);
        fs::write(&path, "{").unwrap();
        assert_eq!(Cursor::read(&path, at(9)), Cursor::new(at(9)));
    }
}
