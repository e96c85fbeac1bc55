//! Tests of this room, one binary.

mod ansible;
mod build;
mod conformance;
mod local;
mod onecloud;
mod secret;
#[path = "../../../../testing/skip.rs"]
mod skip;
#[path = "../../../../testing/spy.rs"]
mod spy;
mod ssh;
mod sshd;
mod supervise;
mod transport;
mod watch;
mod world;
