//! Detail output: lines become blocks, and blocks become durable before their step's outcome is.
//!
//! Not in the journal: millions of lines must not stand behind its single writer. Adding a line never waits; full
//! blocks are written meanwhile, and [`OutputLog::flush`] waits until everything added so far is durable. How they are
//! read is in `read` and `search`.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use muster_model::id::{LaneNumber, RunId};

use crate::contents::{Block, Contents};
use crate::error::StoreError;
use crate::store::StoreResult;

mod pattern;
mod read;
mod search;

pub use pattern::{PATTERN_BYTES_MAX, Pattern, PatternError};
pub use read::{OutputPart, read_output, read_output_part};
pub use search::{FoundLine, LineFilter, OutputPage, OutputPositions, search_output};

/// A block is closed when it reaches this size. (A row of PostgreSQL holds at most 64 KiB of it, compressed.)
const BLOCK_BYTES: usize = 48 * 1024;
/// The most bytes of text one lane keeps; what follows is cut, and the last line says so.
pub const RUN_OUTPUT_MAX: u64 = 512 * 1024 * 1024;
/// The most bytes of one line; the rest is cut and marked.
pub const LINE_MAX: usize = 16 * 1024;
/// Closed blocks that are written before anybody flushes: each write waits for the disk, which steps wait for too.
const BEHIND_MIN: usize = 16;
/// The most closed blocks that may wait for a slow store; lines beyond are left out, and a line says how many.
const WAITING_MAX: usize = 1_024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRecord {
    /// When.
    pub at: Timestamp,
    /// The step.
    pub step: u32,
    /// The host or target.
    pub target: String,
    /// The text, without its line end.
    pub text: String,
}

/// The writer of one lane's output. Cheap to clone.
#[derive(Clone)]
pub struct OutputLog {
    shared: Arc<Shared>,
}

struct Shared {
    contents: Arc<dyn Contents>,
    run: RunId,
    lane: LaneNumber,
    lines: Mutex<Lines>,
    /// One writer at a time: blocks stay in order, and a flush waits for the one before it.
    writing: tokio::sync::Mutex<()>,
    behind: AtomicBool,
}

#[derive(Default)]
struct Lines {
    number: u64,
    bytes: u64,
    open: Vec<u8>,
    open_first: u64,
    closed: Vec<Block>,
    left_out: u64,
}

impl OutputLog {
    /// Goes on where the lane's output ends.
    pub async fn open(contents: Arc<dyn Contents>, run: RunId, lane: LaneNumber) -> StoreResult<OutputLog> {
        let end = contents.output_end(run, lane).await?;
        let lines = Lines { number: end.lines, bytes: end.bytes, open_first: end.lines, ..Lines::default() };
        let shared = Shared {
            contents,
            run,
            lane,
            lines: Mutex::new(lines),
            writing: tokio::sync::Mutex::new(()),
            behind: AtomicBool::new(false),
        };
        Ok(OutputLog { shared: Arc::new(shared) })
    }

    /// Adds a line. Blocks that are full are written in the background.
    pub fn push(&self, record: &OutputRecord) -> StoreResult<()> {
        let full = {
            let mut lines = self.shared.lines.lock().map_err(|_| StoreError::Closed)?;
            lines.add(record);
            lines.closed.len() >= BEHIND_MIN
        };
        // Outside a runtime nothing runs in the background; the next flush writes them.
        if full
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
            && !self.shared.behind.swap(true, Ordering::SeqCst)
        {
            let shared = self.shared.clone();
            runtime.spawn(async move {
                // Whoever flushes next meets the same error and tells it.
                let _ = shared.write(false).await;
                shared.behind.store(false, Ordering::SeqCst);
            });
        }
        Ok(())
    }

    /// Makes everything added so far durable.
    pub async fn flush(&self) -> StoreResult<()> {
        self.shared.write(true).await
    }
}

impl Shared {
    async fn write(&self, open_too: bool) -> StoreResult<()> {
        let _turn = self.writing.lock().await;
        let blocks = {
            let mut lines = self.lines.lock().map_err(|_| StoreError::Closed)?;
            if open_too {
                lines.close();
            }
            std::mem::take(&mut lines.closed)
        };
        if blocks.is_empty() {
            return Ok(());
        }
        let outcome = self.contents.append_output(self.run, self.lane, &blocks).await;
        if outcome.is_err() {
            let mut lines = self.lines.lock().map_err(|_| StoreError::Closed)?;
            let later = std::mem::replace(&mut lines.closed, blocks);
            lines.closed.extend(later);
        }
        outcome
    }
}

impl Lines {
    fn add(&mut self, record: &OutputRecord) {
        if self.bytes >= RUN_OUTPUT_MAX {
            return;
        }
        if self.closed.len() >= WAITING_MAX {
            self.left_out += 1;
            return;
        }
        if self.left_out > 0 {
            let said = format!("{} lines were left out: the store was slower than they came", self.left_out);
            self.left_out = 0;
            self.line(record, &said);
        }
        self.line(record, &record.text);
        if self.bytes >= RUN_OUTPUT_MAX {
            let said = format!(
                "the output of this run reached its limit of {RUN_OUTPUT_MAX} bytes; the rest is not kept"
            );
            self.line(record, &said);
        }
        if self.open.len() >= BLOCK_BYTES {
            self.close();
        }
    }

    fn line(&mut self, record: &OutputRecord, text: &str) {
        let before = self.open.len();
        // Writing into memory does not fail.
        let _ = write!(self.open, "{}\t{}\t", record.at.as_millisecond(), record.step);
        clean(&mut self.open, &record.target);
        self.open.push(b'\t');
        match text.len() > LINE_MAX {
            true => {
                clean(&mut self.open, &text[..text.floor_char_boundary(LINE_MAX)]);
                self.open.extend_from_slice(" … (line cut)".as_bytes());
            }
            false => clean(&mut self.open, text),
        }
        self.open.push(b'\n');
        self.bytes += (self.open.len() - before) as u64;
        self.number += 1;
    }

    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        self.closed.push(Block {
            first: self.open_first,
            lines: (self.number - self.open_first) as u32,
            raw: self.open.len() as u32,
            body: lz4_flex::compress(&self.open),
        });
        self.open.clear();
        self.open_first = self.number;
    }
}

/// Adds a text without what would break the line form: tabs and line ends become blanks.
fn clean(line: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr3(b'\n', b'\r', b'\t', rest) {
        line.extend_from_slice(&rest[..at]);
        line.extend_from_slice(if rest[at] == b'\t' { b"    " } else { b" " });
        rest = &rest[at + 1..];
    }
    line.extend_from_slice(rest);
}
