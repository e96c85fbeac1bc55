//! The events of a run: a page of history, or a stream that begins with history and goes on live.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use muster_api::cursor::Cursor;
use muster_api::document::{Many, Resource};
use muster_api::event::Event;
use muster_api::media;
use muster_api::problem::{Problem, ProblemKind};
use muster_model::id::RunId;
use muster_runs::EngineError;
use serde::Deserialize;
use utoipa::IntoParams;

use super::filter::{EventFilter, pattern, targets};
use super::follow::{BATCH, Follower, SIGN_OF_LIFE};
use crate::answer::{Handled, document};
use crate::app::App;
use crate::extract::{Asking, Path, Query};
use crate::handler::plan;
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// From where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// The cursor behind which to begin, e.g. `0:17`; a `Last-Event-ID` header counts more.
    after: Option<String>,
    /// Only events with this in their words: a regular expression.
    grep: Option<String>,
    /// `grep` is no expression but a text as it stands.
    #[serde(default)]
    #[param(required = false)]
    fixed: bool,
    /// Only about these hosts or targets; several are separated by commas.
    target: Option<String>,
    /// Only about this step.
    step: Option<u32>,
    /// Only events that are not older.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<jiff::Timestamp>,
}

/// What happened in a run. As `application/vnd.api+json` the next page of history (of at most 500 events those that are
/// asked for, and `meta.cursor` to go on); as `text/event-stream` or `application/x-ndjson` history first, then live,
/// until the run ends.
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", operation_id = "run_events", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run"), From,
        ("last-event-id" = Option<String>, Header, description = "The cursor of the last event received")),
    responses((status = 200, description = "The events", content(
        (Many<Event> = "application/vnd.api+json"),
        (String = "text/event-stream"),
        (String = "application/x-ndjson")))))]
pub async fn events(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<uuid::Uuid>,
    Query(from): Query<From>,
) -> Handled {
    let kind = accept(&headers, &[media::JSON_API, media::EVENT_STREAM, media::NDJSON])?;
    let run = RunId(id);
    let row = super::asked_of(&app, &authority, run).await?;
    let after = cursor(&headers, from.after.as_deref())?;
    let plan = plan::attributes(&app, row.plan).await?;
    let filter = EventFilter {
        pattern: pattern(from.grep.as_deref(), from.fixed)?,
        targets: targets(from.target.as_deref()),
        step: from.step,
        since: from.since,
    };
    let mut follower = Follower::new(app, run, plan, after, filter);
    if kind == media::JSON_API {
        let page = follower.read(BATCH).await?;
        let more = page.read == BATCH as usize && follower.has_more().await?;
        let events = page.events.into_iter().map(resource).collect();
        return document(StatusCode::OK, &Many::page(events, more, follower.cursor()));
    }
    let begin = follower.cursor();
    let followed = follower.batches();
    Ok(if kind == media::EVENT_STREAM { as_sse(followed, begin) } else { as_lines(followed) })
}

fn resource(event: Event) -> Resource<Event> {
    Resource::new(format!("{}:{}:{}", event.run, event.lane, event.seq), event)
}

fn cursor(headers: &HeaderMap, after: Option<&str>) -> Result<Cursor, Refusal> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    match last.or(after) {
        None => Ok(Cursor::start()),
        Some(text) => text.parse().map_err(|message: String| {
            let problem = Problem::new(ProblemKind::Invalid, message);
            if last.is_some() { problem.header("last-event-id").into() } else { problem.into() }
        }),
    }
}

fn as_lines(batches: impl Stream<Item = Result<Vec<Event>, EngineError>> + Send + 'static) -> Response {
    let lines = batches.map(|batch| {
        let events = batch.map_err(std::io::Error::other)?;
        let mut text = Vec::new();
        for event in &events {
            serde_json::to_writer(&mut text, event)?;
            text.push(b'\n');
        }
        if events.is_empty() {
            text.push(b'\n');
        }
        Ok::<Bytes, std::io::Error>(Bytes::from(text))
    });
    let mut response = Body::from_stream(lines).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media::NDJSON));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The id of each event is the cursor behind it, of all lanes: whoever connects again goes on in each of them.
fn as_sse(
    batches: impl Stream<Item = Result<Vec<Event>, EngineError>> + Send + 'static,
    mut cursor: Cursor,
) -> Response {
    let events = batches.flat_map(|batch| match batch {
        Ok(events) => stream::iter(events.into_iter().map(Ok).collect::<Vec<_>>()),
        Err(error) => stream::iter(vec![Err(error)]),
    });
    let events = events.map(move |event| {
        Ok::<_, Infallible>(match event {
            Ok(event) => {
                cursor.saw(event.lane, event.seq);
                let said = sse::Event::default().event("event").id(cursor.to_string());
                said.json_data(&event).unwrap_or_else(|error| failure(&error.to_string()))
            }
            Err(error) => failure(&error.to_string()),
        })
    });
    Sse::new(events).keep_alive(sse::KeepAlive::new().interval(SIGN_OF_LIFE)).into_response()
}

fn failure(message: &str) -> sse::Event {
    // A line break would end the field.
    sse::Event::default().event("problem").data(message.replace(['\n', '\r'], " "))
}
