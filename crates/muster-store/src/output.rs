//! Detail output: one append-only file of compressed blocks per run.
//!
//! Not in the database: millions of lines must not stand behind the journal's single writer. A block is
//! durable before its step's outcome is ([`OutputLog::flush`]). A torn last block (a crash) is left out on read
//! and cut off by the next writer.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use muster_model::id::RunId;

use crate::error::StoreError;

/// A block is written when it reaches this size.
const BLOCK_BYTES: usize = 64 * 1024;
/// The most bytes of text one run keeps; what follows is cut, and the last line says so.
pub const RUN_OUTPUT_MAX: u64 = 512 * 1024 * 1024;
/// The most bytes of one line; the rest is cut and marked.
pub const LINE_MAX: usize = 16 * 1024;
/// Marks the start of a block: `MBLK`.
const MAGIC: u32 = 0x4b4c_424d;
const HEADER: usize = 24;

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

/// The writer of one run's output.
pub struct OutputLog {
    path: PathBuf,
    file: fs::File,
    lines: u64,
    bytes: u64,
    pending: Vec<u8>,
    pending_first: u64,
}

impl OutputLog {
    /// Opens a run's output for appending; cuts a torn last block off.
    pub fn open(directory: &Path, run: RunId) -> Result<OutputLog, StoreError> {
        let path = path_of(directory, run);
        let failed = |source| StoreError::File { doing: format!("open {}", path.display()), source };
        fs::create_dir_all(directory).map_err(failed)?;
        let mut file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(failed)?;
        let (blocks, whole) = blocks_of(&content);
        let lines = blocks.last().map_or(0, |block| block.first + u64::from(block.count));
        let bytes = blocks.iter().map(|block| u64::from(block.raw)).sum();
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::Start(whole as u64)).map_err(failed)?;
        Ok(OutputLog { path, file, lines, bytes, pending: Vec::new(), pending_first: lines })
    }

    /// Adds a line; writes a block when there is enough for one.
    pub fn push(&mut self, record: &OutputRecord) -> Result<(), StoreError> {
        if self.bytes >= RUN_OUTPUT_MAX {
            return Ok(());
        }
        let mut text = clean(&record.text);
        if text.len() > LINE_MAX {
            let mut end = LINE_MAX;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push_str(" … (line cut)");
        }
        let line =
            format!("{}\t{}\t{}\t{text}\n", record.at.as_millisecond(), record.step, clean(&record.target));
        self.bytes += line.len() as u64;
        self.pending.extend_from_slice(line.as_bytes());
        self.lines += 1;
        if self.bytes >= RUN_OUTPUT_MAX {
            let said = format!(
                "{}\t{}\t\tthe output of this run reached its limit of {RUN_OUTPUT_MAX} bytes; the rest is not kept\n",
                record.at.as_millisecond(),
                record.step
            );
            self.pending.extend_from_slice(said.as_bytes());
            self.lines += 1;
        }
        if self.pending.len() >= BLOCK_BYTES { self.write_block() } else { Ok(()) }
    }

    /// Makes everything pushed so far durable.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.write_block()?;
        self.file
            .sync_data()
            .map_err(|source| StoreError::File { doing: format!("sync {}", self.path.display()), source })
    }

    fn write_block(&mut self) -> Result<(), StoreError> {
        let packed = lz4_flex::compress(&self.pending);
        let mut block = Vec::with_capacity(HEADER + packed.len());
        block.extend_from_slice(&MAGIC.to_le_bytes());
        block.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        block.extend_from_slice(&(self.pending.len() as u32).to_le_bytes());
        block.extend_from_slice(&((self.lines - self.pending_first) as u32).to_le_bytes());
        block.extend_from_slice(&self.pending_first.to_le_bytes());
        block.extend_from_slice(&packed);
        self.file
            .write_all(&block)
            .map_err(|source| StoreError::File { doing: format!("write {}", self.path.display()), source })?;
        self.pending.clear();
        self.pending_first = self.lines;
        Ok(())
    }
}

/// Tabs and line ends would break the line form.
fn clean(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('\t', "    ")
}

fn path_of(directory: &Path, run: RunId) -> PathBuf {
    directory.join(format!("{run}.blocks"))
}

struct Block {
    first: u64,
    count: u32,
    raw: u32,
    start: usize,
    end: usize,
}

/// The whole blocks of a file, and where the last whole one ends.
fn blocks_of(content: &[u8]) -> (Vec<Block>, usize) {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(header) = content.get(at..at + HEADER) {
        let number = |from: usize| {
            u32::from_le_bytes([header[from], header[from + 1], header[from + 2], header[from + 3]])
        };
        let end = at + HEADER + number(4) as usize;
        if number(0) != MAGIC || end > content.len() {
            break;
        }
        let first = u64::from(number(16)) | (u64::from(number(20)) << 32);
        blocks.push(Block { first, count: number(12), raw: number(8), start: at + HEADER, end });
        at = end;
    }
    (blocks, at)
}

/// Some whole blocks of a run's output, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputPart {
    /// Lines with their numbers in the run, from 0.
    pub lines: Vec<(u64, OutputRecord)>,
    /// The place after them; the same as before if there was nothing.
    pub next: u64,
}

/// Reads about `bytes_max` bytes of whole blocks from a place that an earlier answer named (0 = the beginning), without
/// reading what stands before: for those who follow a long output to its end.
pub fn read_output_part(
    directory: &Path,
    run: RunId,
    from: u64,
    bytes_max: usize,
) -> Result<OutputPart, StoreError> {
    let path = path_of(directory, run);
    let failed = |source| StoreError::File { doing: format!("read {}", path.display()), source };
    let mut file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(OutputPart { lines: Vec::new(), next: from });
        }
        Err(source) => return Err(failed(source)),
    };
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let mut content = Vec::new();
    // A block may be larger than asked for: one always fits.
    let most = bytes_max.max(BLOCK_BYTES + HEADER + LINE_MAX * 2) as u64;
    file.take(most).read_to_end(&mut content).map_err(failed)?;
    let (blocks, whole) = blocks_of(&content);
    let mut lines = Vec::new();
    for block in &blocks {
        for (number, line) in (block.first..).zip(text_of(&content, block)?.lines()) {
            if let Some(record) = record_of(line) {
                lines.push((number, record));
            }
        }
    }
    Ok(OutputPart { lines, next: from + whole as u64 })
}

fn text_of(content: &[u8], block: &Block) -> Result<String, StoreError> {
    let raw = lz4_flex::decompress(&content[block.start..block.end], block.raw as usize)
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
pub fn read_output(
    directory: &Path,
    run: RunId,
    step: Option<u32>,
    after: u64,
    limit: usize,
) -> Result<Vec<OutputRecord>, StoreError> {
    let path = path_of(directory, run);
    let content = match fs::read(&path) {
        Ok(content) => content,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(StoreError::File { doing: format!("read {}", path.display()), source });
        }
    };
    let mut records = Vec::new();
    for block in blocks_of(&content).0 {
        if block.first + u64::from(block.count) <= after {
            continue;
        }
        let text = text_of(&content, &block)?;
        for (line, number) in text.lines().zip(block.first..) {
            if number < after || records.len() >= limit {
                continue;
            }
            let Some(record) = record_of(line) else { continue };
            if step.is_none_or(|wanted| wanted == record.step) {
                records.push(record);
            }
        }
    }
    Ok(records)
}
