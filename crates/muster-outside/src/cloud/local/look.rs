//! Looking at the servers of the account `local`, and asking for something to be done to one of them.

use std::time::Duration;

use muster_model::id::ProviderId;
use muster_model::server::SeenServer;
use tokio::time::Instant;

use super::LocalCloud;
use super::record::{DELETED_FIRST, ServerRecord};
use super::registry::Registry;
use super::task::Task;
use super::work::told;
use crate::cloud::{CloudError, CloudErrorKind};
use crate::host::local::{LocalError, Machine};

/// How long a call waits to see how its task ends; what takes longer goes on by itself.
const PATIENCE: Duration = Duration::from_secs(15);
const PATIENCE_POLL: Duration = Duration::from_millis(25);
/// The reason why a server could not be made is told for so long, in seconds.
const STILLBORN_KEPT_S: i64 = 600;
/// More tasks than this at one server are a mistake of whoever asks.
const TASKS_MAX: usize = 32;

impl LocalCloud {
    /// Every server with its machine. Goes on with what others left, and forgets servers whose machine somebody
    /// removed behind our back.
    pub(super) async fn look(&self) -> Result<Vec<SeenServer>, LocalError> {
        let records = self.registry().servers()?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.shared.resume(&records);
        let machines = self.shared.machines.list().await?;
        let mut seen = Vec::new();
        for record in &records {
            let name = record.machine()?;
            let machine = machines.iter().find(|machine| machine.name == name);
            if record.is_stillborn() {
                let age = self.shared.world.clock.now().as_second() - record.created_at.as_second();
                if age > STILLBORN_KEPT_S {
                    self.forget(&record.id).await?;
                }
            } else if self.is_gone(record, machine) {
                self.forget(&record.id).await?;
            } else {
                seen.push(record.seen(machine));
            }
        }
        Ok(seen)
    }

    /// Whether somebody removed the machine of a server that was made.
    pub(super) fn is_gone(&self, record: &ServerRecord, machine: Option<&Machine>) -> bool {
        record.made && record.tasks.is_empty() && machine.is_none()
    }

    /// Forgets a server whose machine is gone, and has the rest of one removed that was never made.
    pub(super) async fn forget(&self, id: &ProviderId) -> Result<(), LocalError> {
        let _lock = self.registry().lock().await?;
        let Some(mut record) = self.registry().server(id)? else { return Ok(()) };
        let machine = self.shared.machines.get(&record.machine()?).await?;
        // Somebody may have asked for something meanwhile.
        if !record.tasks.is_empty() || (record.made && machine.is_some()) {
            return Ok(());
        }
        if record.made {
            return self.registry().remove_server(id);
        }
        record.ask(Task::Delete, self.shared.world.clock.now());
        self.registry().put_server(&record)?;
        self.shared.work(id);
        Ok(())
    }

    /// Adds a task to a server and waits a while for its end. `fits` decides under the lock whether there is
    /// something to do (false: it is so already) and notes what belongs to it.
    pub(super) async fn ask(
        &self,
        id: &ProviderId,
        doing: &str,
        task: Task,
        fits: impl FnOnce(&mut ServerRecord, &Registry) -> Result<bool, CloudError> + Send,
    ) -> Result<(), CloudError> {
        let doing_it = format!("{doing} {id}");
        let failed = |error: LocalError| from_local(&doing_it, &error);
        let number = {
            let _lock = self.registry().lock().await.map_err(failed)?;
            let record = self.registry().server(id).map_err(failed)?;
            let Some(mut record) = record.filter(|record| !record.is_stillborn()) else {
                return Err(CloudError::new(CloudErrorKind::NotFound, &doing_it, "there is no such server"));
            };
            if record.is_deleting() {
                return Err(refused(&doing_it, format!("{} is being deleted", record.spec.name)));
            }
            if record.tasks.len() >= TASKS_MAX {
                let message = format!("{} has {TASKS_MAX} tasks before it already", record.spec.name);
                return Err(CloudError::new(CloudErrorKind::Transient, &doing_it, message));
            }
            if !fits(&mut record, self.registry())? {
                return Ok(());
            }
            let number = record.ask(task, self.shared.world.clock.now());
            self.registry().put_server(&record).map_err(failed)?;
            number
        };
        self.shared.work(id);
        self.ended(id, number, &doing_it, false).await
    }

    /// Waits a while until a task is done; one that takes longer counts as accepted.
    pub(super) async fn ended(
        &self,
        id: &ProviderId,
        number: u64,
        doing: &str,
        is_deletion: bool,
    ) -> Result<(), CloudError> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let record = self.registry().server(id).map_err(|error| from_local(doing, &error))?;
            let Some(record) = record else {
                return if is_deletion { Ok(()) } else { Err(refused(doing, DELETED_FIRST)) };
            };
            if !record.tasks.iter().any(|one| one.number == number) {
                return match record.why_not(number) {
                    Some(failed) => Err(refused(&failed.doing, &failed.reason)),
                    None => Ok(()),
                };
            }
            tokio::time::sleep(PATIENCE_POLL).await;
        }
        Ok(())
    }
}

pub(super) fn refused(doing: impl Into<String>, message: impl Into<String>) -> CloudError {
    CloudError::new(CloudErrorKind::Refused, doing, message)
}

/// What a failure of this computer means, where it came before any effect.
pub(super) fn from_local(doing: &str, error: &LocalError) -> CloudError {
    let kind = match error {
        LocalError::NotFound(_) => CloudErrorKind::NotFound,
        LocalError::TooLong { .. } | LocalError::File { .. } => CloudErrorKind::Transient,
        LocalError::Missing(_)
        | LocalError::Invalid { .. }
        | LocalError::Exists(_)
        | LocalError::Incomplete(_)
        | LocalError::NoFreeNetwork { .. }
        | LocalError::Limit { .. }
        | LocalError::Command { .. }
        | LocalError::WentOff { .. }
        | LocalError::Damaged { .. } => CloudErrorKind::Refused,
    };
    CloudError::new(kind, doing, told(error))
}
