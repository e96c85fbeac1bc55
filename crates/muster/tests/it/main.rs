//! Tests of this room, one binary.

mod conformance;
mod examples;
mod source;
mod tidy;
mod transcripts;
