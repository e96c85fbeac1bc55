//! Tests of this room, one binary.

mod ansible;
mod onecloud;
mod secret;
mod ssh;
mod sshd;
mod transport;
mod watch;
mod world;
