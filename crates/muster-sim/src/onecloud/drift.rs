//! Changes behind the client's back, as somebody makes them in the provider's web panel or the provider itself does:
//! at once, without actions, and free of the rules of the API.
//!
//! Here: what can be said, how it is read, whose object is meant. What it does to an object is beside the object;
//! servers and private networks have `drift_server`.

use serde_json::{Map, Value};

use super::input::Fields;
use super::order::Ask;
use super::refusal::Refusal;
use super::world::World;

/// One change. `project` counts the accepted keys from 0; without it every project is searched for the name.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// Which project. Images and locations belong to all of them.
    pub project: Option<usize>,
    /// What is changed.
    pub change: Change,
}

/// What kind of object a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A server.
    Server,
    /// A private network.
    Network,
    /// A public network, its firewall and its tunnels included.
    PublicNetwork,
    /// A domain.
    Domain,
    /// A DNS record; it is found by its number.
    Record,
    /// A stock image.
    Image,
    /// A data centre, by its `TechTitle`.
    Location,
}

impl Kind {
    const ALL: [Kind; 7] = [
        Kind::Server,
        Kind::Network,
        Kind::PublicNetwork,
        Kind::Domain,
        Kind::Record,
        Kind::Image,
        Kind::Location,
    ];

    fn word(self) -> &'static str {
        match self {
            Kind::Server => "server",
            Kind::Network => "network",
            Kind::PublicNetwork => "publicnetwork",
            Kind::Domain => "domain",
            Kind::Record => "record",
            Kind::Image => "image",
            Kind::Location => "location",
        }
    }
}

/// What is changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Fields of an object, found by name or number.
    Set(Kind, String, Map<String, Value>),
    /// An object goes, at once: a server with its machine, a network with its links, a domain with its records; an
    /// image or a location is not offered any more.
    Delete(Kind, String),
    /// An object comes, ready at once: a public network, domain or image of that name; a record in the domain of that
    /// name.
    Create(Kind, String, Map<String, Value>),
    /// A stranger's server comes, ready at once (with machines: as soon as its machine answers).
    CreateServer(Map<String, Value>),
    /// The balance, in kopecks.
    Balance(i64),
    /// What each further server costs when its making begins, in kopecks: so money runs out in the middle.
    ServerPrice(i64),
    /// How many the project may have from now on, by the words `servers`, `networks`, `public networks`, `SSH keys`,
    /// `images`, `domains`, `records` (of one domain) and `storage users`; null takes a quota back.
    Quota(Map<String, Value>),
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
        /// A kind of object, or a project.
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

fn form(text: &str) -> DriftError {
    DriftError::Form(text.to_owned())
}

fn kopecks(roubles: f64) -> i64 {
    (roubles * 100.0).round() as i64
}

impl Drift {
    /// A change in whichever project has the object.
    pub fn anywhere(change: Change) -> Drift {
        Drift { project: None, change }
    }

    /// Reads `{KIND: NAME, set: {…}}`, `{KIND: NAME, delete: true}`, `{KIND: NAME, create: {…}}`, `{create: {…}}` for
    /// a server, `{balance: ROUBLES}`, `{server_price: ROUBLES}` or `{quota: {…}}`; each perhaps with `project: N`.
    /// KIND is `server`, `network`, `publicnetwork`, `domain`, `record`, `image` or `location`.
    pub fn from_json(value: &Value) -> Result<Drift, DriftError> {
        let object = value.as_object().ok_or_else(|| form("must be an object"))?;
        let mut allowed = vec!["set", "delete", "create", "balance", "server_price", "quota", "project"];
        allowed.extend(Kind::ALL.map(Kind::word));
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
        let said = object.len() - usize::from(object.contains_key("project"));
        let fields = |name: &str| object.get(name).and_then(Value::as_object).cloned();
        let money = |name: &str| object.get(name).and_then(Value::as_f64).map(kopecks);
        let target = Kind::ALL.into_iter().find_map(|kind| match object.get(kind.word()) {
            Some(Value::String(name)) => Some((kind, name.clone())),
            Some(Value::Number(number)) => Some((kind, number.to_string())),
            _ => None,
        });
        let deleted = object.get("delete") == Some(&Value::Bool(true));
        let change = match (target, said) {
            (Some((kind, name)), 2) => match (fields("set"), fields("create")) {
                (Some(fields), _) => Some(Change::Set(kind, name, fields)),
                (None, Some(fields)) => Some(Change::Create(kind, name, fields)),
                (None, None) => Some(Change::Delete(kind, name)).filter(|_| deleted),
            },
            (None, 1) => (fields("create").map(Change::CreateServer))
                .or_else(|| fields("quota").map(Change::Quota))
                .or_else(|| money("balance").map(Change::Balance))
                .or_else(|| money("server_price").map(Change::ServerPrice)),
            _ => None,
        };
        let change = change.ok_or_else(|| {
            form("say one object with set, create or delete: true; or create, balance, server_price or quota")
        })?;
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
        let one = drift.project.unwrap_or(0);
        let now = self.now;
        self.projects.iter_mut().for_each(|project| project.remember_rest(now));
        match &drift.change {
            Change::Set(kind, name, fields) => self.drift_set(drift.project, *kind, name, fields),
            Change::Delete(kind, name) => self.drift_delete(drift.project, *kind, name),
            Change::Create(kind, name, fields) => match kind {
                Kind::PublicNetwork => self.add_public_network(one, name, fields),
                Kind::Domain => self.add_domain(one, name, fields),
                Kind::Record => {
                    let (project, domain) = self.find(drift.project, Kind::Domain, name)?;
                    self.add_record(project, domain, fields)
                }
                Kind::Image => self.add_image(name, fields),
                Kind::Server | Kind::Network | Kind::Location => {
                    Err(form(&format!("a {} cannot come this way", kind.word())))
                }
            },
            Change::CreateServer(fields) => {
                let new = self.stranger(&Fields::of_object(fields))?;
                // Whoever makes it pays for it.
                let price = std::mem::take(&mut self.projects[one].server_price_kopecks);
                let made = self.make_server(one, new);
                self.projects[one].server_price_kopecks = price;
                let id = made?;
                if !self.machines {
                    self.finish_at_once(one, id);
                }
                Ok(())
            }
            Change::Balance(kopecks) => {
                self.set_balance(one, *kopecks);
                Ok(())
            }
            Change::ServerPrice(kopecks) => {
                self.projects[one].server_price_kopecks = (*kopecks).max(0);
                Ok(())
            }
            Change::Quota(wanted) => {
                self.projects[one].quota.set(wanted, &self.limits).map_err(DriftError::Form)
            }
        }
    }

    fn drift_set(
        &mut self,
        project: Option<usize>,
        kind: Kind,
        name: &str,
        fields: &Map<String, Value>,
    ) -> Result<(), DriftError> {
        match kind {
            Kind::Image => return self.set_image(name, fields),
            Kind::Location => return self.set_location(name, fields),
            Kind::Server | Kind::Network | Kind::PublicNetwork | Kind::Domain | Kind::Record => {}
        }
        let (project, id) = self.find(project, kind, name)?;
        match kind {
            Kind::Server => self.set_server(project, id, fields),
            Kind::Network => self.set_network(project, id, &Fields::of_object(fields)),
            Kind::PublicNetwork => self.set_public_network(project, id, fields),
            Kind::Domain => self.set_domain(project, id, fields),
            Kind::Record => self.set_record(project, id, fields),
            Kind::Image | Kind::Location => Ok(()),
        }
    }

    fn drift_delete(&mut self, project: Option<usize>, kind: Kind, name: &str) -> Result<(), DriftError> {
        match kind {
            Kind::Image => return self.remove_image(name),
            Kind::Location => return self.remove_location(name),
            Kind::Server | Kind::Network | Kind::PublicNetwork | Kind::Domain | Kind::Record => {}
        }
        let now = self.now;
        let (project, id) = self.find(project, kind, name)?;
        match kind {
            Kind::Server => {
                self.remove_server(project, id);
                self.order(project, id, Ask::Delete);
            }
            Kind::Network => {
                let linked: Vec<u64> = self.projects[project].servers.keys().copied().collect();
                for server in linked {
                    self.unlink(project, server, id);
                }
                self.projects[project].remove_network(now, id);
            }
            Kind::PublicNetwork => {
                self.projects[project].rest.public_networks.remove(&id);
            }
            Kind::Domain => {
                self.projects[project].rest.domains.remove(&id);
            }
            Kind::Record => {
                for domain in self.projects[project].rest.domains.values_mut() {
                    domain.records.remove(&id);
                }
            }
            Kind::Image | Kind::Location => {}
        }
        Ok(())
    }

    /// The project and number of the first object of that name, or else of that number.
    pub(super) fn find(
        &self,
        project: Option<usize>,
        kind: Kind,
        name: &str,
    ) -> Result<(usize, u64), DriftError> {
        let number = name.parse::<u64>().ok();
        let mut projects = project.map_or(0..self.projects.len(), |one| one..one + 1);
        let found = projects.find_map(|project| {
            let holds = &self.projects[project];
            let found = match kind {
                Kind::Server => {
                    let named = holds.server_named(name).map(|server| server.id);
                    named.or(number.filter(|id| holds.servers.contains_key(id)))
                }
                Kind::Network => {
                    let named = holds.network_named(name).map(|network| network.id);
                    named.or(number.filter(|id| holds.networks.contains_key(id)))
                }
                Kind::PublicNetwork => {
                    let all = &holds.rest.public_networks;
                    let named = all.values().find(|network| network.name == name).map(|network| network.id);
                    named.or(number.filter(|id| all.contains_key(id)))
                }
                Kind::Domain => {
                    let all = &holds.rest.domains;
                    let named = all.values().find(|domain| domain.name == name).map(|domain| domain.id);
                    named.or(number.filter(|id| all.contains_key(id)))
                }
                Kind::Record => {
                    let mut all = holds.rest.domains.values();
                    number.filter(|id| all.any(|domain| domain.records.contains_key(id)))
                }
                Kind::Image | Kind::Location => None,
            };
            found.map(|id| (project, id))
        });
        found.ok_or_else(|| DriftError::Missing { kind: kind.word(), name: name.to_owned() })
    }
}
