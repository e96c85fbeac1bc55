//! Tests of this room, one binary.
