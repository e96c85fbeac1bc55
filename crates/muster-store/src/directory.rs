//! Contents in directories: a file a blob, and an append-only file of blocks a lane. A torn last block (a crash) is
//! left out on read and cut off by the next writer.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use muster_model::id::{LaneNumber, RunId};

use crate::contents::{Block, Contents, OutputEnd, must_be_digest};
use crate::error::StoreError;
use crate::store::StoreResult;

mod unused;

use unused::used;

/// Marks the start of a block: `MBLK`.
const MAGIC: u32 = 0x4b4c_424d;
const HEADER: usize = 24;
/// Places of ended reads that are remembered: a reader of a run of many lanes has one in each.
const ENDS_MAX: usize = 1_024;

/// Two directories: blobs, and output.
#[derive(Clone, Debug)]
pub struct DirectoryContents {
    blobs: PathBuf,
    output: PathBuf,
    ends: Arc<Mutex<Ends>>,
}

/// Where reads and writes of a file ended last: the next one mostly goes on there, and need not look for its place from
/// the file's beginning.
#[derive(Debug, Default)]
struct Ends(VecDeque<(PathBuf, u64, u64)>);

impl Ends {
    /// A place in a file that is not behind this line.
    fn before(&self, path: &Path, line: u64) -> u64 {
        let known = self.0.iter().filter(|(of, first, _)| of == path && *first <= line);
        known.map(|(_, _, at)| *at).max().unwrap_or_default()
    }

    fn remember(&mut self, path: &Path, line: u64, at: u64) {
        if self.0.len() >= ENDS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((path.to_owned(), line, at));
    }

    fn forget(&mut self, path: &Path) {
        self.0.retain(|(of, _, _)| of != path);
    }
}

impl DirectoryContents {
    /// Opens (and creates) the directories.
    pub fn open(blobs: &Path, output: &Path) -> Result<DirectoryContents, StoreError> {
        for directory in [blobs, output] {
            fs::create_dir_all(directory)
                .map_err(|source| file_error(format!("create {}", directory.display()), source))?;
        }
        Ok(DirectoryContents { blobs: blobs.to_owned(), output: output.to_owned(), ends: Arc::default() })
    }

    fn blob(&self, digest: &str) -> Result<PathBuf, StoreError> {
        must_be_digest(digest)?;
        Ok(self.blobs.join(&digest[..2]).join(digest))
    }

    fn blocks(&self, run: RunId, lane: LaneNumber) -> PathBuf {
        match lane.0 {
            0 => self.output.join(format!("{run}.blocks")),
            number => self.output.join(format!("{run}.{number}.blocks")),
        }
    }

    /// Held while a content is used, so that it is not forgotten between the look and the answer.
    fn together(&self) -> Result<fs::File, StoreError> {
        let lock = unused::lock_of(&self.blobs)?;
        lock.lock_shared().map_err(|source| file_error("lock the contents".into(), source))?;
        Ok(lock)
    }

    fn put_file(&self, digest: &str, content: &[u8]) -> Result<(), StoreError> {
        let path = self.blob(digest)?;
        let _together = self.together()?;
        if used(&path)? {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.blobs).to_owned();
        fs::create_dir_all(&folder)
            .map_err(|source| file_error(format!("create {}", folder.display()), source))?;
        let unfinished = folder.join(format!("{digest}.{}", std::process::id()));
        let write = || -> std::io::Result<()> {
            let mut file = fs::File::create(&unfinished)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            fs::File::open(&folder)?.sync_all()
        };
        write().map_err(|source| file_error(format!("write {}", path.display()), source))
    }
}

#[async_trait]
impl Contents for DirectoryContents {
    async fn has(&self, digest: &str) -> StoreResult<bool> {
        let path = self.blob(digest)?;
        aside(|| {
            let _together = self.together()?;
            used(&path)
        })
    }

    async fn put(&self, digest: &str, content: &[u8]) -> StoreResult<()> {
        aside(|| self.put_file(digest, content))
    }

    async fn forget_unused(&self, kept: &BTreeSet<String>, idle: Duration) -> StoreResult<u64> {
        aside(|| unused::forget(&self.blobs, kept, idle))
    }

    async fn get(&self, digest: &str) -> StoreResult<Vec<u8>> {
        let path = self.blob(digest)?;
        aside(|| fs::read(&path).map_err(|source| file_error(format!("read {}", path.display()), source)))
    }

    async fn output_end(&self, run: RunId, lane: LaneNumber) -> StoreResult<OutputEnd> {
        let path = self.blocks(run, lane);
        aside(|| {
            let Some(mut file) = OutputFile::open(&path)? else { return Ok(OutputEnd::default()) };
            let mut end = OutputEnd::default();
            while let Some(place) = file.next()? {
                end = OutputEnd { lines: place.end(), bytes: end.bytes + u64::from(place.raw) };
            }
            Ok(end)
        })
    }

    async fn append_output(&self, run: RunId, lane: LaneNumber, blocks: &[Block]) -> StoreResult<()> {
        let path = self.blocks(run, lane);
        let mut bytes = Vec::new();
        for block in blocks {
            bytes.extend_from_slice(&MAGIC.to_le_bytes());
            bytes.extend_from_slice(&(block.body.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&block.raw.to_le_bytes());
            bytes.extend_from_slice(&block.lines.to_le_bytes());
            bytes.extend_from_slice(&block.first.to_le_bytes());
            bytes.extend_from_slice(&block.body);
        }
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return Ok(()) };
        let start = self.ends.lock().map_or(0, |ends| ends.before(&path, first.first));
        let at = aside(|| -> Result<u64, StoreError> {
            let whole = cut(&path, start)?;
            let write = || -> std::io::Result<()> {
                let mut file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
                file.write_all(&bytes)?;
                file.sync_data()
            };
            write().map_err(|source| file_error(format!("write {}", path.display()), source))?;
            Ok(whole + bytes.len() as u64)
        })?;
        if let Ok(mut ends) = self.ends.lock() {
            ends.remember(&path, last.end(), at);
        }
        Ok(())
    }

    async fn output(&self, run: RunId, lane: LaneNumber, from: u64, limit: u32) -> StoreResult<Vec<Block>> {
        let path = self.blocks(run, lane);
        let start = self.ends.lock().map_or(0, |ends| ends.before(&path, from));
        let read = aside(|| read_blocks(&path, start, from, limit as usize));
        if let (Ok((blocks, at)), Ok(mut ends)) = (&read, self.ends.lock())
            && let Some(last) = blocks.last()
        {
            ends.remember(&path, last.end(), *at);
        }
        read.map(|(blocks, _)| blocks)
    }

    async fn forget_output(&self, run: RunId) -> StoreResult<()> {
        let (first, others) = (format!("{run}.blocks"), format!("{run}."));
        aside(|| {
            let forget = || -> std::io::Result<()> {
                for entry in fs::read_dir(&self.output)? {
                    let entry = entry?;
                    let name = entry.file_name().to_string_lossy().into_owned();
                    if name == first || (name.starts_with(&others) && name.ends_with(".blocks")) {
                        fs::remove_file(entry.path())?;
                        if let Ok(mut ends) = self.ends.lock() {
                            ends.forget(&entry.path());
                        }
                    }
                }
                Ok(())
            };
            forget().map_err(|source| file_error(format!("forget output of {run}"), source))
        })
    }
}

/// Where a block stands in its file.
struct Place {
    first: u64,
    lines: u32,
    raw: u32,
    start: u64,
    end: u64,
}

impl Place {
    fn end(&self) -> u64 {
        self.first + u64::from(self.lines)
    }
}

/// The header of a block, if it is one.
fn header_of(header: &[u8; HEADER], at: u64) -> Option<Place> {
    let number = |from: usize| {
        u32::from_le_bytes([header[from], header[from + 1], header[from + 2], header[from + 3]])
    };
    let start = at + HEADER as u64;
    (number(0) == MAGIC).then(|| Place {
        first: u64::from(number(16)) | (u64::from(number(20)) << 32),
        lines: number(12),
        raw: number(8),
        start,
        end: start + u64::from(number(4)),
    })
}

/// A lane's file, read from header to header.
struct OutputFile<'a> {
    path: &'a Path,
    file: fs::File,
    /// Where the next header is; at the end, where the last whole block ends.
    at: u64,
    length: u64,
}

impl OutputFile<'_> {
    /// None if nothing was written yet.
    fn open(path: &Path) -> Result<Option<OutputFile<'_>>, StoreError> {
        let failed = |source| file_error(format!("read {}", path.display()), source);
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let length = file.metadata().map_err(failed)?.len();
        Ok(Some(OutputFile { path, file, at: 0, length }))
    }

    /// The place of the next whole block.
    fn next(&mut self) -> Result<Option<Place>, StoreError> {
        if self.at + HEADER as u64 > self.length {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        self.read(&mut header, self.at)?;
        let place = header_of(&header, self.at).filter(|place| place.end <= self.length);
        self.at = place.as_ref().map_or(self.at, |place| place.end);
        Ok(place)
    }

    fn read(&self, bytes: &mut [u8], at: u64) -> Result<(), StoreError> {
        let read = self.file.read_exact_at(bytes, at);
        read.map_err(|source| file_error(format!("read {}", self.path.display()), source))
    }
}

/// Cuts off what a writer left unfinished, looking from a place on; gives where the file ends then. Only whoever writes
/// may do that: a block that a reader finds unfinished may be about to be whole.
fn cut(path: &Path, start: u64) -> Result<u64, StoreError> {
    let Some(mut file) = OutputFile::open(path)? else { return Ok(0) };
    file.at = if start <= file.length { start } else { 0 };
    while file.next()?.is_some() {}
    if file.at < file.length {
        let cut = fs::OpenOptions::new().write(true).open(path).and_then(|cut| cut.set_len(file.at));
        cut.map_err(|source| file_error(format!("cut {}", path.display()), source))?;
    }
    Ok(file.at)
}

/// Skips from header to header, from a place that is not behind line `from`; gives also where the last block ends.
fn read_blocks(path: &Path, start: u64, from: u64, limit: usize) -> Result<(Vec<Block>, u64), StoreError> {
    let Some(mut file) = OutputFile::open(path)? else { return Ok((Vec::new(), 0)) };
    file.at = start;
    let mut blocks = Vec::new();
    while blocks.len() < limit
        && let Some(place) = file.next()?
    {
        if place.end() > from {
            let mut body = vec![0; (place.end - place.start) as usize];
            file.read(&mut body, place.start)?;
            blocks.push(Block { first: place.first, lines: place.lines, raw: place.raw, body });
        }
    }
    Ok((blocks, file.at))
}

/// Work on files: on a runtime with several threads, other tasks move away meanwhile.
fn aside<T>(work: impl FnOnce() -> T) -> T {
    if crate::sqlite::on_many_threads() { tokio::task::block_in_place(work) } else { work() }
}

fn file_error(doing: String, source: std::io::Error) -> StoreError {
    StoreError::File { doing, source }
}
