//! Who a machine is, how we know that it is it, and how we log in.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use muster_model::Secret;
use russh::keys::{HashAlg, PublicKey};

use crate::secret::LoginKey;

/// One machine as we reach it.
#[derive(Debug, Clone)]
pub struct Host {
    /// What people call it; stands in errors.
    pub name: String,
    /// IP address or host name.
    pub address: String,
    /// Usually 22.
    pub port: u16,
    /// As whom we log in.
    pub user: String,
    /// Ways to log in, tried in this order.
    pub logins: Vec<Login>,
    /// How we know that it is the right machine.
    pub host_key: HostKeyPolicy,
    /// Machines to go through, the nearest to us first (ProxyJump).
    pub jumps: Vec<Host>,
}

impl Host {
    /// A machine at port 22 that lets root in with this key and whose host key we do not know yet.
    pub fn new(name: &str, address: &str, key: &LoginKey) -> Host {
        Host {
            name: name.to_owned(),
            address: address.to_owned(),
            port: 22,
            user: "root".to_owned(),
            logins: vec![Login::Key(key.clone())],
            host_key: HostKeyPolicy::FirstUse,
            jumps: Vec::new(),
        }
    }

    /// `name (address:port)` where that says more than the name.
    pub(crate) fn shown(&self) -> String {
        if self.name == self.address {
            self.name.clone()
        } else {
            format!("{} ({})", self.name, self.address)
        }
    }

    /// What makes two connections the same connection.
    pub(crate) fn pool_key(&self) -> String {
        let mut key = String::new();
        for host in self.jumps.iter().chain([self]) {
            // One that a password opened proves nothing about keys.
            let by =
                if host.logins.iter().any(|login| matches!(login, Login::Password(_))) { "*" } else { "" };
            key.push_str(&format!("{}{by}@{}:{};", host.user, host.address, host.port));
        }
        key
    }
}

/// One way to log in.
#[derive(Debug, Clone)]
pub enum Login {
    /// Every key of an ssh-agent behind this socket.
    Agent(PathBuf),
    /// A key in memory.
    Key(LoginKey),
    /// A private key file. A missing file is skipped, as `ssh` does with its default names.
    KeyFile {
        /// Where.
        path: PathBuf,
        /// For a locked one.
        pass_phrase: Option<Secret>,
    },
    /// A password: only for a first login that a key cannot do (`SEMANTICS.md` §9).
    Password(Secret),
}

/// How we know that a machine is the right one.
#[derive(Debug, Clone)]
pub enum HostKeyPolicy {
    /// This key and no other.
    Known(HostKey),
    /// We made this machine and have not met it yet: whatever key it shows is handed back, and the caller records
    /// it.
    FirstUse,
    /// The person's own files decide.
    KnownHosts {
        /// In order.
        files: Vec<PathBuf>,
        /// The name to look for instead of the address (HostKeyAlias).
        alias: Option<String>,
        /// Whether a machine that no file knows is let through (StrictHostKeyChecking `accept-new`, `no`).
        accept_new: bool,
    },
}

/// A machine's public host key.
#[derive(Clone, PartialEq, Eq)]
pub struct HostKey(PublicKey);

impl HostKey {
    /// Takes over a key that a machine showed.
    pub(crate) fn new(key: PublicKey) -> HostKey {
        // Without the comment, so that equal keys are equal.
        HostKey(PublicKey::new(key.key_data().clone(), ""))
    }

    /// `SHA256:…`
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The line of a known_hosts file for this address and port.
    pub fn known_hosts_line(&self, address: &str, port: u16) -> String {
        match port {
            22 => format!("{address} {self}"),
            _ => format!("[{address}]:{port} {self}"),
        }
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.0
    }
}

impl fmt::Display for HostKey {
    /// The OpenSSH form: `ssh-ed25519 AAAA…`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.to_openssh().map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HostKey({})", self.fingerprint())
    }
}

impl FromStr for HostKey {
    type Err = String;

    /// Reads the OpenSSH form; a comment is dropped.
    fn from_str(line: &str) -> Result<HostKey, String> {
        let key = PublicKey::from_openssh(line.trim()).map_err(|error| format!("not a host key: {error}"))?;
        Ok(HostKey::new(key))
    }
}

/// The bounds of this layer.
#[derive(Debug, Clone)]
pub struct SshSettings {
    /// For a TCP connection.
    pub connect_limit: Duration,
    /// For key exchange and login together.
    pub login_limit: Duration,
    /// A question to a silent machine is sent this often…
    pub keepalive_interval: Duration,
    /// …and after this many unanswered ones the connection is given up.
    pub keepalives_unanswered_max: usize,
    /// Log-ins under way at one machine at a time. OpenSSH drops some from the eleventh on (MaxStartups 10:30:100).
    pub logins_at_once_per_host: usize,
    /// Log-ins under way through one jump host at a time.
    pub logins_at_once_per_jump: usize,
    /// Log-ins under way altogether.
    pub logins_at_once: usize,
    /// Commands and copies at a time on one connection. OpenSSH allows ten (MaxSessions).
    pub sessions_per_connection: usize,
    /// Connections kept; beyond, idle ones are closed first.
    pub connections_max: usize,
    /// An unused connection is closed after this long.
    pub idle_max: Duration,
    /// Waiting for SSH: the first pause…
    pub wait_pause_first: Duration,
    /// …and the longest.
    pub wait_pause_max: Duration,
    /// Commands and copies of our own (not the person's) may take this long.
    pub own_command_limit: Duration,
    /// Whether 198.18.0.0/15 is refused (`SEMANTICS.md` §14).
    pub refuse_simulated: bool,
    /// Where the wrapper keeps attempts on the machine; `None`: `/var/lib/muster` for root, else below the home.
    pub remote_state_dir: Option<String>,
    /// The body of an answer through a tunnel, bytes.
    pub http_body_bytes_max: usize,
}

impl Default for SshSettings {
    fn default() -> SshSettings {
        SshSettings {
            connect_limit: Duration::from_secs(10),
            login_limit: Duration::from_secs(20),
            keepalive_interval: Duration::from_secs(15),
            keepalives_unanswered_max: 3,
            logins_at_once_per_host: 6,
            logins_at_once_per_jump: 8,
            logins_at_once: 64,
            sessions_per_connection: 8,
            connections_max: 1024,
            idle_max: Duration::from_secs(300),
            wait_pause_first: Duration::from_millis(200),
            wait_pause_max: Duration::from_secs(3),
            own_command_limit: Duration::from_secs(120),
            refuse_simulated: true,
            remote_state_dir: None,
            http_body_bytes_max: 64 << 20,
        }
    }
}
