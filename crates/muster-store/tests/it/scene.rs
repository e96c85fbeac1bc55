//! A store in a temporary folder, and small makers of what goes into it.

use jiff::Timestamp;
use muster_model::account::{AccountIdentity, Provider};
use muster_model::id::{Generation, NodeId, PlanId, RunId};
use muster_model::infrastructure::Infrastructure;
use muster_model::inventory::{Inventory, SeenWorld};
use muster_model::plan::{LockKey, LockMode, Plan, PlanDraft, PlanHash, Subject};
use muster_model::policy::Policy;
use muster_model::run::{EntryKind, Run, RunState};
use muster_store::*;
use uuid::Uuid;

pub struct Scene {
    pub store: SqliteStore,
    pub folder: tempfile::TempDir,
}

pub fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("muster.db"), WriterMode::Task).unwrap();
    Scene { store, folder }
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
        hash: PlanHash("00".into()),
    }
}

impl Scene {
    /// Opens the same file again, as another process would.
    pub fn again(&self) -> SqliteStore {
        SqliteStore::open(&self.folder.path().join("muster.db"), WriterMode::Task).unwrap()
    }

    /// A plan that is ready.
    pub async fn plan(&self, number: u128, name: &str) -> PlanId {
        let plan = PlanId(id(number));
        let new = NewPlan {
            id: plan,
            space: "default".into(),
            subject: subject(name),
            account: "onecloud".into(),
            purpose: "update".into(),
            bundle: "{}".into(),
            warnings: vec!["old spelling".into()],
            actor: "ann".into(),
            at: at(0),
            node: node(1),
            idempotency_key: None,
        };
        self.store.insert_plan(new).await.unwrap();
        let body = Plan {
            id: plan,
            space: "default".into(),
            account: "onecloud".into(),
            identity: identity(),
            draft: draft(name),
        };
        let inputs = PlanInputs {
            wanted: Infrastructure {
                name: name.into(),
                account: "onecloud".into(),
                networks: Default::default(),
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
            priority: 0,
            locks: exclusive(name),
            idempotency_key: None,
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
