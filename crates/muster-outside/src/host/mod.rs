//! Machines: reaching them over SSH, and machines of our own on this computer.

pub mod local;
pub mod ssh;
