//! Contents in directories: a file a blob, and an append-only file of blocks a lane. A torn last block (a crash) is
//! left out on read and cut off by the next writer.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use muster_model::id::{LaneNumber, RunId};

use crate::contents::{Block, Contents, OutputEnd, must_be_digest};
use crate::error::StoreError;
use crate::store::StoreResult;

/// Marks the start of a block: `MBLK`.
const MAGIC: u32 = 0x4b4c_424d;
const HEADER: usize = 24;

/// Two directories: blobs, and output.
#[derive(Clone, Debug)]
pub struct DirectoryContents {
    blobs: PathBuf,
    output: PathBuf,
}

impl DirectoryContents {
    /// Opens (and creates) the directories.
    pub fn open(blobs: &Path, output: &Path) -> Result<DirectoryContents, StoreError> {
        for directory in [blobs, output] {
            fs::create_dir_all(directory)
                .map_err(|source| file_error(format!("create {}", directory.display()), source))?;
        }
        Ok(DirectoryContents { blobs: blobs.to_owned(), output: output.to_owned() })
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

    fn put_file(&self, digest: &str, content: &[u8]) -> Result<(), StoreError> {
        let path = self.blob(digest)?;
        if path.exists() {
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
        Ok(self.blob(digest)?.exists())
    }

    async fn put(&self, digest: &str, content: &[u8]) -> StoreResult<()> {
        aside(|| self.put_file(digest, content))
    }

    async fn get(&self, digest: &str) -> StoreResult<Vec<u8>> {
        let path = self.blob(digest)?;
        aside(|| fs::read(&path).map_err(|source| file_error(format!("read {}", path.display()), source)))
    }

    async fn output_end(&self, run: RunId, lane: LaneNumber) -> StoreResult<OutputEnd> {
        let path = self.blocks(run, lane);
        aside(|| {
            let content = read_or_nothing(&path)?;
            let (blocks, whole) = blocks_of(&content);
            if whole < content.len() {
                let cut = fs::OpenOptions::new().write(true).open(&path);
                cut.and_then(|file| file.set_len(whole as u64))
                    .map_err(|source| file_error(format!("cut {}", path.display()), source))?;
            }
            Ok(OutputEnd {
                lines: blocks.last().map_or(0, Place::end),
                bytes: blocks.iter().map(|block| u64::from(block.raw)).sum(),
            })
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
        aside(|| {
            let write = || -> std::io::Result<()> {
                let mut file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
                file.write_all(&bytes)?;
                file.sync_data()
            };
            write().map_err(|source| file_error(format!("write {}", path.display()), source))
        })
    }

    async fn output(&self, run: RunId, lane: LaneNumber, from: u64, limit: u32) -> StoreResult<Vec<Block>> {
        let path = self.blocks(run, lane);
        aside(|| read_blocks(&path, from, limit as usize))
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
    start: usize,
    end: usize,
}

impl Place {
    fn end(&self) -> u64 {
        self.first + u64::from(self.lines)
    }
}

/// The header of a block, if it is one.
fn header_of(header: &[u8], at: usize) -> Option<Place> {
    let number = |from: usize| {
        u32::from_le_bytes([header[from], header[from + 1], header[from + 2], header[from + 3]])
    };
    let start = at + HEADER;
    (number(0) == MAGIC).then(|| Place {
        first: u64::from(number(16)) | (u64::from(number(20)) << 32),
        lines: number(12),
        raw: number(8),
        start,
        end: start + number(4) as usize,
    })
}

/// The whole blocks of a file, and where the last whole one ends.
fn blocks_of(content: &[u8]) -> (Vec<Place>, usize) {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(header) = content.get(at..at + HEADER) {
        match header_of(header, at) {
            Some(block) if block.end <= content.len() => {
                at = block.end;
                blocks.push(block);
            }
            Some(_) | None => break,
        }
    }
    (blocks, at)
}

/// Skips from header to header, so that a page of a long output does not read all of it.
fn read_blocks(path: &Path, from: u64, limit: usize) -> Result<Vec<Block>, StoreError> {
    let failed = |source| file_error(format!("read {}", path.display()), source);
    let mut file = match fs::File::open(path) {
        Ok(file) => std::io::BufReader::new(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let whole = file.get_ref().metadata().map_err(failed)?.len() as usize;
    let (mut blocks, mut at) = (Vec::new(), 0);
    while blocks.len() < limit && at + HEADER <= whole {
        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(failed)?;
        let Some(place) = header_of(&header, at).filter(|place| place.end <= whole) else { break };
        if place.end() > from {
            let mut body = vec![0; place.end - place.start];
            file.read_exact(&mut body).map_err(failed)?;
            blocks.push(Block { first: place.first, lines: place.lines, raw: place.raw, body });
        } else {
            file.seek(SeekFrom::Start(place.end as u64)).map_err(failed)?;
        }
        at = place.end;
    }
    Ok(blocks)
}

fn read_or_nothing(path: &Path) -> Result<Vec<u8>, StoreError> {
    match fs::read(path) {
        Ok(content) => Ok(content),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(file_error(format!("read {}", path.display()), source)),
    }
}

/// Work on files: on a runtime with several threads, other tasks move away meanwhile.
fn aside<T>(work: impl FnOnce() -> T) -> T {
    if crate::sqlite::on_many_threads() { tokio::task::block_in_place(work) } else { work() }
}

fn file_error(doing: String, source: std::io::Error) -> StoreError {
    StoreError::File { doing, source }
}
