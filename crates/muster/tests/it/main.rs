//! Tests of this room, one binary.

mod become_pass;
mod chaos;
mod conformance;
mod control_plane;
mod countdown;
mod elastic;
mod examples;
mod flow;
mod kill;
mod limit;
mod local;
mod machines;
mod metrics;
mod nodes;
mod offers;
mod partition;
mod password;
mod place;
mod queue;
mod retry;
mod run_log;
#[path = "../../../../testing/postgres.rs"]
mod server;
#[path = "../../../../testing/skip.rs"]
mod skip;
mod source;
#[path = "../../../../testing/spy.rs"]
mod spy;
mod stranded;
mod supervise;
mod tidy;
#[cfg(feature = "otlp")]
mod traces;
mod transcripts;
mod upgrade;
