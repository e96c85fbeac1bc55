//! Tests of this room, one binary.

mod ansible;
mod secret;
#[path = "../../../../testing/skip.rs"]
mod skip;
mod ssh;
mod sshd;
mod world;
