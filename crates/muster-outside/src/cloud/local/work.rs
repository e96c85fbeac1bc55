//! Doing what the records ask for: one server at a time, in the order of its tasks, in the background.
//!
//! Whoever adds a task starts working on it, and whoever looks at the records goes on with what a process that
//! ended has left. Two never work on the same server: the second waits for the first one's lock and then finds
//! nothing to do, or what came meanwhile. Every task looks first, so it may be begun again at any point.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use muster_model::account::AccountIdentity;
use muster_model::cloud::SeenImage;
use muster_model::id::ProviderId;
use muster_model::{Secret, World};

use super::record::{ServerRecord, network_name};
use super::registry::Registry;
use super::task::Task;
use crate::host::local::{
    LocalError, LocalMachines, Lock, MachineName, MachineSpec, MachineState, NetworkSpec,
};
use crate::secret::Sealer;

/// The longest that another process may work on a server before this one gives up waiting for it: building the root
/// that all machines share takes longest.
const WORK_LIMIT: Duration = Duration::from_secs(1_800);
/// Packages that playbooks may install on the machines, which have no way out.
const PACKAGES: &[&str] = &["prometheus-node-exporter", "nginx-light"];
/// Bytes in one MB.
const MB: u64 = 1_048_576;

/// What the account and its workers share.
pub(super) struct Shared {
    pub registry: Registry,
    pub machines: LocalMachines,
    pub sealer: Sealer,
    pub world: World,
    pub identity: AccountIdentity,
    pub image: SeenImage,
    /// Servers that this process works on.
    pub working: Mutex<BTreeSet<ProviderId>>,
}

/// Takes a server out of the list of those that are worked on, also after a panic.
struct Working {
    shared: Arc<Shared>,
    id: ProviderId,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.shared.working().remove(&self.id);
    }
}

impl Shared {
    fn working(&self) -> MutexGuard<'_, BTreeSet<ProviderId>> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts working on a server unless this process does so already.
    pub(super) fn work(self: &Arc<Self>, id: &ProviderId) {
        if !self.working().insert(id.clone()) {
            return;
        }
        let working = Working { shared: self.clone(), id: id.clone() };
        tokio::spawn(async move {
            let (shared, id) = (working.shared.clone(), working.id.clone());
            if let Err(error) = shared.drain(working).await {
                // The tasks stay; the next look begins again.
                tracing::warn!(server = %id, "the work on local server {id} stopped: {}", told(&error));
            }
        });
    }

    /// Goes on with what a process that ended left to be done.
    pub(super) fn resume(self: &Arc<Self>, records: &[ServerRecord]) {
        for record in records.iter().filter(|record| !record.tasks.is_empty()) {
            if !Lock::is_held(&self.registry.work_lock(&record.id)) {
                self.work(&record.id);
            }
        }
    }

    async fn drain(&self, working: Working) -> Result<(), LocalError> {
        let id = working.id.clone();
        let lock = Lock::take(&self.registry.work_lock(&id), WORK_LIMIT).await?;
        loop {
            let registry_lock = self.registry.lock().await?;
            let record = self.registry.server(&id)?;
            let next = record.and_then(|record| Some((record.next_task()?.clone(), record)));
            let Some((next, record)) = next else {
                // Before the registry is open to others again: a task that is added now starts a new worker.
                drop(working);
                lock.remove();
                return Ok(());
            };
            drop(registry_lock);
            tracing::debug!(server = %id, "{}", record.doing(&next.task));
            let outcome = self.perform(&record, &next.task).await;
            let _registry_lock = self.registry.lock().await?;
            let Some(mut record) = self.registry.server(&id)? else { continue };
            if next.task == Task::Delete && outcome.is_ok() {
                self.registry.remove_server(&id)?;
                continue;
            }
            let outcome = outcome.map_err(|error| {
                let reason = told(&error);
                tracing::warn!(server = %id, "cannot {}: {reason}", record.doing(&next.task));
                (reason, self.world.clock.now())
            });
            record.settle(next.number, &next.task, outcome);
            self.registry.put_server(&record)?;
        }
    }

    async fn perform(&self, record: &ServerRecord, task: &Task) -> Result<(), LocalError> {
        let name = record.machine()?;
        let network = |id: &ProviderId| NetworkSpec::named(network_name(id));
        match task {
            Task::Make => self.make(record, name).await,
            Task::On => self.machines.start(&name).await.map(drop),
            Task::ShutDown => self.machines.stop(&name).await,
            Task::CutPower => self.machines.kill(&name).await,
            Task::Resize(size) if self.machines.limits_memory() => {
                self.machines.limit_memory(&name, u64::from(size.ram_mb) * MB).await
            }
            // Everything else about a size is only written down.
            Task::Resize(_) => Ok(()),
            Task::Link(id) => self.machines.add_interface(&name, &network(id)).await.map(drop),
            Task::Unlink(id) => self.machines.remove_interface(&name, &network_name(id)).await,
            Task::Delete => self.machines.delete(&name).await,
        }
    }

    /// Makes a server's machine, or ends what an interrupted making left and makes it then.
    async fn make(&self, record: &ServerRecord, name: MachineName) -> Result<(), LocalError> {
        match self.machines.get(&name).await?.map(|machine| machine.state) {
            Some(MachineState::Running | MachineState::Stopped) => {
                return self.machines.start(&name).await.map(drop);
            }
            // A folder without a record is what the very first moment of a making leaves.
            Some(MachineState::Incomplete) | None => self.machines.delete(&name).await?,
        }
        let progress = |text: &str| tracing::info!("{text}");
        let packages = self.machines.ensure_repository(PACKAGES, &progress).await;
        if let Err(error) = packages {
            // Without a network the machines run all the same; what needs a package says so itself.
            tracing::warn!("packages for the local machines could not be fetched: {}", told(&error));
        }
        let spec = MachineSpec {
            hostname: record.host_name(),
            authorized_keys: record.key_lines.clone(),
            root_password: Some(self.password(record)?),
            memory_bytes_max: self.machines.limits_memory().then(|| u64::from(record.spec.size.ram_mb) * MB),
            ..MachineSpec::new(name)
        };
        self.machines.create(&spec).await.map(drop)
    }

    /// A new password, sealed for the record of a server.
    pub(super) fn new_password(&self, id: &ProviderId) -> String {
        let mut bytes = [0; 18];
        self.world.random.fill(&mut bytes);
        let password = Secret::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes));
        STANDARD.encode(self.sealer.seal(&password_name(id), &password))
    }

    /// The password in a server's record.
    pub(super) fn password(&self, record: &ServerRecord) -> Result<Secret, LocalError> {
        let unusable = |reason: String| LocalError::Invalid {
            what: "the sealed password of server",
            value: record.spec.name.clone(),
            reason,
        };
        let sealed = STANDARD.decode(&record.password).map_err(|error| unusable(error.to_string()))?;
        self.sealer.unseal(&password_name(&record.id), &sealed).map_err(|error| unusable(error.to_string()))
    }
}

fn password_name(id: &ProviderId) -> String {
    format!("local/{id}")
}

/// An error with its causes, in one line.
pub(super) fn told(error: &LocalError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
