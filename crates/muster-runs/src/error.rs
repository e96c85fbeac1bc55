//! Why the engine says no, in kinds that a server turns into statuses and a command into exit codes.

use std::fmt;

use muster_model::rights::Denied;

/// A refusal or failure of the engine.
#[derive(Debug)]
pub enum EngineError {
    /// The request itself is wrong (a bad name, a missing field): 400, exit 2.
    Invalid(String),
    /// The document has problems: 422, exit 2. Rendered text for people and a list for machines.
    Document(Box<muster_model::diagnostic::Diagnostics>),
    /// Nothing of that name or id: 404, exit 2.
    NotFound(String),
    /// Not allowed: 403, exit 2.
    Denied(Denied),
    /// Busy, superseded, not the newest plan, a lock held by a named run: 409, exit 6.
    Conflict(String),
    /// A named thing in the way that is the person's to mend (a refused plan, a final run): 409, exit 2.
    Refused(String),
    /// Something outside failed: 502, exit 1.
    Outside(String),
    /// The store failed: 500, exit 1.
    Store(String),
}

impl fmt::Display for EngineError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::Invalid(message)
            | EngineError::NotFound(message)
            | EngineError::Conflict(message)
            | EngineError::Refused(message)
            | EngineError::Outside(message)
            | EngineError::Store(message) => out.write_str(message),
            EngineError::Document(problems) => write!(out, "the document has problems: {problems}"),
            EngineError::Denied(denied) => denied.fmt(out),
        }
    }
}

impl std::error::Error for EngineError {}
