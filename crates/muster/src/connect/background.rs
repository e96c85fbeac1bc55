//! The engine in the background of this machine: started by `--detach`, spoken to over the socket below the home.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use muster_api::Client;

use super::running_server;
use crate::exit::{Exit, Failure};

/// What the engine says, for the case that it does not come up.
const LOG_FILE: &str = "engine.log";
/// The longest it may take to answer.
const START_WAIT: Duration = Duration::from_secs(15);
/// How often it is tried.
const START_POLL: Duration = Duration::from_millis(50);

/// Starts the engine, which outlives this process, and connects to it.
pub async fn start(home: &Path) -> Result<Client, Failure> {
    crate::home::prepare(home)?;
    let log = home.join(LOG_FILE);
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Failed,
            format!("the engine in the background cannot be started: {error}; see {}", log.display()),
        )
    };
    let output = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&log)
        .map_err(|error| failed(&error))?;
    let errors = output.try_clone().map_err(|error| failed(&error))?;
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let mut command = Command::new(program);
    command.arg("engine").arg("--quiet").env(crate::home::HOME, home);
    // The person's agent goes when the person logs out; what needs it must say so now, not in the night.
    command.env_remove("SSH_AUTH_SOCK");
    command.stdin(Stdio::null()).stdout(output).stderr(errors).current_dir("/");
    // A group of its own: neither Ctrl-C nor the end of the terminal reaches it.
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    let deadline = tokio::time::Instant::now() + START_WAIT;
    while tokio::time::Instant::now() < deadline {
        if let Some(client) = running_server(home).await? {
            return Ok(client);
        }
        if let Ok(Some(status)) = child.try_wait() {
            // Another one may have been faster; then its socket answers.
            if let Some(client) = running_server(home).await? {
                return Ok(client);
            }
            return Err(failed(&format!("it ended with {status}")));
        }
        tokio::time::sleep(START_POLL).await;
    }
    Err(failed(&format!("it did not answer within {} seconds", START_WAIT.as_secs())))
}
