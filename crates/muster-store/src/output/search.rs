//! Searching the output of a run: all its lanes, merged by time, a page at a time.
//!
//! A block is searched as a whole, and only lines that may match are taken apart: most lines are never looked at one
//! by one. A page ends at its limit of lines or of bytes searched, so that no question holds a thread for long; its
//! positions say where the next one goes on.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use muster_model::id::{LaneNumber, RunId};

use super::read::{READ_BLOCKS, RawLine, text_of};
use super::{OutputRecord, Pattern};
use crate::contents::{Block, Contents};
use crate::error::StoreError;
use crate::store::StoreResult;

/// The most bytes of output that one page searches.
const PAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The most bytes of text in one page, give or take a line: long lines must not make an answer too large to be sent.
const PAGE_TEXT_MAX: usize = 8 * 1024 * 1024;

/// Which lines are wanted; by default all.
#[derive(Clone, Debug, Default)]
pub struct LineFilter {
    /// Of this step.
    pub step: Option<u32>,
    /// Of one of these hosts or targets; empty means any.
    pub targets: Vec<String>,
    /// Not older.
    pub since: Option<Timestamp>,
    /// With this in their text.
    pub pattern: Option<Pattern>,
}

impl LineFilter {
    /// Whether every line is wanted.
    pub fn is_all(&self) -> bool {
        self.step.is_none() && self.targets.is_empty() && self.since.is_none() && self.pattern.is_none()
    }

    fn takes(&self, line: &RawLine<'_>) -> bool {
        self.step.is_none_or(|step| step == line.step())
            && (self.targets.is_empty() || self.targets.iter().any(|name| name.as_bytes() == line.target))
            && self.since.is_none_or(|since| line.at() >= since)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_in(line.text))
    }
}

/// The number of the next line in each lane. A lane that is not named begins at its beginning.
pub type OutputPositions = BTreeMap<LaneNumber, u64>;

/// A line with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLine {
    /// Its lane.
    pub lane: LaneNumber,
    /// Its number in the lane, from 0.
    pub number: u64,
    /// The line.
    pub record: OutputRecord,
}

/// Some lines of a run, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputPage {
    /// The lines: in order within each lane, lanes merged by time.
    pub lines: Vec<FoundLine>,
    /// Where the next page begins.
    pub next: OutputPositions,
    /// Whether there was more when this was read. A page may be empty and say so.
    pub more: bool,
}

/// Reads the next lines of a run that a filter takes.
pub async fn search_output(
    contents: &dyn Contents,
    run: RunId,
    lanes: &[LaneNumber],
    from: &OutputPositions,
    filter: &LineFilter,
    limit: usize,
) -> StoreResult<OutputPage> {
    let mut search = Search { contents, run, filter, bytes_left: PAGE_BYTES_MAX };
    let blocks = (READ_BLOCKS / lanes.len().max(1) as u32).max(1);
    let mut heads: Vec<Head> = lanes.iter().map(|lane| Head::new(*lane, from)).collect();
    let mut page = OutputPage::default();
    let mut text = 0;
    loop {
        for head in &mut heads {
            search.fill(head, blocks).await?;
        }
        // A lane that could not be searched far enough may hold an older line than the others.
        if page.lines.len() >= limit || text >= PAGE_TEXT_MAX || heads.iter().any(Head::is_unknown) {
            break;
        }
        let oldest = heads.iter_mut().filter(|head| !head.found.is_empty()).min_by_key(|head| head.key());
        let Some(head) = oldest else { break };
        let Some((number, record)) = head.found.pop_front() else { break };
        text += record.text.len();
        page.lines.push(FoundLine { lane: head.lane, number, record });
    }
    page.more = heads.iter().any(|head| !head.found.is_empty() || !head.ended);
    page.next = heads.iter().map(|head| (head.lane, head.position())).collect();
    Ok(page)
}

/// One lane under search.
struct Head {
    lane: LaneNumber,
    /// Up to where it was searched.
    next: u64,
    found: VecDeque<(u64, OutputRecord)>,
    ended: bool,
}

impl Head {
    fn new(lane: LaneNumber, from: &OutputPositions) -> Head {
        let next = from.get(&lane).copied().unwrap_or_default();
        Head { lane, next, found: VecDeque::new(), ended: false }
    }

    fn is_unknown(&self) -> bool {
        self.found.is_empty() && !self.ended
    }

    fn key(&self) -> (Option<Timestamp>, LaneNumber) {
        (self.found.front().map(|(_, record)| record.at), self.lane)
    }

    fn position(&self) -> u64 {
        self.found.front().map_or(self.next, |(number, _)| *number)
    }
}

struct Search<'a> {
    contents: &'a dyn Contents,
    run: RunId,
    filter: &'a LineFilter,
    bytes_left: u64,
}

impl Search<'_> {
    /// Searches a lane until something is found, it ends, or enough was searched.
    async fn fill(&mut self, head: &mut Head, limit: u32) -> Result<(), StoreError> {
        while head.is_unknown() && self.bytes_left > 0 {
            let blocks = self.contents.output(self.run, head.lane, head.next, limit).await?;
            head.ended = blocks.is_empty();
            for block in &blocks {
                lines_of(block, head.next, self.filter, &mut |number, line| {
                    head.found.push_back((number, line));
                })?;
                head.next = block.end();
                self.bytes_left = self.bytes_left.saturating_sub(u64::from(block.raw));
            }
            // A long search must not keep others of this thread waiting.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// Gives the lines of a block from number `from` on that a filter takes.
pub(super) fn lines_of(
    block: &Block,
    from: u64,
    filter: &LineFilter,
    give: &mut dyn FnMut(u64, OutputRecord),
) -> Result<(), StoreError> {
    let text = text_of(block)?;
    let mut number = block.first;
    let mut rest = &text[..];
    while !rest.is_empty() {
        if let Some(pattern) = &filter.pattern {
            let Some(hit) = pattern.candidate(rest) else { break };
            let start = memchr::memrchr(b'\n', &rest[..hit]).map_or(0, |end| end + 1);
            number += memchr::memchr_iter(b'\n', &rest[..start]).count() as u64;
            rest = &rest[start..];
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        if number >= from
            && let Some(line) = RawLine::of(&rest[..end]).filter(|line| filter.takes(line))
        {
            give(number, line.record());
        }
        number += 1;
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    Ok(())
}
