//! Looking at servers and logging in to them: the live list, one scrape, a person's own session, one command.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use muster_model::account::AccountIdentity;
use muster_model::id::{
    AccountName, Generation, InfrastructureName, PlanId, ProviderId, ServerName, SpaceName,
};
use muster_model::infrastructure::Infrastructure;
use muster_model::inventory::{Inventory, SeenWorld};
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::{Plan, PlanDraft, Subject};
use muster_model::policy::Policy;
use muster_model::rights::{Authority, Wish, may};
use muster_model::server::{SeenServer, ServerState};
use muster_outside::host::ssh::{PrivateAgent, interactive};
use muster_series::{Exposition, HostSummary, Limits, host_summary};
use muster_store::{NewPlan, PlanInputs, PlanState, PlannedAs};

use crate::account::{ENVIRONMENT_ACCOUNT, Session};
use crate::engine::{Engine, Inner};
use crate::error::{EngineError, chain};
use crate::reach::{known_hosts_text, write_private};

/// Servers scraped at once.
const SCRAPES_AT_ONCE: usize = 32;
/// Between the two samples that rates need.
const SAMPLE_GAP: Duration = Duration::from_secs(1);
/// node_exporter's port (`spec/ict.md` §2.7).
const EXPORTER_PORT: u16 = 9100;
/// A server of ours by its name and id.
type Target = (ServerName, ProviderId);

/// The purpose that commands are saved under.
pub(crate) const EXEC_PURPOSE: &str = "exec";
/// The most servers one command may go to.
const EXEC_SERVERS_MAX: usize = 10_000;

/// The result of one scrape of one server.
#[derive(Clone, Debug)]
pub struct HostStats {
    /// The server.
    pub server: ServerName,
    /// The summary, or why there is none.
    pub result: Result<HostSummary, String>,
}

/// How to log in to a server interactively. Keep it until the session has ended: it holds the agent.
pub struct SshAccess {
    /// The argument vector for the system's `ssh`, without a remote command.
    pub argv: Vec<String>,
    /// Environment additions.
    pub env: Vec<(String, String)>,
    _agent: PrivateAgent,
}

impl Engine {
    /// The servers of an account as the provider shows them now, each with the file that owns it.
    pub async fn servers(
        &self,
        authority: &Authority,
        space: &SpaceName,
        account: &AccountName,
    ) -> Result<Vec<(SeenServer, Option<InfrastructureName>)>, EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        let session = self.inner.session(space, account).await?;
        let servers =
            session.cloud.servers().await.map_err(|error| EngineError::Outside(error.to_string()))?;
        let facts = self.inner.store.facts(&session.account.identity).await?;
        let owners: BTreeMap<_, _> = facts
            .owned
            .into_iter()
            .filter(|record| record.kind == ObjectKind::Server)
            .map(|record| (record.id, record.infrastructure))
            .collect();
        Ok(servers
            .into_iter()
            .map(|server| {
                let owner = owners.get(&server.id).cloned();
                (server, owner)
            })
            .collect())
    }

    /// Scrapes node_exporter of every running server of a file, twice a second apart for rates, through SSH.
    pub async fn stats(
        &self,
        authority: &Authority,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
    ) -> Result<Vec<HostStats>, EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        let inner = &self.inner;
        let records: Vec<Ownership> = inner
            .store
            .owned_by(space, infrastructure)
            .await?
            .into_iter()
            .filter(|record| record.kind == ObjectKind::Server)
            .collect();
        let Some(first) = records.first() else {
            return Err(EngineError::NotFound(format!(
                "no server of {infrastructure} is known; `muster infra update {infrastructure}` makes them"
            )));
        };
        let session = inner.session_of(space, &first.account).await?;
        let list = session.watch.fresh().await.map_err(|error| EngineError::Outside(chain(&error)))?;
        let scrapes: Vec<_> = records
            .into_iter()
            .map(|record| {
                let seen = list.get(&record.id).cloned();
                let (inner, session) = (inner.clone(), session.clone());
                async move {
                    let result = inner.scrape(&session, &record, seen).await;
                    HostStats { server: record.name, result }
                }
                .boxed()
            })
            .collect();
        Ok(futures::stream::iter(scrapes).buffered(SCRAPES_AT_ONCE).collect().await)
    }

    /// How to log in to an owned server with the system's `ssh`.
    pub async fn ssh_access(
        &self,
        authority: &Authority,
        space: &SpaceName,
        server: &ServerName,
    ) -> Result<SshAccess, EngineError> {
        may(authority, Wish::Run, space).map_err(EngineError::Denied)?;
        let inner = &self.inner;
        let record = inner.record_named(space, server).await?;
        let session = inner.session_of(space, &record.account).await?;
        let reached = inner.reach(&session, server, &record.id).await.map_err(|error| match error {
            crate::reach::ReachError::Ssh(error) => EngineError::Outside(chain(&error)),
            crate::reach::ReachError::Engine(error) => error,
        })?;
        let key = inner.login_key_pair(&session.account).await?;
        let mark = inner.world.ids.next().simple().to_string();
        let failed =
            |error: std::io::Error| EngineError::Outside(format!("cannot prepare the login: {error}"));
        let agent = PrivateAgent::serve(&inner.config.runtime_dir, &mark, vec![key]).map_err(failed)?;
        let known_hosts = inner.home.work().join("known_hosts");
        write_private(&known_hosts, known_hosts_text([&reached.host].into_iter()).as_bytes())
            .map_err(failed)?;
        let argv = interactive::arguments(&reached.host, &known_hosts, Some(agent.socket()), &[]);
        let env = vec![("SSH_AUTH_SOCK".to_owned(), agent.socket().display().to_string())];
        Ok(SshAccess { argv, env, _agent: agent })
    }

    /// Proposes one command (an argument vector) on owned servers as a plan with one opaque step each.
    pub async fn submit_exec(
        &self,
        authority: &Authority,
        space: &SpaceName,
        servers: Vec<ServerName>,
        argv: Vec<String>,
    ) -> Result<PlanId, EngineError> {
        may(authority, Wish::Run, space).map_err(EngineError::Denied)?;
        if argv.is_empty() || argv[0].is_empty() {
            return Err(EngineError::Invalid("which command? give it after `--`".into()));
        }
        let plan = |file: &InfrastructureName, account: &AccountIdentity, targets: &[Target]| {
            muster_planner::plan_exec(file, account, targets, &argv)
        };
        self.submit_on(authority, space, servers, plan).await
    }

    /// Proposes another password for the login users of owned servers, each its own.
    pub async fn submit_passwords(
        &self,
        authority: &Authority,
        space: &SpaceName,
        servers: Vec<ServerName>,
    ) -> Result<PlanId, EngineError> {
        // Whoever may read them back afterwards.
        may(authority, Wish::Set, space).map_err(EngineError::Denied)?;
        self.submit_on(authority, space, servers, muster_planner::plan_passwords).await
    }

    async fn submit_on(
        &self,
        authority: &Authority,
        space: &SpaceName,
        servers: Vec<ServerName>,
        plan: impl Fn(&InfrastructureName, &AccountIdentity, &[Target]) -> PlanDraft,
    ) -> Result<PlanId, EngineError> {
        if servers.is_empty() || servers.len() > EXEC_SERVERS_MAX {
            return Err(EngineError::Invalid(format!(
                "a command goes to 1 to {EXEC_SERVERS_MAX} servers, not to {}",
                servers.len()
            )));
        }
        let inner = &self.inner;
        let owned = inner.store.owned(space).await?;
        let mut named: BTreeMap<&ServerName, Vec<&Ownership>> = BTreeMap::new();
        for record in owned.iter().filter(|record| record.kind == ObjectKind::Server) {
            named.entry(&record.name).or_default().push(record);
        }
        let mut records: Vec<&Ownership> = Vec::new();
        for server in &servers {
            let record = the_one(named.get(server).map_or(&[], Vec::as_slice), server)?;
            // Said twice is meant once.
            if !records.iter().any(|other| other.id == record.id && other.account == record.account) {
                records.push(record);
            }
        }
        let first = records[0];
        if let Some(other) = records.iter().find(|record| record.infrastructure != first.infrastructure) {
            return Err(EngineError::Invalid(format!(
                "{} belongs to {} and {} to {}; one command goes to servers of one file",
                first.name, first.infrastructure, other.name, other.infrastructure
            )));
        }
        if let Some(other) = records.iter().find(|record| record.account != first.account) {
            return Err(EngineError::Invalid(format!(
                "{} is at {} and {} at {}; one command goes to servers of one account",
                first.name, first.account, other.name, other.account
            )));
        }
        let session = inner.session_of(space, &first.account).await?;
        let targets: Vec<_> = records.iter().map(|record| (record.name.clone(), record.id.clone())).collect();
        let mut draft = plan(&first.infrastructure, &first.account, &targets);
        draft.lanes = muster_planner::cut(&draft.steps, inner.config.lane_targets);
        let id = PlanId(inner.world.ids.next());
        let new = NewPlan {
            id,
            space: space.clone(),
            subject: Subject::Infrastructure(first.infrastructure.clone()),
            account: session.account.name.clone(),
            purpose: EXEC_PURPOSE.into(),
            bundle: "{}".into(),
            warnings: Vec::new(),
            actor: authority.actor.clone(),
            at: inner.world.clock.now(),
            node: inner.node,
            idempotency_key: None,
            source: None,
        };
        inner.store.insert_plan(new).await?;
        let plan = Plan {
            id,
            space: space.clone(),
            account: session.account.name.clone(),
            identity: first.account.clone(),
            draft,
            cost: None,
        };
        let planned = PlannedAs {
            state: PlanState::Ready,
            message: None,
            plan: Some((plan, inner.no_inputs(&first.infrastructure, &first.account))),
        };
        inner.store.finish_plan(id, planned).await?;
        Ok(id)
    }
}

/// The one record that bears this name.
fn the_one<'a>(named: &[&'a Ownership], name: &ServerName) -> Result<&'a Ownership, EngineError> {
    match named {
        [] => Err(EngineError::NotFound(format!(
            "no server of ours is called {name}; `muster server list` shows them, and `muster infra adopt` makes one ours"
        ))),
        [only] => Ok(only),
        [first, other, ..] if first.infrastructure == other.infrastructure => {
            Err(EngineError::Invalid(format!(
                "{name} of {} is at {} and at {}; servers of one name in two accounts cannot be told apart here",
                first.infrastructure, first.account, other.account
            )))
        }
        [first, other, ..] => Err(EngineError::Invalid(format!(
            "{name} stands in {} and in {}; servers of one name in two files cannot be told apart here",
            first.infrastructure, other.infrastructure
        ))),
    }
}

impl Inner {
    /// The account with this identity: a registered one, or the environment's.
    pub(crate) async fn session_of(
        &self,
        space: &SpaceName,
        identity: &AccountIdentity,
    ) -> Result<Arc<Session>, EngineError> {
        let name = self.account_named(space, identity).await?;
        let session = self.session(space, &name).await?;
        if session.account.identity != *identity {
            return Err(EngineError::AccountMissing(AccountName(identity.to_string())));
        }
        Ok(session)
    }

    pub(crate) async fn record_named(
        &self,
        space: &SpaceName,
        name: &ServerName,
    ) -> Result<Ownership, EngineError> {
        let owned = self.store.owned(space).await?;
        let named: Vec<&Ownership> =
            owned.iter().filter(|record| record.kind == ObjectKind::Server && record.name == *name).collect();
        the_one(&named, name).cloned()
    }

    /// The inputs of a plan that was decided from nothing but its words.
    pub(crate) fn no_inputs(&self, owner: &InfrastructureName, account: &AccountIdentity) -> PlanInputs {
        let now = self.world.clock.now();
        let world = SeenWorld {
            account: account.clone(),
            servers: Vec::new(),
            networks: Vec::new(),
            images: Vec::new(),
            locations: Vec::new(),
            keys: Vec::new(),
        };
        PlanInputs {
            wanted: Infrastructure {
                name: owner.clone(),
                account: ENVIRONMENT_ACCOUNT.into(),
                networks: BTreeMap::new(),
                public_networks: BTreeMap::new(),
                servers: Vec::new(),
                deploy: Vec::new(),
                stats: false,
            },
            seen: Inventory {
                generation: Generation(0),
                seen_at: now,
                world,
                owned: Vec::new(),
                intents: Vec::new(),
                login_key: None,
                releases: Vec::new(),
                zones: Vec::new(),
                public_networks: Vec::new(),
            },
            policy: Policy::default(),
            bundle: serde_json::Value::Null,
            now,
        }
    }

    async fn scrape(
        &self,
        session: &Session,
        record: &Ownership,
        seen: Option<SeenServer>,
    ) -> Result<HostSummary, String> {
        let Some(seen) = seen else { return Err("it is gone at the provider".into()) };
        if seen.state != ServerState::Active || !seen.power_on {
            let power = if seen.power_on { "on" } else { "off" };
            return Err(format!("it is {} and {power}", seen.state));
        }
        let host = self
            .host_of(session, &record.name, &seen, Some(record))
            .await
            .map_err(|error| error.to_string())?;
        let first = self.sample(&host).await?;
        tokio::time::sleep(SAMPLE_GAP).await;
        let second = self.sample(&host).await?;
        Ok(host_summary(&first, Some(&second)))
    }

    async fn sample(&self, host: &muster_outside::host::ssh::Host) -> Result<Exposition, String> {
        let answer = self
            .outside
            .hosts
            .http_get(host, EXPORTER_PORT, "/metrics")
            .await
            .map_err(|error| chain(&error))?;
        if answer.status != 200 {
            return Err(format!("node_exporter answered with status {}", answer.status));
        }
        let text = String::from_utf8_lossy(&answer.body);
        Exposition::parse(&text, &Limits::default()).map_err(|error| error.to_string())
    }
}
