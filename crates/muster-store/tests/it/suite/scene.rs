//! One empty store, and small makers of what goes into it.

use std::sync::Arc;

use jiff::Timestamp;
use muster_model::account::{AccountIdentity, Provider};
use muster_model::id::{Attempt, Generation, NodeId, PlanId, RunId, StepNumber};
use muster_model::infrastructure::Infrastructure;
use muster_model::inventory::{Inventory, SeenWorld};
use muster_model::plan::{LockKey, LockMode, OnFailure, Plan, PlanDraft, PlanHash, Subject};
use muster_model::policy::Policy;
use muster_model::run::{EntryKind, Output, Run, RunState};
use muster_store::*;
use uuid::Uuid;

/// One empty store, and the way to it.
pub struct Scene {
    pub store: Arc<dyn Store>,
    pub contents: Arc<dyn Contents>,
    pub home: Home,
}

/// Where a scene's store is.
pub enum Home {
    Sqlite(tempfile::TempDir),
    Postgres { url: String },
}

impl Home {
    pub async fn open(&self) -> Opened {
        let (url, folder) = match self {
            Home::Sqlite(folder) => {
                (format!("sqlite:{}", folder.path().join("muster.db").display()), folder.path())
            }
            Home::Postgres { url } => (url.clone(), std::path::Path::new("/nonexistent")),
        };
        let folders = Folders { blobs: folder.join("blobs"), output: folder.join("output") };
        muster_store::open(&url, &folders, WriterMode::Task).await.unwrap()
    }

    /// The scene of an empty store that is here.
    pub async fn scene(self) -> Scene {
        let Opened { store, contents } = self.open().await;
        Scene { store, contents, home: self }
    }

    /// Every content was put or asked for long ago.
    pub async fn age_contents(&self) {
        match self {
            Home::Sqlite(folder) => {
                for directory in std::fs::read_dir(folder.path().join("blobs")).unwrap() {
                    let directory = directory.unwrap().path();
                    for file in directory.read_dir().into_iter().flatten() {
                        let file = std::fs::File::options().write(true).open(file.unwrap().path()).unwrap();
                        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
                    }
                }
            }
            Home::Postgres { .. } => self.raw("update blob set used_at = '2001-01-01T00:00:00Z'").await,
        }
    }

    /// Does to the rows what no verb does.
    pub async fn raw(&self, sql: &str) {
        match self {
            Home::Sqlite(folder) => {
                let db = rusqlite::Connection::open(folder.path().join("muster.db")).unwrap();
                db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
                db.execute_batch(sql).unwrap();
            }
            Home::Postgres { url } => client(url).await.batch_execute(sql).await.unwrap(),
        }
    }
}

/// An empty store in a database of its own.
pub async fn in_database_of(server: &crate::server::Server) -> Scene {
    Home::Postgres { url: server.database().await }.scene().await
}

/// A connection beside the store's own.
pub async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A store in a folder of its own.
pub async fn sqlite() -> Scene {
    Home::Sqlite(tempfile::tempdir().unwrap()).scene().await
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub fn node(number: u128) -> NodeId {
    NodeId(id(0xD000 + number))
}

pub fn identity() -> AccountIdentity {
    AccountIdentity { provider: Provider::Onecloud, customer: "17".into(), project: "4".into() }
}

pub fn subject(name: &str) -> Subject {
    Subject::Infrastructure(name.into())
}

pub fn exclusive(name: &str) -> Vec<(LockKey, LockMode)> {
    vec![(LockKey::Infrastructure(name.into()), LockMode::Exclusive)]
}

fn draft(name: &str) -> PlanDraft {
    PlanDraft {
        subject: subject(name),
        based_on: Generation(1),
        steps: vec![],
        waiting: vec![],
        notes: vec![],
        refusals: vec![],
        locks: exclusive(name),
        lanes: vec![],
        on_failure: OnFailure::Stop,
        hash: PlanHash("00".into()),
    }
}

impl Scene {
    /// Opens the same store again, as another process would.
    pub async fn again(&self) -> Arc<dyn Store> {
        self.home.open().await.store
    }

    /// A plan that is ready.
    pub async fn plan(&self, number: u128, name: &str) -> PlanId {
        self.plan_of(number, name, "{}").await
    }

    /// A plan that is ready, of a bundle with this manifest.
    pub async fn plan_of(&self, number: u128, name: &str, manifest: &str) -> PlanId {
        let plan = PlanId(id(number));
        let new = NewPlan {
            id: plan,
            space: "default".into(),
            subject: subject(name),
            account: "onecloud".into(),
            purpose: "update".into(),
            bundle: manifest.into(),
            warnings: vec!["old spelling".into()],
            actor: "ann".into(),
            at: at(0),
            node: node(1),
            idempotency_key: None,
            source: None,
        };
        self.store.insert_plan(new).await.unwrap();
        let body = Plan {
            id: plan,
            space: "default".into(),
            account: "onecloud".into(),
            identity: identity(),
            draft: draft(name),
            cost: None,
        };
        let inputs = PlanInputs {
            wanted: Infrastructure {
                name: name.into(),
                account: "onecloud".into(),
                networks: Default::default(),
                public_networks: Default::default(),
                servers: vec![],
                deploy: vec![],
                stats: true,
            },
            seen: Inventory {
                generation: Generation(1),
                seen_at: at(0),
                world: SeenWorld {
                    account: identity(),
                    servers: vec![],
                    networks: vec![],
                    images: vec![],
                    locations: vec![],
                    keys: vec![],
                },
                owned: vec![],
                intents: vec![],
                login_key: None,
                releases: Vec::new(),
                zones: Vec::new(),
                public_networks: Vec::new(),
            },
            policy: Policy::default(),
            bundle: serde_json::json!({}),
            now: at(0),
        };
        let planned = PlannedAs { state: PlanState::Ready, message: None, plan: Some((body, inputs)) };
        self.store.finish_plan(plan, planned).await.unwrap();
        plan
    }

    pub fn approval(&self, number: u128, plan: PlanId, name: &str) -> Approval {
        Approval {
            run: Run {
                id: RunId(id(0xA000 + number)),
                space: "default".into(),
                subject: subject(name),
                plan,
                state: RunState::Ready,
                message: None,
                actor: "ann".into(),
                started_at: at(1),
                ended_at: None,
            },
            node: Some(node(1)),
            steps_total: 3,
            lanes: vec![],
            begins_at: None,
            priority: 0,
            locks: exclusive(name),
            idempotency_key: None,
            revision: None,
        }
    }

    /// A run of its own plan, claimed by node 1 and running.
    pub async fn running(&self, number: u128, name: &str) -> Claim {
        let plan = self.plan(number, name).await;
        let run = self.store.approve(self.approval(number, plan, name)).await.unwrap();
        let claim = self.store.claim(run, node(1), exclusive(name)).await.unwrap();
        self.become_state(&claim, RunState::Running).await.unwrap();
        claim
    }

    pub async fn become_state(&self, claim: &Claim, state: RunState) -> Result<(), StoreError> {
        let kind = EntryKind::Run { state, message: None };
        let record = Record { at: at(2), kind, facts: vec![] };
        self.store.append(claim.clone(), vec![record]).await.map(|_| ())
    }
}

/// Who asks, at second 0.
pub fn holder(number: u128) -> Holder {
    Holder { node: node(number), epoch: 1, now: at(0) }
}

/// A time that has come on every clock.
pub fn long_ago() -> Timestamp {
    Timestamp::from_second(1_000_000_000).unwrap()
}

pub fn range(first: u32, last: u32) -> StepRange {
    StepRange { first: StepNumber(first), last: StepNumber(last) }
}

pub fn started(step: u32) -> Record {
    let kind = EntryKind::Started { step: StepNumber(step), attempt: Attempt(1) };
    Record { at: at(3), kind, facts: vec![] }
}

pub fn succeeded(step: u32) -> Record {
    let (step, attempt) = (StepNumber(step), Attempt(1));
    let kind = EntryKind::Succeeded { step, attempt, already: false, output: Output::None };
    Record { at: at(3), kind, facts: vec![] }
}

pub fn progress(text: &str) -> Record {
    let kind = EntryKind::Progress { step: None, message: text.into() };
    Record { at: at(3), kind, facts: vec![] }
}

impl Scene {
    /// A node with a lease of a minute.
    pub async fn join(&self, number: u128, kind: &str) {
        let row = NodeRow {
            id: node(number),
            epoch: 1,
            lease_until: at(60),
            kind: kind.into(),
            pid: 1,
            host: "here".into(),
            version: "0".into(),
            started_at: at(0),
        };
        self.store.join(row).await.unwrap();
    }

    /// The node's lease is over, by whichever clock counts.
    pub async fn lapse(&self, number: u128) {
        let sql =
            format!("update node set lease_until = '2001-01-01T00:00:00Z' where id = '{}'", node(number));
        self.home.raw(&sql).await;
    }

    /// An approved run that any worker may claim, with these further lanes.
    pub async fn open_run(&self, number: u128, name: &str, lanes: Vec<LanePlan>) -> RunId {
        let plan = self.plan(number, name).await;
        let mut approval = self.approval(number, plan, name);
        approval.node = None;
        approval.lanes = lanes;
        self.store.approve(approval).await.unwrap()
    }

    /// Claims up to so many lanes for a worker.
    pub async fn next(&self, number: u128, limit: u32) -> Vec<Claim> {
        self.store.claim_next(wish(number, limit)).await.unwrap()
    }
}

pub fn wish(number: u128, limit: u32) -> ClaimNext {
    ClaimNext { holder: holder(number), limit, forms: vec![1], only: vec![] }
}
