//! Steps inside one server, over SSH.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use muster_model::Secret;
use muster_model::id::{ServerName, StepNumber};
use muster_model::ownership::Provisioned;
use muster_model::plan::{HostAction, KEYS_RECORD, ObjectRef, keys_digest};
use muster_model::run::{Fact, FailureClass, Output};
use muster_model::world::Clock;
use muster_outside::host::ssh::{self, Exec, Outcome, OutputStream, SshError, SshErrorKind};

use super::past::past;
use super::{StepContext, StepError, interface};
use crate::error::EngineError;
use crate::reach::{ReachError, add_keys};
use crate::runner::OutputSink;
use crate::secret::Kept;

/// The longest one command of `server exec` may take.
const EXEC_LIMIT: std::time::Duration = std::time::Duration::from_secs(6 * 3600);
/// A line without an end is cut here.
const LINE_BYTES_MAX: usize = 64 * 1024;

impl From<SshError> for StepError {
    fn from(error: SshError) -> StepError {
        let class = match error.kind() {
            SshErrorKind::Transient => FailureClass::Transient,
            SshErrorKind::Refused => FailureClass::Refused,
            SshErrorKind::UnknownOutcome => FailureClass::UnknownOutcome,
        };
        StepError::Failed(class, crate::error::chain(&error))
    }
}

impl From<ReachError> for StepError {
    fn from(error: ReachError) -> StepError {
        match error {
            ReachError::Ssh(error) => error.into(),
            ReachError::Engine(EngineError::Refused(message)) => StepError::refused(message),
            ReachError::Engine(error) => StepError::transient(error.to_string()),
        }
    }
}

pub(super) async fn act(ctx: &StepContext, action: &HostAction) -> Result<(Output, Vec<Fact>), StepError> {
    match action {
        HostAction::Reach { name, server, keys } => reach(ctx, name, server, keys).await,
        HostAction::Exec { name, server, argv } => exec(ctx, name, server, argv).await,
        HostAction::Configure(configure) => interface::configure(ctx, configure).await,
        HostAction::Release(release) => interface::release(ctx, release).await,
        HostAction::Password { name, server } => password(ctx, name, server).await,
    }
}

async fn reach(
    ctx: &StepContext,
    name: &ServerName,
    server: &ObjectRef,
    keys: &[String],
) -> Result<(Output, Vec<Fact>), StepError> {
    let id = ctx.resolve(server)?;
    let reached = ctx.engine.reach(&ctx.session, name, &id).await?;
    let mut facts = Vec::new();
    if let Some(key) = &reached.new_host_key {
        facts.push(ctx.engine.host_key_fact(&ctx.session, &id, key));
    }
    if !keys.is_empty() {
        add_keys(&ctx.engine.outside.hosts, &reached.host, keys).await?;
        facts.push(Fact::Provisioned {
            account: ctx.session.account.identity.clone(),
            id: id.clone(),
            key: KEYS_RECORD.to_owned(),
            outcome: Provisioned { digest: keys_digest(keys), succeeded: true, at: ctx.world().clock.now() },
        });
    }
    Ok((Output::Object { kind: "server".into(), id }, facts))
}

/// Reads `USER:PASSWORD` lines, as the superuser.
const CHPASSWD: &str = "if [ \"$(id -u)\" = 0 ]; then exec chpasswd; else exec sudo -n chpasswd; fi";
/// Random bytes of a password; it is written as twice as many hexadecimal digits.
const PASSWORD_BYTES: usize = 16;

/// Another password of the login user. It is sealed before the server hears of it, so that it can never be one that
/// nobody knows.
async fn password(
    ctx: &StepContext,
    name: &ServerName,
    server: &ObjectRef,
) -> Result<(Output, Vec<Fact>), StepError> {
    let id = ctx.resolve(server)?;
    let reached = ctx.engine.reach(&ctx.session, name, &id).await?;
    let facts: Vec<Fact> =
        reached.new_host_key.iter().map(|key| ctx.engine.host_key_fact(&ctx.session, &id, key)).collect();
    let failed = |error: EngineError| StepError::transient(error.to_string());
    let account = &ctx.session.account.identity;
    // An earlier attempt may have reached the server: it is given that one again, and no third one.
    let chosen = match ctx.previous {
        Some(_) => ctx.engine.next_server_password(account, &id).await.map_err(failed)?,
        None => None,
    };
    let is_first = chosen.is_none();
    let secret = chosen.unwrap_or_else(|| {
        let mut bytes = [0; PASSWORD_BYTES];
        ctx.world().random.fill(&mut bytes);
        Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    });
    ctx.engine.keep_server_password(account, &id, Kept::Next, &secret).await.map_err(failed)?;
    let line = format!("{}:{}\n", reached.host.user, secret.expose());
    let script = ssh::quote::script(CHPASSWD, "change-password", &[] as &[&str]);
    let mut said = ssh::Collected::default();
    let finished =
        ctx.engine.outside.hosts.exec(&reached.host, &Exec::new(script).stdin(line), &mut said).await?;
    if !finished.success() {
        if is_first {
            ctx.engine.drop_next_server_password(account, &id).await.map_err(failed)?;
        }
        let words = String::from_utf8_lossy(&said.stderr).trim().replace(secret.expose(), "…");
        return Err(StepError::refused(format!(
            "{name} did not take another password for {} ({}): {words}; it has the one it had",
            reached.host.user, finished.end
        )));
    }
    ctx.engine.keep_server_password(account, &id, Kept::Current, &secret).await.map_err(failed)?;
    Ok((Output::Object { kind: "server".into(), id }, facts))
}

/// A command of which nobody knows what became is not begun again, until a person asks for it.
pub(super) async fn may_begin(ctx: &StepContext) -> Result<(), StepError> {
    past(ctx).await?.unknown.map_or(Ok(()), |message| Err(StepError::unknown(message)))
}

/// One command, at most once per attempt. A further attempt asks for the earlier one first: the wrapper starts an
/// attempt that left no trace, and tells what became of one that did.
async fn exec(
    ctx: &StepContext,
    name: &ServerName,
    server: &ObjectRef,
    argv: &[String],
) -> Result<(Output, Vec<Fact>), StepError> {
    let id = ctx.resolve(server)?;
    let reached = ctx.engine.reach(&ctx.session, name, &id).await?;
    let facts: Vec<Fact> =
        reached.new_host_key.iter().map(|key| ctx.engine.host_key_fact(&ctx.session, &id, key)).collect();
    let hosts = &ctx.engine.outside.hosts;
    let past = past(ctx).await?;
    let claim = ctx.journal.claim();
    let (run, lane) = (claim.run.to_string(), u32::from(claim.lane.0));
    let attempt_of = |number: u32| ssh::Attempt::new(&run, lane, ctx.step.number.0, number, claim.fence.0);
    let mut lines = Lines::new(ctx.output.clone(), ctx.world().clock.clone(), ctx.step.number, name.as_str());
    // What was begun before a person asked for another try counts if it went well.
    let earlier = past.before_retry.iter().map(|attempt| attempt_of(attempt.0));
    let found = what_became_of(ctx, &reached.host, earlier, &mut lines).await?;
    let (attempt, outcome) = match found {
        Some((attempt, outcome @ (Outcome::Finished(0) | Outcome::Running))) => (attempt, outcome),
        Some((_, Outcome::Finished(_) | Outcome::Unknown(_))) | None => {
            let attempt = attempt_of(past.first.unwrap_or(ctx.attempt).0);
            let command = Exec::new(argv.to_vec()).limit(EXEC_LIMIT);
            hosts.start(&reached.host, &attempt, &command).await?;
            let outcome = hosts.follow(&reached.host, &attempt, EXEC_LIMIT, &mut lines).await?;
            (attempt, outcome)
        }
    };
    lines.end();
    match outcome {
        Outcome::Finished(code) => {
            ctx.output.flush().await;
            // The output is safe with us; the exit status stays there, because the journal has it only after this.
            let _ = hosts.forget(&reached.host, &attempt).await;
            if code == 0 {
                return Ok((Output::None, facts));
            }
            Err(StepError::refused(format!("`{}` ended with exit status {code}", argv.join(" "))))
        }
        Outcome::Running => Err(StepError::unknown(format!("`{}` still runs", argv.join(" ")))),
        Outcome::Unknown(lost) => Err(StepError::unknown(format!(
            "whether `{}` did its work is not known: {lost}; it is not started again by itself",
            argv.join(" ")
        ))),
    }
}

/// The newest of these attempts that left a trace, and what became of it. A running one is waited for.
async fn what_became_of(
    ctx: &StepContext,
    host: &ssh::Host,
    attempts: impl Iterator<Item = ssh::Attempt>,
    lines: &mut Lines,
) -> Result<Option<(ssh::Attempt, Outcome)>, StepError> {
    let hosts = &ctx.engine.outside.hosts;
    for attempt in attempts {
        match hosts.follow(host, &attempt, EXEC_LIMIT, lines).await? {
            Outcome::Unknown(ssh::Lost::NoTrace) => {}
            outcome => return Ok(Some((attempt, outcome))),
        }
    }
    Ok(None)
}

/// Cuts what comes in chunks into lines and keeps them.
pub(super) struct Lines {
    sink: Arc<OutputSink>,
    clock: Arc<dyn Clock>,
    step: StepNumber,
    target: String,
    open: [Vec<u8>; 2],
}

impl Lines {
    pub(super) fn new(sink: Arc<OutputSink>, clock: Arc<dyn Clock>, step: StepNumber, target: &str) -> Lines {
        Lines { sink, clock, step, target: target.to_owned(), open: [Vec::new(), Vec::new()] }
    }

    fn keep(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        self.sink.push(self.clock.now(), self.step, &self.target, text.trim_end_matches('\r'));
    }

    /// The last line may have no end.
    pub(super) fn end(&mut self) {
        for open in std::mem::take(&mut self.open) {
            if !open.is_empty() {
                self.keep(&open);
            }
        }
    }
}

#[async_trait]
impl ssh::Output for Lines {
    async fn chunk(&mut self, stream: OutputStream, bytes: Bytes) {
        let which = match stream {
            OutputStream::Stdout => 0,
            OutputStream::Stderr => 1,
        };
        let mut open = std::mem::take(&mut self.open[which]);
        for byte in bytes {
            if byte == b'\n' || open.len() >= LINE_BYTES_MAX {
                self.keep(&open);
                open.clear();
            }
            if byte != b'\n' {
                open.push(byte);
            }
        }
        self.open[which] = open;
    }
}
