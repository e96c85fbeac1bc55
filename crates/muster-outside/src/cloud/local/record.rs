//! What is written down about one object of the account `local`: plain files below `MUSTER_HOME/local`.
//!
//! A server's record holds what was asked for and the tasks that are still to be done, so that whoever looks next
//! goes on with them. What its machine is really like (on, off, gone) is asked of the machine each time.

use jiff::Timestamp;
use muster_model::cloud::{SeenKey, SeenNetwork, ServerSpec};
use muster_model::id::ProviderId;
use muster_model::server::{SeenLink, SeenServer, ServerState, Size};
use serde::{Deserialize, Serialize};

use super::LOCATION;
use super::task::{Failed, Numbered, Task};
use crate::host::local::{LocalError, Machine, MachineName, MachineState};

/// The form of these files; another one is refused.
const FORM: u16 = 1;
/// The user whose keys and password a machine has.
pub(super) const USER: &str = "root";
/// Why a task was not done that a deletion has overtaken.
pub(super) const DELETED_FIRST: &str = "it was deleted first";
/// Of so many tasks it is known why they were not done.
const UNDONE_MAX: usize = 64;
/// Linux' bound for one label of a host name.
const HOST_NAME_LENGTH_MAX: usize = 63;

/// One server, `servers/ID.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ServerRecord {
    form: u16,
    pub id: ProviderId,
    /// What it shall be; its size is the one that the last finished resize gave it.
    pub spec: ServerSpec,
    /// The keys it was made with, and their lines.
    pub keys: Vec<ProviderId>,
    pub key_lines: Vec<String>,
    /// The password of its first login, sealed, as base64.
    pub password: String,
    pub created_at: Timestamp,
    /// Whether its machine came up once.
    pub made: bool,
    /// Networks it is in or is being plugged into.
    pub links: Vec<ProviderId>,
    pub tasks: Vec<Numbered>,
    /// The number of the next task.
    pub next: u64,
    pub failed: Option<Failed>,
    /// What was not done of late, so that each who asked learns it, whatever was asked after it.
    #[serde(default)]
    pub undone: Vec<Failed>,
}

impl ServerRecord {
    pub(super) fn new(
        id: ProviderId,
        spec: ServerSpec,
        keys: &[SeenKey],
        password: String,
        created_at: Timestamp,
    ) -> ServerRecord {
        ServerRecord {
            form: FORM,
            id,
            spec,
            keys: keys.iter().map(|key| key.id.clone()).collect(),
            key_lines: keys.iter().map(|key| key.public_key.trim().to_owned()).collect(),
            password,
            created_at,
            made: false,
            links: Vec::new(),
            tasks: vec![Numbered { number: 0, task: Task::Make }],
            next: 1,
            failed: None,
            undone: Vec::new(),
        }
    }

    /// The name of its machine on this computer.
    ///
    /// # Errors
    /// An id that is none of ours.
    pub(super) fn machine(&self) -> Result<MachineName, LocalError> {
        MachineName::parse(&format!("local-{}", self.id))
    }

    /// The name that its machine has of itself: what the server is called, as far as a host name can say it.
    pub(super) fn host_name(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let text: String = self.spec.name.chars().map(plain).take(HOST_NAME_LENGTH_MAX).collect();
        let text = text.trim_matches('-');
        if text.is_empty() { format!("local-{}", self.id) } else { text.to_owned() }
    }

    /// Adds a task; gives its number. A deletion leaves nothing else to be done, and who asked for that is told so.
    pub(super) fn ask(&mut self, task: Task, now: Timestamp) -> u64 {
        if task == Task::Delete {
            for cleared in std::mem::take(&mut self.tasks) {
                let (number, doing) = (cleared.number, self.doing(&cleared.task));
                self.not_done(Failed { number, doing, reason: DELETED_FIRST.to_owned(), at: now });
            }
        }
        let number = self.next;
        self.next += 1;
        self.tasks.push(Numbered { number, task });
        number
    }

    fn not_done(&mut self, failed: Failed) {
        self.undone.push(failed);
        let over = self.undone.len().saturating_sub(UNDONE_MAX);
        self.undone.drain(..over);
    }

    /// Why the task with this number was not done.
    pub(super) fn why_not(&self, number: u64) -> Option<&Failed> {
        self.undone.iter().chain(&self.failed).find(|failed| failed.number == number)
    }

    /// The size that it will have once everything that was asked for is done.
    pub(super) fn size_to_be(&self) -> &Size {
        let resizes = self.tasks.iter().rev().find_map(|one| match &one.task {
            Task::Resize(size) => Some(size),
            Task::Make | Task::On | Task::ShutDown | Task::CutPower | Task::Delete => None,
            Task::Link(_) | Task::Unlink(_) => None,
        });
        resizes.unwrap_or(&self.spec.size)
    }

    /// What is to be done now.
    pub(super) fn next_task(&self) -> Option<&Numbered> {
        self.tasks.first()
    }

    pub(super) fn is_deleting(&self) -> bool {
        self.tasks.iter().any(|one| one.task == Task::Delete)
    }

    /// Its creation failed: it is no server, and remembered only so that the reason can be told.
    pub(super) fn is_stillborn(&self) -> bool {
        !self.made && self.failed.is_some()
    }

    /// Notes how a task ended.
    pub(super) fn settle(&mut self, number: u64, task: &Task, outcome: Result<(), (String, Timestamp)>) {
        self.tasks.retain(|one| one.number != number);
        match (task, &outcome) {
            (Task::Make, Ok(())) => self.made = true,
            (Task::Resize(size), Ok(())) => self.spec.size = size.clone(),
            // It may have been taken out between the two.
            (Task::Link(network), Ok(())) if !self.links.contains(network) => {
                self.links.push(network.clone())
            }
            // Neither in it nor on the way there.
            (Task::Unlink(network), Ok(())) | (Task::Link(network), Err(_)) => {
                self.links.retain(|link| link != network);
            }
            // Without a machine there is nothing that the others could be done to.
            (Task::Make, Err((reason, at))) => {
                let (deletions, others): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut self.tasks).into_iter().partition(|one| one.task == Task::Delete);
                self.tasks = deletions;
                for one in others {
                    let (number, doing) = (one.number, self.doing(&one.task));
                    self.not_done(Failed { number, doing, reason: reason.clone(), at: *at });
                }
            }
            (Task::On | Task::ShutDown | Task::CutPower | Task::Delete | Task::Link(_), _)
            | (Task::Resize(_) | Task::Unlink(_), Err(_)) => {}
        }
        if let Err((reason, at)) = outcome {
            let failed = Failed { number, doing: self.doing(task), reason, at };
            self.failed = Some(failed.clone());
            self.not_done(failed);
        }
    }

    /// What a task does, in words.
    pub(super) fn doing(&self, task: &Task) -> String {
        let name = &self.spec.name;
        match task {
            Task::Make => format!("make server {name}"),
            Task::On => format!("switch server {name} on"),
            Task::ShutDown => format!("shut server {name} down"),
            Task::CutPower => format!("cut the power of server {name}"),
            Task::Resize(_) => format!("resize server {name}"),
            Task::Link(network) => format!("link server {name} to network {network}"),
            Task::Unlink(network) => format!("unlink server {name} from network {network}"),
            Task::Delete => format!("delete server {name}"),
        }
    }

    /// The server as it is seen, given its machine.
    pub(super) fn seen(&self, machine: Option<&Machine>) -> SeenServer {
        let machine = machine.filter(|machine| machine.state != MachineState::Incomplete);
        let state = match (self.is_deleting(), self.made) {
            (true, _) => ServerState::Deleting,
            (false, true) => ServerState::Active,
            (false, false) => ServerState::New,
        };
        let link = |network: &ProviderId| {
            let name = network_name(network);
            let there = machine.and_then(|machine| {
                machine.interfaces.iter().find(|one| one.network.as_deref() == Some(&name))
            });
            let pending =
                |one: &Numbered| matches!(&one.task, Task::Link(id) | Task::Unlink(id) if id == network);
            SeenLink {
                id: None,
                network: network.clone(),
                ready: there.is_some() && !self.tasks.iter().any(pending),
                public: false,
                address: there.map(|one| one.address.to_string()).unwrap_or_default(),
                mac: there.map(|one| one.mac.clone()).unwrap_or_default(),
                mask: there.map(|one| one.subnet.prefix().to_string()).unwrap_or_default(),
                bandwidth_mbit: None,
            }
        };
        SeenServer {
            id: self.id.clone(),
            name: self.spec.name.clone(),
            state,
            power_on: self.made && machine.is_some_and(|machine| machine.state == MachineState::Running),
            size: self.spec.size.clone(),
            location: LOCATION.to_owned(),
            image: self.spec.image.clone(),
            family: "Linux".to_owned(),
            address: machine.filter(|_| self.made).map(|machine| machine.address.to_string()),
            admin_user: self.made.then(|| USER.to_owned()),
            links: self.links.iter().map(link).collect(),
            keys: self.keys.clone(),
            created_at: Some(self.created_at),
        }
    }
}

/// What a network is called among the machines.
pub(super) fn network_name(id: &ProviderId) -> String {
    format!("local-{id}")
}

/// One private network, `networks/ID.json`. On the computer it exists as long as a machine is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NetworkRecord {
    form: u16,
    pub id: ProviderId,
    pub name: String,
    pub dhcp: bool,
}

impl NetworkRecord {
    pub(super) fn new(id: ProviderId, name: String, dhcp: bool) -> NetworkRecord {
        NetworkRecord { form: FORM, id, name, dhcp }
    }

    /// The network as it is seen, given all servers.
    pub(super) fn seen(&self, servers: &[ServerRecord]) -> SeenNetwork {
        SeenNetwork {
            id: self.id.clone(),
            name: self.name.clone(),
            ready: true,
            state: "Active".to_owned(),
            dhcp: self.dhcp,
            location: LOCATION.to_owned(),
            servers: linked(&self.id, servers),
            mask: String::new(),
        }
    }
}

/// The servers that are in a network or on the way there.
pub(super) fn linked(network: &ProviderId, servers: &[ServerRecord]) -> Vec<ProviderId> {
    let inside = servers.iter().filter(|server| !server.is_stillborn() && server.links.contains(network));
    inside.map(|server| server.id.clone()).collect()
}

/// The keys that the account keeps, `keys.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeyRecords {
    form: u16,
    pub keys: Vec<SeenKey>,
}

impl Default for KeyRecords {
    fn default() -> Self {
        KeyRecords { form: FORM, keys: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use muster_model::server::Performance;

    use super::*;

    fn record(name: &str) -> ServerRecord {
        let size = Size {
            cpu: 1,
            ram_mb: 512,
            disk_gb: 10,
            disk_type: "SSD".into(),
            performance: Performance::Base,
        };
        let spec = ServerSpec {
            name: name.into(),
            size,
            location: LOCATION.into(),
            image_id: "debian-12".into(),
            image: "debian-12".into(),
            backup_days: 0,
        };
        ServerRecord::new("0a".into(), spec, &[], String::new(), Timestamp::UNIX_EPOCH)
    }

    fn failure() -> Result<(), (String, Timestamp)> {
        Err(("no".into(), Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn names_become_host_names() {
        for (name, host) in [("web_1", "web-1"), ("Сервер", "local-0a"), ("-A b-", "a-b"), ("", "local-0a")]
        {
            assert_eq!(record(name).host_name(), host, "{name}");
        }
        assert_eq!(record(&"x".repeat(200)).host_name().len(), 63);
    }

    #[test]
    fn tasks_come_one_after_the_other_and_a_deletion_leaves_only_itself() {
        let mut record = record("web-1");
        assert_eq!(record.seen(None).state, ServerState::New);
        record.settle(0, &Task::Make, Ok(()));
        assert_eq!((record.seen(None).state, record.next_task()), (ServerState::Active, None));
        let (off, on) =
            (record.ask(Task::ShutDown, Timestamp::UNIX_EPOCH), record.ask(Task::On, Timestamp::UNIX_EPOCH));
        assert_eq!(record.next_task().map(|one| one.number), Some(off));
        record.settle(off, &Task::ShutDown, failure());
        assert_eq!(
            record.failed.as_ref().map(|failed| failed.doing.as_str()),
            Some("shut server web-1 down")
        );
        assert_eq!(record.next_task().map(|one| one.number), Some(on));
        record.ask(Task::Delete, Timestamp::UNIX_EPOCH);
        assert_eq!(record.tasks.len(), 1);
        assert_eq!(record.seen(None).state, ServerState::Deleting);
    }

    #[test]
    fn what_was_never_made_is_no_server() {
        let mut record = record("web-1");
        record.ask(Task::Link("b".into()), Timestamp::UNIX_EPOCH);
        record.settle(0, &Task::Make, failure());
        assert!(record.is_stillborn() && record.tasks.is_empty());
    }

    #[test]
    fn a_link_that_failed_is_none() {
        let mut record = record("web-1");
        record.settle(0, &Task::Make, Ok(()));
        record.links.push("b".into());
        let number = record.ask(Task::Link("b".into()), Timestamp::UNIX_EPOCH);
        let seen = record.seen(None);
        assert_eq!((seen.links.len(), seen.links[0].ready), (1, false));
        assert_eq!(linked(&"b".into(), std::slice::from_ref(&record)), [ProviderId::from("0a")]);
        record.settle(number, &Task::Link("b".into()), failure());
        assert!(record.links.is_empty());
    }

    /// Everybody learns what became of what they asked for, also when something else was asked for after it.
    #[test]
    fn who_asked_is_told() {
        let mut record = record("web-1");
        record.settle(0, &Task::Make, Ok(()));
        let now = Timestamp::UNIX_EPOCH;
        let (off, on) = (record.ask(Task::ShutDown, now), record.ask(Task::On, now));
        record.settle(off, &Task::ShutDown, failure());
        record.settle(on, &Task::On, failure());
        assert_eq!(record.why_not(off).map(|failed| failed.doing.as_str()), Some("shut server web-1 down"));
        assert_eq!(record.why_not(on).map(|failed| failed.doing.as_str()), Some("switch server web-1 on"));
        let link = record.ask(Task::Link("b".into()), now);
        let delete = record.ask(Task::Delete, now);
        assert_eq!(record.why_not(link).map(|failed| failed.reason.as_str()), Some(DELETED_FIRST));
        assert_eq!(record.why_not(delete), None);
        for _ in 0..200 {
            let number = record.ask(Task::On, now);
            record.settle(number, &Task::On, failure());
        }
        assert_eq!(record.undone.len(), UNDONE_MAX);
    }

    #[test]
    fn a_second_resize_is_compared_with_the_first() {
        let mut record = record("web-1");
        let larger = Size { disk_gb: 40, ..record.spec.size.clone() };
        record.ask(Task::Resize(larger.clone()), Timestamp::UNIX_EPOCH);
        assert_eq!((record.size_to_be(), record.spec.size.disk_gb), (&larger, 10));
    }
}
