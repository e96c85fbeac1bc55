//! Tests of this room, one binary.

mod document;
