//! One command, or another password, on servers.

pub mod create;
pub mod password;
