//! Secrets: their names are read, their values only written.

pub mod list;
pub mod set;
pub mod unset;
