//! Proposals: what somebody asks the engine to plan, from the document to the saved plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_model::Secret;
use muster_model::ansible::deploy;
use muster_model::bundle::Manifest;
use muster_model::bundle::documents_to_read;
use muster_model::diagnostic::{Diagnostics, Style};
use muster_model::document::Files;
use muster_model::id::{AccountName, InfrastructureName, PlanId, SpaceName};
use muster_model::infrastructure::check::{self, Inputs, Need};
use muster_model::infrastructure::find::ROOT_MARKER;
use muster_model::infrastructure::{Checked, Infrastructure};
use muster_model::inventory::Inventory;
use muster_model::plan::{Plan, PlanDraft, Subject};
use muster_model::policy::{Policy, Purpose};
use muster_model::revision::Source;
use muster_model::rights::{Authority, Wish, may};
use muster_planner::BundleFacts;
use muster_store::{NewPlan, PlanInputs, PlanState, PlannedAs};

use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::rollback::GoesBack;

/// Ask for a plan about one infrastructure file.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The Space; locally `default`.
    pub space: SpaceName,
    /// The file's name without extension.
    pub infrastructure: InfrastructureName,
    /// The files, by content; their blobs are in the store already.
    pub bundle: Manifest,
    /// Which of them is the infrastructure file; none for a `Disown` or for a `Destroy` of a file that is gone.
    pub entry: Option<String>,
    /// Variables given on the command line, as text.
    pub vars: BTreeMap<String, String>,
    /// `--var-file` paths in their order; their contents are in the bundle.
    pub var_files: Vec<String>,
    /// Environment variables that the document names, read by the client; kept sealed.
    pub env: BTreeMap<String, Secret>,
    /// The account to use instead of the file's.
    pub account: Option<AccountName>,
    /// Consent and narrowing.
    pub policy: Policy,
    /// The same key twice is the same request.
    pub idempotency_key: Option<String>,
}

/// A proposal whose document was read.
pub(crate) struct Wanted {
    pub(crate) infrastructure: Infrastructure,
    warnings: Vec<String>,
    pub(crate) bundle: BundleFacts,
    /// Documents whose text decided.
    pub(crate) documents: BTreeSet<String>,
}

impl Engine {
    /// Checks the document, saves a plan that is *observing*, and looks at the world in the background.
    pub async fn submit(&self, authority: &Authority, proposal: Proposal) -> Result<PlanId, EngineError> {
        self.propose(authority, proposal, None).await
    }

    /// The same; a plan that goes back to a revision also says what that does not bring back.
    pub(crate) async fn propose(
        &self,
        authority: &Authority,
        proposal: Proposal,
        back: Option<GoesBack>,
    ) -> Result<PlanId, EngineError> {
        may(authority, Wish::Run, &proposal.space).map_err(EngineError::Denied)?;
        if proposal.policy.to_release.is_some() && proposal.policy.purpose != Purpose::Deploy {
            return Err(EngineError::Invalid("only a deploy goes back to a release".into()));
        }
        let inner = &self.inner;
        let wanted = inner.read_document(&proposal).await?;
        let account = proposal.account.clone().unwrap_or_else(|| wanted.infrastructure.account.clone());
        inner.session(&proposal.space, &account).await?;
        let id = PlanId(inner.world.ids.next());
        let saved = inner
            .store
            .insert_plan(NewPlan {
                id,
                space: proposal.space.clone(),
                subject: Subject::Infrastructure(proposal.infrastructure.clone()),
                account: account.clone(),
                purpose: purpose_word(proposal.policy.purpose).to_owned(),
                bundle: serde_json::to_string(&proposal.bundle)
                    .map_err(|error| EngineError::Invalid(error.to_string()))?,
                warnings: wanted.warnings.clone(),
                actor: authority.actor.clone(),
                at: inner.world.clock.now(),
                node: inner.node,
                idempotency_key: proposal.idempotency_key.clone(),
                source: Some(Source {
                    entry: proposal.entry.clone(),
                    vars: proposal.vars.clone(),
                    var_files: proposal.var_files.clone(),
                    env: proposal.env.keys().cloned().collect(),
                    documents: wanted.documents.clone(),
                    back_to: back.as_ref().map(|back| back.number),
                }),
            })
            .await?;
        if saved != id {
            return Ok(saved);
        }
        inner.keep_environment(id, &proposal.env).await?;
        let inner = inner.clone();
        let space = proposal.space.clone();
        let mut policy = proposal.policy;
        tokio::spawn(async move {
            let planned = inner.look_and_plan(id, &space, &account, wanted, &mut policy, back).await;
            let planned = planned.unwrap_or_else(|error| PlannedAs {
                state: PlanState::Refused,
                message: Some(error.to_string()),
                plan: None,
            });
            if let Err(error) = inner.store.finish_plan(id, planned).await {
                tracing::error!(plan = %id, "plan {id} could not be saved: {error}");
            }
            inner.committed.notify_waiters();
        });
        Ok(id)
    }
}

impl Inner {
    pub(crate) async fn read_document(&self, proposal: &Proposal) -> Result<Wanted, EngineError> {
        let bundle =
            BundleFacts::of(&proposal.bundle, muster_outside::ansible::builtin::node_exporter_digest());
        let Some(entry) = &proposal.entry else {
            return Ok(Wanted {
                infrastructure: self.nothing(proposal).await?,
                warnings: Vec::new(),
                bundle,
                documents: BTreeSet::new(),
            });
        };
        proposal.bundle.check().map_err(|problem| EngineError::Invalid(problem.to_string()))?;
        let mut files = Files::new();
        for (path, file) in &proposal.bundle.files {
            if !self.contents.has(&file.sha256).await? {
                return Err(EngineError::Invalid(format!(
                    "the content of {path} ({}) was not sent; send it first (PUT /api/v1/blobs/{})",
                    file.sha256, file.sha256
                )));
            }
            files.list(path.clone());
        }
        // Only documents are read here; code and other files are known to exist, and that is enough.
        for path in documents_to_read(entry, &proposal.var_files, &files) {
            if let Some(file) = proposal.bundle.files.get(&path) {
                files.insert(path, self.contents.get(&file.sha256).await?);
            }
        }
        let inputs = Inputs {
            vars: proposal.vars.clone(),
            var_files: proposal.var_files.clone(),
            env: proposal.env.clone(),
            // A release that the servers keep needs nothing that the file delivers.
            need: match proposal.policy.to_release {
                Some(_) => Need::Servers,
                None => proposal.policy.purpose.into(),
            },
        };
        let checked = check::load(&proposal.infrastructure, &files, entry, &inputs)
            .map_err(|problems| EngineError::Document(Box::new(problems)))?;
        let playbooks = self.playbook_problems(proposal, &checked).await?;
        let mut documents = checked.files_used;
        documents.extend(proposal.bundle.files.contains_key(ROOT_MARKER).then(|| ROOT_MARKER.to_owned()));
        let mut infrastructure = checked.infrastructure;
        if proposal.policy.purpose == Purpose::Destroy {
            infrastructure.servers.clear();
            infrastructure.networks.clear();
            infrastructure.deploy.clear();
        }
        let mut warnings = checked.warnings;
        warnings.append(playbooks);
        let warnings = warnings.sorted().items.iter().map(|item| item.render(Style::Plain)).collect();
        Ok(Wanted { infrastructure, warnings, bundle, documents })
    }

    /// What may be wrong with the playbooks that a deploy would run.
    ///
    /// # Errors
    /// What is certainly wrong with them.
    async fn playbook_problems(
        &self,
        proposal: &Proposal,
        checked: &Checked,
    ) -> Result<Diagnostics, EngineError> {
        let policy = &proposal.policy;
        if policy.purpose != Purpose::Deploy || policy.skip_provision || policy.to_release.is_some() {
            return Ok(Diagnostics::new());
        }
        let mut files = Files::new();
        for (path, file) in &proposal.bundle.files {
            match deploy::reads(checked, path) {
                true => files.insert(path.as_str(), self.contents.get(&file.sha256).await?),
                false => files.list(path.as_str()),
            }
        }
        let names = policy.extra_vars.keys().cloned().collect();
        let tags = !policy.tags.is_empty() || !policy.skip_tags.is_empty();
        let problems = deploy::check_deploy(&checked.infrastructure, &files, &names, tags);
        if problems.has_errors() {
            return Err(EngineError::Document(Box::new(problems)));
        }
        Ok(problems)
    }

    /// The infrastructure of a name without a file: it wants nothing, and lives where its records are.
    async fn nothing(&self, proposal: &Proposal) -> Result<Infrastructure, EngineError> {
        if !matches!(proposal.policy.purpose, Purpose::Destroy | Purpose::Disown) {
            return Err(EngineError::Invalid("a plan needs an infrastructure file".into()));
        }
        let owned = self.store.owned_by(&proposal.space, &proposal.infrastructure).await?;
        let account = match (&proposal.account, owned.first()) {
            (Some(account), _) => account.clone(),
            (None, Some(record)) => self.account_named(&proposal.space, &record.account).await?,
            (None, None) => {
                return Err(EngineError::NotFound(format!(
                    "nothing is known of an infrastructure called {}: no file, no records",
                    proposal.infrastructure
                )));
            }
        };
        Ok(Infrastructure {
            name: proposal.infrastructure.clone(),
            account,
            networks: BTreeMap::new(),
            public_networks: BTreeMap::new(),
            servers: Vec::new(),
            deploy: Vec::new(),
            stats: false,
        })
    }

    async fn look_and_plan(
        self: &Arc<Inner>,
        id: PlanId,
        space: &SpaceName,
        account: &AccountName,
        mut wanted: Wanted,
        policy: &mut Policy,
        back: Option<GoesBack>,
    ) -> Result<PlannedAs, EngineError> {
        let session = self.session(space, account).await?;
        policy.settle_ms = session.account.settings.settle_time_ms();
        let subject = Subject::Infrastructure(wanted.infrastructure.name.clone());
        let seen = self.observe_for(space, &session, &subject, &wanted.infrastructure, policy).await?;
        let now = self.world.clock.now();
        let kept = match &back {
            Some(back) => back.fit(&mut wanted.infrastructure, &seen),
            None => Vec::new(),
        };
        let mut draft =
            muster_planner::plan_infrastructure(&wanted.infrastructure, &seen, policy, &wanted.bundle, now);
        draft.lanes = muster_planner::cut(&draft.steps, self.config.lane_targets);
        if let Some(back) = &back {
            back.say(&kept, &wanted.infrastructure, policy, &seen, &mut draft);
        }
        let cost = self.cost_of(space, account, &wanted.infrastructure, &seen, &draft).await;
        let plan = Plan {
            id,
            space: space.clone(),
            account: account.clone(),
            identity: session.account.identity.clone(),
            draft,
            cost,
        };
        let bundle =
            serde_json::to_value(&wanted.bundle).map_err(|error| EngineError::Store(error.to_string()))?;
        let inputs = PlanInputs { wanted: wanted.infrastructure, seen, policy: policy.clone(), bundle, now };
        let state = if plan.draft.refusals.is_empty() { PlanState::Ready } else { PlanState::Refused };
        Ok(PlannedAs { state, message: None, plan: Some((plan, inputs)) })
    }

    /// Saves the plan that a stale run made instead of acting.
    pub(crate) async fn save_replanned(
        &self,
        before: &Plan,
        mut draft: PlanDraft,
        seen: Inventory,
        mut inputs: PlanInputs,
    ) -> Result<PlanId, EngineError> {
        draft.lanes = muster_planner::cut(&draft.steps, self.config.lane_targets);
        let id = PlanId(self.world.ids.next());
        let row = self
            .store
            .plan(before.id)
            .await?
            .ok_or_else(|| EngineError::NotFound(format!("there is no plan {}", before.id)))?;
        if let Some(back_to) = row.new.source.as_ref().and_then(|source| source.back_to) {
            self.say_again(before, back_to, &inputs, &seen, &mut draft).await?;
        }
        let at = self.world.clock.now();
        let new = NewPlan { id, at, node: self.node, idempotency_key: None, ..row.new };
        self.store.insert_plan(new).await?;
        self.copy_environment(before.id, id).await?;
        let state = if draft.refusals.is_empty() { PlanState::Ready } else { PlanState::Refused };
        inputs.seen = seen;
        inputs.now = at;
        let cost = self.cost_of(&before.space, &before.account, &inputs.wanted, &inputs.seen, &draft).await;
        let plan = Plan { id, draft, cost, ..before.clone() };
        let planned = PlannedAs { state, message: None, plan: Some((plan, inputs)) };
        self.store.finish_plan(id, planned).await?;
        Ok(id)
    }
}

pub(crate) fn purpose_word(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Update => "update",
        Purpose::Deploy => "deploy",
        Purpose::Destroy => "destroy",
        Purpose::Adopt => "adopt",
        Purpose::Disown => "disown",
    }
}
