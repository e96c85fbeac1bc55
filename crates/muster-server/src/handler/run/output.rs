//! Detail output of a run.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use muster_api::cursor::Cursor;
use muster_api::document::{Many, Resource};
use muster_api::media;
use muster_api::problem::{Problem, ProblemKind};
use muster_api::run::OutputAttributes;
use muster_model::id::{LaneNumber, RunId};
use muster_runs::reads::{FoundLine, LineFilter};
use serde::Deserialize;
use utoipa::IntoParams;

use super::filter::{pattern, targets};
use crate::answer::{Handled, document};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::negotiate::accept;

/// Most lines in one answer.
pub const LINES_MAX: u32 = 10_000;

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Only of this step.
    step: Option<u32>,
    /// The cursor where to begin, `meta.cursor` of the page before; a bare number leaves out so many lines of lane 0.
    after: Option<String>,
    /// Begin so many lines before the end of each lane.
    tail: Option<u64>,
    /// Only lines with this in their text: a regular expression.
    grep: Option<String>,
    /// `grep` is no expression but a text as it stands.
    #[serde(default)]
    #[param(required = false)]
    fixed: bool,
    /// Only of these hosts or targets; several are separated by commas.
    target: Option<String>,
    /// Only lines that are not older.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<jiff::Timestamp>,
    /// At most so many, no more than 10,000.
    #[serde(default = "limit")]
    #[param(required = false, maximum = 10000)]
    limit: u32,
}

fn limit() -> u32 {
    1_000
}

/// Lines of output: in order within each lane, lanes merged by time. A page may hold no line and say `meta.more`: then
/// a part of a long output was searched, and `meta.cursor` goes on.
#[utoipa::path(get, path = "/api/v1/runs/{id}/output", operation_id = "run_output", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run"), Which),
    responses((status = 200, description = "The lines", body = Many<OutputAttributes>)))]
pub async fn output(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
    Query(which): Query<Which>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let run = RunId(id);
    super::asked_of(&app, &authority, run).await?;
    let reads = app.engine.reads();
    let from = match (&which.after, which.tail) {
        (Some(_), Some(_)) => {
            let detail = "`tail` begins at the end, `after` at a place; give one of them";
            return Err(Problem::new(ProblemKind::Invalid, detail).parameter("tail").into());
        }
        (Some(text), None) => {
            let wrong = |message: String| Problem::new(ProblemKind::Invalid, message).parameter("after");
            let cursor = text.parse::<Cursor>().map_err(wrong)?;
            cursor.lanes().map(|(lane, line)| (LaneNumber(lane), line)).collect()
        }
        (None, Some(lines)) => reads.output_tail(run, lines).await?,
        (None, None) => Default::default(),
    };
    let filter = LineFilter {
        step: which.step,
        targets: targets(which.target.as_deref()),
        since: which.since,
        pattern: pattern(which.grep.as_deref(), which.fixed)?,
    };
    let page = reads.output(run, &from, &filter, which.limit.min(LINES_MAX)).await?;
    let cursor: Cursor = page.next.iter().map(|(lane, line)| (lane.0, *line)).collect();
    let lines = page.lines.into_iter().map(|line| said(run, line)).collect();
    document(StatusCode::OK, &Many::page(lines, page.more, cursor))
}

fn said(run: RunId, found: FoundLine) -> Resource<OutputAttributes> {
    let FoundLine { lane, number, record } = found;
    let said = OutputAttributes {
        run: run.to_string(),
        lane: lane.0,
        line: number,
        at: record.at,
        step: record.step,
        target: record.target,
        text: record.text,
    };
    Resource::new(format!("{run}:{lane}:{number}"), said)
}
