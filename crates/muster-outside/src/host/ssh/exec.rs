//! Running a command over one connection, its output handed on as it comes.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use russh::ChannelMsg;

use super::SshError;
use super::connect::Connection;
use super::quote::command_line;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Takes what a command prints. Slowness here slows the command down, through SSH's own window.
#[async_trait]
pub trait Output: Send {
    /// The next bytes, cut anywhere.
    async fn chunk(&mut self, stream: OutputStream, bytes: Bytes);
}

/// A command as an argument list, with its bounds.
#[derive(Debug, Clone)]
pub struct Exec {
    /// The program and its arguments. Visible in the machine's process list: no secrets.
    pub arguments: Vec<String>,
    /// What it reads. May hold secrets.
    pub stdin: Bytes,
    /// How long it may take.
    pub limit: Duration,
    /// Output handed on, both streams together, bytes; the rest is read and dropped, and counted.
    pub output_bytes_max: u64,
    /// How long its output is listened to once it has ended. None: until everybody has closed it, which a process that
    /// it left behind may never do; then it counts as running.
    pub after_end: Option<Duration>,
}

impl Exec {
    /// With ten minutes and 8 MiB.
    pub fn new<S: Into<String>>(arguments: impl IntoIterator<Item = S>) -> Exec {
        Exec {
            arguments: arguments.into_iter().map(Into::into).collect(),
            stdin: Bytes::new(),
            limit: Duration::from_secs(600),
            output_bytes_max: 8 << 20,
            after_end: None,
        }
    }

    /// With another time limit.
    pub fn limit(mut self, limit: Duration) -> Exec {
        self.limit = limit;
        self
    }

    /// With a bound for what its output may take after its end. Only for output that nothing depends on.
    pub fn after_end(mut self, limit: Duration) -> Exec {
        self.after_end = Some(limit);
        self
    }

    /// With something to read.
    pub fn stdin(mut self, stdin: impl Into<Bytes>) -> Exec {
        self.stdin = stdin.into();
        self
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status.
    Exit(u32),
    /// By this signal (`KILL`, `TERM`, …).
    Signal(String),
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exit(status) => write!(out, "exit status {status}"),
            End::Signal(name) => write!(out, "signal {name}"),
        }
    }
}

/// A command that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How.
    pub end: End,
    /// Output beyond the bound that was dropped, bytes.
    pub dropped_bytes: u64,
    /// Whether somebody else held its output open after its end, so that it was not listened to any longer.
    pub held_open: bool,
}

impl Finished {
    /// Exit status 0.
    pub fn success(&self) -> bool {
        self.end == End::Exit(0)
    }
}

/// Collects the output in memory; the bound is the command's own.
#[derive(Debug, Default, Clone)]
pub struct Collected {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Collected {
    /// Standard output as text, without the last newline.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }

    /// The last part of standard error, for an error message.
    pub(crate) fn complaint(&self) -> String {
        const COMPLAINT_CHARACTERS_MAX: usize = 400;
        let text = String::from_utf8_lossy(&self.stderr);
        let text = text.trim();
        let skip = text.chars().count().saturating_sub(COMPLAINT_CHARACTERS_MAX);
        text.chars().skip(skip).collect()
    }
}

#[async_trait]
impl Output for Collected {
    async fn chunk(&mut self, stream: OutputStream, bytes: Bytes) {
        match stream {
            OutputStream::Stdout => self.stdout.extend_from_slice(&bytes),
            OutputStream::Stderr => self.stderr.extend_from_slice(&bytes),
        }
    }
}

#[async_trait]
impl Output for tokio::sync::mpsc::Sender<(OutputStream, Bytes)> {
    async fn chunk(&mut self, stream: OutputStream, bytes: Bytes) {
        // A receiver that went away no longer wants the output; the command still runs to its end.
        let _ = self.send((stream, bytes)).await;
    }
}

impl Connection {
    /// Runs a command to its end.
    pub(crate) async fn exec(&self, command: &Exec, output: &mut dyn Output) -> Result<Finished, SshError> {
        let _session = self.session_permit().await?;
        let channel = self.open_session("opening a session").await?;
        let line = command_line(&command.arguments);
        channel.exec(true, line).await.map_err(|source| self.protocol("starting a command", source))?;
        let running = self.run(channel, command, output);
        match tokio::time::timeout(command.limit, running).await {
            Ok(finished) => finished,
            // Dropping the channel closes it; sshd then hangs up on the command.
            Err(_) => Err(SshError::TimedOut {
                host: self.host_shown().to_owned(),
                doing: "a command",
                limit: command.limit,
                started: true,
            }),
        }
    }

    async fn run(
        &self,
        channel: russh::Channel<russh::client::Msg>,
        command: &Exec,
        output: &mut dyn Output,
    ) -> Result<Finished, SshError> {
        let (mut incoming, outgoing) = channel.split();
        // Fed beside the reading: a command that prints while it reads would otherwise block both of us.
        let feed = async {
            let _ = outgoing.data_bytes(command.stdin.clone()).await;
            let _ = outgoing.eof().await;
        };
        let listen = async {
            let mut end = None;
            let mut room = command.output_bytes_max;
            let mut dropped_bytes = 0_u64;
            let mut held_open = false;
            let mut over: Option<Pin<Box<tokio::time::Sleep>>> = None;
            // To the very end: data may follow the status.
            loop {
                let message = match &mut over {
                    None => incoming.wait().await,
                    Some(over) => tokio::select! {
                        biased;
                        message = incoming.wait() => message,
                        () = over => {
                            held_open = true;
                            break;
                        }
                    },
                };
                let Some(message) = message else { break };
                if over.is_none()
                    && matches!(message, ChannelMsg::ExitStatus { .. } | ChannelMsg::ExitSignal { .. })
                {
                    over = command.after_end.map(|limit| Box::pin(tokio::time::sleep(limit)));
                }
                let (stream, mut bytes) = match message {
                    ChannelMsg::Data { data } => (OutputStream::Stdout, data),
                    ChannelMsg::ExtendedData { data, ext: 1 } => (OutputStream::Stderr, data),
                    ChannelMsg::ExitStatus { exit_status } => {
                        end = Some(End::Exit(exit_status));
                        continue;
                    }
                    ChannelMsg::ExitSignal { signal_name, .. } => {
                        end = Some(End::Signal(format!("{signal_name:?}")));
                        continue;
                    }
                    ChannelMsg::Failure => {
                        return Err(SshError::Command {
                            host: self.host_shown().to_owned(),
                            doing: "starting a command",
                            end: "refused by the server".to_owned(),
                            stderr: String::new(),
                        });
                    }
                    _ => continue,
                };
                let fits = (bytes.len() as u64).min(room);
                dropped_bytes += bytes.len() as u64 - fits;
                room -= fits;
                bytes.truncate(fits as usize);
                if !bytes.is_empty() {
                    output.chunk(stream, bytes).await;
                }
            }
            match end {
                Some(end) => Ok(Finished { end, dropped_bytes, held_open }),
                None => Err(SshError::Lost { host: self.host_shown().to_owned(), doing: "a command ran" }),
            }
        };
        tokio::pin!(feed, listen);
        let mut fed = false;
        loop {
            tokio::select! {
                finished = &mut listen => return finished,
                () = &mut feed, if !fed => fed = true,
            }
        }
    }

    /// Runs a command of our own that must succeed, and returns what it printed.
    pub(crate) async fn must(&self, doing: &'static str, command: &Exec) -> Result<Collected, SshError> {
        let mut collected = Collected::default();
        let finished = self.exec(command, &mut collected).await?;
        if finished.success() {
            return Ok(collected);
        }
        Err(SshError::Command {
            host: self.host_shown().to_owned(),
            doing,
            end: finished.end.to_string(),
            stderr: collected.complaint(),
        })
    }
}
