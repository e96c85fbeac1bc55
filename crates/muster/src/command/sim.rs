//! `muster sim`: simulated worlds. The only command that knows `muster-sim`.

use std::path::Path;
use std::sync::Arc;

use muster_model::config::api_key;
use muster_sim::machines::local::Local;
use muster_sim::onecloud::{Durations, Simulator, SimulatorConfig};
use tokio::net::TcpListener;

use super::{Answer, Report};
use crate::cli::{Machines, SimOnecloud};
use crate::connect::real_clock;
use crate::exit::{Exit, Failure};
use crate::serve::stop_signal;

/// Serves a simulated 1cloud until Ctrl-C or SIGTERM.
pub async fn onecloud(arguments: SimOnecloud, home: &Path, quiet: bool) -> Result<Answer, Failure> {
    for key in &arguments.keys {
        api_key(key).map_err(|problem| Failure::usage(format!("--key: {problem}")))?;
    }
    if !arguments.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "--listen {}: a simulator gives power to whoever reaches it; it listens on 127.0.0.1 or [::1] only",
            arguments.listen
        )));
    }
    let durations = Durations::read(&arguments.durations)
        .map_err(|error| Failure::usage(format!("--durations {}: {error}", arguments.durations)))?;
    let mut config = SimulatorConfig::new(arguments.keys, real_clock());
    config.durations = durations;
    let mut local = None;
    match arguments.machines {
        Machines::None => {}
        Machines::Local => local = Some(open_machines(home, arguments.listen.port(), quiet).await?),
    }
    config.machines = local.clone().map(|local| Arc::new(local) as Arc<dyn muster_sim::machines::Machines>);
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot listen on {}: {error}", arguments.listen))
    })?;
    if !quiet && let Ok(address) = listener.local_addr() {
        anstream::println!("A simulated 1cloud answers at http://{address}");
    }
    let served = muster_sim::serve(listener, Simulator::new(config), stop_signal()).await;
    if let Some(local) = local {
        // Their cloud is gone with this process, so they would belong to nobody.
        local.clear().await.map_err(|error| {
            Failure::new(Exit::Failed, format!("a machine could not be removed: {error}"))
        })?;
    }
    served.map_err(|error| Failure::new(Exit::Failed, format!("the simulator ended: {error}")))?;
    Answer::done(Report::Nothing)
}

/// Packages that playbooks may install on the machines, which have no way out.
const MACHINE_PACKAGES: &[&str] = &["prometheus-node-exporter", "nginx-light"];

/// The machines of this simulator: below a home of its own, because each simulator numbers from the start.
async fn open_machines(home: &Path, port: u16, quiet: bool) -> Result<Local, Failure> {
    let folder = home.join("machines").join(format!("sim-{port}"));
    let progress = move |text: &str| {
        if !quiet {
            anstream::println!("{text}");
        }
    };
    Local::open(&folder, MACHINE_PACKAGES, &progress)
        .await
        .map_err(|error| Failure::usage(format!("--machines local: {error}; or use --machines none")))
}
