//! Problems of a document, all of them, each with its place.

/// A list of problems.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("problems")
    }
}
