//! The object storage of a project: requests 40 to 42. There is one or none; its users are in `storage_user`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::durations::ms;
use super::refusal::Refusal;
use super::storage_user::StorageUser;
use super::view::{self, Answer};
use super::world::World;

/// An activated storage.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub users: BTreeMap<u64, StorageUser>,
    id: u64,
    owner: StorageUser,
    /// From when on it is `Active`.
    ready: Timestamp,
    state_word: Option<String>,
}

impl Storage {
    fn view(&self, project: u64, state: &str, now: Timestamp) -> Value {
        json!({
            "Id": self.id,
            "ExternalId": format!("storage-{}", self.id),
            "Name": format!("project-{project}"),
            "QuotaBytes": null,
            "State": state,
            "Owner": self.owner.view(self.owner.state(now), false),
            "Tasks": [],
        })
    }

    /// The same with the state that it has now.
    pub fn view_now(&self, project: u64, now: Timestamp) -> Value {
        self.view(project, self.state(now), now)
    }

    fn state(&self, now: Timestamp) -> &str {
        self.state_word.as_deref().unwrap_or(if self.ready <= now { "Active" } else { "New" })
    }
}

impl World {
    /// The storage, or 404 before its activation.
    pub(super) fn storage(&self, project: usize) -> Result<&Storage, Refusal> {
        self.projects[project].rest.storage.as_ref().ok_or_else(|| Refusal::not_found("Storage"))
    }

    fn storage_answer(&self, project: usize, state: Option<&str>) -> Result<Answer, Refusal> {
        let storage = self.storage(project)?;
        let state = self.twist.state.as_deref().or(state).unwrap_or(storage.state(self.now));
        Ok(view::json(&storage.view(self.projects[project].id, state, self.now)))
    }

    pub(super) fn storage_read(&self, project: usize) -> Result<Answer, Refusal> {
        if self.projects[project].rest.storage.is_none() && self.switches.storage_shown_before_activation {
            return Ok(view::json(&json!({
                "Id": 0, "ExternalId": null, "Name": null, "QuotaBytes": null, "State": "NotActivated",
                "Owner": null, "Tasks": [],
            })));
        }
        self.storage_answer(project, None)
    }

    pub(super) fn storage_activate(&mut self, project: usize) -> Result<Answer, Refusal> {
        if self.projects[project].rest.storage.is_some() {
            return Err(Refusal::bad("Storage is activated already"));
        }
        let ready = self.after(ms(self.durations.storage_ms));
        let (id, owner) = (self.counters.storage(), self.counters.storage_user());
        let owner = StorageUser::owner(owner, self.projects[project].id, ready);
        let storage =
            Storage { users: BTreeMap::new(), id, owner, ready, state_word: self.twist.state.clone() };
        self.projects[project].rest.storage = Some(storage);
        self.storage_answer(project, Some("New"))
    }

    /// Takes the storage away with its users; the answer is what it was.
    pub(super) fn storage_deactivate(&mut self, project: usize) -> Result<Answer, Refusal> {
        let answer = self.storage_answer(project, Some("Deleted"))?;
        self.projects[project].rest.storage = None;
        Ok(answer)
    }
}
