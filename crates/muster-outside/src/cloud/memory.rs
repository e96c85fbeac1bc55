//! An in-memory stand-in of [`Cloud`], for tests of those who use one: instant effects, scripted failures, and a
//! journal of calls. It is no simulator of 1cloud (that is `muster-sim`): it knows our words only, and rejects
//! nothing that a script does not tell it to reject.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use muster_model::Secret;
use muster_model::account::{AccountIdentity, Provider};
use muster_model::cloud::{Balance, NetworkSpec, SeenImage, SeenKey, SeenLocation, SeenNetwork, ServerSpec};
use muster_model::id::ProviderId;
use muster_model::inventory::SeenWorld;
use muster_model::server::{Performance, Power, SeenLink, SeenServer, ServerState, Size};

use super::{Cloud, CloudError, CloudErrorKind};

/// One call as it arrived: the method's name and its object (`create_server`, `web-1`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The trait's method.
    pub method: &'static str,
    /// The object's name or id; empty for lists.
    pub object: String,
}

/// A scripted failure.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// The trait's method that fails.
    pub method: &'static str,
    /// How many calls succeed before.
    pub after: u32,
    /// How many calls fail then.
    pub times: u32,
    /// What kind of failure.
    pub kind: CloudErrorKind,
    /// Whether the effect happens all the same (a lost answer).
    pub effect: bool,
}

/// Everything the stand-in holds. Tests change it freely between calls, as a person in a panel would.
#[derive(Debug)]
pub struct State {
    /// What is there.
    pub world: SeenWorld,
    /// First logins by server.
    pub logins: Vec<(ProviderId, String, Secret)>,
    /// Whether new servers are ready at once; if not, they stay `New` until the test changes them.
    pub instant: bool,
    /// The balance.
    pub balance: String,
    /// How long every call takes before its effect.
    pub latency: Duration,
    next_id: u64,
    calls: Vec<Call>,
    script: VecDeque<Scripted>,
}

/// The stand-in.
pub struct MemoryCloud {
    state: Mutex<State>,
}

impl Default for MemoryCloud {
    fn default() -> Self {
        MemoryCloud::new()
    }
}

impl MemoryCloud {
    /// An account without servers, with one image (`Debian11x64`, 3783) and two locations (`SdnSpb` with both
    /// pools, `AvnMsk01` with the base pool only).
    pub fn new() -> MemoryCloud {
        let account =
            AccountIdentity { provider: Provider::Onecloud, customer: "memory".into(), project: "1".into() };
        let place = |technical: &str, title: &str, high_pool| SeenLocation {
            technical: technical.into(),
            title: title.into(),
            short: title.into(),
            base_pool: true,
            high_pool,
            backup: true,
        };
        let image = SeenImage {
            id: "3783".into(),
            technical: "Debian11x64".into(),
            display: "Debian 11".into(),
            location: String::new(),
            disk_min_gb: 10,
            family: "Linux".into(),
        };
        let world = SeenWorld {
            account,
            servers: Vec::new(),
            networks: Vec::new(),
            images: vec![image],
            locations: vec![place("SdnSpb", "Xelent", true), place("AvnMsk01", "Avantage", false)],
            keys: Vec::new(),
        };
        MemoryCloud {
            state: Mutex::new(State {
                world,
                logins: Vec::new(),
                instant: true,
                balance: "1000.00".into(),
                latency: Duration::ZERO,
                next_id: 1000,
                calls: Vec::new(),
                script: VecDeque::new(),
            }),
        }
    }

    /// The same, ready to be handed out.
    pub fn shared() -> Arc<MemoryCloud> {
        Arc::new(MemoryCloud::new())
    }

    /// The state, to look at or to change behind everybody's back.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a failure to the script.
    pub fn script(&self, failure: Scripted) {
        self.state().script.push_back(failure);
    }

    /// Puts a server there, as a stranger would.
    pub fn add_server(&self, spec: &ServerSpec) -> SeenServer {
        self.state().make_server(spec, &[])
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Every call so far that would change something.
    pub fn writes(&self) -> Vec<Call> {
        let writing = ["create_", "resize_", "set_", "link_", "unlink_", "delete_"];
        let mut calls = self.calls();
        calls.retain(|call| writing.iter().any(|start| call.method.starts_with(start)));
        calls
    }

    /// Notes a call, and answers by the script: an error with or without effect, or nothing.
    fn begin(&self, method: &'static str, object: &str) -> (MutexGuard<'_, State>, Option<Scripted>) {
        let mut state = self.state();
        state.calls.push(Call { method, object: object.to_owned() });
        let mut hit = None;
        if let Some(place) = state.script.iter().position(|scripted| scripted.method == method) {
            let scripted = &mut state.script[place];
            if scripted.after > 0 {
                scripted.after -= 1;
            } else {
                hit = Some(scripted.clone());
                scripted.times = scripted.times.saturating_sub(1);
                if scripted.times == 0 {
                    state.script.remove(place);
                }
            }
        }
        (state, hit)
    }

    /// Carries out one call under the lock.
    pub(super) async fn act<T>(
        &self,
        method: &'static str,
        object: &str,
        effect: impl FnOnce(&mut State) -> Result<T, CloudError> + Send,
    ) -> Result<T, CloudError> {
        let latency = self.state().latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let (mut state, scripted) = self.begin(method, object);
        match scripted {
            None => effect(&mut state),
            Some(scripted) => {
                if scripted.effect {
                    effect(&mut state)?;
                }
                Err(CloudError::new(
                    scripted.kind,
                    format!("{method} {object}").trim_end(),
                    "scripted failure",
                ))
            }
        }
    }
}

impl State {
    fn id(&mut self) -> ProviderId {
        self.next_id += 1;
        ProviderId(self.next_id.to_string())
    }

    pub(super) fn server(&mut self, method: &str, id: &ProviderId) -> Result<&mut SeenServer, CloudError> {
        let missing =
            || CloudError::new(CloudErrorKind::NotFound, format!("{method} {id}"), "Server not found");
        self.world.servers.iter_mut().find(|server| server.id == *id).ok_or_else(missing)
    }

    fn make_server(&mut self, spec: &ServerSpec, keys: &[ProviderId]) -> SeenServer {
        let id = self.id();
        let number = self.next_id % 250;
        let ready = self.instant;
        let address = ready.then(|| format!("198.18.0.{number}"));
        let server = SeenServer {
            id: id.clone(),
            name: spec.name.clone(),
            state: if ready { ServerState::Active } else { ServerState::New },
            power_on: ready,
            size: spec.size.clone(),
            location: spec.location.clone(),
            image: spec.image.clone(),
            family: "Linux".into(),
            address,
            admin_user: ready.then(|| "root".into()),
            links: Vec::new(),
            keys: keys.to_vec(),
            created_at: None,
        };
        self.logins.push((id, "root".into(), Secret::new(format!("first-{number}"))));
        self.world.servers.push(server.clone());
        server
    }
}

/// A size for tests: 1 core, 1 GB, 10 GB SSD, base pool.
pub fn small() -> Size {
    Size { cpu: 1, ram_mb: 1024, disk_gb: 10, disk_type: "SSD".into(), performance: Performance::Base }
}

#[async_trait]
impl Cloud for MemoryCloud {
    async fn identify(&self) -> Result<AccountIdentity, CloudError> {
        self.act("identify", "", |state| Ok(state.world.account.clone())).await
    }

    async fn observe(&self) -> Result<SeenWorld, CloudError> {
        self.act("observe", "", |state| Ok(state.world.clone())).await
    }

    async fn servers(&self) -> Result<Vec<SeenServer>, CloudError> {
        self.act("servers", "", |state| Ok(state.world.servers.clone())).await
    }

    async fn server(&self, id: &ProviderId) -> Result<Option<SeenServer>, CloudError> {
        self.act("server", id.as_str(), |state| Ok(state.server("server", id).ok().cloned())).await
    }

    async fn create_server(&self, spec: &ServerSpec, keys: &[ProviderId]) -> Result<SeenServer, CloudError> {
        self.act("create_server", &spec.name, |state| Ok(state.make_server(spec, keys))).await
    }

    async fn resize_server(&self, id: &ProviderId, to: &Size) -> Result<(), CloudError> {
        self.act("resize_server", id.as_str(), |state| {
            state.server("resize_server", id)?.size = to.clone();
            Ok(())
        })
        .await
    }

    async fn set_power(&self, id: &ProviderId, to: Power, _graceful: bool) -> Result<(), CloudError> {
        self.act("set_power", id.as_str(), |state| {
            state.server("set_power", id)?.power_on = match to {
                Power::Running => true,
                Power::Stopped => false,
            };
            Ok(())
        })
        .await
    }

    async fn link_network(&self, id: &ProviderId, network: &ProviderId) -> Result<(), CloudError> {
        self.act("link_network", id.as_str(), |state| {
            let server = state.server("link_network", id)?;
            if !server.links.iter().any(|link| link.network == *network) {
                server.links.push(SeenLink {
                    id: Some(ProviderId(format!("{id}-{network}"))),
                    network: network.clone(),
                    ready: true,
                    public: false,
                    address: "10.0.0.2".into(),
                    mac: "00:50:56:00:00:02".into(),
                    mask: "255.255.0.0".into(),
                    bandwidth_mbit: Some(10),
                });
            }
            for known in state.world.networks.iter_mut().filter(|known| known.id == *network) {
                if !known.servers.contains(id) {
                    known.servers.push(id.clone());
                }
            }
            Ok(())
        })
        .await
    }

    async fn unlink_network(&self, id: &ProviderId, network: &ProviderId) -> Result<(), CloudError> {
        self.act("unlink_network", id.as_str(), |state| {
            state.server("unlink_network", id)?.links.retain(|link| link.network != *network);
            for known in state.world.networks.iter_mut().filter(|known| known.id == *network) {
                known.servers.retain(|server| server != id);
            }
            Ok(())
        })
        .await
    }

    async fn delete_server(&self, id: &ProviderId) -> Result<(), CloudError> {
        self.act("delete_server", id.as_str(), |state| {
            state.world.servers.retain(|server| server.id != *id);
            for network in &mut state.world.networks {
                network.servers.retain(|server| server != id);
            }
            Ok(())
        })
        .await
    }

    async fn action_in_progress(&self, id: &ProviderId) -> Result<bool, CloudError> {
        self.act("action_in_progress", id.as_str(), |state| {
            Ok(state.server("server", id).is_ok_and(|server| server.state == ServerState::New))
        })
        .await
    }

    async fn first_login(&self, id: &ProviderId) -> Result<Option<(String, Secret)>, CloudError> {
        self.act("first_login", id.as_str(), |state| {
            let login = state.logins.iter().find(|(server, _, _)| server == id);
            Ok(login.map(|(_, user, password)| (user.clone(), password.clone())))
        })
        .await
    }

    async fn networks(&self) -> Result<Vec<SeenNetwork>, CloudError> {
        self.act("networks", "", |state| Ok(state.world.networks.clone())).await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<SeenNetwork, CloudError> {
        self.act("create_network", &spec.name, |state| {
            let network = SeenNetwork {
                id: state.id(),
                name: spec.name.clone(),
                ready: state.instant,
                state: if state.instant { "Active" } else { "New" }.into(),
                dhcp: spec.dhcp,
                location: spec.location.clone(),
                servers: Vec::new(),
                mask: "255.255.0.0".into(),
            };
            state.world.networks.push(network.clone());
            Ok(network)
        })
        .await
    }

    async fn delete_network(&self, id: &ProviderId) -> Result<(), CloudError> {
        self.act("delete_network", id.as_str(), |state| {
            state.world.networks.retain(|network| network.id != *id);
            Ok(())
        })
        .await
    }

    async fn images(&self) -> Result<Vec<SeenImage>, CloudError> {
        self.act("images", "", |state| Ok(state.world.images.clone())).await
    }

    async fn locations(&self) -> Result<Vec<SeenLocation>, CloudError> {
        self.act("locations", "", |state| Ok(state.world.locations.clone())).await
    }

    async fn keys(&self) -> Result<Vec<SeenKey>, CloudError> {
        self.act("keys", "", |state| Ok(state.world.keys.clone())).await
    }

    async fn create_key(&self, title: &str, public_key: &str) -> Result<SeenKey, CloudError> {
        self.act("create_key", title, |state| {
            let key = SeenKey { id: state.id(), title: title.into(), public_key: public_key.into() };
            state.world.keys.push(key.clone());
            Ok(key)
        })
        .await
    }

    async fn balance(&self) -> Result<Balance, CloudError> {
        self.act("balance", "", |state| Ok(Balance { amount: state.balance.clone() })).await
    }
}
