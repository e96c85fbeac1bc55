//! The simulator as others hold it: configuration, router, and typed methods for tests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use jiff::Timestamp;
use muster_model::world::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::control;
use super::drift::{Drift, DriftError};
use super::durations::{Durations, ms};
use super::fault::{FaultError, FaultRule};
use super::journal::{Journal, JournalEntry};
use super::object::{Network, Server};
use super::order::{Ask, Order, carry_out};
use super::project::Project;
use super::request::{Outcome, RawRequest};
use super::switches::{Limits, Switches};
use super::world::World;
use crate::in_process::Broken;
use crate::machines::Machines;
use crate::serve::Hangup;

/// How a simulator begins.
#[derive(Clone)]
pub struct SimulatorConfig {
    /// The accepted keys; each is a project of its own.
    pub keys: Vec<String>,
    /// How long operations take.
    pub durations: Durations,
    /// Where the time comes from; `/_sim/clock` adds to it.
    pub clock: Arc<dyn Clock>,
    /// What passwords are derived from.
    pub seed: u64,
    /// Real machines behind the servers; without them servers exist on paper.
    pub machines: Option<Arc<dyn Machines>>,
    /// What may differ at the real provider.
    pub switches: Switches,
    /// Where the simulator stops.
    pub limits: Limits,
}

impl SimulatorConfig {
    /// Everything at once, nothing behind it, seed 0.
    pub fn new(keys: Vec<String>, clock: Arc<dyn Clock>) -> SimulatorConfig {
        SimulatorConfig {
            keys,
            durations: Durations::instant(),
            clock,
            seed: 0,
            machines: None,
            switches: Switches::default(),
            limits: Limits::default(),
        }
    }
}

/// What the lock guards.
pub(super) struct Inner {
    pub world: World,
    pub journal: Journal,
    pub faults: Vec<FaultRule>,
    offset: Duration,
    /// The last task of each machine: the next one waits for it, so that one thing happens to it at a time.
    machine_tasks: HashMap<u64, JoinHandle<()>>,
}

struct Shared {
    inner: Mutex<Inner>,
    clock: Arc<dyn Clock>,
    machines: Option<Arc<dyn Machines>>,
    body_bytes_max: usize,
    hang_max: Duration,
    /// Turns true when serving ends: whoever hangs then is let go.
    closing: watch::Sender<bool>,
}

/// A simulated 1cloud. Clones share one world.
#[derive(Clone)]
pub struct Simulator {
    shared: Arc<Shared>,
}

/// Number of the first project.
const FIRST_PROJECT: u64 = 8_001;

impl Simulator {
    /// A new world at the clock's present time, with one project for each key.
    pub fn new(config: SimulatorConfig) -> Simulator {
        let SimulatorConfig { keys, durations, clock, seed, machines, switches, limits } = config;
        let (body_bytes_max, hang_max) = (limits.body_bytes_max, ms(limits.hang_ms_max));
        let journal = Journal::new(limits.journal_entries_max, limits.journal_bytes_max);
        let mut world = World::new(clock.now(), seed, durations, switches, limits);
        world.machines = machines.is_some();
        let limits = world.limits.clone();
        let numbered = FIRST_PROJECT..;
        world.projects = numbered.zip(keys).map(|(id, key)| Project::new(id, key, &limits)).collect();
        let inner = Inner {
            world,
            journal,
            faults: Vec::new(),
            offset: Duration::ZERO,
            machine_tasks: HashMap::new(),
        };
        let (closing, _) = watch::channel(false);
        let shared = Shared { inner: Mutex::new(inner), clock, machines, body_bytes_max, hang_max, closing };
        Simulator { shared: Arc::new(shared) }
    }

    /// The world, brought to the present.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The world is changed by code that does not panic half-way; a poisoned lock only means a failed assertion
        // of a test elsewhere.
        let mut inner = self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.shared.clock.now();
        let now = now.checked_add(inner.offset).unwrap_or(Timestamp::MAX);
        inner.world.advance(now);
        inner
    }

    /// Does something to the world, then hands what it asked of machines to them.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let result = act(&mut inner);
        self.send_orders(&mut inner);
        result
    }

    /// Starts a task for each order. Without a runtime there is nobody to carry them out: they are kept.
    fn send_orders(&self, inner: &mut Inner) {
        let Some(machines) = &self.shared.machines else { return };
        if inner.world.orders.is_empty() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        inner.machine_tasks.retain(|_, task| !task.is_finished());
        for order in std::mem::take(&mut inner.world.orders) {
            let before = inner.machine_tasks.remove(&order.server);
            let (simulator, machines, server) = (self.clone(), Arc::clone(machines), order.server);
            let task = runtime.spawn(async move {
                if let Some(before) = before {
                    // How the earlier one ended is its own matter.
                    let _ended = before.await;
                }
                simulator.carry_out(machines.as_ref(), &order).await;
            });
            inner.machine_tasks.insert(server, task);
        }
    }

    async fn carry_out(&self, machines: &dyn Machines, order: &Order) {
        let result = carry_out(machines, order).await;
        if let Err(error) = &result {
            tracing::warn!(server = order.server, "{error}");
        }
        self.with(|inner| {
            inner.world.machine_reports(order, result);
            let now = inner.world.now;
            inner.world.advance(now);
        });
    }

    /// Waits until no machine has anything to do (at the end of a program or test). Bounded by `wait_max`;
    /// false when it ran out.
    pub async fn machines_at_rest(&self, wait_max: Duration) -> bool {
        let rest = async {
            loop {
                let tasks: Vec<_> = self.lock().machine_tasks.drain().map(|(_, task)| task).collect();
                if tasks.is_empty() {
                    return;
                }
                for task in tasks {
                    let _ended = task.await;
                }
            }
        };
        tokio::time::timeout(wait_max, rest).await.is_ok()
    }

    /// Lets every hanging request go, now and from now on: serving ends.
    pub(crate) fn close(&self) {
        self.shared.closing.send_replace(true);
    }

    /// Takes every server of every project away, at once, with the machine behind it. Whoever ends a simulator with
    /// machines calls this and then [`Simulator::machines_at_rest`].
    pub fn remove_all_servers(&self) {
        self.with(|inner| {
            for project in 0..inner.world.projects.len() {
                let servers: Vec<u64> = inner.world.projects[project].servers.keys().copied().collect();
                for server in servers {
                    inner.world.remove_server(project, server);
                    inner.world.order(project, server, Ask::Delete);
                }
            }
        });
    }

    /// Carries one request to its outcome. Never waits: a hang is an outcome.
    pub fn respond(&self, raw: &RawRequest) -> Outcome {
        self.with(|inner| {
            let lower = raw.path.get(..control::PREFIX.len()).map(str::to_ascii_lowercase);
            let rest = raw.path.as_bytes().get(control::PREFIX.len());
            if lower.as_deref() == Some(control::PREFIX) && matches!(rest, None | Some(b'/' | b'?')) {
                let body = raw.body.clone().unwrap_or_default();
                return inner.control(&raw.method, &raw.path, &body);
            }
            inner.respond(raw)
        })
    }

    /// Reads a request, carries it out, and waits out a hang within its bound.
    pub(crate) async fn call(&self, request: Request<Body>) -> Result<Response<Body>, Broken> {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, self.shared.body_bytes_max).await.ok();
        let raw = RawRequest {
            method: head.method.as_str().to_owned(),
            path: head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            authorization: text(&head.headers, header::AUTHORIZATION),
            content_type: text(&head.headers, header::CONTENT_TYPE),
            body,
        };
        match self.respond(&raw) {
            Outcome::Dropped => Err(Broken::Dropped),
            Outcome::Hang => {
                let mut closing = self.shared.closing.subscribe();
                tokio::select! {
                    () = tokio::time::sleep(self.shared.hang_max) => {}
                    // An error means that the simulator is gone, which ends a hang too.
                    _closing = closing.wait_for(|closing| *closing) => {}
                }
                Err(Broken::Hung)
            }
            Outcome::Answer { status, content_type, headers, body } => {
                let mut response = Response::new(Body::from(body));
                *response.status_mut() =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut put = |name: &'static str, value: &str| {
                    if let Ok(value) = value.parse() {
                        response.headers_mut().insert(name, value);
                    }
                };
                content_type.into_iter().for_each(|kind| put("content-type", kind));
                headers.iter().for_each(|(name, value)| put(name, value));
                Ok(response)
            }
        }
    }

    /// The API and `/_sim/…` as a router. Behind [`crate::serve`] a lost answer closes the connection; behind any
    /// other server it can only be an answer of status 502 with the header `x-sim-broken`.
    pub fn router(&self) -> Router {
        Router::new().fallback(handle).with_state(self.clone())
    }

    /// Every journaled request, oldest first.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.lock().journal.entries().cloned().collect()
    }

    /// Forgets the journal.
    pub fn clear_journal(&self) {
        self.lock().journal.clear();
    }

    /// Adds a fault; refused when too many wait.
    pub fn fault(&self, rule: FaultRule) -> Result<(), FaultError> {
        self.lock().add_fault(rule)
    }

    /// Removes every fault and lets stuck actions begin anew.
    pub fn clear_faults(&self) {
        self.with(Inner::clear_faults);
    }

    /// Changes something behind the client's back.
    pub fn drift(&self, drift: &Drift) -> Result<(), DriftError> {
        self.with(|inner| inner.world.drift(drift))
    }

    /// Moves the virtual clock and lets everything happen that is due.
    pub fn advance(&self, by: Duration) {
        self.with(|inner| inner.move_clock(by));
    }

    /// The present, on the virtual clock.
    pub fn now(&self) -> Timestamp {
        self.lock().world.now
    }

    /// The servers of the first project, by number.
    pub fn servers(&self) -> Vec<Server> {
        self.servers_of(0)
    }

    /// The servers of a project, by number; none if there is no such project.
    pub fn servers_of(&self, project: usize) -> Vec<Server> {
        let inner = self.lock();
        let project = inner.world.projects.get(project);
        project
            .map(|project| project.servers.values().map(|one| Server::clone(one)).collect())
            .unwrap_or_default()
    }

    /// The private networks of a project, by number.
    pub fn networks_of(&self, project: usize) -> Vec<Network> {
        let inner = self.lock();
        let project = inner.world.projects.get(project);
        project
            .map(|project| project.networks.values().map(|one| Network::clone(one)).collect())
            .unwrap_or_default()
    }

    /// The whole world as `GET /_sim/state` shows it.
    pub fn state(&self) -> serde_json::Value {
        self.lock().state()
    }

    /// Lets a further key open an existing project (keys rotate). False if there is no such project.
    pub fn accept_key(&self, project: usize, key: &str) -> bool {
        let mut inner = self.lock();
        let found = inner.world.projects.get_mut(project);
        found.map(|project| project.keys_accepted.push(key.to_owned())).is_some()
    }
}

impl Inner {
    pub(super) fn add_fault(&mut self, rule: FaultRule) -> Result<(), FaultError> {
        let max = self.world.limits.faults_max;
        if self.faults.len() >= max {
            return Err(FaultError(format!("no more than {max} faults may wait")));
        }
        if rule.times == 0 {
            return Err(FaultError("times must not be 0".to_owned()));
        }
        self.faults.push(rule);
        Ok(())
    }

    pub(super) fn clear_faults(&mut self) {
        self.faults.clear();
        self.world.release_stuck();
    }

    pub(super) fn move_clock(&mut self, by: Duration) {
        self.offset = self.offset.saturating_add(by);
        let to = self.world.after(by);
        self.world.advance(to);
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

async fn handle(State(simulator): State<Simulator>, request: Request) -> Response<Body> {
    let hangup = request.extensions().get::<axum::extract::ConnectInfo<Hangup>>().map(|info| info.0.clone());
    match simulator.call(request).await {
        Ok(response) => response,
        Err(broken) => {
            if let Some(hangup) = hangup {
                hangup.now();
            }
            let mut response = Response::new(Body::from(Bytes::new()));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response.headers_mut().insert("x-sim-broken", broken.header());
            response
        }
    }
}
