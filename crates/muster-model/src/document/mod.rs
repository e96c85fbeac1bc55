//! Documents as written: YAML or JSON text as a tree in which everything knows its place.
//!
//! Nothing here knows what a document is about. `parse.rs` turns bytes into a [`Node`], `source.rs` knows
//! lines and columns, `walk.rs` helps whoever reads a tree to report every problem and go on,
//! `placeholder.rs` is the `${…}` words inside text, `files.rs` the files that belong together.

mod files;
mod node;
mod parse;
pub mod path;
mod placeholder;
mod source;
pub mod walk;

pub use files::Files;
pub use node::{Entry, Key, Node, Span, Value};
pub use parse::{
    ALIASES_MAX, DEPTH_MAX, DOCUMENT_BYTES_MAX, NODES_MAX, REPEATED_NODES_MAX, parse, parse_bytes,
};
pub use placeholder::{Kind, Part, PartProblem, Placeholder, escaped, parts, resolve};
pub use source::Source;
