//! Events of all runs.

pub mod search;
