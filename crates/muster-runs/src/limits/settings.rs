//! Limits as settings: who may set which, and how much of each is taken now.

use std::collections::BTreeSet;

use muster_model::id::{RunId, SpaceName};
use muster_model::limit::{LIMIT_MAX, LimitKey};
use muster_model::rights::{Authority, Wish, may};
use muster_store::Audit;

use super::keys_of;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::secret::OWN_SPACE;

/// A limit and how much of it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is limited.
    pub key: LimitKey,
    /// How many steps may be under way at once.
    pub cap: u32,
    /// How many are, or are about to be, on all nodes.
    pub taken: u32,
}

/// The Space whose settings a limit belongs to. What all Spaces share is the owner's.
fn space_of(key: &LimitKey) -> SpaceName {
    key.space().cloned().unwrap_or_else(|| OWN_SPACE.into())
}

impl Engine {
    /// Sets a limit; every node heeds it within seconds.
    pub async fn set_limit(
        &self,
        authority: &Authority,
        key: LimitKey,
        cap: u32,
    ) -> Result<Limit, EngineError> {
        may(authority, Wish::Set, &space_of(&key)).map_err(EngineError::Denied)?;
        if !(1..=LIMIT_MAX).contains(&cap) {
            return Err(EngineError::Invalid(format!(
                "the limit {key} cannot be {cap}; it must be from 1 to {LIMIT_MAX}"
            )));
        }
        let audit = self.audit(authority, &key, "limit.set", format!("limit {key} is {cap}"));
        self.inner.store.set_quota(key.stored(), Some(cap), audit).await?;
        self.inner.read_limits().await;
        let taken = self.inner.limits_now().await?.into_iter().find(|limit| limit.key == key);
        Ok(taken.unwrap_or(Limit { key, cap, taken: 0 }))
    }

    /// Removes a limit; false if there was none.
    pub async fn remove_limit(&self, authority: &Authority, key: &LimitKey) -> Result<bool, EngineError> {
        may(authority, Wish::Set, &space_of(key)).map_err(EngineError::Denied)?;
        let audit = self.audit(authority, key, "limit.removed", format!("limit {key}"));
        let was = self.inner.store.set_quota(key.stored(), None, audit).await?;
        self.inner.read_limits().await;
        Ok(was)
    }

    /// The limits that concern a Space. A host that `host:*` limits is listed while something of it is taken.
    pub async fn limits(&self, authority: &Authority, space: &SpaceName) -> Result<Vec<Limit>, EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        let mut limits = self.inner.limits_now().await?;
        limits.retain(|limit| limit.key.space().is_none_or(|of| of == space));
        Ok(limits)
    }

    fn audit(&self, authority: &Authority, key: &LimitKey, what: &str, about: String) -> Audit {
        Audit {
            space: space_of(key),
            at: self.inner.world.clock.now(),
            actor: authority.actor.clone(),
            what: what.to_owned(),
            about,
        }
    }
}

impl Inner {
    /// Every limit that counts now.
    async fn limits_now(&self) -> Result<Vec<Limit>, EngineError> {
        let rows = self.store.quotas().await?;
        let cap_of = |key: &LimitKey| {
            let stored = key.stored();
            rows.iter().find(|row| row.key == stored).and_then(|row| row.cap)
        };
        let limits = rows.iter().filter_map(|row| {
            let key = LimitKey::from_stored(&row.key)?;
            let cap = row.cap.or_else(|| cap_of(&key.or_else()?))?;
            Some(Limit { key, cap, taken: row.held })
        });
        let mut limits: Vec<Limit> = limits.collect();
        limits.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(limits)
    }

    /// The limits that are used up and that steps of a run's plan count towards.
    pub(crate) async fn limits_used_up(&self, run: RunId) -> Result<Vec<Limit>, EngineError> {
        let mut limits = self.limits_now().await?;
        limits.retain(|limit| limit.taken >= limit.cap);
        if limits.is_empty() {
            // A plan may be large.
            return Ok(limits);
        }
        let (_, plan) = self.run_and_plan(run).await?;
        let counted: BTreeSet<LimitKey> =
            plan.draft.steps.iter().flat_map(|step| keys_of(&plan, step)).collect();
        limits.retain(|limit| counted.contains(&limit.key));
        Ok(limits)
    }
}
