//! Look for events by their words.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use muster_api::document::{Many, Resource};
use muster_api::event::Event;
use muster_api::media;
use muster_api::plan::PlanAttributes;
use muster_model::id::{RunId, SpaceName};
use muster_runs::search::{FOUND_MAX, SearchWish};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Handled, document};
use crate::app::{App, may_read};
use crate::extract::{Asking, Query};
use crate::handler::plan;
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Words that all occur, separated by blanks; `web-1` means them next to each other, `connect*` the beginning of one.
    words: String,
    /// The Space.
    #[serde(default = "muster_api::plan::default_space")]
    #[param(required = false)]
    space: String,
    /// Only events that are not older.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<jiff::Timestamp>,
    /// Only about this host or target.
    target: Option<String>,
    /// At most so many, no more than 1,000.
    #[serde(default = "limit")]
    #[param(required = false, maximum = 1000)]
    limit: u32,
}

fn limit() -> u32 {
    50
}

/// Basic events of all runs by their words, newest first; of more than `limit`, those that were indexed last. `meta.behind`
/// says that the index is not up to date yet: the same question again finds more.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "event_search", tag = "runs", params(Which),
    responses((status = 200, description = "The events", body = Many<Event>)))]
pub async fn search(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Query(which): Query<Which>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let space = SpaceName::from(which.space);
    may_read(&authority, &space)?;
    let wish = SearchWish {
        space,
        words: which.words.split_whitespace().map(str::to_owned).collect(),
        since: which.since,
        target: which.target,
        limit: which.limit.min(FOUND_MAX),
    };
    let found = app.engine.reads().search(wish).await?;
    let mut plans = BTreeMap::new();
    let mut events = Vec::with_capacity(found.entries.len());
    for entry in &found.entries {
        let plan: &Option<PlanAttributes> = match plans.entry(entry.run) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(plan_of(&app, entry.run).await?),
        };
        let event = Event::new(entry, plan.as_ref());
        events.push(Resource::new(format!("{}:{}:{}", event.run, event.lane, event.seq), event));
    }
    let mut many = Many::all(events);
    (many.meta.more, many.meta.behind) = (found.more, found.behind);
    document(StatusCode::OK, &many)
}

async fn plan_of(app: &App, run: RunId) -> Result<Option<PlanAttributes>, Refusal> {
    let Some(row) = app.engine.reads().run_row(run).await? else { return Ok(None) };
    plan::attributes(app, row.plan).await
}
