//! Tests of this room, one binary.

mod become_pass;
mod chaos;
mod code;
mod conformance;
mod control_plane;
mod convert;
mod countdown;
mod elastic;
mod examples;
mod flow;
mod history;
mod kill;
mod limit;
mod local;
mod machine_networks;
mod machines;
mod machines_code;
mod metrics;
mod nodes;
mod object;
mod offers;
mod partition;
mod password;
mod place;
mod price;
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
