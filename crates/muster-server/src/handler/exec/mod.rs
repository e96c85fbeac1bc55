//! One command on servers.

pub mod create;
