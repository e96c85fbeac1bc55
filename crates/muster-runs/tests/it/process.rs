//! A process that can be killed: an engine on a runtime of its own, over a store that can be cut at a chosen
//! commit, in front of a provider that hears nothing from the dead.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use muster_model::account::AccountSettings;
use muster_model::bundle::{Manifest, ManifestFile};
use muster_model::id::*;
use muster_model::policy::Policy;
use muster_model::rights::Authority;
use muster_model::run::{Entry, Run, RunState};
use muster_model::{Secret, World};
use muster_outside::ansible::ScriptedAnsible;
use muster_outside::build::ScriptedBuilder;
use muster_outside::host::ssh::ScriptedHosts;
use muster_outside::transport::{Broken, Transport};
use muster_runs::engine::EnvironmentAccount;
use muster_runs::reads::EventPositions;
use muster_runs::submit::Proposal;
use muster_runs::{Engine, EngineConfig, EngineError};
use muster_sim::in_process::InProcess;
use muster_sim::onecloud::{Drift, Durations, FaultRule, Simulator, SimulatorConfig};
use muster_store::*;

use crate::world::{VirtualClock, seeded};

pub const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
pub const SETTLE_MS: u64 = 30_000;

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere.
    Never,
    /// Just before the commit of this number: what led to it is lost.
    Before(u64),
    /// Just after the commit of this number: it is durable, and nobody hears of it.
    After(u64),
}

/// The scene of one simulation: a provider, a home, a clock.
pub struct Stage {
    pub simulator: Simulator,
    pub clock: Arc<VirtualClock>,
    pub world: World,
    pub folder: tempfile::TempDir,
    pub settings: AccountSettings,
    /// The most targets of one lane.
    pub lane_targets: usize,
    /// The inside of servers, in memory.
    pub hosts: Arc<ScriptedHosts>,
    /// Playbooks, in memory.
    pub ansible: Arc<ScriptedAnsible>,
    /// Builds, in memory.
    pub builder: Arc<ScriptedBuilder>,
}

impl Stage {
    pub fn new(seed: u64) -> Stage {
        let settings = AccountSettings { settle_ms: SETTLE_MS, ..AccountSettings::default() };
        Stage::with(seed, Durations::instant(), settings)
    }

    /// The same with a provider that takes its time, and with manners of one's own.
    pub fn with(seed: u64, durations: Durations, settings: AccountSettings) -> Stage {
        let clock = VirtualClock::new();
        let world = seeded(seed, clock.clone());
        let mut config = SimulatorConfig::new(vec![KEY.to_owned()], clock.clone());
        config.seed = seed;
        config.durations = durations;
        // In memory where that exists: thousands of synced commits are not what these tests are about.
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let (hosts, ansible) = (Arc::new(ScriptedHosts::new()), Arc::new(ScriptedAnsible::new()));
        let builder = Arc::new(ScriptedBuilder::new());
        let simulator = Simulator::new(config);
        let lane_targets = muster_planner::LANE_TARGETS;
        Stage { simulator, clock, world, folder, settings, lane_targets, hosts, ansible, builder }
    }

    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `work` as one process: a runtime of its own with paused time. What it leaves behind when `work` ends
    /// (or the cut kills it) is dropped without a good-bye.
    pub fn process<T, F, W>(&self, cut: Cut, work: W) -> Lived<T>
    where
        F: Future<Output = T>,
        W: FnOnce(Engine) -> F,
    {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let fate = Arc::new(Doom::new(cut));
        let lived = runtime.block_on(async {
            self.clock.begin();
            let config = self.config();
            let wire = Wire { inner: InProcess::new(self.simulator.clone()), fate: fate.clone() };
            let outside = self.outside(wire);
            let opened = Engine::open_with_store(config, self.world.clone(), outside, |store| {
                muster_runs::crash::fated(store, fate.clone())
            });
            let life = async { work(opened.await.unwrap()).await };
            let lived = tokio::select! {
                biased;
                () = fate.death() => None,
                result = life => Some(result),
            };
            self.clock.end();
            lived
        });
        Lived { result: lived, commits: fate.commits.load(Ordering::SeqCst) }
    }

    fn config(&self) -> EngineConfig {
        EngineConfig {
            parallel_steps: 16,
            parallel_waits: 16,
            lane_targets: self.lane_targets,
            single_threaded: true,
            environment_account: Some(EnvironmentAccount {
                key: Secret::new(KEY),
                url: "http://127.0.0.1:1".into(),
                settings: self.settings.clone(),
            }),
            ..EngineConfig::new(self.home().to_owned())
        }
    }

    fn outside(&self, wire: Wire) -> muster_outside::Outside {
        muster_outside::Outside {
            transport: Arc::new(wire),
            hosts: self.hosts.clone(),
            ansible: self.ansible.clone(),
            builder: self.builder.clone(),
        }
    }

    /// A second engine over the same home, within a process that lives already.
    pub async fn second_engine(&self) -> Engine {
        let wire =
            Wire { inner: InProcess::new(self.simulator.clone()), fate: Arc::new(Doom::new(Cut::Never)) };
        let outside = self.outside(wire);
        Engine::open(self.config(), self.world.clone(), outside).await.unwrap()
    }

    /// Names and sizes of the account's servers, sorted: what must be the same however often a process died.
    pub fn picture(&self) -> Vec<String> {
        let networks = self.simulator.networks_of(0);
        let mut servers: Vec<String> = self
            .simulator
            .servers()
            .iter()
            .map(|server| {
                let linked = networks
                    .iter()
                    .filter(|network| server.links.iter().any(|link| link.network == network.id))
                    .map(|network| network.name.as_str())
                    .collect::<Vec<_>>()
                    .join(",");
                format!(
                    "{} cpu={} ram={} hdd={} {:?} high={} on={} networks={linked}",
                    server.name,
                    server.cpu,
                    server.ram_mb,
                    server.hdd_gb,
                    server.hdd_type,
                    server.high,
                    server.power_on
                )
            })
            .collect();
        servers.sort();
        servers
    }

    /// Writes that the provider saw.
    pub fn writes(&self) -> usize {
        self.simulator.journal().iter().filter(|entry| entry.method != "GET").count()
    }

    /// Changes something behind our back.
    pub fn drift(&self, drift: serde_json::Value) {
        self.simulator.drift(&Drift::from_json(&drift).unwrap()).unwrap();
    }

    /// Bends the next requests.
    pub fn fault(&self, fault: serde_json::Value) {
        self.simulator.fault(FaultRule::from_json(&fault).unwrap()).unwrap();
    }
}

/// What became of a process.
pub struct Lived<T> {
    /// What it came to, unless it was killed.
    pub result: Option<T>,
    /// How many commits it tried.
    pub commits: u64,
}

struct Doom {
    cut: Cut,
    commits: AtomicU64,
    dead: AtomicBool,
    bell: tokio::sync::Notify,
}

impl Doom {
    fn new(cut: Cut) -> Doom {
        Doom {
            cut,
            commits: AtomicU64::new(0),
            dead: AtomicBool::new(false),
            bell: tokio::sync::Notify::new(),
        }
    }

    fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.bell.notify_waiters();
    }

    async fn death(&self) {
        let bell = self.bell.notified();
        if !self.dead.load(Ordering::SeqCst) {
            bell.await;
        }
    }
}

#[async_trait]
impl muster_runs::crash::Fate for Doom {
    async fn before(&self, commit: u64) {
        if self.dead.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        self.commits.store(commit, Ordering::SeqCst);
        if self.cut == Cut::Before(commit) {
            self.die();
            std::future::pending().await
        }
    }

    async fn after(&self, commit: u64) {
        if self.cut == Cut::After(commit) {
            self.die();
            std::future::pending().await
        }
    }
}

/// The wire to the provider; the dead send nothing and hear nothing.
struct Wire {
    inner: InProcess,
    fate: Arc<Doom>,
}

/// A wire to a simulator for a client without an engine.
pub fn free_wire(simulator: &Simulator) -> impl Transport + use<> {
    Wire { inner: InProcess::new(simulator.clone()), fate: Arc::new(Doom::new(Cut::Never)) }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        if self.fate.dead.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        let answer = self.inner.call(request).await;
        if self.fate.dead.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        answer.map_err(|broken| Broken { message: broken.to_string(), never_sent: false })
    }
}

pub fn me() -> Authority {
    Authority::local("tester")
}

/// Proposes a plan about this text.
pub async fn propose(engine: &Engine, text: &str, policy: Policy) -> Result<PlanId, EngineError> {
    propose_as(engine, "shop", text, policy).await
}

/// Proposes a plan about this text under a name.
pub async fn propose_as(
    engine: &Engine,
    infrastructure: &str,
    text: &str,
    policy: Policy,
) -> Result<PlanId, EngineError> {
    propose_to(engine, None, infrastructure, text, policy).await
}

/// The same, in another account than the file's.
pub async fn propose_to(
    engine: &Engine,
    account: Option<&str>,
    infrastructure: &str,
    text: &str,
    policy: Policy,
) -> Result<PlanId, EngineError> {
    let content = Bytes::copy_from_slice(text.as_bytes());
    let sha256 = ring::digest::digest(&ring::digest::SHA256, &content)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    engine.put_blob(&sha256, content.clone()).await?;
    let file = ManifestFile { sha256, mode: 0o644, size: content.len() as u64 };
    let proposal = Proposal {
        space: "default".into(),
        infrastructure: infrastructure.into(),
        bundle: Manifest { files: BTreeMap::from([("infra/shop.yaml".to_owned(), file)]) },
        entry: Some("infra/shop.yaml".into()),
        vars: BTreeMap::new(),
        var_files: Vec::new(),
        env: BTreeMap::new(),
        account: account.map(Into::into),
        policy,
        idempotency_key: None,
    };
    engine.submit(&me(), proposal).await
}

/// The journal of a run, all lanes.
pub async fn journal_of(engine: &Engine, run: RunId) -> Vec<Entry> {
    engine.reads().follow(run, &BTreeMap::new(), 10_000).await.unwrap()
}

/// Follows a run to its end.
pub async fn ended(engine: &Engine, run: RunId) -> Run {
    let mut seen = EventPositions::new();
    loop {
        engine.reads().more(run, &seen).await;
        let entries = engine.reads().follow(run, &seen, 1_000).await.unwrap();
        seen.extend(entries.iter().map(|entry| (entry.lane, entry.seq)));
        let view = engine.reads().run(run).await.unwrap().unwrap();
        if view.run.state.is_final() || view.run.state == RunState::Interrupted {
            return view.run;
        }
    }
}

/// Plans and, if there is anything to do, carries it out. Gives the number of steps and the run.
pub async fn update(
    engine: &Engine,
    text: &str,
    policy: Policy,
) -> Result<(usize, Option<Run>), EngineError> {
    let plan = propose(engine, text, policy).await?;
    let view = engine.planned(plan).await?;
    if view.state == PlanState::Refused {
        let refusals = view.plan.map(|plan| plan.draft.refusals).unwrap_or_default();
        return Err(EngineError::Refused(format!("{:?} {refusals:?}", view.message)));
    }
    let steps = view.plan.map_or(0, |plan| plan.draft.steps.len());
    if steps == 0 {
        return Ok((0, None));
    }
    let run = engine.approve(&me(), plan, None).await?;
    Ok((steps, Some(ended(engine, run).await)))
}

/// The policy of these tests: the inside of servers is left alone.
pub fn outside_only() -> Policy {
    Policy { skip_provision: true, ..Policy::default() }
}
