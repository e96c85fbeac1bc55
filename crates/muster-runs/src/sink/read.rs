//! Reading on from the cursor: committed journal entries and whole blocks of output, never more than a batch at once.
//! Nothing here is in the way of a step: it asks the store as any reader does.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use muster_model::id::{NodeId, RunId, SpaceName};
use muster_model::plan::Plan;
use muster_model::run::{EntryKind, Run};
use muster_outside::sink::{BATCH_BYTES_MAX, BATCH_DOCUMENTS_MAX, Document};
use muster_store::output::read_output_part;

use super::cursor::{Cursor, RunCursor};
use super::record::{About, of_entry, of_line, of_loss};
use crate::engine::Inner;
use crate::error::EngineError;

/// Entries of one run read at once.
const ENTRIES_PAGE: u32 = 500;
/// Runs asked for first, newest first; doubled until all are known.
const RUNS_FIRST: u32 = 64;
/// The most runs looked back at; older ones are not sent.
const RUNS_MAX: u32 = 10_000;
/// Plans kept between two looks.
const PLANS_MAX: usize = 16;
/// A run that ended so long ago gets no further line.
const DONE_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// The Space of this version.
const SPACE: &str = "default";

/// What was read, and the cursor behind it.
pub(crate) struct Read {
    pub(crate) documents: Vec<Document>,
    pub(crate) cursor: Cursor,
    /// Records that were gone before they could be read.
    pub(crate) lost: u64,
}

/// What a reader keeps between two looks.
#[derive(Default)]
pub(crate) struct Reader {
    plans: BTreeMap<RunId, (Option<Arc<Plan>>, String)>,
    hosts: BTreeMap<RunId, String>,
}

impl Reader {
    /// Reads the next batch.
    pub(crate) async fn next(
        &mut self,
        inner: &Inner,
        prefix: &str,
        from: &Cursor,
    ) -> Result<Read, EngineError> {
        let now = inner.world.clock.now();
        let mut read = Read { documents: Vec::new(), cursor: from.clone(), lost: 0 };
        let mut weight = 0;
        for run in open_runs(inner, from).await? {
            let mut cursor =
                read.cursor.runs.get(&run.id).cloned().unwrap_or_else(|| RunCursor::new(run.started_at));
            let (plan, purpose) = self.plan(inner, &run).await?;
            let host = self.host(inner, &run).await?;
            let about = About { prefix, run: &run, plan: plan.as_deref(), purpose: &purpose, host: &host };
            let before = read.documents.len();
            let more = entries(inner, &about, &mut cursor, &mut read.documents).await?
                | lines(inner, &about, &mut cursor, &mut read.documents).await?;
            if !more && run.state.is_final() {
                let lost = self.lost(inner, &run, &cursor, from).await?;
                if lost > 0 {
                    read.documents.push(of_loss(&about, lost));
                    read.lost += lost;
                }
                cursor.done = run.ended_at.is_none_or(|ended| now.duration_since(ended) >= DONE_AFTER);
                cursor.ended_at = run.ended_at;
                self.hosts.remove(&run.id);
            } else {
                cursor.done = false;
            }
            cursor.caught_up = !more;
            read.cursor.runs.insert(run.id, cursor);
            weight += read.documents[before..].iter().map(Document::weight).sum::<usize>();
            if read.documents.len() >= BATCH_DOCUMENTS_MAX || weight >= BATCH_BYTES_MAX {
                // The others come next time; the floor waits for them.
                return Ok(read);
            }
        }
        read.cursor.settle(now);
        Ok(read)
    }

    async fn plan(&mut self, inner: &Inner, run: &Run) -> Result<(Option<Arc<Plan>>, String), EngineError> {
        if let Some(kept) = self.plans.get(&run.id) {
            return Ok(kept.clone());
        }
        let row = inner.store.plan(run.plan).await?;
        let found = match row {
            Some(row) => (row.plan.map(Arc::new), row.new.purpose),
            None => (None, String::new()),
        };
        if self.plans.len() >= PLANS_MAX {
            self.plans.pop_first();
        }
        self.plans.insert(run.id, found.clone());
        Ok(found)
    }

    /// The machine that executes a run: that of the node with its first lane, as long as one has it; afterwards the
    /// last one that was seen, else this one.
    async fn host(&mut self, inner: &Inner, run: &Run) -> Result<String, EngineError> {
        let here = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        if !run.state.is_final() {
            let lanes = inner.store.lanes(run.id).await?;
            if let Some(node) = lanes.first().and_then(|lane| lane.node) {
                let name = match node == inner.node {
                    true => here(),
                    false => name_of(inner, node).await?.unwrap_or_else(here),
                };
                self.hosts.insert(run.id, name);
            }
        }
        Ok(self.hosts.get(&run.id).cloned().unwrap_or_else(here))
    }

    /// Records of an ended run that retention removed before they were read: as many as can be told.
    async fn lost(
        &self,
        inner: &Inner,
        run: &Run,
        cursor: &RunCursor,
        from: &Cursor,
    ) -> Result<u64, EngineError> {
        let known = from.runs.get(&run.id).is_some_and(|known| known.caught_up);
        if known
            || run.started_at < from.since
            || !inner.store.follow(run.id, BTreeMap::new(), 1).await?.is_empty()
        {
            return Ok(0);
        }
        let kept = inner.store.tally(run.id).await?;
        let told = kept.succeeded + kept.failed + kept.skipped;
        let read_nothing = cursor.lanes.is_empty();
        Ok(match told.saturating_sub(cursor.outcomes) {
            // Every run has at least the record of its end.
            0 if read_nothing && told > 0 => 1,
            more => u64::from(more),
        })
    }
}

async fn name_of(inner: &Inner, node: NodeId) -> Result<Option<String>, EngineError> {
    Ok(inner.store.nodes().await?.into_iter().find(|row| row.id == node).map(|row| row.host))
}

/// Runs that may have something new, oldest first.
async fn open_runs(inner: &Inner, cursor: &Cursor) -> Result<Vec<Run>, EngineError> {
    let space = SpaceName::from(SPACE);
    let mut limit = RUNS_FIRST;
    let mut runs = loop {
        let runs = inner.store.runs(&space, limit).await?;
        let all = runs.len() < limit as usize;
        let known = runs.last().is_some_and(|oldest| oldest.started_at < cursor.floor);
        if all || known || limit >= RUNS_MAX {
            break runs;
        }
        limit = (limit * 2).min(RUNS_MAX);
    };
    // Named ones may be older than all of these.
    for (id, kept) in &cursor.runs {
        if !kept.done
            && !runs.iter().any(|run| run.id == *id)
            && let Some(run) = inner.store.run(*id).await?
        {
            runs.push(run);
        }
    }
    runs.retain(|run| cursor.is_open(run.id, run.started_at, run.ended_at));
    runs.sort_by_key(|run| (run.started_at, run.id));
    Ok(runs)
}

/// Reads entries; says whether there may be more.
async fn entries(
    inner: &Inner,
    about: &About<'_>,
    cursor: &mut RunCursor,
    documents: &mut Vec<Document>,
) -> Result<bool, EngineError> {
    let page = inner.store.follow(about.run.id, cursor.lanes.clone(), ENTRIES_PAGE).await?;
    for entry in &page {
        documents.extend(of_entry(about, entry, cursor));
        cursor.lanes.insert(entry.lane, entry.seq);
        if let EntryKind::Run { state, .. } = &entry.kind
            && state.is_final()
        {
            cursor.under_way.clear();
        }
    }
    Ok(!page.is_empty())
}

/// Reads output; says whether there may be more.
async fn lines(
    inner: &Inner,
    about: &About<'_>,
    cursor: &mut RunCursor,
    documents: &mut Vec<Document>,
) -> Result<bool, EngineError> {
    let mut more = false;
    // A lane that writes output has written entries before.
    for lane in cursor.lanes.keys() {
        let from = cursor.output.get(lane).copied().unwrap_or_default();
        let part = read_output_part(&*inner.contents, about.run.id, *lane, from).await?;
        documents.extend(part.lines.iter().map(|(number, line)| of_line(about, *number, line)));
        more |= part.next != from;
        cursor.output.insert(*lane, part.next);
    }
    Ok(more)
}
