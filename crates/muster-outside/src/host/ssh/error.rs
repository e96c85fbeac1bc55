//! What can go wrong with a machine over SSH, each with what was being attempted and where.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::secret::LoginKeyError;

/// What a failure means for whoever carries out a step (`SEMANTICS.md` §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SshErrorKind {
    /// Trying again may help; nothing was started.
    Transient,
    /// Trying again will not help.
    Refused,
    /// Something may have happened on the other side: look first.
    UnknownOutcome,
}

/// A failure, with the machine and the attempt in its text.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The address belongs to simulated servers, which have no machine.
    #[error("{host} at {address} is a simulated server without a machine; it cannot be reached over SSH")]
    Simulated {
        /// The machine.
        host: String,
        /// An address in 198.18.0.0/15.
        address: String,
    },
    /// The host name has no address.
    #[error("looking up the address of {host} ({address})")]
    Lookup {
        /// The machine.
        host: String,
        /// The name that was looked up.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// No connection.
    #[error("connecting to {host} at {address}: {source}")]
    Unreachable {
        /// The machine.
        host: String,
        /// Address and port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A wait ended.
    #[error("{doing} on {host} took longer than {} s", limit.as_secs_f32())]
    TimedOut {
        /// The machine.
        host: String,
        /// What was under way.
        doing: &'static str,
        /// The bound.
        limit: Duration,
        /// Whether something may have happened on the other side.
        started: bool,
    },
    /// The machine did not become reachable in time.
    #[error("waited {} s for SSH on {host}; the last try: {last}", waited.as_secs())]
    WaitedInVain {
        /// The machine.
        host: String,
        /// The bound.
        waited: Duration,
        /// What the last try said.
        last: Box<SshError>,
    },
    /// Nobody knows this host key yet.
    #[error("the host key of {host} is not known: {fingerprint}; add it to {files} if it is the right one")]
    HostKeyUnknown {
        /// The machine.
        host: String,
        /// What it showed.
        fingerprint: String,
        /// Where it would have to stand.
        files: String,
    },
    /// Another host key than the one recorded.
    #[error(
        "the host key of {host} has changed: {expected} is recorded ({recorded_in}), {found} was shown; \
         either the machine was made anew, or somebody stands in between"
    )]
    HostKeyChanged {
        /// The machine.
        host: String,
        /// Fingerprint on record.
        expected: String,
        /// Fingerprint that was shown.
        found: String,
        /// Where the record is: a file and line, or Muster's own record.
        recorded_in: String,
    },
    /// The host key is marked as stolen.
    #[error("the host key of {host} ({fingerprint}) is marked @revoked in {recorded_in}")]
    HostKeyRevoked {
        /// The machine.
        host: String,
        /// What it showed.
        fingerprint: String,
        /// File and line.
        recorded_in: String,
    },
    /// No login.
    #[error("{host} refused to let {user} in; tried {tried}, the host offers {offered}")]
    Login {
        /// The machine.
        host: String,
        /// As whom.
        user: String,
        /// What was tried, in order.
        tried: String,
        /// What the host would take.
        offered: String,
    },
    /// A private key file cannot be used.
    #[error("reading the private key {} for {host}", path.display())]
    KeyFile {
        /// The machine.
        host: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<KeyFileError>,
    },
    /// `ssh -G` failed, or a setting cannot be used.
    #[error("reading the SSH configuration for {host}: {message}")]
    Config {
        /// The machine.
        host: String,
        /// What is wrong.
        message: String,
    },
    /// The protocol failed before anything was started.
    #[error("{doing} on {host}: {source}")]
    Protocol {
        /// The machine.
        host: String,
        /// What was being attempted.
        doing: &'static str,
        /// Why.
        source: Box<russh::Error>,
    },
    /// The connection ended while something ran.
    #[error("the connection to {host} ended while {doing}; whether it finished is not known")]
    Lost {
        /// The machine.
        host: String,
        /// What ran.
        doing: &'static str,
    },
    /// A file operation failed.
    #[error("{doing} {path} on {host}: {message}")]
    Copy {
        /// The machine.
        host: String,
        /// What was being attempted.
        doing: &'static str,
        /// Which file, there.
        path: String,
        /// Why.
        message: String,
    },
    /// What arrived is not what was sent.
    #[error("the copy of {path} on {host} is damaged: SHA-256 {found} instead of {expected}")]
    Checksum {
        /// The machine.
        host: String,
        /// Which file, there.
        path: String,
        /// Hex.
        expected: String,
        /// Hex.
        found: String,
    },
    /// A command of ours (not the person's) failed.
    #[error("{doing} on {host} failed ({end}): {stderr}")]
    Command {
        /// The machine.
        host: String,
        /// What was being attempted.
        doing: &'static str,
        /// How it ended.
        end: String,
        /// The end of what it said.
        stderr: String,
    },
    /// Somebody with a newer token has been there.
    #[error(
        "{host} has seen a newer owner of this run (token {newest}, ours is {token}); nothing was started"
    )]
    OlderToken {
        /// The machine.
        host: String,
        /// Ours.
        token: u64,
        /// Theirs.
        newest: u64,
    },
    /// An answer through a tunnel is no HTTP.
    #[error("GET {path} from port {port} of {host}: {message}")]
    Http {
        /// The machine.
        host: String,
        /// The port there.
        port: u16,
        /// The path.
        path: String,
        /// What is wrong.
        message: String,
    },
}

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no key, or locked.
    #[error(transparent)]
    Key(#[from] LoginKeyError),
}

impl SshError {
    /// What it means for the step.
    pub fn kind(&self) -> SshErrorKind {
        match self {
            SshError::Lookup { .. } | SshError::Unreachable { .. } | SshError::Protocol { .. } => {
                SshErrorKind::Transient
            }
            SshError::TimedOut { started: false, .. } => SshErrorKind::Transient,
            SshError::TimedOut { started: true, .. } | SshError::Lost { .. } => SshErrorKind::UnknownOutcome,
            SshError::Copy { .. } | SshError::Checksum { .. } | SshError::Http { .. } => {
                SshErrorKind::Transient
            }
            SshError::WaitedInVain { last, .. } => last.kind(),
            SshError::Simulated { .. }
            | SshError::HostKeyUnknown { .. }
            | SshError::HostKeyChanged { .. }
            | SshError::HostKeyRevoked { .. }
            | SshError::Login { .. }
            | SshError::KeyFile { .. }
            | SshError::Config { .. }
            | SshError::Command { .. }
            | SshError::OlderToken { .. } => SshErrorKind::Refused,
        }
    }

    /// Whether waiting for a machine that is still starting may cure it: a login refused now may be granted once
    /// the machine has installed our key.
    pub(crate) fn may_pass_while_starting(&self) -> bool {
        match self {
            SshError::Login { .. } | SshError::Lost { .. } => true,
            SshError::Command { .. } => true,
            other => other.kind() == SshErrorKind::Transient,
        }
    }
}
