//! The engine in the background of this machine: started by `--detach`, spoken to over the socket below the home.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muster_api::Client;
use tokio::time::Instant;

use super::running_server;
use crate::exit::{Exit, Failure};

/// What the engine says, for the case that it does not come up.
const LOG_FILE: &str = "engine.log";
/// The longest it may take to answer.
const START_WAIT: Duration = Duration::from_secs(15);
/// The longest that an engine may take to end.
const STOP_WAIT: Duration = Duration::from_secs(60);
/// How often it is tried.
const START_POLL: Duration = Duration::from_millis(50);
/// After an engine found that another one lives, how long until the next is started: the other one may be at its end.
const START_AGAIN: Duration = Duration::from_secs(1);
/// A larger log is begun anew. Else it is gone on with: of two that start at once, the one too many must not take the
/// words of the other.
const LOG_BYTES_MAX: u64 = 1_048_576;

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
    let mut child = spawn(home, &log).map_err(|error| failed(&error))?;
    let mut ended_at: Option<Instant> = None;
    let deadline = Instant::now() + START_WAIT;
    while Instant::now() < deadline {
        if let Some(client) = running_server(home).await? {
            return Ok(client);
        }
        match (ended_at, child.try_wait()) {
            (Some(at), _) if at.elapsed() >= START_AGAIN => {
                child = spawn(home, &log).map_err(|error| failed(&error))?;
                ended_at = None;
            }
            (Some(_), _) | (None, Ok(None) | Err(_)) => {}
            // Another one was faster; its socket answers soon.
            (None, Ok(Some(status))) if status.code() == Some(i32::from(Exit::Busy.code())) => {
                ended_at = Some(Instant::now());
            }
            (None, Ok(Some(status))) => return Err(failed(&format!("it ended with {status}"))),
        }
        tokio::time::sleep(START_POLL).await;
    }
    Err(failed(&format!("it did not answer within {} seconds", START_WAIT.as_secs())))
}

/// Starts the process, in a group of its own.
fn spawn(home: &Path, log: &Path) -> std::io::Result<Child> {
    let output = OpenOptions::new().create(true).append(true).mode(0o600).open(log)?;
    if output.metadata()?.len() > LOG_BYTES_MAX {
        output.set_len(0)?;
    }
    let errors = output.try_clone()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("engine").arg("--quiet").env(crate::home::HOME, home);
    // The person's agent goes when the person logs out; what needs it must say so now, not in the night.
    command.env_remove("SSH_AUTH_SOCK");
    command.stdin(Stdio::null()).stdout(output).stderr(errors).current_dir("/");
    // A group of its own: neither Ctrl-C nor the end of the terminal reaches it.
    command.process_group(0);
    command.spawn()
}

/// Proof that an engine runs in the background: the file is locked as long as it lives, and holds its process id.
pub struct Life {
    _file: std::fs::File,
}

/// The file.
const LIFE_FILE: &str = "engine.pid";

/// Takes the life of this home's engine, unless one lives already.
pub fn live(home: &Path) -> Result<Life, Failure> {
    let path = home.join(LIFE_FILE);
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("{}: {error}", path.display()));
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed)?;
    if rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(Failure::new(
            Exit::Busy,
            "an engine runs in the background of this home already".to_owned(),
        ));
    }
    file.set_len(0).map_err(failed)?;
    std::io::Write::write_all(&mut &file, std::process::id().to_string().as_bytes()).map_err(failed)?;
    Ok(Life { _file: file })
}

/// Asks the engine in the background to end, and waits for that. Its runs become *interrupted*.
pub async fn stop(home: &Path) -> Result<String, Failure> {
    let path = home.join(LIFE_FILE);
    let none = || "no engine runs in the background".to_owned();
    let Ok(file) = std::fs::File::open(&path) else { return Ok(none()) };
    let is_free = || rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok();
    if is_free() {
        return Ok(none());
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let process = text.trim().parse().ok().and_then(rustix::process::Pid::from_raw);
    let Some(process) = process else {
        return Err(Failure::new(Exit::Failed, format!("{} holds no process id", path.display())));
    };
    rustix::process::kill_process(process, rustix::process::Signal::TERM).map_err(|error| {
        Failure::new(Exit::Failed, format!("process {text} cannot be told to end: {error}"))
    })?;
    let deadline = Instant::now() + STOP_WAIT;
    while !is_free() {
        if Instant::now() >= deadline {
            return Err(Failure::new(
                Exit::Failed,
                format!(
                    "the engine (pid {text}) was told to end and still finishes a step; look again later"
                ),
            ));
        }
        tokio::time::sleep(START_POLL).await;
    }
    Ok(format!("the engine in the background (pid {text}) has ended"))
}
