//! `muster server` and `muster engine`: the control plane, until it is told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use muster_runs::{Engine, Role};
use muster_server::listen::{Listen, check_address, serve as listen};
use muster_server::token;

use crate::cli::ServerRole;
use crate::connect::{background, engine_failure, open_engine, sink};
use crate::exit::{Exit, Failure};
use crate::home;

/// How often a node looks whether it is still needed, and still a node.
const IDLE_POLL: Duration = Duration::from_secs(1);

/// A node of the control plane.
pub struct Node {
    /// Where it answers, if it does.
    pub address: SocketAddr,
    /// What it does.
    pub roles: Vec<ServerRole>,
    /// The database that all nodes share; none = the one of the home.
    pub database: Option<String>,
    /// Say nothing.
    pub quiet: bool,
}

/// Serves until Ctrl-C or SIGTERM; then answers under way end, and lanes are handed over.
pub async fn serve(home: &Path, node: Node) -> Result<(), Failure> {
    let does = |role| node.roles.contains(&role);
    if does(ServerRole::Api) {
        check_address(node.address).map_err(Failure::usage)?;
    }
    let role = Role::Server { worker: does(ServerRole::Worker), scheduler: does(ServerRole::Scheduler) };
    let engine = open_engine(home, role, node.database.clone()).await?;
    let shipping = sink::begin(&engine, home)?;
    let watched = engine.clone();
    let stop = async move {
        tokio::select! {
            () = stop_signal() => {}
            () = lost(&watched) => {}
        }
    };
    let served = if does(ServerRole::Api) {
        answer(home, &engine, Some(node.address), node.quiet, stop).await
    } else {
        if !node.quiet {
            anstream::println!("Muster works here as node {}; it answers no requests", engine.node());
        }
        stop.await;
        Ok(())
    };
    let served = served.and_then(|()| match engine.is_lost() {
        false => Ok(()),
        true => Err(Failure::new(
            Exit::Failed,
            "this node was silent for longer than its lease, and others have taken over; start it again"
                .to_owned(),
        )),
    });
    let closed = engine.close().await.map_err(engine_failure);
    sink::end(shipping).await;
    served.and(closed)
}

/// Carries runs out in the background of this machine and answers at the home's socket only; ends by itself when there
/// has been nothing to do for a while.
pub async fn engine(home: &Path, idle: Duration, quiet: bool) -> Result<(), Failure> {
    home::prepare(home)?;
    let _life = background::live(home)?;
    // Like a command's own: it carries out what it is given, and what it leaves is *interrupted*.
    let engine = open_engine(home, Role::Foreground, None).await?;
    let shipping = sink::begin(&engine, home)?;
    let watched = engine.clone();
    let stop = async move {
        tokio::select! {
            () = stop_signal() => {}
            () = unneeded(&watched, idle) => {}
            () = lost(&watched) => {}
        }
    };
    let served = answer(home, &engine, None, quiet, stop).await;
    let closed = engine.close().await.map_err(engine_failure);
    sink::end(shipping).await;
    served.and(closed)
}

/// Resolves when the node has lost its lease.
async fn lost(engine: &Engine) {
    while !engine.is_lost() {
        tokio::time::sleep(IDLE_POLL).await;
    }
}

/// Resolves when no run has executed here for a while.
async fn unneeded(engine: &Engine, idle: Duration) {
    let mut since = tokio::time::Instant::now();
    while since.elapsed() < idle {
        tokio::time::sleep(IDLE_POLL).await;
        if engine.is_busy().await {
            since = tokio::time::Instant::now();
        }
    }
}

async fn answer(
    home: &Path,
    engine: &Engine,
    address: Option<SocketAddr>,
    quiet: bool,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    let random = muster_runs::world::real().random;
    let token = token::read_or_make(home, &*random)
        .map_err(|error| Failure::new(Exit::Failed, format!("the owner's token: {error}")))?;
    let place = Listen {
        address,
        home: home.to_owned(),
        token,
        owner: home::actor(),
        metrics_open: home::metrics_open(),
    };
    let token_path = home.join(token::TOKEN_FILE);
    let ready = move |bound: Option<SocketAddr>| {
        if let (Some(bound), false) = (bound, quiet) {
            anstream::println!(
                "Muster answers at http://{bound}; the owner's token is in {}",
                token_path.display()
            );
        }
    };
    let served = listen(engine.clone(), place, ready, stop).await;
    served.map_err(|error| Failure::new(Exit::Failed, format!("the server ended: {error}")))
}

/// Resolves at Ctrl-C or SIGTERM.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
