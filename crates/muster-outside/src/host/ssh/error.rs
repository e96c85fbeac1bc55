//! What can go wrong with a machine over SSH, each with what was being attempted and where.

use std::fmt;
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

/// A failure. Its text begins with the machine, once, and goes on with what was being attempted.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The address belongs to simulated servers, which have no machine.
    Simulated {
        /// The machine.
        host: String,
        /// An address in 198.18.0.0/15.
        address: String,
    },
    /// The host name has no address.
    Lookup {
        /// The machine.
        host: String,
        /// The name that was looked up.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// No connection.
    Unreachable {
        /// The machine.
        host: String,
        /// Address and port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A wait ended.
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
    WaitedInVain {
        /// The machine.
        host: String,
        /// The bound.
        waited: Duration,
        /// What the last try said.
        last: Box<SshError>,
    },
    /// Nobody knows this host key yet.
    HostKeyUnknown {
        /// The machine.
        host: String,
        /// What it showed.
        fingerprint: String,
        /// Where it would have to stand.
        files: String,
    },
    /// Another host key than the one recorded.
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
    HostKeyRevoked {
        /// The machine.
        host: String,
        /// What it showed.
        fingerprint: String,
        /// File and line.
        recorded_in: String,
    },
    /// No login.
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
    KeyFile {
        /// The machine.
        host: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<KeyFileError>,
    },
    /// `ssh -G` failed, or a setting cannot be used.
    Config {
        /// The machine.
        host: String,
        /// What is wrong.
        message: String,
    },
    /// The protocol failed before anything was started.
    Protocol {
        /// The machine.
        host: String,
        /// What was being attempted.
        doing: &'static str,
        /// Why.
        source: Box<russh::Error>,
    },
    /// The connection ended while something ran.
    Lost {
        /// The machine.
        host: String,
        /// What ran.
        doing: &'static str,
    },
    /// A file operation failed.
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
    OlderToken {
        /// The machine.
        host: String,
        /// Ours.
        token: u64,
        /// Theirs.
        newest: u64,
    },
    /// An answer through a tunnel is no HTTP.
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

impl fmt::Display for SshError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.host(), self.what())
    }
}

impl SshError {
    /// The machine, as people call it.
    fn host(&self) -> &str {
        match self {
            SshError::Simulated { host, .. }
            | SshError::Lookup { host, .. }
            | SshError::Unreachable { host, .. }
            | SshError::TimedOut { host, .. }
            | SshError::WaitedInVain { host, .. }
            | SshError::HostKeyUnknown { host, .. }
            | SshError::HostKeyChanged { host, .. }
            | SshError::HostKeyRevoked { host, .. }
            | SshError::Login { host, .. }
            | SshError::KeyFile { host, .. }
            | SshError::Config { host, .. }
            | SshError::Protocol { host, .. }
            | SshError::Lost { host, .. }
            | SshError::Copy { host, .. }
            | SshError::Checksum { host, .. }
            | SshError::Command { host, .. }
            | SshError::OlderToken { host, .. }
            | SshError::Http { host, .. } => host,
        }
    }

    /// What went wrong there, without its name: whoever has named it already does not do so twice.
    fn what(&self) -> String {
        match self {
            SshError::Simulated { address, .. } => {
                format!("a simulated server without a machine ({address}), which cannot be reached over SSH")
            }
            SshError::Lookup { address, .. } => format!("looking up the address of {address}"),
            SshError::Unreachable { address, source, .. } => format!("connecting to {address}: {source}"),
            SshError::TimedOut { doing, limit, .. } => {
                format!("{doing} took longer than {} s", limit.as_secs_f32())
            }
            SshError::WaitedInVain { host, waited, last } => {
                // One on the way names itself.
                let name = |shown: &str| shown.split(" (").next().unwrap_or_default().to_owned();
                let last = if name(last.host()) == name(host) { last.what() } else { last.to_string() };
                format!("waited {} s for SSH; the last try: {last}", waited.as_secs())
            }
            SshError::HostKeyUnknown { fingerprint, files, .. } => {
                format!("its host key is not known: {fingerprint}; add it to {files} if it is the right one")
            }
            SshError::HostKeyChanged { expected, found, recorded_in, .. } => format!(
                "its host key has changed: {expected} is recorded ({recorded_in}), {found} was shown; either the \
                 machine was made anew, or somebody stands in between"
            ),
            SshError::HostKeyRevoked { fingerprint, recorded_in, .. } => {
                format!("its host key ({fingerprint}) is marked @revoked in {recorded_in}")
            }
            SshError::Login { user, tried, offered, .. } => {
                format!("{user} was not let in; tried {tried}; SSH there takes {offered}")
            }
            SshError::KeyFile { path, .. } => format!("reading the private key {}", path.display()),
            SshError::Config { message, .. } => format!("reading the SSH configuration: {message}"),
            SshError::Protocol { doing, source, .. } => format!("{doing}: {source}"),
            SshError::Lost { doing, .. } => {
                format!("the connection ended while {doing}; whether it finished is not known")
            }
            SshError::Copy { doing, path, message, .. } => format!("{doing} {path}: {message}"),
            SshError::Checksum { path, expected, found, .. } => {
                format!("the copy of {path} is damaged: SHA-256 {found} instead of {expected}")
            }
            SshError::Command { doing, end, stderr, .. } => format!("{doing} failed ({end}): {stderr}"),
            SshError::OlderToken { token, newest, .. } => format!(
                "it has seen a newer owner of this run (token {newest}, ours is {token}); nothing was started"
            ),
            SshError::Http { port, path, message, .. } => format!("GET {path} from port {port}: {message}"),
        }
    }

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

    /// The same, where this wait was the last of several that took so long together.
    pub fn after(self, altogether: Duration) -> SshError {
        match self {
            SshError::WaitedInVain { host, last, .. } => {
                SshError::WaitedInVain { host, waited: altogether, last }
            }
            other => other,
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
