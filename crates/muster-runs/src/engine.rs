//! The engine: everything that can be asked of Muster, in one value.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use muster_model::account::{Account, AccountIdentity, AccountSettings};
use muster_model::cloud::Balance;
use muster_model::id::{AccountName, InfrastructureName, PlanId, RunId, SecretName, ServerName, SpaceName};
use muster_model::rights::Authority;
use muster_model::server::SeenServer;
use muster_model::{Secret, World};

use crate::error::EngineError;
use crate::reads::{PlanView, Reads};
use crate::submit::Proposal;

/// Where an engine keeps its things and how it behaves.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// `MUSTER_HOME`: database, key, blobs, output, inventories, machines.
    pub home: PathBuf,
    /// Steps of one run under way at once.
    pub parallel_steps: usize,
    /// An account from the environment (`ONECLOUD_API_KEY`, `ONECLOUD_URL`), called `onecloud`.
    pub environment_account: Option<EnvironmentAccount>,
}

/// An account that the environment names; never stored.
#[derive(Clone, Debug)]
pub struct EnvironmentAccount {
    /// Its API key.
    pub key: Secret,
    /// The base address.
    pub url: String,
    /// Settings, e.g. `ONECLOUD_SETTLE_MS`.
    pub settings: AccountSettings,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {}

/// The result of one scrape of one server.
#[derive(Clone, Debug)]
pub struct HostStats {
    /// The server.
    pub server: ServerName,
    /// The summary, or why there is none.
    pub result: Result<muster_series::HostSummary, String>,
}

/// How to log in to a server interactively.
#[derive(Clone, Debug)]
pub struct SshAccess {
    /// The argument vector for the system's `ssh`, without a remote command.
    pub argv: Vec<String>,
    /// Environment additions (the private agent's socket); the engine keeps the agent alive until dropped.
    pub env: Vec<(String, String)>,
}

impl Engine {
    /// Opens (and migrates) the store below `config.home`, and takes note of runs whose process died.
    pub async fn open(
        config: EngineConfig,
        world: World,
        outside: muster_outside::Outside,
    ) -> Result<Engine, EngineError> {
        let _ = (config, world, outside);
        todo!()
    }

    /// Read access.
    pub fn reads(&self) -> Reads {
        Reads { engine: self.clone() }
    }

    /// Stores a blob after checking its digest.
    pub async fn put_blob(&self, digest: &str, content: Bytes) -> Result<(), EngineError> {
        let _ = (&self.inner, digest, content);
        todo!()
    }

    /// Checks the document, saves a plan that is *observing*, and looks at the world in the background.
    pub async fn submit(&self, authority: &Authority, proposal: Proposal) -> Result<PlanId, EngineError> {
        let _ = (authority, proposal);
        todo!()
    }

    /// Waits until a plan is not observing any more.
    pub async fn planned(&self, plan: PlanId) -> Result<PlanView, EngineError> {
        let _ = plan;
        todo!()
    }

    /// Approves a plan: newest of its subject, locks free, run inserted, in one transaction; then runs it here.
    pub async fn approve(
        &self,
        authority: &Authority,
        plan: PlanId,
        idempotency_key: Option<String>,
    ) -> Result<RunId, EngineError> {
        let _ = (authority, plan, idempotency_key);
        todo!()
    }

    /// Takes up an interrupted run in this process.
    pub async fn resume(&self, authority: &Authority, run: RunId) -> Result<(), EngineError> {
        let _ = (authority, run);
        todo!()
    }

    /// Asks a run to stop between steps, wherever it executes.
    pub async fn cancel(&self, authority: &Authority, run: RunId) -> Result<(), EngineError> {
        let _ = (authority, run);
        todo!()
    }

    /// Lets the steps of a run in this process finish and leaves it *interrupted*.
    pub async fn interrupt(&self, authority: &Authority, run: RunId) -> Result<(), EngineError> {
        let _ = (authority, run);
        todo!()
    }

    /// Resolves when something was committed to this run after sequence number `after`, or a poll interval has
    /// passed; a hint for followers, who then read [`Reads::entries`].
    pub async fn committed(&self, run: RunId, after: u64) {
        let _ = (run, after);
        todo!()
    }

    /// Registers an account after asking the provider who it is.
    pub async fn register(
        &self,
        authority: &Authority,
        space: &SpaceName,
        name: AccountName,
        url: String,
        key: Secret,
        settings: AccountSettings,
    ) -> Result<Account, EngineError> {
        let _ = (authority, space, name, url, key, settings);
        todo!()
    }

    /// Asks the provider who the account is and what it has left.
    pub async fn test_account(
        &self,
        authority: &Authority,
        space: &SpaceName,
        name: &AccountName,
    ) -> Result<(AccountIdentity, Balance), EngineError> {
        let _ = (authority, space, name);
        todo!()
    }

    /// Seals and stores a secret.
    pub async fn set_secret(
        &self,
        authority: &Authority,
        space: &SpaceName,
        name: SecretName,
        value: Secret,
    ) -> Result<(), EngineError> {
        let _ = (authority, space, name, value);
        todo!()
    }

    /// Forgets a secret; false if there was none.
    pub async fn unset_secret(
        &self,
        authority: &Authority,
        space: &SpaceName,
        name: &SecretName,
    ) -> Result<bool, EngineError> {
        let _ = (authority, space, name);
        todo!()
    }

    /// The servers of an account as the provider shows them now, each with the file that owns it.
    pub async fn servers(
        &self,
        authority: &Authority,
        space: &SpaceName,
        account: &AccountName,
    ) -> Result<Vec<(SeenServer, Option<InfrastructureName>)>, EngineError> {
        let _ = (authority, space, account);
        todo!()
    }

    /// Scrapes node_exporter of every running server of a file once (twice a second apart for rates), through SSH.
    pub async fn stats(
        &self,
        authority: &Authority,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
    ) -> Result<Vec<HostStats>, EngineError> {
        let _ = (authority, space, infrastructure);
        todo!()
    }

    /// How to log in to an owned server with the system's `ssh`.
    pub async fn ssh_access(
        &self,
        authority: &Authority,
        space: &SpaceName,
        server: &ServerName,
    ) -> Result<SshAccess, EngineError> {
        let _ = (authority, space, server);
        todo!()
    }

    /// Proposes one command (an argument vector) on owned servers as a plan with one opaque step each.
    pub async fn submit_exec(
        &self,
        authority: &Authority,
        space: &SpaceName,
        servers: Vec<ServerName>,
        argv: Vec<String>,
    ) -> Result<PlanId, EngineError> {
        let _ = (authority, space, servers, argv);
        todo!()
    }

    /// Ends what this engine does in the background; runs of this process become *interrupted*.
    pub async fn close(self) -> Result<(), EngineError> {
        todo!()
    }
}
