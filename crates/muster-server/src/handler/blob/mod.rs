//! Blobs: files by content.

pub mod missing;
pub mod put;
