//! Detail output: lines become blocks, and blocks become durable before their step's outcome is.
//!
//! Not in the journal: millions of lines must not stand behind its single writer. Adding a line never waits; full
//! blocks are written meanwhile, and [`OutputLog::flush`] waits until everything added so far is durable.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use muster_model::id::{LaneNumber, RunId};

use crate::contents::{Block, Contents};
use crate::error::StoreError;
use crate::store::StoreResult;

/// A block is closed when it reaches this size. (A row of PostgreSQL holds at most 64 KiB of it, compressed.)
const BLOCK_BYTES: usize = 48 * 1024;
/// The most bytes of text one lane keeps; what follows is cut, and the last line says so.
pub const RUN_OUTPUT_MAX: u64 = 512 * 1024 * 1024;
/// The most bytes of one line; the rest is cut and marked.
pub const LINE_MAX: usize = 16 * 1024;
/// The most closed blocks that may wait for a slow store; lines beyond are left out, and a line says how many.
const WAITING_MAX: usize = 1_024;
/// Blocks read at once.
const READ_BLOCKS: u32 = 32;

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
            !lines.closed.is_empty()
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
        let mut text = clean(&record.text);
        if text.len() > LINE_MAX {
            text.truncate(text.floor_char_boundary(LINE_MAX));
            text.push_str(" … (line cut)");
        }
        self.line(record, &text);
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
        let line =
            format!("{}\t{}\t{}\t{text}\n", record.at.as_millisecond(), record.step, clean(&record.target));
        self.bytes += line.len() as u64;
        self.open.extend_from_slice(line.as_bytes());
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

/// Tabs and line ends would break the line form.
fn clean(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('\t', "    ")
}

/// Some lines of a lane, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputPart {
    /// Lines with their numbers in the lane, from 0.
    pub lines: Vec<(u64, OutputRecord)>,
    /// The number after them; the same as before if there was nothing.
    pub next: u64,
}

/// Reads a bounded number of lines from number `from` on, with their numbers: for those who follow a long output to
/// its end and must tell its lines apart.
pub async fn read_output_part(
    contents: &dyn Contents,
    run: RunId,
    lane: LaneNumber,
    from: u64,
) -> StoreResult<OutputPart> {
    let mut part = OutputPart { lines: Vec::new(), next: from };
    for block in contents.output(run, lane, from, READ_BLOCKS).await? {
        let text = text_of(&block)?;
        for (line, number) in text.split('\n').zip(block.first..block.end()) {
            if let (true, Some(record)) = (number >= from, record_of(line)) {
                part.lines.push((number, record));
            }
        }
        part.next = block.end();
    }
    Ok(part)
}

fn text_of(block: &Block) -> Result<String, StoreError> {
    let raw = lz4_flex::decompress(&block.body, block.raw as usize)
        .map_err(|error| StoreError::Form { noun: "output block", message: error.to_string() })?;
    Ok(String::from_utf8_lossy(&raw).into_owned())
}

fn record_of(line: &str) -> Option<OutputRecord> {
    let mut parts = line.splitn(4, '\t');
    let (at, step, target, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let at = at.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Some(OutputRecord {
        at: at.unwrap_or(Timestamp::UNIX_EPOCH),
        step: step.parse().unwrap_or(0),
        target: target.to_owned(),
        text: text.to_owned(),
    })
}

/// Reads lines from number `after` on, of one step or of all.
pub async fn read_output(
    contents: &dyn Contents,
    run: RunId,
    lane: LaneNumber,
    step: Option<u32>,
    after: u64,
    limit: usize,
) -> StoreResult<Vec<OutputRecord>> {
    let mut records = Vec::new();
    let mut from = after;
    while records.len() < limit {
        let blocks = contents.output(run, lane, from, READ_BLOCKS).await?;
        let Some(last) = blocks.last() else { break };
        from = last.end();
        for block in &blocks {
            lines_of(block, step, after, limit, &mut records)?;
        }
    }
    Ok(records)
}

fn lines_of(
    block: &Block,
    step: Option<u32>,
    after: u64,
    limit: usize,
    records: &mut Vec<OutputRecord>,
) -> Result<(), StoreError> {
    let text = text_of(block)?;
    for (line, number) in text.split('\n').zip(block.first..block.end()) {
        if number < after || records.len() >= limit {
            continue;
        }
        let Some(record) = record_of(line) else { continue };
        if step.is_none_or(|wanted| wanted == record.step) {
            records.push(record);
        }
    }
    Ok(())
}
