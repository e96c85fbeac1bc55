//! The connection to the API: a server that answers below `MUSTER_HOME`, else the same router in this process.
//!
//! One path: a command sees a [`Client`] and cannot tell which it is.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body as HttpBody;
use bytes::Bytes;
use futures::StreamExt;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use muster_api::Client;
use muster_api::client::http_transport::HttpTransport;
use muster_api::client::{Body, Broken, Transport};
use muster_model::Secret;
use muster_model::rights::Authority;
use muster_runs::engine::LANE_TARGETS_MAX;
use muster_runs::{Engine, EngineConfig, EngineError, EnvironmentAccount, LeaseTimes, Role};
use tower::ServiceExt;

use crate::exit::{Exit, Failure};
use crate::home;

pub mod background;
pub mod contexts;
pub mod log;
pub mod sink;
#[cfg(feature = "otlp")]
pub mod traces;

/// The variable that names the database which all nodes share.
pub const DATABASE_URL: &str = "MUSTER_DATABASE_URL";
/// The variable with the length of a node's lease, in seconds.
pub const LEASE_SECONDS: &str = "MUSTER_LEASE_SECONDS";
/// The most servers of one lane.
pub const LANE_TARGETS: &str = "MUSTER_LANE_TARGETS";
/// How many revisions of each file stay whole, however old they are.
pub const REVISIONS_KEPT: &str = "MUSTER_REVISIONS_KEPT";
/// The most of them.
const REVISIONS_KEPT_MAX: u32 = muster_runs::revision::REVISIONS_MAX;

/// Private keys that OpenSSH tries by itself, below `~/.ssh`.
const KEY_FILES: &[&str] = &["id_ed25519", "id_ecdsa", "id_rsa"];

/// An open connection.
pub struct Connection {
    /// The client.
    pub client: Client,
    /// The engine in this process, where there is one.
    engine: Option<Engine>,
    /// The sending of its records, where that is set up.
    shipping: Option<muster_runs::sink::Shipping>,
}

impl Connection {
    /// Whether the engine is in this process.
    pub fn is_own(&self) -> bool {
        self.engine.is_some()
    }

    /// Ends what runs in this process in the background; runs under way become *interrupted*.
    pub async fn close(self) -> Result<(), Failure> {
        let closed = match self.engine {
            Some(engine) => engine.close().await.map_err(engine_failure),
            None => Ok(()),
        };
        // After the engine's last entries.
        sink::end(self.shipping).await;
        closed
    }
}

/// How a command wants to be carried out.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The context that was named, if one was.
    pub context: Option<String>,
    /// Whether its runs must outlive it.
    pub outlives: bool,
}

/// Connects: to the control plane of the context; else to the engine whose socket answers below the home; else to an
/// engine of our own, in the background if the runs must outlive this process.
pub async fn connect(home: &Path, wish: &Wish) -> Result<Connection, Failure> {
    let contexts = contexts::Contexts::read(home)?;
    if let Some((name, remote)) = contexts.chosen(wish.context.as_deref())? {
        let token = contexts::token(home, &name, remote)?;
        return Ok(Connection { client: to_url(&remote.url, token)?, engine: None, shipping: None });
    }
    if let Some(client) = running_server(home).await? {
        return Ok(Connection { client, engine: None, shipping: None });
    }
    if wish.outlives {
        return Ok(Connection { client: background::start(home).await?, engine: None, shipping: None });
    }
    let engine = open_engine(home, Role::Foreground, None).await?;
    let shipping = sink::begin(&engine, home)?;
    let router = muster_server::router(muster_server::App::in_process(engine.clone()));
    let authority = Authority::local(home::actor());
    Ok(Connection { client: Client::new(InProcess { router, authority }), engine: Some(engine), shipping })
}

pub(crate) async fn running_server(home: &Path) -> Result<Option<Client>, Failure> {
    let socket = home.join(muster_server::listen::SOCKET_FILE);
    if tokio::net::UnixStream::connect(&socket).await.is_err() {
        return Ok(None);
    }
    let token = muster_server::token::read(home)
        .map_err(|error| Failure::new(Exit::Failed, format!("the owner's token cannot be read: {error}")))?;
    let Some(token) = token else {
        let message = format!("a server answers at {}, and its token is missing", socket.display());
        return Err(Failure::new(Exit::Failed, message));
    };
    let transport = HttpTransport::to_socket(&socket, token)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    Ok(Some(Client::new(transport)))
}

/// A client of the control plane at an address.
pub fn to_url(url: &str, token: Secret) -> Result<Client, Failure> {
    home::checked_url(url).map_err(Failure::usage)?;
    if !is_sealed_or_here(url)? {
        return Err(Failure::usage(format!(
            "{url} would send the token in clear text to another machine; use https://, or an SSH tunnel to 127.0.0.1"
        )));
    }
    let transport =
        HttpTransport::to_url(url, token).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    Ok(Client::new(transport))
}

/// Whether what is sent there is encrypted, or does not leave this machine.
fn is_sealed_or_here(url: &str) -> Result<bool, Failure> {
    let address: Uri =
        url.parse().map_err(|error| Failure::usage(format!("`{url}` is no address: {error}")))?;
    if address.scheme() == Some(&Scheme::HTTPS) {
        return Ok(true);
    }
    let host = address.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(match bare.parse::<IpAddr>() {
        Ok(number) => number.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    })
}

/// An engine over the store of this home, or over the database that is named.
pub async fn open_engine(home: &Path, role: Role, database: Option<String>) -> Result<Engine, Failure> {
    home::prepare(home)?;
    let environment_account = home::environment_account()?.map(|account| EnvironmentAccount {
        key: account.key,
        url: account.url,
        settings: account.settings,
    });
    let database = database.or_else(|| home::variable(DATABASE_URL));
    let shared = database.as_ref().is_some_and(|database| !database.starts_with("sqlite:"));
    let person = Person::here();
    let config = EngineConfig {
        environment_account,
        local_refused: local_refused(role, shared),
        builds_refused: builds_refused(role),
        ssh_agent: person.agent,
        ssh_keys: person.keys,
        known_hosts: person.known_hosts,
        runtime_dir: person.runtime_dir,
        role,
        lease: lease_times()?,
        lane_targets: lane_targets()?,
        revisions_kept: revisions_kept()?,
        database,
        ..EngineConfig::new(PathBuf::from(home))
    };
    Engine::open(config, muster_runs::world::real(), hands(home)?).await.map_err(engine_failure)
}

/// The variable that lets a server make machines of its own computer for whoever may change infrastructures.
pub const LOCAL_MACHINES: &str = "MUSTER_LOCAL_MACHINES";

/// Why the account `local` is not for this engine. A person's own commands make machines of the computer they run on;
/// a server does so only if whoever started it said so, and never where its runs may go to another node.
fn local_refused(role: Role, shared: bool) -> Option<String> {
    match role {
        Role::Foreground => None,
        Role::Server { .. } if shared => Some(
            "the nodes of this control plane share a database, and each is another computer; register a provider's \
             account instead"
                .to_owned(),
        ),
        Role::Server { .. } if home::variable(LOCAL_MACHINES).as_deref() == Some("1") => None,
        Role::Server { .. } => Some(format!(
            "this control plane does not lend its own; start it as root with {LOCAL_MACHINES}=1 to let it, or run the \
             command without it"
        )),
    }
}

/// The variable that lets a server build code for whoever may change infrastructures.
pub const BUILDS: &str = "MUSTER_BUILDS";

/// Why code is not built by this engine. A person's own commands build on the computer they run on; a server, where a
/// build is a command of somebody else's choice under the server's own user, only if whoever started it said so.
fn builds_refused(role: Role) -> Option<String> {
    match role {
        Role::Foreground => None,
        Role::Server { .. } if home::variable(BUILDS).as_deref() == Some("1") => None,
        Role::Server { .. } => Some(format!(
            "this control plane builds no code, because a build could read its keys; start it with {BUILDS}=1 if \
             everybody who may deploy here may do that, or build before and deliver the result"
        )),
    }
}

/// How long a lease lasts, as the environment says.
fn lease_times() -> Result<LeaseTimes, Failure> {
    let Some(text) = home::variable(LEASE_SECONDS) else { return Ok(LeaseTimes::default()) };
    text.parse().ok().and_then(LeaseTimes::of_seconds).ok_or_else(|| {
        Failure::usage(format!(
            "{LEASE_SECONDS}: `{text}` is no number of seconds from {} to {}",
            LeaseTimes::SECONDS_MIN,
            LeaseTimes::SECONDS_MAX
        ))
    })
}

/// How many servers a lane may have, as the environment says.
fn lane_targets() -> Result<usize, Failure> {
    let Some(text) = home::variable(LANE_TARGETS) else { return Ok(LANE_TARGETS_MAX) };
    text.parse().ok().filter(|targets| (1..=LANE_TARGETS_MAX).contains(targets)).ok_or_else(|| {
        Failure::usage(format!(
            "{LANE_TARGETS}: `{text}` is no number of servers from 1 to {}",
            LANE_TARGETS_MAX
        ))
    })
}

/// How many revisions of each file stay whole, as the environment says.
fn revisions_kept() -> Result<u32, Failure> {
    let Some(text) = home::variable(REVISIONS_KEPT) else { return Ok(muster_runs::revision::REVISIONS_KEPT) };
    text.parse().ok().filter(|kept| (1..=REVISIONS_KEPT_MAX).contains(kept)).ok_or_else(|| {
        Failure::usage(format!(
            "{REVISIONS_KEPT}: `{text}` is no number of revisions from 1 to {REVISIONS_KEPT_MAX}"
        ))
    })
}

/// The real clock, for those who serve a simulation.
pub fn real_clock() -> Arc<dyn muster_model::world::Clock> {
    muster_runs::world::real().clock
}

/// Locations of the accounts whose offers are kept in this home; nobody is asked.
pub fn kept_locations(home: &Path) -> Vec<muster_model::cloud::SeenLocation> {
    let space = muster_api::plan::default_space().as_str().into();
    muster_runs::offers::kept_here(home, &space).into_iter().flat_map(|offers| offers.locations).collect()
}

/// The real hands: the network, SSH and Ansible. Ansible's private directories lie below the home.
fn hands(home: &Path) -> Result<muster_runs::Outside, Failure> {
    muster_runs::Outside::real(&home.join("work")).map_err(|error| Failure::new(Exit::Failed, error))
}

/// What the person at this machine has for logging in to servers.
struct Person {
    agent: Option<PathBuf>,
    keys: Vec<PathBuf>,
    known_hosts: Vec<PathBuf>,
    runtime_dir: PathBuf,
}

impl Person {
    fn here() -> Person {
        let ssh = std::env::home_dir().map(|home| home.join(".ssh")).unwrap_or_default();
        let there = |paths: Vec<PathBuf>| paths.into_iter().filter(|path| path.is_file()).collect();
        let runtime = home::variable("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_dir());
        Person {
            agent: home::variable("SSH_AUTH_SOCK").map(PathBuf::from),
            keys: there(KEY_FILES.iter().map(|name| ssh.join(name)).collect()),
            known_hosts: there(vec![ssh.join("known_hosts"), PathBuf::from("/etc/ssh/ssh_known_hosts")]),
            runtime_dir: runtime.unwrap_or_else(std::env::temp_dir),
        }
    }
}

/// A refusal of the engine at its door, before there is an API to say it.
pub fn engine_failure(error: EngineError) -> Failure {
    Failure::new(Exit::Failed, error.to_string())
}

/// The router in this process: no socket, and the caller's authority instead of a token.
struct InProcess {
    router: axum::Router,
    authority: Authority,
}

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, Broken> {
        let mut request = request.map(HttpBody::from);
        request.extensions_mut().insert(self.authority.clone());
        let answer = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        Ok(answer.map(|body| {
            let stream = body.into_data_stream();
            let stream: Body = stream.map(|chunk| chunk.map_err(|error| Broken(error.to_string()))).boxed();
            stream
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leaves_this_machine_only_encrypted() {
        let here = ["http://127.0.0.1:1", "http://127.8.9.10", "http://LOCALHOST:80/x", "http://[::1]:8080"];
        for url in here.iter().chain(&["https://muster.example.org", "https://[2001:db8::1]"]) {
            assert!(is_sealed_or_here(url).unwrap(), "{url}");
        }
        let abroad = [
            "http://192.0.2.1",
            "http://[2001:db8::1]:80",
            "http://127.0.0.1@example.org/",
            "http://localhost.example.org",
            "http://127.0.0.1.example.org:80",
        ];
        for url in abroad {
            assert!(!is_sealed_or_here(url).unwrap(), "{url}");
            let Err(refused) = to_url(url, Secret::new("t")) else { panic!("{url} was taken") };
            assert!(refused.message.contains("clear text"), "{}", refused.message);
        }
        assert!(is_sealed_or_here("http://[2001").is_err());
    }
}
