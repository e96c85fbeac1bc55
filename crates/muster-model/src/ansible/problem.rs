//! One problem of one of Ansible's documents, with its place.

use std::fmt;

/// How sure we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Ansible will stop here.
    Error,
    /// Ansible will stop here if this part is reached.
    Warning,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, below the bundle's root.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// A short stable name: `ansible-unknown-role`.
    pub code: &'static str,
    /// How sure we are.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to try next.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(out, "{}:{}:{}: {word}: {}", self.path, self.line, self.column, self.message)?;
        match &self.help {
            Some(help) => write!(out, " ({help})"),
            None => Ok(()),
        }
    }
}

/// "did you mean …", if a known name is near.
pub(crate) fn nearest<'n>(word: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let allowed = 1 + word.chars().count() / 4;
    let distances = known.into_iter().map(|name| (strsim::damerau_levenshtein(word, name), name));
    let (distance, name) = distances.min()?;
    (distance <= allowed).then(|| format!("did you mean `{name}`?"))
}
