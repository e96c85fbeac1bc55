//! Tests of this room, one binary.

mod conformance;
mod source;
mod tidy;
mod transcripts;
