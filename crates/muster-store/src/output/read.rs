//! Reading one lane's output: blocks become lines again.

use jiff::Timestamp;
use muster_model::id::{LaneNumber, RunId};

use super::OutputRecord;
use super::search::{LineFilter, lines_of};
use crate::contents::{Block, Contents};
use crate::error::StoreError;
use crate::store::StoreResult;

/// Blocks read at once.
pub(super) const READ_BLOCKS: u32 = 32;

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
        lines_of(&block, from, &LineFilter::default(), &mut |number, line| part.lines.push((number, line)))?;
        part.next = block.end();
    }
    Ok(part)
}

/// Reads lines of one lane from number `after` on, of one step or of all.
pub async fn read_output(
    contents: &dyn Contents,
    run: RunId,
    lane: LaneNumber,
    step: Option<u32>,
    after: u64,
    limit: usize,
) -> StoreResult<Vec<OutputRecord>> {
    let filter = LineFilter { step, ..LineFilter::default() };
    let mut records = Vec::new();
    let mut from = after;
    while records.len() < limit {
        let blocks = contents.output(run, lane, from, READ_BLOCKS).await?;
        let Some(last) = blocks.last() else { break };
        from = last.end();
        for block in &blocks {
            lines_of(block, after, &filter, &mut |_, line| records.push(line))?;
        }
    }
    records.truncate(limit);
    Ok(records)
}

/// The lines of a block as they were written.
pub(super) fn text_of(block: &Block) -> Result<Vec<u8>, StoreError> {
    lz4_flex::decompress(&block.body, block.raw as usize)
        .map_err(|error| StoreError::Form { noun: "output block", message: error.to_string() })
}

/// One stored line, its fields not read yet.
pub(super) struct RawLine<'a> {
    at: &'a [u8],
    step: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) text: &'a [u8],
}

impl<'a> RawLine<'a> {
    /// Of a line without its end; none if it is not one.
    pub(super) fn of(line: &'a [u8]) -> Option<RawLine<'a>> {
        let mut tabs = memchr::memchr_iter(b'\t', line);
        let (first, second, third) = (tabs.next()?, tabs.next()?, tabs.next()?);
        Some(RawLine {
            at: &line[..first],
            step: &line[first + 1..second],
            target: &line[second + 1..third],
            text: &line[third + 1..],
        })
    }

    pub(super) fn at(&self) -> Timestamp {
        let ms = std::str::from_utf8(self.at).ok().and_then(|ms| ms.parse().ok());
        ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    pub(super) fn step(&self) -> u32 {
        std::str::from_utf8(self.step).ok().and_then(|step| step.parse().ok()).unwrap_or(0)
    }

    pub(super) fn record(&self) -> OutputRecord {
        OutputRecord {
            at: self.at(),
            step: self.step(),
            target: String::from_utf8_lossy(self.target).into_owned(),
            text: String::from_utf8_lossy(self.text).into_owned(),
        }
    }
}
