//! Users of the object storage: requests 43 to 49.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::chance;
use super::durations::ms;
use super::input::Fields;
use super::quota::Counted;
use super::refusal::Refusal;
use super::view::{self, Answer};
use super::world::World;

/// One user.
#[derive(Clone, Debug)]
pub(super) struct StorageUser {
    pub id: u64,
    pub name: String,
    password: String,
    /// Whether the password can be read again.
    persist: bool,
    blocked: bool,
    /// How many passwords it has had.
    passwords: u64,
    /// From when on it is `Active`.
    ready: Timestamp,
    state_word: Option<String>,
}

/// Longest name of a user, in characters.
const NAME_CHARS_MAX: usize = 64;

impl StorageUser {
    /// The one who owns the storage; it is no user that can be changed, so it has no password here.
    pub fn owner(id: u64, project: u64, ready: Timestamp) -> StorageUser {
        StorageUser {
            id,
            name: format!("project-{project}"),
            password: String::new(),
            persist: false,
            blocked: false,
            passwords: 0,
            ready,
            state_word: None,
        }
    }

    pub fn state(&self, now: Timestamp) -> &str {
        let own = if self.ready > now { "New" } else { "Active" };
        self.state_word.as_deref().unwrap_or(if self.blocked { "Blocked" } else { own })
    }

    /// How the API writes it. The three connections are made up: only their names are known.
    pub fn view(&self, state: &str, password_shown: bool) -> Value {
        let shown = password_shown || self.persist;
        let connection = |address: &str| json!({ "Url": address, "UserName": self.name });
        json!({
            "Id": self.id,
            "ExternalId": format!("user-{}", self.id),
            "Name": self.name,
            "Password": Some(&self.password).filter(|password| shown && !password.is_empty()),
            "SwiftApiConnection": connection("https://swift.storage.example.org/v1"),
            "S3Connection": connection("https://s3.storage.example.org"),
            "FtpConnection": connection("ftp://ftp.storage.example.org"),
            "State": state,
            "Tasks": [],
        })
    }
}

fn check_user_name(fields: &Fields) -> Result<String, Refusal> {
    let name = fields.text("UserName")?.ok_or_else(|| Refusal::bad("Parameter UserName is required"))?;
    let letter = |one: u8| one.is_ascii_alphanumeric() || matches!(one, b'-' | b'_' | b'.');
    if name.len() > NAME_CHARS_MAX || !name.bytes().all(letter) {
        return Err(Refusal::bad(format!(
            "UserName must be at most {NAME_CHARS_MAX} Latin letters, digits, dots and dashes"
        )));
    }
    Ok(name)
}

impl World {
    pub(super) fn storage_user_list(&self, project: usize) -> Result<Answer, Refusal> {
        let (state, only) = (self.twist.state.as_deref(), self.twist.only.as_deref());
        let users = self.storage(project)?.users.values().map(|user| {
            let state = state.filter(|_| only.is_none_or(|name| user.name == name));
            user.view(state.unwrap_or(user.state(self.now)), false)
        });
        Ok(view::json(&users.collect::<Vec<_>>()))
    }

    fn storage_user(&mut self, project: usize, id: u64) -> Result<&mut StorageUser, Refusal> {
        let storage =
            self.projects[project].rest.storage.as_mut().ok_or_else(|| Refusal::not_found("Storage"))?;
        storage.users.get_mut(&id).ok_or_else(|| Refusal::not_found("Storage user"))
    }

    fn storage_user_answer(&mut self, project: usize, id: u64, password: bool) -> Result<Answer, Refusal> {
        let (now, twisted) = (self.now, self.twist.state.clone());
        let user = self.storage_user(project, id)?;
        Ok(view::json(&user.view(twisted.as_deref().unwrap_or(user.state(now)), password)))
    }

    pub(super) fn storage_user_read(&mut self, project: usize, id: u64) -> Result<Answer, Refusal> {
        self.storage_user_answer(project, id, false)
    }

    /// Makes a user; its password is in this answer only, unless it is to be kept.
    pub(super) fn storage_user_create(&mut self, project: usize, fields: &Fields) -> Result<Answer, Refusal> {
        let storage = self.storage(project)?;
        let name = check_user_name(fields)?;
        let persist = fields.flag("PersistPassword")?.unwrap_or(false);
        if storage.users.values().any(|user| user.name == name) {
            return Err(Refusal::bad("Storage user exists already"));
        }
        self.projects[project].quota.check(Counted::StorageUsers, storage.users.len())?;
        let (id, ready) = (self.counters.storage_user(), self.after(ms(self.durations.storage_ms)));
        let user = StorageUser {
            id,
            name,
            password: chance::password(self.seed, id, 1),
            persist,
            blocked: false,
            passwords: 1,
            ready,
            state_word: self.twist.state.clone(),
        };
        let answer = view::json(&user.view(user.state_word.as_deref().unwrap_or("New"), true));
        if let Some(storage) = &mut self.projects[project].rest.storage {
            storage.users.insert(id, user);
        }
        Ok(answer)
    }

    pub(super) fn storage_user_password(
        &mut self,
        project: usize,
        id: u64,
        fields: &Fields,
    ) -> Result<Answer, Refusal> {
        let persist = fields.flag("PersistPassword")?.unwrap_or(false);
        let seed = self.seed;
        let user = self.storage_user(project, id)?;
        user.passwords += 1;
        user.password = chance::password(seed, id, user.passwords);
        user.persist = persist;
        self.storage_user_answer(project, id, true)
    }

    /// Blocks a user or lets it in again; what is so already stays so.
    pub(super) fn storage_user_block(
        &mut self,
        project: usize,
        id: u64,
        blocked: bool,
    ) -> Result<Answer, Refusal> {
        self.storage_user(project, id)?.blocked = blocked;
        self.storage_user_answer(project, id, false)
    }

    /// Takes a user away; the answer is what it was.
    pub(super) fn storage_user_delete(&mut self, project: usize, id: u64) -> Result<Answer, Refusal> {
        let answer = self.storage_user_answer(project, id, false)?;
        if let Some(storage) = &mut self.projects[project].rest.storage {
            storage.users.remove(&id);
        }
        Ok(answer)
    }
}
