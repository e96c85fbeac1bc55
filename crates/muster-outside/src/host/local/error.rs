//! What can go wrong with local machines, in sentences that say what was being attempted.

use std::path::PathBuf;
use std::time::Duration;

/// Why this computer cannot hold local machines: one sentence that says what is missing and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("local machines cannot run here: {missing}; {remedy}")]
pub struct Missing {
    /// What is missing.
    pub missing: String,
    /// What a person can do about it.
    pub remedy: String,
}

impl Missing {
    pub(super) fn new(missing: impl Into<String>, remedy: impl Into<String>) -> Missing {
        Missing { missing: missing.into(), remedy: remedy.into() }
    }
}

/// An error of this room.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// This computer lacks something.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// A value that the caller gave cannot be used.
    #[error("{what} {value:?}: {reason}")]
    Invalid {
        /// Which value.
        what: &'static str,
        /// The value as given.
        value: String,
        /// Why not.
        reason: String,
    },
    /// No machine of this name.
    #[error("there is no local machine {0:?}")]
    NotFound(String),
    /// A machine of this name is there already.
    #[error("the local machine {0:?} exists already")]
    Exists(String),
    /// Its creation was interrupted.
    #[error("the local machine {0:?} was never finished: delete it and create it again")]
    Incomplete(String),
    /// Every slot (private network) of this computer is taken.
    #[error(
        "all {slots} private networks below {range} are in use or overlap a route of this computer; delete the machines of another Muster home, or set MUSTER_MACHINE_NETWORK to another private range"
    )]
    NoFreeNetwork {
        /// How many there are.
        slots: u32,
        /// The range they are cut from.
        range: String,
    },
    /// The number of machines or interfaces is at its limit.
    #[error("{what} is at its limit of {limit}")]
    Limit {
        /// What is full.
        what: &'static str,
        /// The limit.
        limit: u32,
    },
    /// A command of this computer failed.
    #[error("{command} failed ({status}): {output}")]
    Command {
        /// Program and arguments.
        command: String,
        /// Exit status in words.
        status: String,
        /// The end of what it wrote.
        output: String,
    },
    /// A file operation failed.
    #[error("cannot {what} {path}", path = path.display())]
    File {
        /// What was attempted, e.g. `write`.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A wait reached its limit.
    #[error("{what} took longer than {} s{detail}", limit.as_secs())]
    TooLong {
        /// What was waited for.
        what: String,
        /// The limit.
        limit: Duration,
        /// What is known about it, starting with `: `, or nothing.
        detail: String,
    },
    /// The machine went off while it should have come up.
    #[error("the local machine {name:?} went off instead of coming up; the end of its console:\n{console}")]
    WentOff {
        /// The machine.
        name: String,
        /// The end of its console.
        console: String,
    },
    /// A file of ours cannot be understood.
    #[error("{path} is damaged: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Gives a failed file operation its words.
pub(super) fn file<'a>(
    what: &'static str,
    path: &'a (impl AsRef<std::path::Path> + ?Sized),
) -> impl FnOnce(std::io::Error) -> LocalError + 'a {
    move |source| LocalError::File { what, path: path.as_ref().to_path_buf(), source }
}
