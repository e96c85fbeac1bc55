//! `muster server`: the control plane on loopback, until it is told to stop.

use std::net::SocketAddr;
use std::path::Path;

use muster_server::listen::{Listen, check_address, serve as listen};
use muster_server::token;

use crate::connect::{engine_failure, open_engine, sink};
use crate::exit::{Exit, Failure};
use crate::home;

/// Serves until Ctrl-C or SIGTERM.
pub async fn serve(home: &Path, address: SocketAddr, quiet: bool) -> Result<(), Failure> {
    check_address(address).map_err(Failure::usage)?;
    let engine = open_engine(home).await?;
    let shipping = sink::begin(&engine, home)?;
    let random = muster_runs::world::real().random;
    let token = token::read_or_make(home, &*random)
        .map_err(|error| Failure::new(Exit::Failed, format!("the owner's token: {error}")))?;
    let place = Listen { address, home: home.to_owned(), token, owner: home::actor() };
    let token_path = home.join(token::TOKEN_FILE);
    let ready = move |bound: SocketAddr| {
        if !quiet {
            anstream::println!(
                "Muster answers at http://{bound}; the owner's token is in {}",
                token_path.display()
            );
        }
    };
    let served = listen(engine.clone(), place, ready, stop_signal()).await;
    let closed = engine.close().await.map_err(engine_failure);
    sink::end(shipping).await;
    served.map_err(|error| Failure::new(Exit::Failed, format!("the server ended: {error}")))?;
    closed
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
