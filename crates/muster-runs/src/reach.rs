//! Reaching the inside of a server: its address now, how we log in, and how we know that it is the right one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_model::Secret;
use muster_model::id::{ProviderId, ServerName};
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::run::Fact;
use muster_model::server::{SeenServer, ServerState};
use muster_outside::host::ssh::{
    Collected, Exec, Host, HostKey, HostKeyPolicy, Hosts, Login, SshError, SshErrorKind,
};
use muster_store::About;

use crate::account::Session;
use crate::engine::Inner;
use crate::error::{EngineError, chain};

/// The longest a server may take to let us in after it became active: "SSH may still need minutes"
/// (`spec/onecloud-api.md` §1.5).
pub(crate) const REACH_WAIT: Duration = Duration::from_secs(900);
/// How long one way in is tried before the other: the key, then the provider's first password.
const LOGIN_TRY: Duration = Duration::from_secs(20);
/// Times that a server which answers may refuse both: one that still starts installs keys and password late.
const REFUSALS_MAX: u32 = 3;

/// Adds the lines of standard input to root's keys, each once.
const ADD_KEYS: &str = r#"
set -eu
umask 077
mkdir -p "$HOME/.ssh"
file=$HOME/.ssh/authorized_keys
touch "$file"
while IFS= read -r line; do
  [ -n "$line" ] || continue
  grep -qxF -- "$line" "$file" || printf '%s\n' "$line" >> "$file"
done
"#;

/// A server that can be reached, and what was learned on the way.
pub(crate) struct Reached {
    /// How to reach it from now on.
    pub(crate) host: Host,
    /// The host key it showed, if it was not on record.
    pub(crate) new_host_key: Option<HostKey>,
}

impl Inner {
    /// How to reach a server as it was just seen.
    pub(crate) async fn host_of(
        &self,
        session: &Session,
        name: &ServerName,
        seen: &SeenServer,
        record: Option<&Ownership>,
    ) -> Result<Host, EngineError> {
        let Some(address) = &seen.address else {
            return Err(EngineError::Outside(format!("server {name} (id {}) has no address yet", seen.id)));
        };
        let key = self.login_key_pair(&session.account).await?;
        let mut host = Host::new(name.as_str(), address, &key);
        if let Some(user) = &seen.admin_user {
            host.user.clone_from(user);
        }
        if let Some(agent) = &self.config.ssh_agent {
            host.logins.push(Login::Agent(agent.clone()));
        }
        for path in &self.config.ssh_keys {
            host.logins.push(Login::KeyFile { path: path.clone(), pass_phrase: None });
        }
        host.host_key = match record {
            Some(Ownership { host_key: Some(line), .. }) => {
                HostKeyPolicy::Known(line.parse().map_err(EngineError::Store)?)
            }
            Some(Ownership { claim: Claim::Created, .. }) => HostKeyPolicy::FirstUse,
            // We did not make it: the person's own files may know it.
            Some(Ownership { claim: Claim::Adopted | Claim::Claimed, .. }) | None => {
                HostKeyPolicy::KnownHosts {
                    files: self.config.known_hosts.clone(),
                    alias: None,
                    accept_new: true,
                }
            }
        };
        Ok(host)
    }

    /// A server of ours, as it is now.
    pub(crate) async fn host_by_id(
        &self,
        session: &Session,
        name: &ServerName,
        id: &ProviderId,
    ) -> Result<Host, EngineError> {
        let outside = |error| EngineError::Outside(chain(&error));
        let listed = session.watch.recent(0).await.map_err(outside)?.get(id).cloned();
        // A list may lag behind a create; only the server's own address tells whether it is gone.
        let seen = if listed.is_some() { listed } else { session.cloud.server(id).await.map_err(outside)? };
        let seen = seen.ok_or_else(|| {
            EngineError::Outside(format!("server {name} (id {id}) is gone at the provider"))
        })?;
        if seen.state != ServerState::Active || !seen.power_on {
            let how = if seen.state == ServerState::Active {
                seen.power().to_string()
            } else {
                seen.state.to_string()
            };
            return Err(EngineError::Refused(format!(
                "server {name} (id {id}) is {how}, so nobody can log in; `muster infra update` of its file starts it"
            )));
        }
        let about = About::ids(ObjectKind::Server, vec![id.clone()]);
        let facts = self.store.facts_about(&session.account.identity, &about).await?;
        self.host_of(session, name, &seen, facts.owned.first()).await
    }

    /// Waits until a server lets us in by key; where only the provider's first password works, the key is put
    /// there with it, once.
    pub(crate) async fn reach(
        &self,
        session: &Session,
        name: &ServerName,
        id: &ProviderId,
    ) -> Result<Reached, ReachError> {
        let mut host = self.host_by_id(session, name, id).await.map_err(ReachError::Engine)?;
        let known = matches!(host.host_key, HostKeyPolicy::Known(_));
        let shown = self.let_in(session, id, &host).await?;
        host.host_key = HostKeyPolicy::Known(shown.clone());
        Ok(Reached { host, new_host_key: (!known).then_some(shown) })
    }

    async fn let_in(&self, session: &Session, id: &ProviderId, host: &Host) -> Result<HostKey, ReachError> {
        let hosts = &self.outside.hosts;
        let (mut waited, mut refusals) = (Duration::ZERO, 0);
        loop {
            waited += LOGIN_TRY;
            let by_key = match hosts.wait(host, LOGIN_TRY).await {
                Ok(shown) => return Ok(shown),
                Err(error) if is_login_refused(&error) => error,
                Err(error) if error.kind() == SshErrorKind::Transient && waited < REACH_WAIT => continue,
                Err(error) => return Err(ReachError::Ssh(error.after(waited))),
            };
            refusals += 1;
            if matches!(host.host_key, HostKeyPolicy::Known(_)) {
                // It let us in before: the first login is over, and whoever took the key away may have meant it.
                let why = "it let Muster in before, so the provider's first password is not tried";
                return Err(self.shut_out(session, host, &by_key, why).await);
            }
            let login = session.cloud.first_login(id).await;
            let login = login.map_err(|error| ReachError::Engine(EngineError::Outside(error.to_string())))?;
            let Some((user, password)) = login else {
                return Err(self
                    .shut_out(session, host, &by_key, "the provider hands out no password")
                    .await);
            };
            match self.first_login(session, host, user, password).await {
                Ok(shown) => return Ok(shown),
                Err(ReachError::Ssh(error))
                    if refusals < REFUSALS_MAX
                        && (is_login_refused(&error) || error.kind() == SshErrorKind::Transient) => {}
                Err(ReachError::Ssh(error)) if is_login_refused(&error) => {
                    let why = "the password that the provider hands out does not fit either";
                    return Err(self.shut_out(session, host, &error, why).await);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The first login by password: puts the account's key there, and proves that from now on it works.
    async fn first_login(
        &self,
        session: &Session,
        host: &Host,
        user: String,
        password: Secret,
    ) -> Result<HostKey, ReachError> {
        let hosts = &self.outside.hosts;
        let first = Host { user, logins: vec![Login::Password(password)], ..host.clone() };
        let shown = hosts.wait(&first, LOGIN_TRY).await.map_err(ReachError::Ssh)?;
        // Whoever heard the password is whoever gets the key, and whoever is asked for it.
        let pinned = |host: Host| Host { host_key: HostKeyPolicy::Known(shown.clone()), ..host };
        let key = self.login_key(&session.account).await.map_err(ReachError::Engine)?;
        add_keys(hosts, &pinned(first), &[key]).await.map_err(ReachError::Ssh)?;
        hosts.wait(&pinned(host.clone()), LOGIN_TRY).await.map_err(ReachError::Ssh)
    }

    /// The refusal with what a person can do about it.
    async fn shut_out(&self, session: &Session, host: &Host, refused: &SshError, why: &str) -> ReachError {
        match self.login_key(&session.account).await {
            Ok(key) => ReachError::Engine(EngineError::Refused(format!(
                "{refused}; {why}. Put this line into ~/.ssh/authorized_keys of {user} there (the provider's console \
                 gets in without SSH), then try again: {key}",
                user = host.user,
                key = key.trim()
            ))),
            Err(error) => ReachError::Engine(error),
        }
    }

    /// The fact that records a host key.
    pub(crate) fn host_key_fact(&self, session: &Session, id: &ProviderId, key: &HostKey) -> Fact {
        Fact::HostKey { account: session.account.identity.clone(), id: id.clone(), host_key: key.to_string() }
    }
}

/// Why a server could not be reached.
pub(crate) enum ReachError {
    /// SSH said no.
    Ssh(SshError),
    /// Something before SSH.
    Engine(EngineError),
}

fn is_login_refused(error: &SshError) -> bool {
    match error {
        SshError::Login { .. } => true,
        SshError::WaitedInVain { last, .. } => is_login_refused(last),
        _ => false,
    }
}

/// Puts public keys into the user's `authorized_keys`, each once.
pub(crate) async fn add_keys(hosts: &Arc<dyn Hosts>, host: &Host, keys: &[String]) -> Result<(), SshError> {
    let text: String = keys.iter().map(|key| format!("{}\n", key.trim())).collect();
    let command =
        Exec::new(muster_outside::host::ssh::quote::script(ADD_KEYS, "add-keys", &[] as &[&str])).stdin(text);
    let mut said = Collected::default();
    let finished = hosts.exec(host, &command, &mut said).await?;
    if finished.success() {
        return Ok(());
    }
    Err(SshError::Command {
        host: host.name.clone(),
        doing: "adding public keys",
        end: finished.end.to_string(),
        stderr: String::from_utf8_lossy(&said.stderr).trim().to_owned(),
    })
}

/// A known_hosts file with the recorded keys of these hosts.
pub(crate) fn known_hosts_text<'a>(hosts: impl Iterator<Item = &'a Host>) -> String {
    hosts
        .filter_map(|host| match &host.host_key {
            HostKeyPolicy::Known(key) => {
                Some(format!("{}\n", key.known_hosts_line(&host.address, host.port)))
            }
            HostKeyPolicy::FirstUse | HostKeyPolicy::KnownHosts { .. } => None,
        })
        .collect()
}

/// Writes a private file.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let unfinished = path.with_extension("new");
    let mut file =
        std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(unfinished, path)
}
