//! Tests of this room, one binary.

mod conformance;
mod control_plane;
mod examples;
mod flow;
mod kill;
mod machines;
mod offers;
mod place;
#[path = "../../../../testing/skip.rs"]
mod skip;
mod source;
mod tidy;
mod transcripts;
