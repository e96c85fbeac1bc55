//! Prices of accounts: set and kept, and what servers cost by them.
//!
//! The provider tells no prices, so a person writes a table (`muster_model::price`). It is a setting of the account in
//! its Space and lies among Muster's own sealed settings, so that every node and every context reckons with it.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::Secret;
use muster_model::id::{AccountName, InfrastructureName, ProviderId, SecretName, SpaceName};
use muster_model::infrastructure::Infrastructure;
use muster_model::inventory::Inventory;
use muster_model::ownership::ObjectKind;
use muster_model::plan::PlanDraft;
use muster_model::policy::Purpose;
use muster_model::price::{Amount, Billed, PlanCost, PriceTable, days_left, read_prices};
use muster_model::revision::Revision;
use muster_model::rights::{Authority, Wish, may};
use muster_model::run::RunState;
use muster_model::server::ServerState;
use muster_store::{Audit, REVISIONS_MAX, RevisionsOf};

use crate::account::ENVIRONMENT_ACCOUNT;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::secret::{OWN_SPACE, sealed_name};

/// What a server costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCost {
    /// Its id at the provider.
    pub id: ProviderId,
    /// Its name there.
    pub name: String,
    /// The file that owns it; none for a stranger.
    pub infrastructure: Option<InfrastructureName>,
    /// A month, or every price that is missing.
    pub month: Result<Amount, Vec<String>>,
}

/// What an account's servers cost, and how long its balance lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountCost {
    /// The word behind the amounts.
    pub currency: String,
    /// The servers, as the provider shows them now.
    pub servers: Vec<ServerCost>,
    /// A month of all that have a cost.
    pub month: Amount,
    /// What the account has left, as the provider writes it.
    pub balance: String,
    /// For how many whole days that lasts; none where the balance is no plain number or nothing has a cost.
    pub days_left: Option<u64>,
}

/// Where the prices of an account are kept.
fn price_name(space: &SpaceName, account: &AccountName) -> SecretName {
    SecretName(format!("prices/{space}/{account}"))
}

impl Engine {
    /// Sets the prices of an account from a document's text; those of before are gone.
    pub async fn set_prices(
        &self,
        authority: &Authority,
        space: &SpaceName,
        account: &AccountName,
        file: &str,
        text: &str,
    ) -> Result<PriceTable, EngineError> {
        may(authority, Wish::Set, space).map_err(EngineError::Denied)?;
        let table = read_prices(file, text.as_bytes())
            .map_err(|problems| EngineError::Document(Box::new(problems)))?;
        let inner = &self.inner;
        inner.knows_account(space, account).await?;
        let body = serde_json::to_string(&table).map_err(|error| EngineError::Store(error.to_string()))?;
        let (own, name) = (SpaceName::from(OWN_SPACE), price_name(space, account));
        let sealed = inner.sealer.seal(&sealed_name(&own, &name), &Secret::new(body));
        let audit = inner.price_audit(authority, space, "prices.set", account);
        inner.store.put_secret(own, name, sealed, audit).await?;
        Ok(table)
    }

    /// The prices of an account; none if nobody set them.
    pub async fn prices(
        &self,
        authority: &Authority,
        space: &SpaceName,
        account: &AccountName,
    ) -> Result<Option<PriceTable>, EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        self.inner.prices(space, account).await
    }

    /// Forgets the prices of an account; false if there were none.
    pub async fn remove_prices(
        &self,
        authority: &Authority,
        space: &SpaceName,
        account: &AccountName,
    ) -> Result<bool, EngineError> {
        may(authority, Wish::Set, space).map_err(EngineError::Denied)?;
        let audit = self.inner.price_audit(authority, space, "prices.removed", account);
        let name = price_name(space, account);
        Ok(self.inner.store.delete_secret(OWN_SPACE.into(), name, audit).await?)
    }

    /// What every server of an account costs now, strangers included, and how long the balance lasts.
    pub async fn account_cost(
        &self,
        authority: &Authority,
        space: &SpaceName,
        account: &AccountName,
    ) -> Result<AccountCost, EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        let inner = &self.inner;
        let session = inner.session(space, account).await?;
        let Some(prices) = inner.prices(space, account).await? else {
            return Err(EngineError::NotFound(format!(
                "the account {account} has no prices; write a table and set it with `muster account prices set \
                 {account} FILE`"
            )));
        };
        let cloud = &session.cloud;
        let (seen, locations, balance) =
            futures::try_join!(cloud.servers(), cloud.locations(), cloud.balance())
                .map_err(|error| EngineError::Outside(error.to_string()))?;
        let facts = inner.store.facts(&session.account.identity).await?;
        let owners: BTreeMap<ProviderId, InfrastructureName> = facts
            .owned
            .into_iter()
            .filter(|record| record.kind == ObjectKind::Server)
            .map(|record| (record.id, record.infrastructure))
            .collect();
        let there = seen.iter().filter(|server| server.state != ServerState::Deleting);
        let servers: Vec<ServerCost> = there
            .map(|server| ServerCost {
                id: server.id.clone(),
                name: server.name.clone(),
                infrastructure: owners.get(&server.id).cloned(),
                month: prices.month(&Billed::of(server, 0), &locations),
            })
            .collect();
        let month: Amount = servers.iter().filter_map(|server| server.month.as_ref().ok()).copied().sum();
        Ok(AccountCost {
            currency: prices.currency,
            servers,
            month,
            days_left: days_left(&balance.amount, month),
            balance: balance.amount,
        })
    }
}

impl Inner {
    /// The prices of an account, where it has some.
    async fn prices(
        &self,
        space: &SpaceName,
        account: &AccountName,
    ) -> Result<Option<PriceTable>, EngineError> {
        let kept = self.secret_value(&OWN_SPACE.into(), &price_name(space, account)).await?;
        let read = |kept: Secret| {
            serde_json::from_str(kept.expose()).map_err(|error| {
                EngineError::Store(format!(
                    "the prices of the account {account} cannot be read ({error}); set them anew"
                ))
            })
        };
        kept.map(read).transpose()
    }

    /// What a plan does to the monthly cost. A table that cannot be read is told in the log, and no reason not to plan.
    pub(crate) async fn cost_of(
        &self,
        space: &SpaceName,
        account: &AccountName,
        wanted: &Infrastructure,
        seen: &Inventory,
        draft: &PlanDraft,
    ) -> Option<PlanCost> {
        let cost = async {
            let Some(prices) = self.prices(space, account).await? else { return Ok(None) };
            let before = self.applied_last(space, account, wanted, seen).await?;
            Ok(Some(muster_planner::plan_cost(&prices, wanted, before.as_ref(), seen, draft)))
        };
        cost.await.unwrap_or_else(|error: EngineError| {
            tracing::warn!(%error, "a plan for {} has no cost", wanted.name);
            None
        })
    }

    /// What the file wanted when it was applied last, if servers of it stand that it does not want any more.
    async fn applied_last(
        &self,
        space: &SpaceName,
        account: &AccountName,
        wanted: &Infrastructure,
        seen: &Inventory,
    ) -> Result<Option<Infrastructure>, EngineError> {
        let names: BTreeSet<_> = wanted.servers.iter().map(|server| &server.name).collect();
        if seen.records(ObjectKind::Server, &wanted.name).all(|record| names.contains(&record.name)) {
            return Ok(None);
        }
        let of = RevisionsOf {
            space: space.clone(),
            infrastructure: wanted.name.clone(),
            account: account.clone(),
        };
        let revisions = self.store.revisions(&of, None, REVISIONS_MAX).await?;
        let told = |revision: &&Revision| {
            // What takes everything down wants nothing, and what is stale touched nothing.
            revision.is_kept
                && revision.approved.purpose != Purpose::Destroy
                && revision.run.state != RunState::Stale
        };
        let Some(last) = revisions.iter().find(told) else { return Ok(None) };
        Ok(self.store.plan_inputs(last.run.plan).await?.map(|inputs| inputs.wanted))
    }

    async fn knows_account(&self, space: &SpaceName, account: &AccountName) -> Result<(), EngineError> {
        let stored = self.store.accounts(space).await?;
        let of_environment =
            self.config.environment_account.is_some() && account.as_str() == ENVIRONMENT_ACCOUNT;
        if of_environment || stored.iter().any(|(known, _)| known.name == *account) {
            return Ok(());
        }
        Err(EngineError::AccountMissing(account.clone()))
    }

    fn price_audit(
        &self,
        authority: &Authority,
        space: &SpaceName,
        what: &str,
        account: &AccountName,
    ) -> Audit {
        Audit {
            space: space.clone(),
            at: self.world.clock.now(),
            actor: authority.actor.clone(),
            what: what.to_owned(),
            about: format!("prices of account {account}"),
        }
    }
}
