//! Tests of this room, one binary.

mod local;
