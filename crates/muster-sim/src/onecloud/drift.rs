//! Changes behind the client's back, as somebody makes them in the provider's web panel: at once, without actions,
//! and free of the rules of the API.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::catalog::{self, DiskType};
use super::create::NewServer;
use super::effect::SHARED_NETWORK;
use super::input::Fields;
use super::object::{Life, Server, Shape};
use super::order::Ask;
use super::refusal::Refusal;
use super::world::World;

/// One change. `project` counts the accepted keys from 0; without it every project is searched for the name.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// Which project.
    pub project: Option<usize>,
    /// What is changed.
    pub change: Change,
}

/// What is changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Fields of a server, found by name or number.
    SetServer(String, Map<String, Value>),
    /// A server goes, at once.
    DeleteServer(String),
    /// A stranger's server comes, ready at once (with machines: as soon as its machine answers).
    CreateServer(Map<String, Value>),
    /// Fields of a network.
    SetNetwork(String, Map<String, Value>),
    /// A network goes, with its links.
    DeleteNetwork(String),
    /// The balance, in kopecks.
    Balance(i64),
}

/// A change that cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DriftError {
    /// The request is not understood.
    #[error("drift: {0}")]
    Form(String),
    /// There is nothing of that name.
    #[error("drift: no {kind} is called {name:?}")]
    Missing {
        /// Server, network or project.
        kind: &'static str,
        /// The name or number.
        name: String,
    },
}

impl From<Refusal> for DriftError {
    fn from(refusal: Refusal) -> DriftError {
        DriftError::Form(refusal.message)
    }
}

impl Drift {
    /// A change in whichever project has the object.
    pub fn anywhere(change: Change) -> Drift {
        Drift { project: None, change }
    }

    /// Reads `{server: NAME, set: {…}}`, `{server: NAME, delete: true}`, `{create: {…}}`, the same with `network`
    /// (without create), or `{balance: ROUBLES}`; each perhaps with `project: N`.
    pub fn from_json(value: &Value) -> Result<Drift, DriftError> {
        let form = |text: &str| DriftError::Form(text.to_owned());
        let object = value.as_object().ok_or_else(|| form("must be an object"))?;
        let allowed = ["server", "network", "set", "delete", "create", "balance", "project"];
        if let Some(name) = object.keys().find(|name| !allowed.contains(&name.as_str())) {
            return Err(form(&format!("unknown field {name:?}; there are: {}", allowed.join(", "))));
        }
        let project = match object.get("project") {
            None | Some(Value::Null) => None,
            Some(number) => {
                let number = number.as_u64().and_then(|number| usize::try_from(number).ok());
                Some(number.ok_or_else(|| form("project must be a whole number"))?)
            }
        };
        let name = |kind: &str| match object.get(kind) {
            Some(Value::String(name)) => Some(name.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let set = object.get("set").and_then(Value::as_object).cloned();
        let delete = object.get("delete") == Some(&Value::Bool(true));
        let create = object.get("create").and_then(Value::as_object).cloned();
        let balance = object.get("balance").and_then(Value::as_f64);
        let change = match (name("server"), name("network"), set, delete, create, balance) {
            (Some(server), None, Some(fields), false, None, None) => Change::SetServer(server, fields),
            (Some(server), None, None, true, None, None) => Change::DeleteServer(server),
            (None, Some(network), Some(fields), false, None, None) => Change::SetNetwork(network, fields),
            (None, Some(network), None, true, None, None) => Change::DeleteNetwork(network),
            (None, None, None, false, Some(fields), None) => Change::CreateServer(fields),
            (None, None, None, false, None, Some(roubles)) => {
                Change::Balance((roubles * 100.0).round() as i64)
            }
            _ => return Err(form("say server or network with set or delete: true; or create; or balance")),
        };
        Ok(Drift { project, change })
    }
}

impl World {
    /// Makes the change. Nothing is changed when it cannot be made whole.
    pub(super) fn drift(&mut self, drift: &Drift) -> Result<(), DriftError> {
        if let Some(project) = drift.project
            && project >= self.projects.len()
        {
            return Err(DriftError::Missing { kind: "project", name: project.to_string() });
        }
        let now = self.now;
        match &drift.change {
            Change::SetServer(name, fields) => {
                let (project, id) = self.find_server(drift.project, name)?;
                self.set_server(project, id, fields)
            }
            Change::DeleteServer(name) => {
                let (project, id) = self.find_server(drift.project, name)?;
                self.remove_server(project, id);
                self.order(project, id, Ask::Delete);
                Ok(())
            }
            Change::CreateServer(fields) => {
                let project = drift.project.unwrap_or(0);
                let new = self.stranger(&Fields::of_object(fields))?;
                let id = self.make_server(project, new)?;
                if !self.machines {
                    self.finish_at_once(project, id);
                }
                Ok(())
            }
            Change::SetNetwork(name, fields) => {
                let (project, id) = self.find_network(drift.project, name)?;
                self.set_network(project, id, &Fields::of_object(fields))
            }
            Change::DeleteNetwork(name) => {
                let (project, id) = self.find_network(drift.project, name)?;
                let linked: Vec<u64> = self.projects[project].servers.keys().copied().collect();
                for server in linked {
                    self.unlink(project, server, id);
                }
                self.projects[project].remove_network(now, id);
                Ok(())
            }
            Change::Balance(kopecks) => {
                self.set_balance(drift.project.unwrap_or(0), *kopecks);
                Ok(())
            }
        }
    }

    fn projects_to_search(&self, project: Option<usize>) -> std::ops::Range<usize> {
        project.map_or(0..self.projects.len(), |one| one..one + 1)
    }

    fn find_server(&self, project: Option<usize>, name: &str) -> Result<(usize, u64), DriftError> {
        let number = name.parse::<u64>().ok();
        self.projects_to_search(project)
            .find_map(|project| {
                let holds = &self.projects[project];
                let by_name = holds.server_named(name);
                by_name.or_else(|| holds.servers.get(&number?)).map(|server| (project, server.id))
            })
            .ok_or_else(|| DriftError::Missing { kind: "server", name: name.to_owned() })
    }

    fn find_network(&self, project: Option<usize>, name: &str) -> Result<(usize, u64), DriftError> {
        let number = name.parse::<u64>().ok();
        self.projects_to_search(project)
            .find_map(|project| {
                let holds = &self.projects[project];
                let by_name = holds.network_named(name);
                by_name.or_else(|| holds.networks.get(&number?)).map(|network| (project, network.id))
            })
            .ok_or_else(|| DriftError::Missing { kind: "network", name: name.to_owned() })
    }

    fn set_server(&mut self, project: usize, id: u64, fields: &Map<String, Value>) -> Result<(), DriftError> {
        let now = self.now;
        let Some(before) = self.projects[project].servers.get(&id).map(|server| Server::clone(server)) else {
            return Ok(());
        };
        let mut after = before.clone();
        let mut links: Option<Vec<u64>> = None;
        for (name, value) in fields {
            if name.eq_ignore_ascii_case("LinkedNetworks") {
                links = Some(self.networks_of(project, value)?);
            } else {
                set_field(&mut after, &name.to_lowercase(), value)?;
            }
        }
        if matches!(after.life, Life::New | Life::NeedMoney) && (after.power_on || links.is_some()) {
            return Err(form("IsPowerOn and LinkedNetworks", "left alone until the server is made"));
        }
        let (was_on, is_on) = (before.power_on, after.power_on);
        self.projects[project].change_server(now, id, |server| *server = after);
        if was_on != is_on {
            self.order(project, id, if is_on { Ask::On } else { Ask::Off { graceful: false } });
        }
        for link in before.links.iter().filter(|link| link.network != SHARED_NETWORK) {
            if links.as_ref().is_some_and(|links| !links.contains(&link.network)) {
                self.unlink(project, id, link.network);
            }
        }
        for network in links.unwrap_or_default() {
            if !before.links.iter().any(|link| link.network == network)
                && let Some(link) = self.private_link(project, network)
            {
                self.order(project, id, Ask::Plug(super::effect::interface(&link)));
                self.projects[project].change_server(now, id, |server| server.links.push(link));
            }
        }
        Ok(())
    }

    fn unlink(&mut self, project: usize, server: u64, network: u64) {
        let now = self.now;
        let linked = self.projects[project].servers.get(&server);
        if linked.is_some_and(|server| server.links.iter().any(|link| link.network == network)) {
            self.projects[project]
                .change_server(now, server, |server| server.links.retain(|link| link.network != network));
            self.order(project, server, Ask::Unplug { network });
        }
    }

    fn networks_of(&self, project: usize, value: &Value) -> Result<Vec<u64>, DriftError> {
        let names = value.as_array().ok_or_else(|| form("LinkedNetworks", "a list of names"))?;
        let mut networks = Vec::new();
        for name in names {
            let name = match name {
                Value::String(name) => name.clone(),
                Value::Number(number) => number.to_string(),
                _ => return Err(form("LinkedNetworks", "a list of names")),
            };
            let (_, id) = self.find_network(Some(project), &name)?;
            if !networks.contains(&id) {
                networks.push(id);
            }
        }
        Ok(networks)
    }

    fn set_network(&mut self, project: usize, id: u64, fields: &Fields) -> Result<(), DriftError> {
        let now = self.now;
        for (field, _) in fields.iter() {
            if !["name", "state", "isdhcp"].contains(&field) {
                return Err(DriftError::Form(format!("a network has no field {field:?} that can be set")));
            }
        }
        let (name, state, dhcp) = (fields.text("Name")?, fields.text("State")?, fields.flag("IsDHCP")?);
        if let Some(name) = name {
            self.rename_network(project, id, &name);
        }
        self.projects[project].change_network(now, id, |network| {
            network.dhcp = dhcp.unwrap_or(network.dhcp);
            if let Some(word) = state {
                network.state_word =
                    Some(word).filter(|word| !word.eq_ignore_ascii_case(network.life.word()));
            }
        });
        Ok(())
    }

    /// A server that somebody else wants: what is left out has a default.
    fn stranger(&self, fields: &Fields) -> Result<NewServer, DriftError> {
        let image = match (fields.id("ImageID")?, fields.text("Image")?) {
            (Some(id), _) => catalog::image(id),
            (None, Some(name)) => catalog::image_named(&name),
            (None, None) => catalog::image_named("Debian 12"),
        };
        let created = match fields.text("DateCreate")? {
            Some(text) => text.parse::<Timestamp>().map_err(|_| form("DateCreate", "RFC 3339"))?,
            None => self.now,
        };
        Ok(NewServer {
            name: fields.text("Name")?.ok_or_else(|| form("Name", "given"))?,
            shape: Shape {
                cpu: fields.count("CPU")?.unwrap_or(1),
                ram_mb: fields.count("RAM")?.unwrap_or(1024),
                hdd_gb: fields.count("HDD")?.unwrap_or(20),
                hdd_type: fields
                    .text("HDDType")?
                    .and_then(|word| DiskType::read(&word))
                    .unwrap_or(DiskType::Ssd),
                high: fields.flag("IsHighPerformance")?.unwrap_or(false),
            },
            image: image.ok_or_else(|| form("Image", "a stock image"))?,
            dc: catalog::data_centre_or_default(fields.text("DCLocation")?.as_deref()),
            backup_days: 0,
            keys: Vec::new(),
            networks: Vec::new(),
            bandwidth: 10,
            created,
        })
    }
}

fn form(field: &str, wanted: &str) -> DriftError {
    DriftError::Form(format!("{field} must be {wanted}"))
}

/// Blocking and coming back are real; any other word is only shown, as nobody can make a server new again.
fn show_state(server: &mut Server, word: Option<String>) {
    let settled = |life: Life| matches!(life, Life::Active | Life::Blocked);
    server.state_word = None;
    if let Some(word) = word {
        match Life::read(&word) {
            Some(life) if settled(life) && settled(server.life) => server.life = life,
            Some(life) if life == server.life => {}
            _ => server.state_word = Some(word),
        }
    }
}

/// Sets one field under its lower-case name.
fn set_field(server: &mut Server, name: &str, value: &Value) -> Result<(), DriftError> {
    let fields = Fields::of_object(&Map::from_iter([(name.to_owned(), value.clone())]));
    let needed = || form(name, "given");
    match name {
        "name" => server.name = fields.text(name)?.ok_or_else(needed)?,
        "cpu" => server.cpu = fields.count(name)?.ok_or_else(needed)?,
        "ram" => server.ram_mb = fields.count(name)?.ok_or_else(needed)?,
        "hdd" => server.hdd_gb = fields.count(name)?.ok_or_else(needed)?,
        "hddtype" => {
            let word = fields.text(name)?.ok_or_else(needed)?;
            server.hdd_type = DiskType::read(&word).ok_or_else(|| form(name, "SAS or SSD"))?;
        }
        "ispoweron" => server.power_on = fields.flag(name)?.ok_or_else(needed)?,
        "ishighperformance" => server.high = fields.flag(name)?.ok_or_else(needed)?,
        "dclocation" => server.dc_location = fields.text(name)?.ok_or_else(needed)?,
        "image" => {
            let word = fields.text(name)?.ok_or_else(needed)?;
            match catalog::image_named(&word) {
                Some(image) => server.take_image(image),
                None => server.image = word,
            }
        }
        "adminpassword" => server.admin_password = fields.text(name)?,
        "state" => show_state(server, fields.text(name)?),
        _ => return Err(DriftError::Form(format!("a server has no field {name:?} that can be set"))),
    }
    Ok(())
}
