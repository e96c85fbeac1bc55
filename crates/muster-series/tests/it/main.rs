//! Tests of this room, one binary.

mod exposition;
mod host;
