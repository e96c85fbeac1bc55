//! What we can do with a machine, in our own words. The real one is [`super::SshHosts`], the stand-in
//! [`super::ScriptedHosts`].

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Attempt, Exec, Finished, Host, HostKey, Outcome, Output, SshError, Started};

/// A stream through a tunnel.
pub trait TunnelStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> TunnelStream for T {}

/// What a copy came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// SHA-256 of the content, hex, as computed on both sides.
    pub sha256: String,
    /// Whether the file there had to be written; `false` if it already held this content with this mode.
    pub changed: bool,
}

/// An HTTP answer that came through a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status, 200 for success.
    pub status: u16,
    /// The media type, if there was one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// How many connections were opened, since the process's start, and how many are kept now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Opened and logged in.
    pub opened: u64,
    /// Tried in vain.
    pub failed: u64,
    /// Kept for further use.
    pub kept: u64,
}

/// What we can do with machines. Every call is bounded in time.
#[async_trait]
pub trait Hosts: Send + Sync {
    /// Waits until the machine answers and lets us in, trying again with growing pauses, and returns the host key
    /// it showed (to be recorded if the policy was first use). A wrong host key is not waited away.
    async fn wait(&self, host: &Host, limit: Duration) -> Result<HostKey, SshError>;

    /// Runs a command and hands its output on as it comes. For commands that may be repeated; others go through
    /// [`Hosts::start`].
    async fn exec(&self, host: &Host, command: &Exec, output: &mut dyn Output) -> Result<Finished, SshError>;

    /// Starts a command at most once per attempt; it goes on if the connection ends (`SEMANTICS.md` §5).
    /// It reads nothing (`stdin` of the command is left out) and has no time limit but [`Hosts::stop`];
    /// `output_bytes_max` bounds what the machine keeps of each of its two streams.
    async fn start(&self, host: &Host, attempt: &Attempt, command: &Exec) -> Result<Started, SshError>;

    /// Hands on the output of a started command, from its beginning, until it ends or the limit passes.
    async fn follow(
        &self,
        host: &Host,
        attempt: &Attempt,
        limit: Duration,
        output: &mut dyn Output,
    ) -> Result<Outcome, SshError>;

    /// What became of an attempt: for whoever takes over after a crash. Hands on the output there is.
    async fn fetch(
        &self,
        host: &Host,
        attempt: &Attempt,
        output: &mut dyn Output,
    ) -> Result<Outcome, SshError>;

    /// Ends a started command with all its children: asks first, then forces. Fine if it is not running.
    async fn stop(&self, host: &Host, attempt: &Attempt) -> Result<(), SshError>;

    /// Removes what is kept of an attempt, once its outcome is safe with us.
    async fn forget(&self, host: &Host, attempt: &Attempt) -> Result<(), SshError>;

    /// Writes a file: beside its place, checked, then moved there in one step.
    async fn upload(&self, host: &Host, content: Bytes, to: &str, mode: u32) -> Result<Copied, SshError>;

    /// Reads a file of at most `bytes_max` bytes and checks it against the machine's own checksum.
    async fn download(&self, host: &Host, from: &str, bytes_max: u64) -> Result<Bytes, SshError>;

    /// A stream to an address as the machine itself sees it (`127.0.0.1` is the machine).
    async fn tunnel(&self, host: &Host, address: &str, port: u16) -> Result<Box<dyn TunnelStream>, SshError>;

    /// Counts of connections; none where there are none.
    fn connections(&self) -> ConnectionCounts {
        ConnectionCounts::default()
    }

    /// Gets `http://127.0.0.1:PORT/PATH` as the machine itself sees it.
    async fn http_get(&self, host: &Host, port: u16, path: &str) -> Result<HttpAnswer, SshError>;
}
