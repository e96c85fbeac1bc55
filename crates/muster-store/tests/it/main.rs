//! Tests of the store: one conformance suite on both databases (`suite/`), and what is special to each.

#[path = "../../../../testing/skip.rs"]
mod skip;

mod forms;
mod output;
mod postgres;
#[path = "../../../../testing/postgres.rs"]
mod server;
mod sqlite;
mod suite;
