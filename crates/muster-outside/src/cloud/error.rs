//! What can go wrong at a provider, and what that means for whoever asked.

use std::fmt;

/// What kind of failure; it decides whether to try again, to stop, or to look first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudErrorKind {
    /// A passing fault that certainly had no effect; trying again may help.
    Transient,
    /// The provider refused it for good (bad parameters, not allowed, not enough), or its answers are not ones
    /// that this version understands. Trying again does not help.
    Refused,
    /// The key is not accepted.
    Unauthorized,
    /// The object does not exist.
    NotFound,
    /// Sent, and whether it took effect is not known: look before anything else.
    UnknownOutcome,
}

/// A failure, with what was being attempted. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudError {
    /// What kind.
    pub kind: CloudErrorKind,
    /// What was being attempted: `create server web-1`.
    pub doing: String,
    /// What went wrong, with the provider's own words where it had any, and what to do next.
    pub message: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
}

impl CloudError {
    /// A failure without an HTTP status.
    pub fn new(kind: CloudErrorKind, doing: impl Into<String>, message: impl Into<String>) -> CloudError {
        CloudError { kind, doing: doing.into(), message: message.into(), status: None }
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cannot {}", self.doing)?;
        if let Some(status) = self.status {
            write!(out, " (HTTP {status})")?;
        }
        write!(out, ": {}", self.message)
    }
}

impl std::error::Error for CloudError {}
