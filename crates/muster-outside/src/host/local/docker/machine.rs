//! Switching containers on and off. Each wait has the limit that it has under nspawn.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::super::command::{Argv, run, tail};
use super::super::error::LocalError;
use super::super::keeper::CONSOLE_TAIL;
use super::super::power::{ASK_AGAIN, BOOT_LIMIT, STOP_LIMIT, greets};
use super::super::record::{Folder, MachineRecord};
use super::{argv, network};

/// One call of the client; an engine under load takes seconds for what else takes a tenth.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// For a machine without power to be gone.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(30);
/// Each look is a process.
const POLL: Duration = Duration::from_millis(100);

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    status: String,
    /// When its last boot began, as the engine writes it.
    boot: String,
}

impl State {
    fn read(told: &str) -> State {
        let (status, boot) = told.trim().split_once(' ').unwrap_or((told.trim(), ""));
        State { status: status.to_owned(), boot: boot.to_owned() }
    }

    /// Its first process runs.
    pub(super) fn runs(&self) -> bool {
        self.status == "running"
    }

    /// It runs, or will by itself.
    fn on(&self) -> bool {
        matches!(self.status.as_str(), "running" | "restarting" | "paused")
    }
}

/// Whether the engine says that there is no such thing, or that it is so already.
fn says(error: &LocalError, words: &[&str]) -> bool {
    let LocalError::Command { output, .. } = error else { return false };
    let output = output.to_lowercase();
    words.iter().any(|word| output.contains(word))
}

/// Runs a command for which these answers of the engine mean that there is nothing to do.
pub(super) async fn run_unless(command: &Argv, words: &[&str]) -> Result<(), LocalError> {
    match run(command, "", LIMIT).await {
        Err(error) if !says(&error, words) => Err(error),
        _ => Ok(()),
    }
}

/// Looks at a container; `None` when there is none.
pub(super) async fn state(label: &str) -> Result<Option<State>, LocalError> {
    match run(&argv::state(label), "", LIMIT).await {
        Ok(told) => Ok(Some(State::read(&told))),
        Err(error) if says(&error, &["no such container"]) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The labels of a home's machines that are on.
pub(super) async fn running(home: &str) -> Result<BTreeSet<String>, LocalError> {
    Ok(network::owned(&argv::running(home)).await?.into_iter().map(|(name, _)| name).collect())
}

/// Switches a machine on and waits until its sshd greets.
pub(super) async fn start(folder: &Folder, machine: &MachineRecord) -> Result<(), LocalError> {
    let label = machine.label();
    if state(&label).await?.is_none() {
        let reason =
            format!("Docker has no container {label} any more; delete the machine and create it again");
        return Err(LocalError::Damaged { path: folder.record(), reason });
    }
    run(&argv::restart(&label, true), "", LIMIT).await?;
    run(&argv::start(&label), "", LIMIT).await?;
    wait_up(machine).await
}

async fn wait_up(machine: &MachineRecord) -> Result<(), LocalError> {
    let (label, began) = (machine.label(), Instant::now());
    while !greets(machine.address()).await {
        if !state(&label).await?.is_some_and(|state| state.on()) {
            return Err(went_off(machine).await);
        }
        if began.elapsed() > BOOT_LIMIT {
            return Err(LocalError::TooLong {
                what: format!("booting the local machine {:?}", machine.name.as_str()),
                limit: BOOT_LIMIT,
                detail: format!("; the end of its console:\n{}", console(&label).await),
            });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

async fn went_off(machine: &MachineRecord) -> LocalError {
    LocalError::WentOff { name: machine.name.to_string(), console: console(&machine.label()).await }
}

async fn console(label: &str) -> String {
    let said = run(&argv::console(label), "", LIMIT).await.unwrap_or_else(|error| error.to_string());
    tail(said.trim(), CONSOLE_TAIL).to_owned()
}

/// Shuts a machine down; pulls the plug when it takes too long. True when it went down by itself.
pub(super) async fn shut_down(machine: &MachineRecord) -> Result<bool, LocalError> {
    let (label, began) = (machine.label(), Instant::now());
    let mut asked: Option<Instant> = None;
    while began.elapsed() < STOP_LIMIT {
        if !state(&label).await?.is_some_and(|state| state.on()) {
            return Ok(true);
        }
        // Again after a while: a machine that is just booting does not hear yet.
        if asked.is_none_or(|asked| asked.elapsed() > ASK_AGAIN) {
            run(&argv::restart(&label, false), "", LIMIT).await?;
            run_unless(&argv::signal(&label, "SIGRTMIN+3"), &["is not running"]).await?;
            asked = Some(Instant::now());
        }
        tokio::time::sleep(POLL).await;
    }
    pull_plug(machine).await?;
    Ok(false)
}

/// Ends a machine as a power cut does. The policy first: else the engine would start it again.
pub(super) async fn pull_plug(machine: &MachineRecord) -> Result<(), LocalError> {
    let (label, began) = (machine.label(), Instant::now());
    while state(&label).await?.is_some_and(|state| state.on()) {
        if began.elapsed() > TEARDOWN_LIMIT {
            return Err(LocalError::TooLong {
                what: format!("ending the local machine {:?}", machine.name.as_str()),
                limit: TEARDOWN_LIMIT,
                detail: ": the Docker engine does not end its container".to_owned(),
            });
        }
        run(&argv::restart(&label, false), "", LIMIT).await?;
        run_unless(&argv::signal(&label, "SIGKILL"), &["is not running"]).await?;
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Restarts a machine from inside, cleanly, and waits until it is back.
pub(super) async fn reboot(machine: &MachineRecord) -> Result<(), LocalError> {
    let (label, began) = (machine.label(), Instant::now());
    let Some(before) = state(&label).await?.filter(State::runs) else {
        return Err(went_off(machine).await);
    };
    let mut asked: Option<Instant> = None;
    loop {
        match state(&label).await? {
            Some(now) if now.runs() && now.boot != before.boot => return wait_up(machine).await,
            Some(now) if now.on() => {}
            _ => return Err(went_off(machine).await),
        }
        if asked.is_none_or(|asked| asked.elapsed() > ASK_AGAIN) {
            // To systemd as PID 1 this is Ctrl-Alt-Del, which Debian means as a reboot.
            run_unless(&argv::signal(&label, "SIGINT"), &["is not running"]).await?;
            asked = Some(Instant::now());
        }
        if began.elapsed() > STOP_LIMIT {
            return Err(LocalError::TooLong {
                what: format!("shutting down the local machine {:?} for a reboot", machine.name.as_str()),
                limit: STOP_LIMIT,
                detail: String::new(),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Removes a container with what it wrote; returns when it is gone.
pub(super) async fn remove(label: &str) -> Result<(), LocalError> {
    let began = Instant::now();
    while state(label).await?.is_some() {
        run_unless(&argv::remove(label), &["no such container", "already in progress"]).await?;
        if began.elapsed() > TEARDOWN_LIMIT {
            return Err(LocalError::TooLong {
                what: format!("removing the container {label}"),
                limit: TEARDOWN_LIMIT,
                detail: String::new(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_from_the_engine() {
        let read = |told| State::read(told);
        let up = read("running 2026-01-01T00:00:00.1Z\n");
        assert_eq!((up.runs(), up.on(), up.boot.as_str()), (true, true, "2026-01-01T00:00:00.1Z"));
        let again = read("restarting 2026-01-01T00:00:00.1Z\n");
        assert_eq!((again.runs(), again.on()), (false, true));
        for status in ["created", "exited", "dead", "removing", ""] {
            assert!(!read(status).on(), "{status}");
        }
    }

    #[test]
    fn only_the_expected_answers_are_overlooked() {
        let error = |output: &str| LocalError::Command {
            command: "docker kill".to_owned(),
            status: "exit status: 1".to_owned(),
            output: output.to_owned(),
        };
        assert!(says(&error("Error: No such container: muster-0-web"), &["no such container"]));
        assert!(!says(&error("Cannot connect to the Docker daemon"), &["no such container"]));
    }
}
