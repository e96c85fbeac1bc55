//! Accounts in use: the registered ones and the one from the environment, each opened once per engine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use muster_model::Secret;
use muster_model::account::{Account, AccountIdentity, AccountSettings, LOCAL_ACCOUNT, Provider};
use muster_model::bundle::sha256_hex;
use muster_model::cloud::Balance;
use muster_model::id::{AccountName, SpaceName};
use muster_model::rights::{Authority, Wish, may};
use muster_outside::cloud::local::{self, LocalCloud, LocalPlace};
use muster_outside::cloud::{self, Cloud, Watch};
use muster_outside::secret::Sealer;
use muster_store::Audit;
use tokio::sync::Mutex;

use crate::engine::{Engine, Inner};
use crate::error::EngineError;

/// The account that the environment makes, and the default one.
pub const ENVIRONMENT_ACCOUNT: &str = "onecloud";

/// How long an open intent at this computer's own machines may stay invisible: a create is written down before it is
/// answered, so it is seen at once.
const LOCAL_SETTLE_MS: u64 = 1_000;
/// The longest wait for one of this computer's own machines. The root that they share may have to be built first.
const LOCAL_WAIT_MS: u64 = 1_800_000;

/// The Space that machines belonged to before there were several.
const DEFAULT_SPACE: &str = "default";
/// The longest name of a Space that is the name of its folder too.
const FOLDER_CHARS_MAX: usize = 40;

/// What the folder of a Space is called: its name where that can be one, else the digest of it.
fn folder_of(space: &SpaceName) -> String {
    let name = space.as_str();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=FOLDER_CHARS_MAX).contains(&name.len()) && name.bytes().all(plain) {
        return name.to_owned();
    }
    // No plain name is so long.
    sha256_hex(name.as_bytes())
}

/// An opened account.
pub(crate) struct Session {
    pub(crate) account: Account,
    pub(crate) cloud: Arc<dyn Cloud>,
    pub(crate) watch: Watch,
    pub(crate) poll_ms: u64,
}

/// Opened accounts by Space and name.
#[derive(Default)]
pub(crate) struct Sessions {
    opened: Mutex<BTreeMap<(SpaceName, AccountName), Arc<Session>>>,
}

/// The name under which an account's API key is sealed.
fn key_name(space: &SpaceName, account: &AccountName) -> String {
    format!("account/{space}/{account}")
}

impl Inner {
    /// Opens an account, or says how to name it.
    pub(crate) async fn session(
        &self,
        space: &SpaceName,
        name: &AccountName,
    ) -> Result<Arc<Session>, EngineError> {
        let at = (space.clone(), name.clone());
        let mut opened = self.sessions.opened.lock().await;
        if let Some(session) = opened.get(&at) {
            return Ok(session.clone());
        }
        let session = Arc::new(self.open_session(space, name).await?);
        opened.insert(at, session.clone());
        Ok(session)
    }

    async fn open_session(&self, space: &SpaceName, name: &AccountName) -> Result<Session, EngineError> {
        let stored = self.store.accounts(space).await?;
        if let Some((account, sealed)) = stored.into_iter().find(|(account, _)| account.name == *name) {
            let key = self.sealer.unseal(&key_name(space, name), &sealed).map_err(|error| {
                EngineError::Store(format!("cannot unseal the key of account {name}: {error}"))
            })?;
            return self.connect(account, key);
        }
        if let (Some(environment), true) =
            (&self.config.environment_account, name.as_str() == ENVIRONMENT_ACCOUNT)
        {
            let cloud = self.cloud(&environment.url, &environment.key, &environment.settings)?;
            let identity = cloud.identify().await.map_err(|error| EngineError::Outside(error.to_string()))?;
            let account = Account {
                name: name.clone(),
                identity,
                url: environment.url.clone(),
                settings: environment.settings.clone(),
            };
            return Ok(self.watched(account, cloud));
        }
        if name.as_str() == LOCAL_ACCOUNT {
            return self.local_session(space, name).await;
        }
        Err(EngineError::AccountMissing(name.clone()))
    }

    /// Where a Space has this computer's own machines. Each has an account of its own there: people of one never see,
    /// or own, what another one made.
    fn local_home(&self, space: &SpaceName) -> PathBuf {
        let root = self.home.root();
        if space.as_str() == DEFAULT_SPACE {
            root.to_owned()
        } else {
            root.join("spaces").join(folder_of(space))
        }
    }

    /// The account of this computer's own machines.
    async fn local_session(&self, space: &SpaceName, name: &AccountName) -> Result<Session, EngineError> {
        if let Some(why) = &self.config.local_refused {
            return Err(EngineError::Refused(format!(
                "the account {name} is the machines of the computer that Muster runs on: {why}"
            )));
        }
        let home = self.local_home(space);
        let place = LocalPlace::usual(&home).map_err(EngineError::Refused)?;
        let sealer = Sealer::open(&self.home.key(), self.world.clone())
            .map_err(|error| EngineError::Store(crate::error::chain(&error)))?;
        let cloud = LocalCloud::open(&place, sealer, self.world.clone()).await;
        let cloud = cloud.map_err(|error| EngineError::Refused(error.to_string()))?;
        let identity = cloud.identify().await.map_err(|error| EngineError::Outside(error.to_string()))?;
        let settings = AccountSettings {
            poll_ms: local::POLL.as_millis() as u64,
            settle_ms: LOCAL_SETTLE_MS,
            wait_timeout_ms: LOCAL_WAIT_MS,
            ..AccountSettings::default()
        };
        let url = home.join(local::FOLDER).display().to_string();
        let account = Account { name: name.clone(), identity, url, settings };
        Ok(self.watched(account, Arc::new(cloud)))
    }

    /// The account of this computer's own machines, if this Space has ever had any.
    pub(crate) async fn local_account(&self, space: &SpaceName) -> Option<Account> {
        if self.config.local_refused.is_some() || !LocalPlace::is_used(&self.local_home(space)) {
            return None;
        }
        // Where machines cannot run any more, the others must still be told.
        let session = self.session(space, &LOCAL_ACCOUNT.into()).await.ok()?;
        Some(session.account.clone())
    }

    /// The name of the account with this identity; the environment's where no other has it.
    pub(crate) async fn account_named(
        &self,
        space: &SpaceName,
        identity: &AccountIdentity,
    ) -> Result<AccountName, EngineError> {
        let stored = self.store.accounts(space).await?;
        let registered = stored.into_iter().find(|(account, _)| account.identity == *identity);
        Ok(match (registered, identity.provider) {
            (Some((account, _)), _) => account.name,
            (None, Provider::Local) => LOCAL_ACCOUNT.into(),
            (None, Provider::Onecloud) => ENVIRONMENT_ACCOUNT.into(),
        })
    }

    fn cloud(
        &self,
        url: &str,
        key: &Secret,
        settings: &AccountSettings,
    ) -> Result<Arc<dyn Cloud>, EngineError> {
        let (transport, world) = (self.outside.transport.clone(), self.world.clone());
        // No request may outlast the time that a lease leaves for it.
        let most = self.config.lease.margin().as_millis() as u64;
        let settings =
            AccountSettings { request_timeout_ms: settings.request_timeout_ms.min(most), ..settings.clone() };
        cloud::open(Provider::Onecloud, url, key.clone(), &settings, transport, world)
            .map_err(|error| EngineError::Invalid(error.to_string()))
    }

    fn connect(&self, account: Account, key: Secret) -> Result<Session, EngineError> {
        let cloud = self.cloud(&account.url, &key, &account.settings)?;
        Ok(self.watched(account, cloud))
    }

    fn watched(&self, account: Account, cloud: Arc<dyn Cloud>) -> Session {
        let poll = cloud::poll_interval(&account.settings, &account.url);
        let watch = Watch::new(cloud.clone(), poll, self.world.clone());
        Session { account, cloud, watch, poll_ms: (poll.as_millis() as u64).max(1) }
    }
}

impl Engine {
    /// Registers an account after asking the provider who it is. The key is sealed; it is never shown again.
    pub async fn register(
        &self,
        authority: &Authority,
        space: &SpaceName,
        name: AccountName,
        url: String,
        key: Secret,
        settings: AccountSettings,
    ) -> Result<Account, EngineError> {
        may(authority, Wish::Set, space).map_err(EngineError::Denied)?;
        if settings.request_timeout_ms == 0 || settings.request_timeout_ms > 20_000 {
            return Err(EngineError::Invalid(format!(
                "request_timeout_ms is {}; it must be from 1 to 20000",
                settings.request_timeout_ms
            )));
        }
        if name.as_str() == LOCAL_ACCOUNT {
            return Err(EngineError::Invalid(format!(
                "{LOCAL_ACCOUNT} is the account of this computer's own machines and needs no key; choose another name"
            )));
        }
        let inner = &self.inner;
        let cloud = inner.cloud(&url, &key, &settings)?;
        let identity = cloud.identify().await.map_err(|error| EngineError::Outside(error.to_string()))?;
        let account = Account { name: name.clone(), identity, url, settings };
        let sealed = inner.sealer.seal(&key_name(space, &name), &key);
        let audit = Audit {
            space: space.clone(),
            at: inner.world.clock.now(),
            actor: authority.actor.clone(),
            what: "account.registered".into(),
            about: format!("account {name} is {}", account.identity),
        };
        inner.store.put_account(space.clone(), account.clone(), sealed, audit).await?;
        inner.sessions.opened.lock().await.remove(&(space.clone(), name));
        Ok(account)
    }

    /// Asks the provider who the account is and what it has left.
    pub async fn test_account(
        &self,
        authority: &Authority,
        space: &SpaceName,
        name: &AccountName,
    ) -> Result<(AccountIdentity, Balance), EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        let session = self.inner.session(space, name).await?;
        let identity =
            session.cloud.identify().await.map_err(|error| EngineError::Outside(error.to_string()))?;
        let balance =
            session.cloud.balance().await.map_err(|error| EngineError::Outside(error.to_string()))?;
        Ok((identity, balance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_space_has_the_folder_of_another_one() {
        let folder = |name: &str| folder_of(&SpaceName::from(name));
        assert_eq!(folder("bank"), "bank");
        let strange = ["../bank", "Bank", "", ".", "a/b", &"b".repeat(41)].map(folder);
        let mut all = strange.to_vec();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), strange.len());
        assert!(strange.iter().all(|name| name.len() == 64 && !name.contains(['/', '.'])), "{strange:?}");
    }
}
