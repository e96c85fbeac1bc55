//! Objects of an account that are managed one by one: what is there, and proposals about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_model::Secret;
use muster_model::account::AccountIdentity;
use muster_model::id::{AccountName, PlanId, ProviderId, RunId, SecretName, SpaceName, StepNumber};
use muster_model::object::{Fields, ObjectClass, ObjectVerb, ObjectWish, SeenObject};
use muster_model::plan::{Plan, PlanDraft, Subject};
use muster_model::rights::{Authority, Wish, may};
use muster_model::run::{Entry, EntryKind, Output};
use muster_outside::cloud::{CloudError, CloudErrorKind};
use muster_planner::{SeenObjects, plan_objects, undo};
use muster_store::{NewPlan, PlanInputs, PlanState, PlannedAs};

use crate::account::Session;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::secret::OWN_SPACE;

mod observe;

/// The purpose that plans about objects are saved under.
pub(crate) const PURPOSE: &str = "objects";
/// The most wishes of one plan.
pub const WISHES_MAX: usize = 10_000;

/// Ask for a plan about objects of one account.
#[derive(Clone, Debug)]
pub struct ObjectProposal {
    /// The Space.
    pub space: SpaceName,
    /// The account.
    pub account: AccountName,
    /// What is wanted.
    pub wishes: Vec<ObjectWish>,
    /// The same key twice is the same request.
    pub idempotency_key: Option<String>,
}

/// Where the password of a storage user is kept: made by the provider, shown by it once.
fn password_secret(account: &AccountIdentity, user: &ProviderId) -> (SpaceName, SecretName) {
    (SpaceName::from(OWN_SPACE), SecretName(format!("storage-user-password/{account}/{user}")))
}

fn failed(error: CloudError) -> EngineError {
    match error.kind {
        CloudErrorKind::Refused | CloudErrorKind::NotFound => EngineError::Refused(error.to_string()),
        CloudErrorKind::Transient | CloudErrorKind::Unauthorized | CloudErrorKind::UnknownOutcome => {
            EngineError::Outside(error.to_string())
        }
    }
}

impl Engine {
    /// The objects of a class, as the provider shows them now; records: those of the domain `of`, by its name or id.
    pub async fn objects(
        &self,
        authority: &Authority,
        space: &SpaceName,
        account: &AccountName,
        class: ObjectClass,
        of: Option<&str>,
    ) -> Result<Vec<SeenObject>, EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        let session = self.inner.session(space, account).await?;
        match (class, of) {
            (ObjectClass::Record, Some(zone)) => Ok(records_of(&session, zone).await?.1),
            (ObjectClass::Action, Some(server)) => {
                let servers = session.cloud.servers().await.map_err(failed)?;
                let named = muster_planner::the_server(&servers, server).map_err(EngineError::NotFound)?;
                session.cloud.objects(class, Some(&named.id)).await.map_err(failed)
            }
            (ObjectClass::Action, None) => {
                Err(EngineError::Invalid("actions are listed by their server; say which".into()))
            }
            (ObjectClass::Record, None) => {
                Err(EngineError::Invalid("records are listed by their domain; say which".into()))
            }
            (class, _) => session.cloud.objects(class, None).await.map_err(failed),
        }
    }

    /// The customer, the project and the money, by the provider's words for them.
    pub async fn account_details(
        &self,
        authority: &Authority,
        space: &SpaceName,
        account: &AccountName,
    ) -> Result<Fields, EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        let session = self.inner.session(space, account).await?;
        session.cloud.account_details().await.map_err(failed)
    }

    /// Looks at what the wishes are about, and saves a plan.
    pub async fn submit_objects(
        &self,
        authority: &Authority,
        proposal: ObjectProposal,
    ) -> Result<PlanId, EngineError> {
        // Who makes another password reads it afterwards.
        let makes_password =
            |wish: &ObjectWish| matches!(wish, ObjectWish::Done { verb: ObjectVerb::ChangePassword, .. });
        let needed = if proposal.wishes.iter().any(makes_password) { Wish::Set } else { Wish::Run };
        may(authority, needed, &proposal.space).map_err(EngineError::Denied)?;
        if proposal.wishes.is_empty() || proposal.wishes.len() > WISHES_MAX {
            return Err(EngineError::Invalid(format!(
                "a plan about objects has 1 to {WISHES_MAX} wishes, not {}",
                proposal.wishes.len()
            )));
        }
        let inner = &self.inner;
        let session = inner.session(&proposal.space, &proposal.account).await?;
        let seen = inner.observe_objects(&proposal.space, &session, &proposal.wishes).await?;
        let draft = plan_objects(&proposal.account, &session.account.identity, &seen, &proposal.wishes);
        let id = PlanId(inner.world.ids.next());
        let new = NewPlan {
            id,
            space: proposal.space.clone(),
            subject: Subject::Account(proposal.account.clone()),
            account: proposal.account.clone(),
            purpose: PURPOSE.into(),
            bundle: "{}".into(),
            warnings: Vec::new(),
            actor: authority.actor.clone(),
            at: inner.world.clock.now(),
            node: inner.node,
            idempotency_key: proposal.idempotency_key,
            source: None,
        };
        let saved = inner.store.insert_plan(new).await?;
        if saved != id {
            return Ok(saved);
        }
        let state = if draft.refusals.is_empty() { PlanState::Ready } else { PlanState::Refused };
        let inputs = PlanInputs {
            // What was wanted, for a request that has to wait and is planned anew.
            bundle: serde_json::to_value(&proposal.wishes)
                .map_err(|error| EngineError::Store(error.to_string()))?,
            ..inner.no_inputs(&draft.subject.owner(), &session.account.identity)
        };
        let plan = Plan {
            id,
            space: proposal.space,
            account: proposal.account,
            identity: session.account.identity.clone(),
            draft,
            cost: None,
        };
        inner.store.finish_plan(id, PlannedAs { state, message: None, plan: Some((plan, inputs)) }).await?;
        Ok(id)
    }

    /// Proposes what takes back a run about objects: what succeeded in it, as far as anything can be taken back.
    pub async fn submit_undo(
        &self,
        authority: &Authority,
        run: RunId,
        idempotency_key: Option<String>,
    ) -> Result<(PlanId, Vec<String>), EngineError> {
        let inner = &self.inner;
        let row = inner.store.run(run).await?;
        let row = row.ok_or_else(|| EngineError::NotFound(format!("there is no run {run}")))?;
        may(authority, Wish::Run, &row.space).map_err(EngineError::Denied)?;
        let Subject::Account(account) = &row.subject else {
            return Err(EngineError::Invalid(format!(
                "run {run} is about {}; what a file made is taken back by `muster infra rollback`",
                row.subject
            )));
        };
        if !row.state.is_final() {
            return Err(EngineError::Conflict(format!(
                "run {run} is {}; wait for its end or cancel it first",
                row.state.word()
            )));
        }
        let (_, plan) = inner.run_and_plan(run).await?;
        let entries = inner.all_entries(run).await.map_err(|error| EngineError::Store(error.to_string()))?;
        let (effects, begun) = effects(&entries);
        let session = inner.session(&row.space, account).await?;
        let zones = session.cloud.objects(ObjectClass::Zone, None).await.map_err(failed)?;
        let zone_name =
            |id: &str| zones.iter().find(|zone| zone.id.as_str() == id).map(|zone| zone.name.clone());
        let steps =
            plan.draft.steps.iter().filter_map(|step| Some((step, effects.get(&step.number)?.as_ref())));
        let mut undone = undo(steps, zone_name);
        let unclear = plan.draft.steps.iter().filter(|step| begun.contains(&step.number));
        undone.cannot.extend(
            unclear.map(|step| {
                format!("{}: it was begun and did not end well; look what came of it", step.target)
            }),
        );
        if undone.wishes.is_empty() {
            let why = match undone.cannot.is_empty() {
                true => "it changed nothing".to_owned(),
                false => undone.cannot.join("; "),
            };
            return Err(EngineError::Refused(format!("run {run} cannot be taken back: {why}")));
        }
        let proposal = ObjectProposal {
            space: row.space.clone(),
            account: account.clone(),
            wishes: undone.wishes,
            idempotency_key,
        };
        Ok((self.submit_objects(authority, proposal).await?, undone.cannot))
    }

    /// The password of a storage user, as the provider said it when it was made or changed here.
    pub async fn object_password(
        &self,
        authority: &Authority,
        space: &SpaceName,
        account: &AccountName,
        user: &str,
    ) -> Result<(SeenObject, Secret), EngineError> {
        may(authority, Wish::Set, space).map_err(EngineError::Denied)?;
        let session = self.inner.session(space, account).await?;
        let users = session.cloud.objects(ObjectClass::StorageUser, None).await.map_err(failed)?;
        let seen = SeenObjects { objects: users, ..SeenObjects::default() };
        let found = muster_planner::the_object(&seen, ObjectClass::StorageUser, user);
        let found = found.map_err(EngineError::NotFound)?.clone();
        let identity = &session.account.identity;
        let audit =
            self.inner.audit(authority, space, "password.read", format!("of storage-user {}", found.name));
        self.inner.store.write_audit(audit).await?;
        match self.inner.kept_object_password(identity, &found.id).await? {
            Some(password) => Ok((found, password)),
            None => Err(EngineError::NotFound(format!(
                "the password of {user} was never seen here; `muster storage user password {user}` makes another one"
            ))),
        }
    }
}

/// The steps of a run that did something, each with the id of what it was done to. One that found everything so already,
/// and was never begun, did nothing. Beside them those that were begun and did not succeed.
fn effects(entries: &[Entry]) -> (BTreeMap<StepNumber, Option<ProviderId>>, BTreeSet<StepNumber>) {
    let mut begun = BTreeSet::new();
    let mut effects = BTreeMap::new();
    for entry in entries {
        match &entry.kind {
            EntryKind::Started { step, .. } => {
                begun.insert(*step);
            }
            EntryKind::Succeeded { step, already, output, .. } if !already || begun.contains(step) => {
                let id = match output {
                    Output::Object { id, .. } => Some(id.clone()),
                    _ => None,
                };
                effects.insert(*step, id);
            }
            _ => {}
        }
    }
    begun.retain(|step| !effects.contains_key(step));
    (effects, begun)
}

/// A domain by its name or id, with its records.
async fn records_of(
    session: &Arc<Session>,
    zone: &str,
) -> Result<(ProviderId, Vec<SeenObject>), EngineError> {
    let zones = session.cloud.objects(ObjectClass::Zone, None).await.map_err(failed)?;
    let seen = SeenObjects { objects: zones, ..SeenObjects::default() };
    let found = muster_planner::the_object(&seen, ObjectClass::Zone, zone).map_err(EngineError::NotFound)?;
    let records = session.cloud.objects(ObjectClass::Record, Some(&found.id)).await.map_err(failed)?;
    Ok((found.id.clone(), records))
}

impl Inner {
    /// What was wanted of objects, against what is there now.
    pub(crate) async fn plan_objects_again(
        &self,
        session: &Arc<Session>,
        plan: &Plan,
        inputs: &PlanInputs,
    ) -> Result<PlanDraft, EngineError> {
        let wishes: Vec<ObjectWish> = serde_json::from_value(inputs.bundle.clone())
            .map_err(|error| EngineError::Store(format!("the wishes of plan {}: {error}", plan.id)))?;
        let seen = self.observe_objects(&plan.space, session, &wishes).await?;
        Ok(plan_objects(&plan.account, &session.account.identity, &seen, &wishes))
    }

    /// Seals a password that a provider shows once.
    pub(crate) async fn keep_object_password(
        &self,
        account: &AccountIdentity,
        user: &ProviderId,
        password: &Secret,
    ) -> Result<(), EngineError> {
        let (own, name) = password_secret(account, user);
        let sealed = self.seal(&own, &name, password);
        let audit = self.own_audit("password.kept", format!("of storage-user {user} at {account}"));
        Ok(self.store.put_secret(own, name, sealed, audit).await?)
    }

    /// The password of a storage user, if it was ever heard here.
    pub(crate) async fn kept_object_password(
        &self,
        account: &AccountIdentity,
        user: &ProviderId,
    ) -> Result<Option<Secret>, EngineError> {
        let (own, name) = password_secret(account, user);
        self.secret_value(&own, &name).await
    }

    /// A user that is gone has no password.
    pub(crate) async fn forget_object_password(
        &self,
        account: &AccountIdentity,
        user: &ProviderId,
    ) -> Result<(), EngineError> {
        let (own, name) = password_secret(account, user);
        let audit = self.own_audit("password.forgotten", format!("of storage-user {user} at {account}"));
        self.store.delete_secret(own, name, audit).await?;
        Ok(())
    }
}
