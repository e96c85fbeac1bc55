//! Secrets: sealed here, opaque in the store; and the login key of each account.

use muster_model::Secret;
use muster_model::account::Account;
use muster_model::id::{SecretName, SpaceName};
use muster_model::rights::{Authority, Wish, may};
use muster_outside::secret::LoginKey;
use muster_store::Audit;

use crate::engine::{Engine, Inner};
use crate::error::{EngineError, chain};

/// The Space of Muster's own secrets; no person's Space can be called so.
const OWN_SPACE: &str = "(muster)";

fn sealed_name(space: &SpaceName, name: &SecretName) -> String {
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

impl Inner {
    fn audit(&self, authority: &Authority, space: &SpaceName, what: &str, about: String) -> Audit {
        Audit {
            space: space.clone(),
            at: self.world.clock.now(),
            actor: authority.actor.clone(),
            what: what.to_owned(),
            about,
        }
    }

    /// The public line of the account's login key; the key is made and sealed at first need.
    pub(crate) async fn login_key(&self, account: &Account) -> Result<String, EngineError> {
        Ok(self.login_key_pair(account).await?.public_line())
    }

    /// The account's login key.
    pub(crate) async fn login_key_pair(&self, account: &Account) -> Result<LoginKey, EngineError> {
        let space = SpaceName::from(OWN_SPACE);
        let name = SecretName(format!("login-key/{}", account.identity));
        if let Some(sealed) = self.store.secret(&space, &name).await? {
            let text = self
                .sealer
                .unseal(&sealed_name(&space, &name), &sealed)
                .map_err(|error| EngineError::Store(chain(&error)))?;
            return LoginKey::read(&text, None).map_err(|error| EngineError::Store(chain(&error)));
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
        self.store.put_secret(space, name, sealed, audit).await?;
        Ok(key)
    }
}
