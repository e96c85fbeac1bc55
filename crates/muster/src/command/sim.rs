//! `muster sim`: simulated worlds. The only command that knows `muster-sim`.

use muster_model::config::api_key;
use muster_sim::onecloud::{Durations, Simulator, SimulatorConfig};
use tokio::net::TcpListener;

use super::{Answer, Report};
use crate::cli::{Machines, SimOnecloud};
use crate::connect::real_clock;
use crate::exit::{Exit, Failure};
use crate::serve::stop_signal;

/// Serves a simulated 1cloud until Ctrl-C or SIGTERM.
pub async fn onecloud(arguments: SimOnecloud, quiet: bool) -> Result<Answer, Failure> {
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
    match arguments.machines {
        Machines::None => {}
        Machines::Local => {
            return Err(Failure::usage(
                "--machines local: this build has no local machines behind the simulator; use --machines none",
            ));
        }
    }
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot listen on {}: {error}", arguments.listen))
    })?;
    if !quiet && let Ok(address) = listener.local_addr() {
        anstream::println!("A simulated 1cloud answers at http://{address}");
    }
    let served = muster_sim::serve(listener, Simulator::new(config), stop_signal()).await;
    served.map_err(|error| Failure::new(Exit::Failed, format!("the simulator ended: {error}")))?;
    Answer::done(Report::Nothing)
}
