//! Numbers about this node, for `/metrics`: counted where things happen, read when somebody asks.
//!
//! Labels come from fixed lists of words, never from names of servers, files or people, so that their number cannot
//! grow with what is managed. What the store knows (runs by state) is asked of it and so the same on every node.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_model::run::{EntryKind, FailureClass, RunState};
use muster_outside::Outside;
use muster_outside::transport::counted::{CountedTransport, RequestCounts};
use muster_series::exposition::write::Page;
use muster_store::commits::BATCH_BOUNDS;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::sink::SinkStats;

/// Upper bounds of the buckets for the time until a journal entry is durable, in seconds.
const COMMIT_BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// What is counted here.
#[derive(Default)]
pub(crate) struct Metrics {
    started: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
    unknown: AtomicU64,
    tried_again: AtomicU64,
    skipped: AtomicU64,
    commit_buckets: [AtomicU64; COMMIT_BOUNDS.len() + 1],
    commit_micros: AtomicU64,
    requests: Arc<RequestCounts>,
    sink: Mutex<Option<Arc<SinkStats>>>,
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Metrics {
    /// The same hands; their requests to providers are counted.
    pub(crate) fn watching(&self, mut outside: Outside) -> Outside {
        outside.transport = Arc::new(CountedTransport::new(outside.transport, self.requests.clone()));
        outside
    }

    /// Records are sent, and counted there.
    pub(crate) fn ships(&self, stats: Arc<SinkStats>) {
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = Some(stats);
    }

    /// These entries became durable after so long.
    pub(crate) fn committed<'e>(&self, kinds: impl Iterator<Item = &'e EntryKind>, after: Duration) {
        let bucket = COMMIT_BOUNDS.partition_point(|bound| *bound < after.as_secs_f64());
        one_more(&self.commit_buckets[bucket]);
        self.commit_micros.fetch_add(after.as_micros() as u64, Ordering::Relaxed);
        for kind in kinds {
            match kind {
                EntryKind::Started { .. } => one_more(&self.started),
                EntryKind::Succeeded { .. } => one_more(&self.succeeded),
                EntryKind::Skipped { .. } => one_more(&self.skipped),
                EntryKind::Failed { again: true, .. } => one_more(&self.tried_again),
                EntryKind::Failed { class: FailureClass::UnknownOutcome, .. } => one_more(&self.unknown),
                EntryKind::Failed { .. } => one_more(&self.failed),
                EntryKind::Run { .. } | EntryKind::Progress { .. } | EntryKind::Task { .. } => {}
            }
        }
    }
}

impl Engine {
    /// Everything that is counted, in the text format of Prometheus.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub async fn metrics(&self) -> Result<String, EngineError> {
        let inner = &self.inner;
        let metrics = &inner.metrics;
        let mut page = Page::new();
        page.family("muster_build_info", "gauge", "Which Muster this is; the value is 1.");
        page.sample("muster_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        let runs = inner.store.count_runs().await?;
        let of_state =
            |state: RunState| runs.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count);
        let states = RunState::ALL.map(|state| (state.word(), of_state(state)));
        page.by("muster_runs", "gauge", "Runs in the store by state.", "state", states);
        let steps = [
            ("started", read(&metrics.started)),
            ("succeeded", read(&metrics.succeeded)),
            ("failed", read(&metrics.failed)),
            ("unknown", read(&metrics.unknown)),
            ("tried-again", read(&metrics.tried_again)),
            ("skipped", read(&metrics.skipped)),
        ];
        page.by(
            "muster_steps_total",
            "counter",
            "Steps of this node: begun, and by outcome.",
            "event",
            steps,
        );
        let held = inner.lanes_here.lock().await.len();
        page.single("muster_lanes_held", "gauge", "Lanes that this node executes.", held as f64);
        let buckets: Vec<u64> = metrics.commit_buckets.iter().map(read).collect();
        page.histogram(
            "muster_journal_commit_seconds",
            "Time until journal entries of this node were durable.",
            &COMMIT_BOUNDS,
            &buckets,
            read(&metrics.commit_micros) as f64 / 1e6,
        );
        let commits = inner.store.commits();
        let bounds = BATCH_BOUNDS.map(|bound| bound as f64);
        page.histogram(
            "muster_store_commit_changes",
            "Changes that one commit of this node's writer held.",
            &bounds,
            &commits.buckets,
            commits.changes as f64,
        );
        let age = inner.lease.heartbeat_age().map_or(f64::INFINITY, |age| age.as_secs_f64());
        page.single(
            "muster_heartbeat_age_seconds",
            "gauge",
            "Time since the last heartbeat that was accepted; infinite once the lease is lost.",
            age,
        );
        let requests = [
            ("done", read(&metrics.requests.done)),
            ("limited", read(&metrics.requests.limited)),
            ("refused", read(&metrics.requests.refused)),
            ("failed", read(&metrics.requests.failed)),
            ("unanswered", read(&metrics.requests.unanswered)),
        ];
        let help = "Requests to providers by outcome; `limited` is 429.";
        page.by("muster_provider_requests_total", "counter", help, "outcome", requests);
        let ssh = inner.outside.hosts.connections();
        let opened = [("opened", ssh.opened), ("failed", ssh.failed)];
        page.by("muster_ssh_connections_total", "counter", "SSH connections by outcome.", "outcome", opened);
        page.single(
            "muster_ssh_connections_kept",
            "gauge",
            "SSH connections kept for further use.",
            ssh.kept as f64,
        );
        let sink = metrics.sink.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(sink) = sink {
            shipped(&mut page, &sink);
        }
        Ok(page.text())
    }

    /// Whether this node can do its work: the store answers, its lease is held, and it is not on its way out.
    ///
    /// # Errors
    /// Why it cannot, in words.
    pub async fn ready(&self) -> Result<(), String> {
        let inner = &self.inner;
        if inner.is_leaving() {
            return Err("this node is being stopped".into());
        }
        if inner.lease.is_lost() {
            return Err("the lease of this node lapsed".into());
        }
        inner.store.count_runs().await.map(|_| ()).map_err(|_| "the store cannot be asked".into())
    }
}

fn shipped(page: &mut Page, sink: &SinkStats) {
    let documents =
        [("sent", read(&sink.sent)), ("refused", read(&sink.refused)), ("dropped", read(&sink.dropped))];
    page.by(
        "muster_sink_documents_total",
        "counter",
        "Records for Elasticsearch by outcome.",
        "outcome",
        documents,
    );
    let requests = [("all", read(&sink.requests)), ("failed", read(&sink.failures))];
    page.by("muster_sink_requests_total", "counter", "Requests to Elasticsearch.", "outcome", requests);
    let bytes = read(&sink.spill_bytes) as f64;
    page.single("muster_sink_backlog_bytes", "gauge", "Unsent records on disk, in bytes.", bytes);
    let flag = |flag: &std::sync::atomic::AtomicBool| f64::from(u8::from(flag.load(Ordering::Relaxed)));
    page.single("muster_sink_failing", "gauge", "1 while records cannot be sent.", flag(&sink.failing));
    page.single(
        "muster_sink_full",
        "gauge",
        "1 while unsent records fill their disk space.",
        flag(&sink.full),
    );
}
