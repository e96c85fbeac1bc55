//! Tests of this room, one binary.

mod ansible;
mod local;
mod onecloud;
mod secret;
#[path = "../../../../testing/skip.rs"]
mod skip;
mod ssh;
mod sshd;
mod transport;
mod watch;
mod world;
