//! Following a run: history first, then live, across broken connections.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::Method;
use muster_model::id::RunId;

use super::{Answer, Body, Broken, Client, ClientError, events_path};
use crate::cursor::Cursor;
use crate::document::Many;
use crate::event::Event;
use crate::log::{EventSearch, LogFilter};
use crate::media;

/// Attempts to take up a broken stream again without having received anything in between.
pub const RECONNECTS_MAX: u32 = 5;
/// Pause before each of them.
pub const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// Longest line of a stream of events, in bytes.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// The events of one run, in order per lane; ends when the run has ended or nobody executes it any more.
pub struct Events {
    client: Client,
    run: RunId,
    cursor: Cursor,
    body: Option<Body>,
    buffer: BytesMut,
    ready: VecDeque<Event>,
    failures: u32,
}

impl Client {
    /// Follows a run from a cursor.
    pub fn events(&self, run: RunId, after: Cursor) -> Events {
        Events {
            client: self.clone(),
            run,
            cursor: after,
            body: None,
            buffer: BytesMut::new(),
            ready: VecDeque::new(),
            failures: 0,
        }
    }

    /// The next page of a run's history after a cursor.
    pub async fn history(&self, run: RunId, after: &Cursor) -> Answer<Many<Event>> {
        self.history_of(run, after, &LogFilter::default()).await
    }

    /// The same, only the events that a filter takes. `meta.cursor` is behind those that were left out, too.
    pub async fn history_of(&self, run: RunId, after: &Cursor, filter: &LogFilter) -> Answer<Many<Event>> {
        self.get(&(events_path(run, after) + &filter.query())).await
    }

    /// Basic events of all runs by their words, newest first.
    pub async fn search(&self, question: &EventSearch) -> Answer<Many<Event>> {
        self.get(&format!("{}/events?{}", media::BASE, question.query())).await
    }
}

impl Events {
    /// The next event, or none at the end. May be dropped while waiting and called again: nothing is lost.
    pub async fn next(&mut self) -> Answer<Option<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.cursor.saw(event.lane, event.seq);
                return Ok(Some(event));
            }
            if self.body.is_none() {
                self.connect().await?;
            }
            let Some(body) = self.body.as_mut() else { continue };
            match body.next().await {
                Some(Ok(bytes)) => self.take(&bytes)?,
                Some(Err(broken)) => self.broke(broken)?,
                None => return Ok(None),
            }
        }
    }

    async fn connect(&mut self) -> Answer<()> {
        if self.failures > 0 {
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
        let path = events_path(self.run, &self.cursor);
        let request = Client::request(Method::GET, &path, media::NDJSON, None)?;
        match self.client.send(request).await {
            Ok(answer) => self.body = Some(answer.into_body()),
            Err(ClientError::Broken(broken)) => self.broke(broken)?,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn broke(&mut self, broken: Broken) -> Answer<()> {
        self.body = None;
        self.buffer.clear();
        self.failures += 1;
        if self.failures > RECONNECTS_MAX { Err(broken.into()) } else { Ok(()) }
    }

    fn take(&mut self, bytes: &Bytes) -> Answer<()> {
        self.failures = 0;
        self.buffer.extend_from_slice(bytes);
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(end + 1);
            let line = line.trim_ascii();
            // An empty line is a sign of life from a server that has nothing to say.
            if line.is_empty() {
                continue;
            }
            let event = serde_json::from_slice::<Event>(line)
                .map_err(|error| ClientError::Unreadable(format!("an event: {error}")))?;
            // After a reconnect the server begins behind the cursor, but a proxy may replay.
            if event.seq > self.cursor.seq(event.lane) {
                self.ready.push_back(event);
            }
        }
        if self.buffer.len() > EVENT_BYTES_MAX {
            return Err(ClientError::Unreadable(format!("an event longer than {EVENT_BYTES_MAX} bytes")));
        }
        Ok(())
    }
}
