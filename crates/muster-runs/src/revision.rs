//! Revisions: made with each approval that applies a file, told what their runs brought about, shown and (`compare.rs`) compared.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::bundle::{Manifest, ManifestFile};
use muster_model::diagnostic::{nearest, shown};
use muster_model::id::{AccountName, InfrastructureName, RevisionNumber, SpaceName};
use muster_model::infrastructure::{DeployEntry, Infrastructure};
use muster_model::plan::{Plan, Subject};
use muster_model::policy::Purpose;
pub use muster_model::revision::{Applied, AppliedServer, Difference, Revision, Source, TextDifference};
use muster_model::revision::{Approved, applied, applies};
use muster_model::rights::{Authority, Wish, may};
use muster_model::run::Fact;
use muster_planner::{BundleFacts, Then};
use muster_store::{NewPlan, NewRevision, PlanInputs};
pub use muster_store::{REVISIONS_KEPT, REVISIONS_MAX, RevisionsOf};

use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::reads::{ReadResult, Reads};

mod compare;

pub use compare::{Differences, FILES_SHOWN_MAX, FileDifference, Other};

/// One revision in full.
#[derive(Clone, Debug)]
pub struct RevisionView {
    /// The revision.
    pub revision: Revision,
    /// What it left behind.
    pub applied: Option<Applied>,
    /// What it was asked with.
    pub source: Source,
    /// Its documents and playbooks.
    pub documents: BTreeMap<String, ManifestFile>,
    /// How many files its bundle has.
    pub files: usize,
}

/// A revision with everything it was decided from.
pub(crate) struct Loaded {
    pub(crate) revision: Revision,
    pub(crate) applied: Option<Applied>,
    pub(crate) source: Source,
    pub(crate) manifest: Manifest,
    pub(crate) inputs: PlanInputs,
    bundle: BundleFacts,
}

impl Loaded {
    pub(crate) fn as_then(&self) -> Then<'_> {
        Then {
            number: self.revision.number,
            purpose: self.revision.approved.purpose,
            to_release: self.inputs.policy.to_release.as_ref(),
            wanted: &self.inputs.wanted,
            bundle: &self.bundle,
            documents: &self.source.documents,
            applied: self.applied.as_ref(),
        }
    }
}

/// The revision that an approval of this plan makes; none if the plan applies no file.
pub(crate) fn new_revision(new: &NewPlan, plan: &Plan) -> Result<Option<NewRevision>, EngineError> {
    let Subject::Infrastructure(infrastructure) = &new.subject else { return Ok(None) };
    let Some(purpose) = applied_purpose(&new.purpose) else { return Ok(None) };
    let approved = Approved {
        identity: plan.identity.clone(),
        purpose,
        back_to: new.source.as_ref().and_then(|source| source.back_to),
        bundle: manifest_of(new)?.digest(),
        summary: plan.draft.summary(),
    };
    let of = RevisionsOf {
        space: new.space.clone(),
        infrastructure: infrastructure.clone(),
        account: plan.account.clone(),
    };
    Ok(Some(NewRevision { of, approved }))
}

/// The purpose of a plan's word, if such a plan applies a file.
fn applied_purpose(word: &str) -> Option<Purpose> {
    let all = [Purpose::Update, Purpose::Deploy, Purpose::Destroy, Purpose::Adopt, Purpose::Disown];
    all.into_iter().find(|purpose| crate::submit::purpose_word(*purpose) == word && applies(*purpose))
}

fn manifest_of(new: &NewPlan) -> Result<Manifest, EngineError> {
    serde_json::from_str(&new.bundle).map_err(|error| {
        EngineError::Store(format!("the manifest of plan {} cannot be read: {error}", new.id))
    })
}

impl Inner {
    /// What a run that ended well brought about, for its revision.
    pub(crate) async fn brought_about(&self, plan: &Plan) -> Result<Vec<Fact>, EngineError> {
        let Subject::Infrastructure(infrastructure) = &plan.draft.subject else { return Ok(Vec::new()) };
        let Some(inputs) = self.store.plan_inputs(plan.id).await? else { return Ok(Vec::new()) };
        if !applies(inputs.policy.purpose) {
            return Ok(Vec::new());
        }
        let mut records = self.store.owned_by(&plan.space, infrastructure).await?;
        records.retain(|record| record.account == plan.identity);
        let left = applied(&inputs.wanted, &plan.draft, &inputs.seen, &records);
        Ok(vec![Fact::Applied(Box::new(left))])
    }

    /// Whose revisions are meant; the account may stay unsaid where there is only one.
    pub(crate) async fn whose_revisions(
        &self,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
        account: Option<&AccountName>,
    ) -> Result<RevisionsOf, EngineError> {
        let known = self.store.revision_accounts(space, infrastructure).await?;
        let names = known.iter().map(AccountName::as_str).collect::<Vec<_>>().join(", ");
        let account = match (account, known.as_slice()) {
            (_, []) => {
                return Err(EngineError::NotFound(format!(
                    "{infrastructure} has no history: its first revision is made by the next `muster infra update \
                     {infrastructure}` or `deploy` that has something to do"
                )));
            }
            (Some(account), known) if known.contains(account) => account.clone(),
            (Some(account), _) => {
                return Err(EngineError::NotFound(format!(
                    "{infrastructure} has no history at the account {account}; it has one at {names}"
                )));
            }
            (None, [one]) => one.clone(),
            (None, _) => {
                return Err(EngineError::Invalid(format!(
                    "{infrastructure} was applied to several accounts ({names}); say which one with --account"
                )));
            }
        };
        Ok(RevisionsOf { space: space.clone(), infrastructure: infrastructure.clone(), account })
    }

    /// One revision that is there.
    pub(crate) async fn one_revision(
        &self,
        of: &RevisionsOf,
        number: RevisionNumber,
    ) -> Result<Revision, EngineError> {
        if let Some(revision) = self.store.revision(of, number).await? {
            return Ok(revision);
        }
        let newest = self.store.revisions(of, None, 1).await?;
        let newest = newest.first().map_or(0, |revision| revision.number.0);
        Err(EngineError::NotFound(format!(
            "{} has no revision {number}; it has 1 to {newest} at the account {}",
            of.infrastructure, of.account
        )))
    }

    /// A revision with everything it was decided from.
    pub(crate) async fn loaded(&self, revision: Revision) -> Result<Loaded, EngineError> {
        let plan = revision.run.plan;
        let lost = || {
            EngineError::Refused(format!(
                "the files of revision {} of {} are not kept any more: kept are the newest {} revisions, and what \
                 ended within 90 days",
                revision.number, revision.infrastructure, self.config.revisions_kept
            ))
        };
        let row = self.store.plan(plan).await?;
        let inputs = self.store.plan_inputs(plan).await?;
        let (Some(row), Some(inputs), true) = (row, inputs, revision.is_kept) else { return Err(lost()) };
        let bundle = serde_json::from_value(inputs.bundle.clone()).map_err(|error| {
            EngineError::Store(format!("the inputs of plan {plan} cannot be read: {error}"))
        })?;
        Ok(Loaded {
            applied: self.store.applied(revision.run.id).await?,
            source: row.new.source.clone().unwrap_or_default(),
            manifest: manifest_of(&row.new)?,
            inputs,
            bundle,
            revision,
        })
    }
}

impl Reads {
    /// The newest revisions of a file first, those below a number only.
    pub async fn revisions(
        &self,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
        account: Option<&AccountName>,
        below: Option<RevisionNumber>,
        limit: u32,
    ) -> ReadResult<Vec<Revision>> {
        let inner = &self.engine.inner;
        let of = inner.whose_revisions(space, infrastructure, account).await?;
        Ok(inner.store.revisions(&of, below, limit.min(REVISIONS_MAX)).await?)
    }

    /// One revision in full.
    pub async fn revision(
        &self,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
        account: Option<&AccountName>,
        number: RevisionNumber,
    ) -> ReadResult<RevisionView> {
        let inner = &self.engine.inner;
        let of = inner.whose_revisions(space, infrastructure, account).await?;
        let revision = inner.one_revision(&of, number).await?;
        if !revision.is_kept {
            let (source, documents) = (Source::default(), BTreeMap::new());
            return Ok(RevisionView { revision, applied: None, source, documents, files: 0 });
        }
        let loaded = inner.loaded(revision).await?;
        let told = told_files(&loaded.source.documents, &loaded.inputs.wanted);
        let documents = loaded.manifest.files.iter().filter(|(path, _)| told.contains(path.as_str()));
        Ok(RevisionView {
            documents: documents.map(|(path, file)| (path.clone(), file.clone())).collect(),
            files: loaded.manifest.files.len(),
            revision: loaded.revision,
            applied: loaded.applied,
            source: loaded.source,
        })
    }
}

/// Documents and playbooks: the files whose text is shown.
fn told_files<'a>(documents: &'a BTreeSet<String>, wanted: &'a Infrastructure) -> BTreeSet<&'a str> {
    let mut told: BTreeSet<&str> = documents.iter().map(String::as_str).collect();
    told.extend(wanted.deploy.iter().filter_map(|entry| match entry {
        DeployEntry::Playbook(entry) => Some(entry.playbook.as_str()),
        DeployEntry::Code(_) => None,
    }));
    told.extend(wanted.servers.iter().flat_map(|server| server.playbooks.iter().map(String::as_str)));
    told
}

impl Engine {
    /// One file of a revision as it was, the infrastructure file where none is named. For those who may apply it: a
    /// file may hold what should not stand in it.
    pub async fn revision_file(
        &self,
        authority: &Authority,
        of: (&SpaceName, &InfrastructureName, Option<&AccountName>),
        number: RevisionNumber,
        path: Option<String>,
    ) -> Result<(String, ManifestFile, Vec<u8>), EngineError> {
        let (space, infrastructure, account) = of;
        may(authority, Wish::Run, space).map_err(EngineError::Denied)?;
        let inner = &self.inner;
        let of = inner.whose_revisions(space, infrastructure, account).await?;
        let loaded = inner.loaded(inner.one_revision(&of, number).await?).await?;
        let Some(path) = path.or_else(|| loaded.source.entry.clone()) else {
            return Err(EngineError::NotFound(format!(
                "revision {number} of {infrastructure} had no file: what it owned was taken down without one"
            )));
        };
        let Some(file) = loaded.manifest.files.get(&path) else {
            let near = nearest(&path, loaded.manifest.files.keys().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(EngineError::NotFound(format!(
                "revision {number} of {infrastructure} has no file `{}`{near}",
                shown(&path)
            )));
        };
        let content = inner.contents.get(&file.sha256).await?;
        Ok((path, file.clone(), content))
    }
}
