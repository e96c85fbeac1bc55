//! Why the engine says no, in kinds that a server turns into statuses and a command into exit codes.

use std::fmt;

use muster_model::id::AccountName;
use muster_model::rights::Denied;
use muster_store::StoreError;

/// A refusal or failure of the engine.
#[derive(Debug)]
pub enum EngineError {
    /// The request itself is wrong (a bad name, a missing field): 400, exit 2.
    Invalid(String),
    /// The document has problems: 422, exit 2. Rendered text for people and a list for machines.
    Document(Box<muster_model::diagnostic::Diagnostics>),
    /// No account of that name is registered or in the environment: 404, exit 2, or the first run's question.
    AccountMissing(AccountName),
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
            EngineError::AccountMissing(name) => write!(
                out,
                "no account is called {name}: register it with `muster register {name}`, set ONECLOUD_API_KEY for the \
                 account `onecloud`, or write `account: local` for sandboxes on this computer"
            ),
            EngineError::Document(problems) => write!(out, "the document has problems: {problems}"),
            EngineError::Denied(denied) => denied.fmt(out),
        }
    }
}

impl std::error::Error for EngineError {}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> EngineError {
        match error {
            StoreError::Conflict(message) => EngineError::Conflict(message),
            StoreError::NotFound(message) => EngineError::NotFound(message),
            StoreError::Fenced
            | StoreError::Lapsed(_)
            | StoreError::Unclear(_)
            | StoreError::Unreachable(_)
            | StoreError::Postgres(_)
            | StoreError::Unusable(_)
            | StoreError::Closed
            | StoreError::Form { .. }
            | StoreError::Database(_)
            | StoreError::File { .. } => EngineError::Store(chain(&error)),
        }
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let said = source.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = source.source();
    }
    text
}
