//! The stand-in: machines in memory that answer as a test tells them, and remember what was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::copy::sha256;
use super::quote::command_line;
use super::wrapper::{Attempt, Lost, Outcome, Started};
use super::{
    Collected, Copied, End, Exec, Finished, Host, HostKey, HostKeyPolicy, Hosts, HttpAnswer, Output,
    OutputStream, SshError, TunnelStream,
};

/// One thing that was asked of a machine, in the order asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The machine's name.
    pub host: String,
    /// `wait`, `exec COMMAND`, `start COMMAND`, `upload PATH`, `http_get PORT PATH`, …
    pub what: String,
}

type MakeError = Box<dyn Fn() -> SshError + Send>;

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    keys: HashMap<String, HostKey>,
    commands: Vec<(String, String, Finished, Collected)>,
    failures: HashMap<String, VecDeque<MakeError>>,
    failures_of: Vec<(String, String, MakeError)>,
    files: HashMap<(String, String), (Bytes, u32)>,
    attempts: HashMap<(String, String), (Finished, Collected)>,
    tokens: HashMap<(String, String), u64>,
    pages: HashMap<(String, u16, String), HttpAnswer>,
}

/// Machines in memory. Commands succeed and print nothing unless told otherwise.
#[derive(Default)]
pub struct ScriptedHosts {
    state: Mutex<State>,
}

impl ScriptedHosts {
    /// Machines that let everybody in.
    pub fn new() -> ScriptedHosts {
        ScriptedHosts::default()
    }

    /// Commands on `host` (`*` for all) whose text contains `part` end like this and print this. The newest wins.
    pub fn answer(&self, host: &str, part: &str, status: u32, stdout: &str, stderr: &str) {
        let finished = Finished { end: End::Exit(status), dropped_bytes: 0, held_open: false };
        let collected = Collected { stdout: stdout.into(), stderr: stderr.into() };
        self.state().commands.push((host.to_owned(), part.to_owned(), finished, collected));
    }

    /// The next call to this machine fails so; several queue up.
    pub fn fail(&self, host: &str, error: impl Fn() -> SshError + Send + 'static) {
        self.state().failures.entry(host.to_owned()).or_default().push_back(Box::new(error));
    }

    /// The next call to this machine that begins like this fails so.
    pub fn fail_at(&self, host: &str, begins: &str, error: impl Fn() -> SshError + Send + 'static) {
        self.state().failures_of.push((host.to_owned(), begins.to_owned(), Box::new(error)));
    }

    /// The machine shows this host key.
    pub fn host_key(&self, host: &str, key: HostKey) {
        self.state().keys.insert(host.to_owned(), key);
    }

    /// The machine serves this text at this port and path.
    pub fn page(&self, host: &str, port: u16, path: &str, text: &str) {
        let body = Bytes::copy_from_slice(text.as_bytes());
        let answer = HttpAnswer { status: 200, content_type: Some("text/plain".into()), body };
        self.state().pages.insert((host.to_owned(), port, path.to_owned()), answer);
    }

    /// The machine holds this file.
    pub fn file(&self, host: &str, path: &str) -> Option<(Bytes, u32)> {
        self.state().files.get(&(host.to_owned(), path.to_owned())).cloned()
    }

    /// The machine was restarted or lost its disk: what attempts it knew is gone.
    pub fn lose_attempts(&self, host: &str) {
        self.state().attempts.retain(|(name, _), _| name != host);
    }

    /// What was asked so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, host: &Host, what: String) -> Result<MutexGuard<'_, State>, SshError> {
        let mut state = self.state();
        let meant =
            |(of, begins, _): &(String, String, MakeError)| *of == host.name && what.starts_with(begins);
        let told = state.failures_of.iter().position(meant);
        state.calls.push(Call { host: host.name.clone(), what });
        if let Some(told) = told {
            return Err(state.failures_of.remove(told).2());
        }
        if let Some(make) = state.failures.get_mut(&host.name).and_then(VecDeque::pop_front) {
            return Err(make());
        }
        let key = state.key(&host.name);
        match &host.host_key {
            HostKeyPolicy::Known(expected) if *expected != key => Err(SshError::HostKeyChanged {
                host: host.shown(),
                expected: expected.fingerprint(),
                found: key.fingerprint(),
                recorded_in: "by Muster at first contact".to_owned(),
            }),
            HostKeyPolicy::Known(_) | HostKeyPolicy::FirstUse | HostKeyPolicy::KnownHosts { .. } => Ok(state),
        }
    }
}

impl State {
    fn key(&self, host: &str) -> HostKey {
        use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
        let made = || {
            let digest = ring::digest::digest(&ring::digest::SHA256, host.as_bytes());
            let mut seed = [0; 32];
            seed.copy_from_slice(digest.as_ref());
            let pair = KeypairData::from(Ed25519Keypair::from_seed(&seed));
            let private = russh::keys::PrivateKey::new(pair, "").expect("a fresh key pair is not encrypted");
            HostKey::new(private.public_key().clone())
        };
        self.keys.get(host).cloned().unwrap_or_else(made)
    }

    fn run(&self, host: &str, line: &str) -> (Finished, Collected) {
        let fits = |of: &str, part: &str| (of == host || of == "*") && line.contains(part);
        let told = self.commands.iter().rev().find(|(of, part, ..)| fits(of, part));
        match told {
            Some((_, _, finished, collected)) => (finished.clone(), collected.clone()),
            None => {
                (Finished { end: End::Exit(0), dropped_bytes: 0, held_open: false }, Collected::default())
            }
        }
    }
}

async fn hand_on(collected: Collected, output: &mut dyn Output) {
    for (stream, bytes) in
        [(OutputStream::Stdout, collected.stdout), (OutputStream::Stderr, collected.stderr)]
    {
        if !bytes.is_empty() {
            output.chunk(stream, Bytes::from(bytes)).await;
        }
    }
}

#[async_trait]
impl Hosts for ScriptedHosts {
    async fn wait(&self, host: &Host, _limit: Duration) -> Result<HostKey, SshError> {
        Ok(self.enter(host, "wait".to_owned())?.key(&host.name))
    }

    async fn exec(&self, host: &Host, command: &Exec, output: &mut dyn Output) -> Result<Finished, SshError> {
        let line = command_line(&command.arguments);
        let (finished, collected) = self.enter(host, format!("exec {line}"))?.run(&host.name, &line);
        hand_on(collected, output).await;
        Ok(finished)
    }

    async fn start(&self, host: &Host, attempt: &Attempt, command: &Exec) -> Result<Started, SshError> {
        let line = command_line(&command.arguments);
        let mut state = self.enter(host, format!("start {attempt} {line}"))?;
        let newest = state.tokens.entry((host.name.clone(), attempt.lane().to_owned())).or_insert(0);
        if *newest > attempt.token() {
            return Err(SshError::OlderToken { host: host.shown(), token: attempt.token(), newest: *newest });
        }
        *newest = attempt.token();
        let place = (host.name.clone(), attempt.name().to_owned());
        if state.attempts.contains_key(&place) {
            return Ok(Started::Before);
        }
        let ran = state.run(&host.name, &line);
        state.attempts.insert(place, ran);
        Ok(Started::Now)
    }

    async fn follow(
        &self,
        host: &Host,
        attempt: &Attempt,
        _limit: Duration,
        output: &mut dyn Output,
    ) -> Result<Outcome, SshError> {
        self.fetch(host, attempt, output).await
    }

    async fn fetch(
        &self,
        host: &Host,
        attempt: &Attempt,
        output: &mut dyn Output,
    ) -> Result<Outcome, SshError> {
        let place = (host.name.clone(), attempt.name().to_owned());
        let kept = self.enter(host, format!("fetch {attempt}"))?.attempts.get(&place).cloned();
        let Some((finished, collected)) = kept else { return Ok(Outcome::Unknown(Lost::NoTrace)) };
        hand_on(collected, output).await;
        match finished.end {
            End::Exit(status) => Ok(Outcome::Finished(status)),
            End::Signal(_) => Ok(Outcome::Unknown(Lost::Killed)),
        }
    }

    async fn stop(&self, host: &Host, attempt: &Attempt) -> Result<(), SshError> {
        self.enter(host, format!("stop {attempt}")).map(drop)
    }

    async fn forget(&self, host: &Host, attempt: &Attempt) -> Result<(), SshError> {
        // As on a machine: only the output goes.
        self.enter(host, format!("forget {attempt}")).map(drop)
    }

    async fn upload(&self, host: &Host, content: Bytes, to: &str, mode: u32) -> Result<Copied, SshError> {
        let mut state = self.enter(host, format!("upload {to}"))?;
        let sha256 = sha256(&content);
        let before = state.files.insert((host.name.clone(), to.to_owned()), (content.clone(), mode));
        Ok(Copied { sha256, changed: before != Some((content, mode)) })
    }

    async fn download(&self, host: &Host, from: &str, bytes_max: u64) -> Result<Bytes, SshError> {
        let state = self.enter(host, format!("download {from}"))?;
        let failed = |message: &str| SshError::Copy {
            host: host.shown(),
            doing: "reading",
            path: from.to_owned(),
            message: message.to_owned(),
        };
        match state.files.get(&(host.name.clone(), from.to_owned())) {
            Some((content, _)) if content.len() as u64 <= bytes_max => Ok(content.clone()),
            Some(_) => Err(failed("it holds more bytes than allowed")),
            None => Err(failed("No such file")),
        }
    }

    async fn tunnel(&self, host: &Host, address: &str, port: u16) -> Result<Box<dyn TunnelStream>, SshError> {
        self.enter(host, format!("tunnel {address} {port}")).map(drop)?;
        // The other end is dropped: a stream that is open and at its end.
        let (near, _far) = tokio::io::duplex(1);
        Ok(Box::new(near))
    }

    async fn http_get(&self, host: &Host, port: u16, path: &str) -> Result<HttpAnswer, SshError> {
        let state = self.enter(host, format!("http_get {port} {path}"))?;
        let page = state.pages.get(&(host.name.clone(), port, path.to_owned()));
        page.cloned().ok_or_else(|| SshError::Unreachable {
            host: host.shown(),
            address: format!("127.0.0.1:{port}"),
            source: std::io::ErrorKind::ConnectionRefused.into(),
        })
    }
}
