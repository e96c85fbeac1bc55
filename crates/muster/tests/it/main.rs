//! Tests of this room, one binary.

mod conformance;
mod control_plane;
mod examples;
mod flow;
mod kill;
mod place;
mod source;
mod tidy;
mod transcripts;
