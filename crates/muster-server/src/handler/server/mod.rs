//! Servers: list them as the provider shows them, log in to one.

pub mod list;
pub mod ssh;
