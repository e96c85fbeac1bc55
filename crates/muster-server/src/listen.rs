//! Listening: loopback over TCP, and a socket file below `MUSTER_HOME` for commands of the same person.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Extension;
use muster_model::Secret;
use muster_runs::Engine;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;
use crate::signin::MetricsOpen;

/// The socket file below `MUSTER_HOME`.
pub const SOCKET_FILE: &str = "engine.sock";

/// Where and for whom to listen.
pub struct Listen {
    /// The address, loopback only in this version; none = only the socket file.
    pub address: Option<SocketAddr>,
    /// `MUSTER_HOME`, for the socket file.
    pub home: PathBuf,
    /// The owner's token.
    pub token: Secret,
    /// The name that the owner's changes bear.
    pub owner: String,
    /// Whether `/metrics` answers without the token over the address too.
    pub metrics_open: bool,
}

/// Refuses addresses that others could reach: they need TLS, which this version does not serve.
pub fn check_address(address: SocketAddr) -> Result<(), String> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "{address} can be reached from other machines; that needs TLS besides the token, and this version serves \
         no TLS. Listen on 127.0.0.1 or [::1] and reach it through an SSH tunnel"
    ))
}

/// Serves until `stop` resolves, then lets answers under way end. Calls `ready` with the bound address once.
pub async fn serve(
    engine: Engine,
    listen: Listen,
    ready: impl FnOnce(Option<SocketAddr>),
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    if let Some(address) = listen.address {
        check_address(address).map_err(io::Error::other)?;
    }
    let (close, closing) = watch::channel(false);
    let app = App::with_owner(engine, listen.token, listen.owner, closing.clone());
    let router = crate::router(app);
    let with_metrics = router.clone().layer(Extension(MetricsOpen));
    let over_address = if listen.metrics_open { with_metrics.clone() } else { router };
    let tcp = match listen.address {
        Some(address) => Some(TcpListener::bind(address).await?),
        None => None,
    };
    let address = tcp.as_ref().map(TcpListener::local_addr).transpose()?;
    let over_tcp = {
        let (router, closing) = (over_address, closing.clone());
        async move {
            match tcp {
                Some(tcp) => axum::serve(tcp, router).with_graceful_shutdown(closed(closing)).await,
                None => Ok(()),
            }
        }
    };
    let socket_path = listen.home.join(SOCKET_FILE);
    let socket = bind_socket(&socket_path).await?;
    let over_socket = axum::serve(socket, with_metrics).with_graceful_shutdown(closed(closing));
    ready(address);
    let stopping = async move {
        stop.await;
        // Nobody listens any more only if both servers ended already.
        let _ = close.send(true);
    };
    let (tcp_end, socket_end, ()) = tokio::join!(over_tcp, over_socket.into_future(), stopping);
    let _ = std::fs::remove_file(&socket_path);
    tcp_end.and(socket_end)
}

async fn closed(mut closing: watch::Receiver<bool>) {
    // An error means that the sender is gone: closed as well.
    let _ = closing.wait_for(|closed| *closed).await;
}

async fn bind_socket(path: &Path) -> io::Result<tokio::net::UnixListener> {
    if tokio::net::UnixStream::connect(path).await.is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("another Muster server already answers at {}", path.display()),
        ));
    }
    // Nobody answers: what lies there was left by a server that died.
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = tokio::net::UnixListener::bind(path)?;
    // The home directory is closed to others, so nobody else came in between.
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}
