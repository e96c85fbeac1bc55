//! `muster run log` and `muster run search`: a page at a time, drawn as it comes. What is searched is searched where the run is kept.

use std::collections::VecDeque;

use jiff::{SpanRelativeTo, Timestamp};
use muster_api::cursor::Cursor;
use muster_api::document::{Many, ManyMeta};
use muster_api::event::Event;
use muster_api::log::{EventSearch, LogFilter, OutputFrom};
use muster_api::run::OutputAttributes;
use muster_model::id::RunId;

use super::follow::run_id;
use super::{Answer, Context, Report};
use crate::cli::{Level, RunLog, RunSearch};
use crate::exit::Failure;

/// Lines of output fetched at once.
const OUTPUT_PAGE: u32 = 5_000;

/// The log as far as it goes now; a run under way is followed to its end by `attach`.
pub async fn log(wish: RunLog, context: &Context<'_>) -> Result<Answer, Failure> {
    let run = run_id(&wish.id)?;
    let filter = LogFilter {
        grep: wish.grep,
        fixed: wish.fixed,
        targets: wish.target,
        step: wish.step,
        since: since(wish.since.as_deref(), context).await?,
    };
    let tail = wish.tail.map(|lines| lines as usize);
    match if wish.output { Level::Detail } else { wish.level } {
        Level::Basic => events(run, &filter, tail, context).await,
        Level::Detail => lines(run, &filter, tail, context).await,
    }
}

/// Events of all runs by their words.
pub async fn search(wish: RunSearch, context: &Context<'_>) -> Result<Answer, Failure> {
    let since = since(wish.since.as_deref(), context).await?;
    let (words, space, target, limit) = (wish.words, wish.space, wish.target, wish.limit);
    let found = context.client.search(&EventSearch { words, space, since, target, limit }).await?;
    if found.meta.behind {
        context.screen.say("Some events are not indexed yet; the same search again finds more.");
    }
    if found.meta.more {
        context.screen.say("There is more: narrow it with --since or --target, or raise --limit.");
    }
    Answer::done(Report::Found(found.data.into_iter().map(|event| event.attributes).collect()))
}

async fn events(
    run: RunId,
    filter: &LogFilter,
    tail: Option<usize>,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let mut drawn = Drawn::new(tail, Report::Events, context);
    let mut cursor = Cursor::start();
    loop {
        let page: Many<Event> = context.client.history_of(run, &cursor, filter).await?;
        let events: Vec<Event> = page.data.into_iter().map(|event| event.attributes).collect();
        for event in &events {
            cursor.saw(event.lane, event.seq);
        }
        let goes_on = next(&page.meta, &mut cursor)?;
        if !drawn.add(events) || !goes_on {
            return drawn.end();
        }
    }
}

async fn lines(
    run: RunId,
    filter: &LogFilter,
    tail: Option<usize>,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let mut drawn = Drawn::new(tail, Report::Output, context);
    let mut cursor = Cursor::start();
    // Without a filter the end is known; with one everything has to be searched for the last matches.
    let mut from = match tail {
        Some(lines) if filter.is_all() => OutputFrom::Tail(lines as u64),
        Some(_) | None => OutputFrom::Cursor(cursor.clone()),
    };
    loop {
        let page: Many<OutputAttributes> = context.client.output(run, &from, filter, OUTPUT_PAGE).await?;
        let goes_on = next(&page.meta, &mut cursor)?;
        from = OutputFrom::Cursor(cursor.clone());
        if !drawn.add(page.data.into_iter().map(|line| line.attributes).collect()) || !goes_on {
            return drawn.end();
        }
    }
}

/// Moves the cursor behind a page; says whether there is more.
fn next(meta: &ManyMeta, cursor: &mut Cursor) -> Result<bool, Failure> {
    if let Some(text) = &meta.cursor {
        *cursor = text.parse().map_err(Failure::usage)?;
    }
    Ok(meta.more)
}

/// A time as it is written, or so long before the engine's now.
async fn since(text: Option<&str>, context: &Context<'_>) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = text else { return Ok(None) };
    if let Ok(at) = text.parse() {
        return Ok(Some(at));
    }
    let wrong = || {
        Failure::usage(format!(
            "`{text}` is neither a time (2026-11-21T05:00:00Z) nor an age (15m, 2h, 3d); --since needs one"
        ))
    };
    let age: jiff::Span = text.parse().map_err(|_| wrong())?;
    let age = age.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    if age.is_negative() {
        return Err(wrong());
    }
    let now = context.client.checkup().await?.attributes.now;
    now.checked_sub(age).map(Some).map_err(|_| wrong())
}

/// What comes is drawn at once, or kept as far as it may be among the last.
struct Drawn<'a, T> {
    tail: Option<usize>,
    kept: VecDeque<T>,
    report: fn(Vec<T>) -> Report,
    context: &'a Context<'a>,
    any: bool,
}

impl<'a, T> Drawn<'a, T> {
    fn new(tail: Option<usize>, report: fn(Vec<T>) -> Report, context: &'a Context<'a>) -> Drawn<'a, T> {
        Drawn { tail, kept: VecDeque::new(), report, context, any: false }
    }

    /// False if nobody reads any more (`| head`).
    fn add(&mut self, page: Vec<T>) -> bool {
        let Some(tail) = self.tail else { return self.draw(page) };
        self.kept.extend(page);
        self.kept.drain(..self.kept.len().saturating_sub(tail));
        true
    }

    fn draw(&mut self, page: Vec<T>) -> bool {
        if page.is_empty() {
            return true;
        }
        let first = !std::mem::replace(&mut self.any, true);
        self.context.screen.page(&(self.report)(page), first).is_ok()
    }

    fn end(mut self) -> Result<Answer, Failure> {
        let kept = std::mem::take(&mut self.kept).into();
        self.draw(kept);
        match self.any {
            true => {
                // A reader that went away is no failure of the command.
                let _ = self.context.screen.pages_end();
                Answer::done(Report::Nothing)
            }
            false => Answer::done((self.report)(Vec::new())),
        }
    }
}
