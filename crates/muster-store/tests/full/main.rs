//! Measurements of the store.

#[path = "../../../../testing/skip.rs"]
mod skip;

mod bench;
mod bench_events;
#[path = "../../../../testing/postgres.rs"]
#[allow(dead_code, reason = "a measurement needs few of its ways to start")]
mod server;
mod suite;
