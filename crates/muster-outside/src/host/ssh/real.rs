//! The real machines.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::connect::is_simulated;
use super::hosts::ConnectionCounts;
use super::pool::Pool;
use super::wrapper::{self, Attempt, Outcome, ROUNDS_PER_LOOK, Started, State};
use super::{
    Copied, End, Exec, Finished, Host, HostKey, Hosts, HttpAnswer, Output, OutputStream, SshError,
    SshSettings, TunnelStream,
};
use super::{SshErrorKind, connect::Connection};

/// Output of an attempt that one look hands on, bytes; the wrapper keeps at most the command's own bound.
const LOOK_BYTES_MAX: u64 = 1 << 30;

/// Machines over SSH, with kept connections.
pub struct SshHosts {
    settings: SshSettings,
    pool: Pool,
}

impl SshHosts {
    /// With these bounds.
    pub fn new(settings: SshSettings) -> SshHosts {
        SshHosts { pool: Pool::new(settings.clone()), settings }
    }

    /// Closes the kept connection of a machine: after a reboot, or when its login changed.
    pub fn disconnect(&self, host: &Host) {
        self.pool.drop_connection(host);
    }

    async fn connection(&self, host: &Host) -> Result<std::sync::Arc<Connection>, SshError> {
        // Before any waiting or looking up: the answer is known.
        if self.settings.refuse_simulated
            && let Ok(address) = host.address.parse()
            && is_simulated(address)
        {
            return Err(SshError::Simulated { host: host.name.clone(), address: host.address.clone() });
        }
        self.pool.get(host).await
    }

    /// Forgets a connection that failed, so that the next use opens a new one.
    fn note<T>(&self, host: &Host, result: Result<T, SshError>) -> Result<T, SshError> {
        if let Err(error) = &result
            && matches!(error, SshError::Protocol { .. } | SshError::Lost { .. } | SshError::TimedOut { .. })
        {
            self.pool.drop_connection(host);
        }
        result
    }

    fn base(&self) -> &str {
        self.settings.remote_state_dir.as_deref().unwrap_or("")
    }

    /// A command of our own, which may be repeated: once more over a new connection if the kept one was dead.
    async fn own(&self, host: &Host, doing: &'static str, command: Vec<String>) -> Result<String, SshError> {
        let command = Exec::new(command).limit(self.settings.own_command_limit);
        let mut again = true;
        loop {
            let connection = self.connection(host).await?;
            let result = self.note(host, connection.must(doing, &command).await);
            match result {
                Ok(said) => return Ok(said.text()),
                Err(error) if again && error.kind() != SshErrorKind::Refused => again = false,
                Err(error) => return Err(error),
            }
        }
    }

    /// One look at an attempt: hands on what is new and says how it stands.
    async fn look(
        &self,
        host: &Host,
        attempt: &Attempt,
        from: &mut [u64; 2],
        rounds: u32,
        output: &mut dyn Output,
    ) -> Result<Outcome, SshError> {
        let connection = self.connection(host).await?;
        let mut command = Exec::new(wrapper::look_command(self.base(), attempt, *from, rounds));
        command.limit = self.settings.own_command_limit;
        command.output_bytes_max = LOOK_BYTES_MAX;
        let mut counted = Counted { from, output };
        let finished = self.note(host, connection.exec(&command, &mut counted).await)?;
        let state = match &finished.end {
            End::Exit(status) => wrapper::read_state(*status),
            End::Signal(_) => None,
        };
        match state {
            Some(State::Running) => Ok(Outcome::Running),
            Some(State::Lost(why)) => Ok(Outcome::Unknown(why)),
            Some(State::Finished) => {
                let code =
                    self.own(host, "reading an exit status", wrapper::code_command(self.base(), attempt));
                let code = code.await?;
                match code.trim().parse() {
                    Ok(code) => Ok(Outcome::Finished(code)),
                    Err(_) => Ok(Outcome::Unknown(wrapper::Lost::Killed)),
                }
            }
            None => Err(SshError::Command {
                host: host.shown(),
                doing: "looking at a started command",
                end: finished.end.to_string(),
                stderr: String::new(),
            }),
        }
    }
}

fn older(host: &Host, attempt: &Attempt, newest: &str) -> SshError {
    SshError::OlderToken {
        host: host.shown(),
        token: attempt.token(),
        newest: newest.trim().parse().unwrap_or(u64::MAX),
    }
}

/// Whether the machine took us for the newest owner.
fn newest(host: &Host, attempt: &Attempt, said: &str) -> Result<(), SshError> {
    said.trim().strip_prefix("older ").map_or(Ok(()), |newest| Err(older(host, attempt, newest)))
}

/// Remembers how far each stream has been handed on.
struct Counted<'a> {
    from: &'a mut [u64; 2],
    output: &'a mut dyn Output,
}

#[async_trait]
impl Output for Counted<'_> {
    async fn chunk(&mut self, stream: OutputStream, bytes: Bytes) {
        let index = match stream {
            OutputStream::Stdout => 0,
            OutputStream::Stderr => 1,
        };
        self.from[index] += bytes.len() as u64;
        self.output.chunk(stream, bytes).await;
    }
}

#[async_trait]
impl Hosts for SshHosts {
    fn connections(&self) -> ConnectionCounts {
        self.pool.counts()
    }

    async fn wait(&self, host: &Host, limit: Duration) -> Result<HostKey, SshError> {
        let deadline = Instant::now() + limit;
        let mut pause = self.settings.wait_pause_first;
        loop {
            let reached = async {
                let connection = self.connection(host).await?;
                // Logged in is not yet usable: a machine that shuts down still lets root in.
                let command = Exec::new(["true"]).limit(self.settings.login_limit);
                self.note(host, connection.must("running a first command", &command).await)?;
                Ok::<HostKey, SshError>(connection.host_key().clone())
            };
            let last = match tokio::time::timeout_at(deadline, reached).await {
                Ok(Ok(key)) => return Ok(key),
                Ok(Err(error)) if !error.may_pass_while_starting() => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => {
                    SshError::TimedOut { host: host.shown(), doing: "the whole wait", limit, started: false }
                }
            };
            if Instant::now() + pause >= deadline {
                return Err(SshError::WaitedInVain {
                    host: host.shown(),
                    waited: limit,
                    last: Box::new(last),
                });
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(self.settings.wait_pause_max);
        }
    }

    async fn exec(&self, host: &Host, command: &Exec, output: &mut dyn Output) -> Result<Finished, SshError> {
        let connection = self.connection(host).await?;
        self.note(host, connection.exec(command, output).await)
    }

    async fn start(&self, host: &Host, attempt: &Attempt, command: &Exec) -> Result<Started, SshError> {
        let arguments =
            wrapper::start_command(self.base(), attempt, command.output_bytes_max, &command.arguments);
        // May be repeated: a second start of the same attempt finds the first.
        let said = self.own(host, "starting a command once", arguments).await?;
        match said.split_once(' ').unwrap_or((said.as_str(), "")) {
            ("now", "") => Ok(Started::Now),
            ("before", "") => Ok(Started::Before),
            ("older", newest) => Err(older(host, attempt, newest)),
            _ => Err(SshError::Command {
                host: host.shown(),
                doing: "starting a command once",
                end: "an answer that is not the wrapper's".to_owned(),
                stderr: said,
            }),
        }
    }

    async fn follow(
        &self,
        host: &Host,
        attempt: &Attempt,
        limit: Duration,
        output: &mut dyn Output,
    ) -> Result<Outcome, SshError> {
        let deadline = Instant::now() + limit;
        let mut from = [0, 0];
        let mut pause = self.settings.wait_pause_first;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let rounds = (left.as_millis() / 200).min(u128::from(ROUNDS_PER_LOOK)) as u32;
            match self.look(host, attempt, &mut from, rounds, output).await {
                Ok(Outcome::Running) if left.is_zero() => return Ok(Outcome::Running),
                Ok(Outcome::Running) => pause = self.settings.wait_pause_first,
                Ok(ended) => return Ok(ended),
                // The command goes on without us; so do we, from where the output stood.
                Err(error) if error.kind() == SshErrorKind::Refused || left.is_zero() => return Err(error),
                Err(_) => {
                    sleep(pause.min(left)).await;
                    pause = (pause * 3 / 2).min(self.settings.wait_pause_max);
                }
            }
        }
    }

    async fn fetch(
        &self,
        host: &Host,
        attempt: &Attempt,
        output: &mut dyn Output,
    ) -> Result<Outcome, SshError> {
        self.look(host, attempt, &mut [0, 0], 0, output).await
    }

    async fn stop(&self, host: &Host, attempt: &Attempt) -> Result<(), SshError> {
        let said = self.own(host, "stopping a command", wrapper::stop_command(self.base(), attempt)).await?;
        newest(host, attempt, &said)
    }

    async fn forget(&self, host: &Host, attempt: &Attempt) -> Result<(), SshError> {
        let said =
            self.own(host, "forgetting a command", wrapper::forget_command(self.base(), attempt)).await?;
        newest(host, attempt, &said)
    }

    async fn upload(&self, host: &Host, content: Bytes, to: &str, mode: u32) -> Result<Copied, SshError> {
        let connection = self.connection(host).await?;
        self.note(host, connection.upload(content, to, mode, &self.settings).await)
    }

    async fn download(&self, host: &Host, from: &str, bytes_max: u64) -> Result<Bytes, SshError> {
        let connection = self.connection(host).await?;
        self.note(host, connection.download(from, bytes_max, &self.settings).await)
    }

    async fn tunnel(&self, host: &Host, address: &str, port: u16) -> Result<Box<dyn TunnelStream>, SshError> {
        let connection = self.connection(host).await?;
        let stream = self.note(host, connection.direct(address, port, &self.settings).await)?;
        Ok(Box::new(stream))
    }

    async fn http_get(&self, host: &Host, port: u16, path: &str) -> Result<HttpAnswer, SshError> {
        let connection = self.connection(host).await?;
        self.note(host, connection.http_get(port, path, &self.settings).await)
    }
}
