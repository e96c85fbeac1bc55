//! One connection: dial, check the host key, and the sessions on it. The log-in itself is in `login`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use russh::Channel;
use russh::client::{self, Handle, Msg};
use russh::keys::PublicKeyOrCertificate;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::known_hosts::{Verdict, judge};
use super::login::log_in;
use super::{Host, HostKey, HostKeyPolicy, SshError, SshSettings};

/// A known_hosts file of ten thousand machines is some 4 MiB.
const KNOWN_HOSTS_BYTES_MAX: u64 = 64 << 20;

/// A connection that is logged in.
pub(crate) struct Connection {
    handle: Handle<KeyJudge>,
    host_shown: String,
    host_key: HostKey,
    sessions: Semaphore,
    /// Keeps the way through alive.
    _jump: Option<Arc<Connection>>,
}

impl Connection {
    /// Dials (directly or through the jump connection), checks the host key and logs in.
    pub(crate) async fn open(
        host: &Host,
        jump: Option<Arc<Connection>>,
        settings: &SshSettings,
    ) -> Result<Connection, SshError> {
        let judge = KeyJudge { host: host.clone(), found: Arc::default() };
        let found = judge.found.clone();
        let config = Arc::new(client::Config {
            nodelay: true,
            keepalive_interval: Some(settings.keepalive_interval),
            keepalive_max: settings.keepalives_unanswered_max,
            inactivity_timeout: None,
            ..client::Config::default()
        });
        let shaken = match &jump {
            None => {
                let socket = dial(host, settings).await?;
                let shake = client::connect_stream(config, socket, judge);
                timeout(settings.login_limit, shake).await
            }
            Some(jump) => {
                let stream = jump.direct(&host.address, host.port, settings).await;
                let stream = stream.map_err(|error| match error {
                    // About the machine behind, not about the one on the way.
                    SshError::Unreachable { host: through, source, .. } => SshError::Unreachable {
                        host: host.name.clone(),
                        address: format!("{}:{} through {through}", host.address, host.port),
                        source,
                    },
                    other => other,
                })?;
                let shake = client::connect_stream(config, stream, judge);
                timeout(settings.login_limit, shake).await
            }
        };
        let timed_out = |doing| SshError::TimedOut {
            host: host.shown(),
            doing,
            limit: settings.login_limit,
            started: false,
        };
        let shaken = shaken.map_err(|_| timed_out("the SSH handshake"))?;
        let found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let mut handle = match (shaken, &found) {
            (_, Some(Err(_))) => {
                // The refusal says more than the library's error.
                let Some(Err(refusal)) = found else { unreachable!("matched just above") };
                return Err(*refusal);
            }
            (Ok(handle), _) => handle,
            (Err(source), _) => {
                return Err(SshError::Protocol {
                    host: host.shown(),
                    doing: "the SSH handshake",
                    source: Box::new(source),
                });
            }
        };
        let host_key = match found {
            Some(Ok(key)) => key,
            Some(Err(refusal)) => return Err(*refusal),
            None => return Err(SshError::Lost { host: host.shown(), doing: "the SSH handshake ran" }),
        };
        match timeout(settings.login_limit, log_in(&mut handle, host)).await {
            Ok(result) => result?,
            Err(_) => return Err(timed_out("logging in")),
        }
        Ok(Connection {
            handle,
            host_shown: host.shown(),
            host_key,
            sessions: Semaphore::new(settings.sessions_per_connection),
            _jump: jump,
        })
    }

    pub(crate) fn host_shown(&self) -> &str {
        &self.host_shown
    }

    pub(crate) fn host_key(&self) -> &HostKey {
        &self.host_key
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    pub(crate) fn protocol(&self, doing: &'static str, source: russh::Error) -> SshError {
        SshError::Protocol { host: self.host_shown.clone(), doing, source: Box::new(source) }
    }

    /// Bounds the sessions of this connection.
    pub(crate) async fn session_permit(&self) -> Result<SemaphorePermit<'_>, SshError> {
        // Closed only when the connection is dropped, which nobody does while borrowing it.
        self.sessions
            .acquire()
            .await
            .map_err(|_| SshError::Lost { host: self.host_shown.clone(), doing: "waiting for a session" })
    }

    pub(crate) async fn open_session(&self, doing: &'static str) -> Result<Channel<Msg>, SshError> {
        self.handle.channel_open_session().await.map_err(|source| self.protocol(doing, source))
    }

    /// A stream to an address as this machine sees it.
    pub(crate) async fn direct(
        &self,
        address: &str,
        port: u16,
        settings: &SshSettings,
    ) -> Result<russh::ChannelStream<Msg>, SshError> {
        let open = self.handle.channel_open_direct_tcpip(address, u32::from(port), "127.0.0.1", 0);
        match timeout(settings.connect_limit, open).await {
            Ok(Ok(channel)) => Ok(channel.into_stream()),
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => Err(SshError::Unreachable {
                host: self.host_shown.clone(),
                address: format!("{address}:{port} from there"),
                source: std::io::Error::other(format!("{reason:?}")),
            }),
            Ok(Err(source)) => Err(self.protocol("opening a tunnel", source)),
            Err(_) => Err(SshError::TimedOut {
                host: self.host_shown.clone(),
                doing: "opening a tunnel",
                limit: settings.connect_limit,
                started: false,
            }),
        }
    }
}

/// Whether an address is one that only simulated servers have (benchmarking range of RFC 2544).
pub(crate) fn is_simulated(address: IpAddr) -> bool {
    let address = match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => address,
            None => return false,
        },
    };
    u32::from(address) >> 17 == u32::from(Ipv4Addr::new(198, 18, 0, 0)) >> 17
}

async fn dial(host: &Host, settings: &SshSettings) -> Result<tokio::net::TcpStream, SshError> {
    let lookup = async {
        let found = tokio::net::lookup_host((host.address.as_str(), host.port)).await;
        found.map(Iterator::collect::<Vec<SocketAddr>>)
    };
    let timed_out = || SshError::TimedOut {
        host: host.shown(),
        doing: "connecting",
        limit: settings.connect_limit,
        started: false,
    };
    let addresses = timeout(settings.connect_limit, lookup).await.map_err(|_| timed_out())?;
    let addresses = addresses.map_err(|source| SshError::Lookup {
        host: host.name.clone(),
        address: host.address.clone(),
        source,
    })?;
    if let Some(simulated) = addresses.iter().find(|address| is_simulated(address.ip()))
        && settings.refuse_simulated
    {
        return Err(SshError::Simulated { host: host.name.clone(), address: simulated.ip().to_string() });
    }
    let socket = timeout(settings.connect_limit, tokio::net::TcpStream::connect(addresses.as_slice())).await;
    let unreachable = |source| SshError::Unreachable {
        host: host.name.clone(),
        address: format!("{}:{}", host.address, host.port),
        source,
    };
    let socket = socket.map_err(|_| timed_out())?.map_err(unreachable)?;
    socket.set_nodelay(true).map_err(unreachable)?;
    Ok(socket)
}

/// The key that was accepted, or why none was.
type Judged = Result<HostKey, Box<SshError>>;

/// Judges the host key while the handshake runs, and remembers what it found.
pub(super) struct KeyJudge {
    host: Host,
    found: Arc<Mutex<Option<Judged>>>,
}

impl client::Handler for KeyJudge {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let key = HostKey::new(shown.public_key());
        let verdict = check_host_key(&self.host, &key).map(|()| key).map_err(Box::new);
        let accepted = verdict.is_ok();
        *self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(verdict);
        Ok(accepted)
    }
}

/// Whether this key may stand for this machine.
pub(crate) fn check_host_key(host: &Host, shown: &HostKey) -> Result<(), SshError> {
    match &host.host_key {
        HostKeyPolicy::FirstUse => Ok(()),
        HostKeyPolicy::Known(expected) if expected == shown => Ok(()),
        HostKeyPolicy::Known(expected) => Err(SshError::HostKeyChanged {
            host: host.shown(),
            expected: expected.fingerprint(),
            found: shown.fingerprint(),
            recorded_in: "by Muster at first contact".to_owned(),
        }),
        HostKeyPolicy::KnownHosts { files, alias, accept_new } => {
            let name = alias.as_deref().unwrap_or(&host.address);
            let mut known = false;
            for file in files {
                let Some(text) = read_bounded(file, KNOWN_HOSTS_BYTES_MAX) else { continue };
                let place = |line: usize| format!("{}, line {line}", file.display());
                match judge(&text, name, host.port, shown) {
                    Verdict::Known => known = true,
                    Verdict::Unknown => {}
                    Verdict::Revoked { line } => {
                        return Err(SshError::HostKeyRevoked {
                            host: host.shown(),
                            fingerprint: shown.fingerprint(),
                            recorded_in: place(line),
                        });
                    }
                    Verdict::Changed { .. } if known => {}
                    Verdict::Changed { line, expected } => {
                        return Err(SshError::HostKeyChanged {
                            host: host.shown(),
                            expected,
                            found: shown.fingerprint(),
                            recorded_in: place(line),
                        });
                    }
                }
            }
            if known || *accept_new {
                return Ok(());
            }
            let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            Err(SshError::HostKeyUnknown {
                host: host.shown(),
                fingerprint: shown.fingerprint(),
                files: files.join(" or "),
            })
        }
    }
}

/// The text of a small file; `None` if it cannot be read or is larger than the bound.
pub(super) fn read_bounded(path: &Path, bytes_max: u64) -> Option<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(bytes_max).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
