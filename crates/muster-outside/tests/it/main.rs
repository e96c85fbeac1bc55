//! Tests of this room, one binary.

mod onecloud;
mod transport;
mod watch;
