//! Tests of this room, one binary.

mod ansible;
mod secret;
mod ssh;
mod sshd;
mod world;
