//! Secrets: sealed here, opaque in the store; and the login key of each account.

use std::collections::BTreeMap;

use muster_model::Secret;
use muster_model::account::{Account, AccountIdentity};
use muster_model::id::{PlanId, ProviderId, SecretName, ServerName, SpaceName};
use muster_model::rights::{Authority, Wish, may};
use muster_outside::secret::LoginKey;
use muster_store::Audit;

use crate::engine::{Engine, Inner};
use crate::error::{EngineError, chain};

/// The Space of Muster's own secrets; no person's Space can be called so.
pub(crate) const OWN_SPACE: &str = "(muster)";

/// The environment variable in which the password for sudo travels with a plan.
pub(crate) const BECOME_PASSWORD: &str = "ANSIBLE_BECOME_PASS";

/// Where a plan's environment values are kept.
fn environment_secret(plan: PlanId, name: &str) -> (SpaceName, SecretName) {
    (SpaceName::from(OWN_SPACE), SecretName(format!("environment/{plan}/{name}")))
}

pub(crate) fn sealed_name(space: &SpaceName, name: &SecretName) -> String {
    format!("secret/{space}/{name}")
}

impl Engine {
    /// Seals and stores a secret.
    pub async fn set_secret(
        &self,
        authority: &Authority,
        space: &SpaceName,
        name: SecretName,
        value: Secret,
    ) -> Result<(), EngineError> {
        may(authority, Wish::Set, space).map_err(EngineError::Denied)?;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if name.as_str().is_empty() || name.as_str().len() > 100 || !name.as_str().chars().all(plain) {
            return Err(EngineError::Invalid(format!(
                "`{name}` cannot be a secret's name: 1 to 100 letters, digits, `-`, `_` and `.`"
            )));
        }
        let inner = &self.inner;
        let sealed = inner.sealer.seal(&sealed_name(space, &name), &value);
        let audit = inner.audit(authority, space, "secret.set", format!("secret {name}"));
        Ok(inner.store.put_secret(space.clone(), name, sealed, audit).await?)
    }

    /// Forgets a secret; false if there was none.
    pub async fn unset_secret(
        &self,
        authority: &Authority,
        space: &SpaceName,
        name: &SecretName,
    ) -> Result<bool, EngineError> {
        may(authority, Wish::Set, space).map_err(EngineError::Denied)?;
        let audit = self.inner.audit(authority, space, "secret.unset", format!("secret {name}"));
        Ok(self.inner.store.delete_secret(space.clone(), name.clone(), audit).await?)
    }
}

/// Which password of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The one it has.
    Current,
    /// The one it is about to get; still there only where nobody heard whether it did.
    Next,
}

fn server_password(account: &AccountIdentity, id: &ProviderId, kept: Kept) -> (SpaceName, SecretName) {
    let which = match kept {
        Kept::Current => "current",
        Kept::Next => "next",
    };
    (SpaceName::from(OWN_SPACE), SecretName(format!("server-password/{account}/{id}/{which}")))
}

impl Engine {
    /// The passwords of a server that was given one here, with the word for each: `current`, and `next` where the
    /// answer to a change was lost, so that it is one of the two.
    pub async fn server_password(
        &self,
        authority: &Authority,
        space: &SpaceName,
        server: &ServerName,
    ) -> Result<Vec<(&'static str, Secret)>, EngineError> {
        may(authority, Wish::Set, space).map_err(EngineError::Denied)?;
        let inner = &self.inner;
        let record = inner.record_named(space, server).await?;
        let audit = inner.audit(authority, space, "password.read", format!("of server {server}"));
        inner.store.write_audit(audit).await?;
        let mut found = Vec::new();
        for (word, kept) in [("current", Kept::Current), ("next", Kept::Next)] {
            let (own, name) = server_password(&record.account, &record.id, kept);
            if let Some(password) = inner.secret_value(&own, &name).await? {
                found.push((word, password));
            }
        }
        if found.is_empty() {
            return Err(EngineError::NotFound(format!(
                "{server} was given no password here; `muster server password {server} --rotate` gives it one"
            )));
        }
        Ok(found)
    }
}

impl Inner {
    /// Seals a password of a server. The one that it has ends the wait for the next one.
    pub(crate) async fn keep_server_password(
        &self,
        account: &AccountIdentity,
        id: &ProviderId,
        kept: Kept,
        password: &Secret,
    ) -> Result<(), EngineError> {
        let audit = || self.own_audit("password.kept", format!("of server {id} at {account}"));
        let (own, name) = server_password(account, id, kept);
        let sealed = self.seal(&own, &name, password);
        self.store.put_secret(own, name, sealed, audit()).await?;
        if kept == Kept::Current {
            let (own, name) = server_password(account, id, Kept::Next);
            self.store.delete_secret(own, name, audit()).await?;
        }
        Ok(())
    }

    /// The password that a server is about to get, where an earlier attempt chose one already.
    pub(crate) async fn next_server_password(
        &self,
        account: &AccountIdentity,
        id: &ProviderId,
    ) -> Result<Option<Secret>, EngineError> {
        let (own, name) = server_password(account, id, Kept::Next);
        self.secret_value(&own, &name).await
    }

    /// The server did not take it.
    pub(crate) async fn drop_next_server_password(
        &self,
        account: &AccountIdentity,
        id: &ProviderId,
    ) -> Result<(), EngineError> {
        let (own, name) = server_password(account, id, Kept::Next);
        let audit = self.own_audit("password.forgotten", format!("of server {id} at {account}"));
        self.store.delete_secret(own, name, audit).await?;
        Ok(())
    }

    /// A server with a new disk has none of the passwords that were given to the old one.
    pub(crate) async fn forget_server_passwords(
        &self,
        account: &AccountIdentity,
        id: &ProviderId,
    ) -> Result<(), EngineError> {
        self.drop_next_server_password(account, id).await?;
        let (own, name) = server_password(account, id, Kept::Current);
        let audit = self.own_audit("password.forgotten", format!("of server {id} at {account}"));
        self.store.delete_secret(own, name, audit).await?;
        Ok(())
    }

    /// Something that nobody asked for in person.
    pub(crate) fn own_audit(&self, what: &str, about: String) -> Audit {
        Audit {
            space: SpaceName::from(OWN_SPACE),
            at: self.world.clock.now(),
            actor: "muster".into(),
            what: what.to_owned(),
            about,
        }
    }

    pub(crate) fn audit(&self, authority: &Authority, space: &SpaceName, what: &str, about: String) -> Audit {
        Audit {
            space: space.clone(),
            at: self.world.clock.now(),
            actor: authority.actor.clone(),
            what: what.to_owned(),
            about,
        }
    }

    /// Keeps what a client read from its environment for one plan, sealed; a server never reads its own.
    pub(crate) async fn keep_environment(
        &self,
        plan: PlanId,
        values: &BTreeMap<String, Secret>,
    ) -> Result<(), EngineError> {
        for (name, value) in values {
            let (space, name) = environment_secret(plan, name);
            let sealed = self.sealer.seal(&sealed_name(&space, &name), value);
            let audit = Audit {
                space: space.clone(),
                at: self.world.clock.now(),
                actor: "muster".into(),
                what: "environment.kept".into(),
                about: format!("for plan {plan}"),
            };
            self.store.put_secret(space, name, sealed, audit).await?;
        }
        Ok(())
    }

    /// A plan that takes another's place knows the same environment.
    pub(crate) async fn copy_environment(&self, from: PlanId, to: PlanId) -> Result<(), EngineError> {
        let (space, prefix) = environment_secret(from, "");
        let mut values = BTreeMap::new();
        for kept in self.store.secrets(&space).await? {
            if let Some(name) = kept.as_str().strip_prefix(prefix.as_str())
                && let Some(value) = self.environment_value(from, name).await?
            {
                values.insert(name.to_owned(), value);
            }
        }
        self.keep_environment(to, &values).await
    }

    /// One value that the client sent with a plan.
    pub(crate) async fn environment_value(
        &self,
        plan: PlanId,
        name: &str,
    ) -> Result<Option<Secret>, EngineError> {
        let (space, name) = environment_secret(plan, name);
        self.secret_value(&space, &name).await
    }

    /// Seals a value under its name.
    pub(crate) fn seal(&self, space: &SpaceName, name: &SecretName, value: &Secret) -> Vec<u8> {
        self.sealer.seal(&sealed_name(space, name), value)
    }

    /// The clear text of a secret, for the step that needs it now.
    pub(crate) async fn secret_value(
        &self,
        space: &SpaceName,
        name: &SecretName,
    ) -> Result<Option<Secret>, EngineError> {
        let Some(sealed) = self.store.secret(space, name).await? else { return Ok(None) };
        let opened = self.sealer.unseal(&sealed_name(space, name), &sealed);
        opened.map(Some).map_err(|error| EngineError::Store(chain(&error)))
    }

    /// The public line of the account's login key; the key is made and sealed at first need.
    pub(crate) async fn login_key(&self, account: &Account) -> Result<String, EngineError> {
        Ok(self.login_key_pair(account).await?.public_line())
    }

    /// The account's login key.
    pub(crate) async fn login_key_pair(&self, account: &Account) -> Result<LoginKey, EngineError> {
        let space = SpaceName::from(OWN_SPACE);
        let name = SecretName(format!("login-key/{}", account.identity));
        let read = |sealed: &[u8]| {
            let text = self
                .sealer
                .unseal(&sealed_name(&space, &name), sealed)
                .map_err(|error| EngineError::Store(chain(&error)))?;
            LoginKey::read(&text, None).map_err(|error| EngineError::Store(chain(&error)))
        };
        if let Some(sealed) = self.store.secret(&space, &name).await? {
            return read(&sealed);
        }
        let key = LoginKey::generate(&self.world, &format!("muster {}", account.name));
        let sealed = self.sealer.seal(&sealed_name(&space, &name), &key.to_secret());
        let audit = Audit {
            space: space.clone(),
            at: self.world.clock.now(),
            actor: "muster".into(),
            what: "login-key.made".into(),
            about: format!("for account {}", account.identity),
        };
        // Another plan, or another node, may make it at the same time.
        let stands = self.store.keep_secret(space.clone(), name.clone(), sealed, audit).await?;
        read(&stands)
    }
}
