//! Going back to an earlier revision: an ordinary plan over its file and its bundle, with what that does not bring back.

use std::collections::BTreeMap;

use muster_model::Secret;
use muster_model::id::{AccountName, InfrastructureName, PlanId, RevisionNumber, ServerName, SpaceName};
use muster_model::infrastructure::Infrastructure;
use muster_model::inventory::Inventory;
use muster_model::plan::{Note, NoteKind, Plan, PlanDraft, Subject};
use muster_model::policy::{Policy, Purpose};
use muster_model::revision::{Applied, Revision, before_current};
use muster_model::rights::{Authority, Wish, may};
use muster_planner::{
    Back, Inside, KeptDisk, delivered, keep_larger_disks, not_restored, redeploy, take_disks_of_then,
    take_names_back,
};
use muster_store::{PlanInputs, REVISIONS_MAX, RevisionsOf};

use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::revision::Loaded;
use crate::secret::BECOME_PASSWORD;
use crate::submit::Proposal;

/// Files of a revision that are named where they are lost.
const LOST_NAMED_MAX: usize = 5;

/// Ask for a plan that goes back to an earlier revision.
#[derive(Clone, Debug)]
pub struct RollBack {
    /// The Space.
    pub space: SpaceName,
    /// The file's name without extension.
    pub infrastructure: InfrastructureName,
    /// The account; none where the file has a history at one only.
    pub account: Option<AccountName>,
    /// Which revision; none = the last good one before the current one.
    pub to: Option<RevisionNumber>,
    /// Whether to deploy; none = as the revision had it.
    pub deploy: Option<bool>,
    /// Leave disks as they are that are larger now.
    pub keep_disks: bool,
    /// Environment variables for this plan; they win over those kept with the revision.
    pub env: BTreeMap<String, Secret>,
    /// Consent and narrowing; its purpose is decided here, and what of playbooks it leaves open is the revision's.
    pub policy: Policy,
    /// The same key twice is the same request.
    pub idempotency_key: Option<String>,
}

/// What makes a plan one that goes back.
#[derive(Clone, Debug)]
pub(crate) struct GoesBack {
    /// To which revision.
    pub(crate) number: RevisionNumber,
    applied: Option<Applied>,
    keep_disks: bool,
    /// What is said of it first.
    words: String,
}

impl GoesBack {
    /// Fits what is wanted to what stands: servers that were renamed since get their names back, disks are what they
    /// were then, and stay larger where that is wished; gives these.
    pub(crate) fn fit(&self, wanted: &mut Infrastructure, seen: &Inventory) -> Vec<KeptDisk> {
        if let Some(applied) = &self.applied {
            take_names_back(wanted, applied, seen);
            take_disks_of_then(wanted, applied, seen);
        }
        if self.keep_disks { keep_larger_disks(wanted, seen) } else { Vec::new() }
    }

    /// Puts what going back means before the plan's other notes.
    pub(crate) fn say(
        &self,
        kept: &[KeptDisk],
        wanted: &Infrastructure,
        policy: &Policy,
        seen: &Inventory,
        draft: &mut PlanDraft,
    ) {
        let back = Back { number: self.number, applied: self.applied.as_ref(), kept };
        let target = wanted.name.to_string();
        let mut notes = vec![Note { target, kind: NoteKind::Rollback, message: self.words.clone() }];
        // To a release only the code goes back.
        if policy.to_release.is_none() {
            notes.extend(not_restored(&back, wanted, seen, draft));
        }
        notes.append(&mut draft.notes);
        draft.notes = notes;
    }
}

impl Engine {
    /// Plans the way back to an earlier revision: the same file, variables, playbooks and code as then.
    pub async fn roll_back(&self, authority: &Authority, wish: RollBack) -> Result<PlanId, EngineError> {
        may(authority, Wish::Run, &wish.space).map_err(EngineError::Denied)?;
        if wish.policy.to_release.is_some() {
            return Err(EngineError::Invalid(format!(
                "a rollback goes to the release that its revision had, and takes no `to_release`; `muster infra deploy {} \
                 --to-release R` goes to any that the servers keep",
                wish.infrastructure
            )));
        }
        let inner = &self.inner;
        let of = inner.whose_revisions(&wish.space, &wish.infrastructure, wish.account.as_ref()).await?;
        let to = inner.revision_to_go_back_to(&of, wish.to).await?;
        let then = inner.loaded(to).await?;
        let session = inner.session(&of.space, &of.account).await?;
        let identity = &session.account.identity;
        if *identity != then.revision.approved.identity {
            return Err(EngineError::Refused(format!(
                "revision {} was applied to {}, and the account {} is {identity} now",
                then.revision.number, then.revision.approved.identity, of.account
            )));
        }
        let mut records = inner.store.owned_by(&of.space, &of.infrastructure).await?;
        records.retain(|record| record.account == *identity);
        let deployed = inner.deployed_by(&of, &then).await?;
        // Servers are asked only where it goes to a release without building it.
        let kept = match then.inputs.policy.to_release.is_some() && wish.deploy != Some(false) {
            true => match self.releases(authority, &of.space, &of.infrastructure).await {
                Err(EngineError::NotFound(_)) => Vec::new(),
                kept => kept?,
            },
            false => Vec::new(),
        };
        let deployed = deployed.as_ref().map(Loaded::as_then);
        let inside = redeploy(wish.deploy, &then.as_then(), deployed.as_ref(), &kept, &records);
        let back = GoesBack {
            number: then.revision.number,
            words: words(&then, inside.why.as_deref()),
            applied: then.applied.clone(),
            keep_disks: wish.keep_disks,
        };
        let proposal = inner.proposal_of(&then, wish, inside).await?;
        self.propose(authority, proposal, Some(back)).await
    }
}

impl Inner {
    async fn revision_to_go_back_to(
        &self,
        of: &RevisionsOf,
        to: Option<RevisionNumber>,
    ) -> Result<Revision, EngineError> {
        let revision = match to {
            Some(number) => self.one_revision(of, number).await?,
            None => {
                let all = self.store.revisions(of, None, REVISIONS_MAX).await?;
                let newest = all.first().map_or(RevisionNumber(0), |revision| revision.number);
                before_current(&all).cloned().ok_or_else(|| {
                    EngineError::Refused(format!(
                        "there is nothing to go back to: no revision of {} before {newest} ended well; \
                         `muster infra history {}` shows all, and `--to N` takes any",
                        of.infrastructure, of.infrastructure
                    ))
                })?
            }
        };
        if revision.approved.purpose == Purpose::Destroy {
            return Err(EngineError::Refused(format!(
                "revision {} took everything down; `muster infra destroy {}` does that",
                revision.number, of.infrastructure
            )));
        }
        Ok(revision)
    }

    /// The newest revision up to this one that delivered what the servers had in it, and is kept.
    async fn deployed_by(&self, of: &RevisionsOf, then: &Loaded) -> Result<Option<Loaded>, EngineError> {
        let below = RevisionNumber(then.revision.number.0.saturating_add(1));
        let earlier = self.store.revisions(of, Some(below), REVISIONS_MAX).await?.into_iter();
        let could = |revision: &Revision| {
            revision.approved.purpose == Purpose::Deploy && revision.ended_well() && revision.is_kept
        };
        for revision in earlier.filter(could) {
            let earlier = self.loaded(revision).await?;
            if delivered(&earlier.as_then(), &then.as_then()) {
                return Ok(Some(earlier));
            }
        }
        Ok(None)
    }

    /// Says again, of a plan that a stale run made, what going back means: by what stands now.
    pub(crate) async fn say_again(
        &self,
        before: &Plan,
        back_to: RevisionNumber,
        inputs: &PlanInputs,
        seen: &Inventory,
        draft: &mut PlanDraft,
    ) -> Result<(), EngineError> {
        let of_rollback = before.draft.notes.iter().filter(|note| note.kind == NoteKind::Rollback);
        let mut notes: Vec<Note> = of_rollback.cloned().collect();
        if let Subject::Infrastructure(infrastructure) = &before.draft.subject
            && inputs.policy.to_release.is_none()
        {
            let of = RevisionsOf {
                space: before.space.clone(),
                infrastructure: infrastructure.clone(),
                account: before.account.clone(),
            };
            let applied = match self.store.revision(&of, back_to).await? {
                Some(revision) => self.store.applied(revision.run.id).await?,
                None => None,
            };
            // What is wanted was fitted to what stood: a disk that is larger than then was to stay so.
            let had = |name: &ServerName| {
                applied.iter().flat_map(|applied| &applied.servers).find(|server| server.name == *name)
            };
            let kept = inputs.wanted.servers.iter().filter_map(|server| {
                let then_gb = had(&server.name)?.size.as_ref()?.disk_gb;
                let now_gb = server.size.disk_gb;
                (now_gb > then_gb).then(|| KeptDisk { server: server.name.clone(), then_gb, now_gb })
            });
            let kept: Vec<KeptDisk> = kept.collect();
            let back = Back { number: back_to, applied: applied.as_ref(), kept: &kept };
            notes.extend(not_restored(&back, &inputs.wanted, seen, draft));
        }
        notes.append(&mut draft.notes);
        draft.notes = notes;
        Ok(())
    }

    /// The same proposal as then, with today's consent.
    async fn proposal_of(
        &self,
        then: &Loaded,
        wish: RollBack,
        inside: Inside,
    ) -> Result<Proposal, EngineError> {
        let number = then.revision.number;
        let mut lost = Vec::new();
        for (path, file) in &then.manifest.files {
            if !self.contents.has(&file.sha256).await? {
                lost.push(path.as_str());
            }
        }
        if !lost.is_empty() {
            let named = lost.iter().take(LOST_NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
            return Err(EngineError::Refused(format!(
                "{} of the {} files of revision {number} are lost, and so it cannot be gone back to: {named}",
                lost.len(),
                then.manifest.files.len()
            )));
        }
        let mut env = BTreeMap::new();
        // Who goes back may be another person: the password for sudo is nobody else's.
        for name in then.source.env.iter().filter(|name| name.as_str() != BECOME_PASSWORD) {
            if let Some(value) = self.environment_value(then.revision.run.plan, name).await? {
                env.insert(name.clone(), value);
            }
        }
        env.extend(wish.env);
        let Inside { purpose, release, why: _ } = inside;
        let mut policy = Policy { purpose, to_release: release, ..wish.policy };
        if purpose == Purpose::Deploy && policy.tags.is_empty() && policy.skip_tags.is_empty() {
            policy.tags = then.inputs.policy.tags.clone();
            policy.skip_tags = then.inputs.policy.skip_tags.clone();
        }
        if purpose == Purpose::Deploy && policy.extra_vars.is_empty() {
            policy.extra_vars = then.inputs.policy.extra_vars.clone();
        }
        Ok(Proposal {
            space: wish.space,
            infrastructure: wish.infrastructure,
            bundle: then.manifest.clone(),
            entry: then.source.entry.clone(),
            vars: then.source.vars.clone(),
            var_files: then.source.var_files.clone(),
            env,
            account: Some(then.revision.account.clone()),
            policy,
            idempotency_key: wish.idempotency_key,
        })
    }
}

/// Which revision the plan goes back to, and what of it.
fn words(then: &Loaded, why: Option<&str>) -> String {
    let Revision { number, run, .. } = &then.revision;
    let at = run.started_at.strftime("%Y-%m-%d %H:%M UTC");
    let mut words = format!("This goes back to revision {number} of {at} by {}.", run.actor);
    if !then.revision.ended_well() {
        words.push_str(&format!(" Its run {}: what it reached then is not known.", ended(run.state.word())));
    }
    let only = &then.inputs.policy.only;
    if !only.is_empty() {
        let names = only.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        words.push_str(&format!(" It was applied with `--only {names}`; here its whole file is meant."));
    }
    if let Some(why) = why {
        words.push(' ');
        words.push_str(why);
    }
    words
}

fn ended(state: &str) -> String {
    format!("did not end well ({state})")
}
