//! Releases that servers keep, looked at through SSH: for people, and for a plan that goes back to one.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use muster_model::account::AccountIdentity;
use muster_model::code::SeenReleases;
use muster_model::id::{InfrastructureName, SpaceName};
use muster_model::infrastructure::{DeployEntry, Infrastructure};
use muster_model::inventory::Inventory;
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::Subject;
use muster_model::policy::Policy;
use muster_model::rights::{Authority, Wish, may};
use muster_model::server::{SeenServer, ServerState};
use muster_outside::host::ssh::deliver::Place;

use crate::account::Session;
use crate::engine::{Engine, Inner};
use crate::error::{EngineError, chain};

/// Servers that are looked at once.
const LOOKS_AT_ONCE: usize = 32;
/// What our records of delivered code begin with; the directory follows.
const CODE_RECORD: &str = "code:";

/// One place to look at: a server of ours, as the provider shows it, and a directory on it.
struct Wanted {
    record: Ownership,
    seen: Option<SeenServer>,
    to: String,
}

impl Engine {
    /// The releases of all code that was delivered to servers of a file, as the servers tell them now.
    pub async fn releases(
        &self,
        authority: &Authority,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
    ) -> Result<Vec<SeenReleases>, EngineError> {
        may(authority, Wish::Read, space).map_err(EngineError::Denied)?;
        let inner = &self.inner;
        let owned = inner.store.owned_by(space, infrastructure).await?;
        let mut by_account: BTreeMap<AccountIdentity, Vec<Wanted>> = BTreeMap::new();
        for record in owned.into_iter().filter(|record| record.kind == ObjectKind::Server) {
            for key in record.provisioned.keys() {
                if let Some(to) = key.strip_prefix(CODE_RECORD) {
                    let wanted = Wanted { record: record.clone(), seen: None, to: to.to_owned() };
                    by_account.entry(record.account.clone()).or_default().push(wanted);
                }
            }
        }
        if by_account.is_empty() {
            return Err(EngineError::NotFound(format!(
                "no code was delivered to a server of {infrastructure}; `muster infra deploy {infrastructure}` delivers \
                 what its `deploy:` says"
            )));
        }
        let several = by_account.len() > 1;
        let mut seen = Vec::new();
        for (account, mut wanted) in by_account {
            let session = inner.session_of(space, &account).await?;
            let list = session.watch.fresh().await.map_err(|error| EngineError::Outside(chain(&error)))?;
            for place in &mut wanted {
                place.seen = list.get(&place.record.id).cloned();
            }
            let mut there = inner.look_at_releases(&session, wanted).await;
            if several {
                there.iter_mut().for_each(|one| one.account = Some(session.account.name.clone()));
            }
            seen.append(&mut there);
        }
        seen.sort_by(|one, two| one.to.cmp(&two.to));
        Ok(seen)
    }
}

impl Inner {
    /// One observation for a plan. Where it is to go back to a release, servers are asked which ones they keep.
    pub(crate) async fn observe_for(
        &self,
        space: &SpaceName,
        session: &Arc<Session>,
        subject: &Subject,
        file: &Infrastructure,
        policy: &Policy,
    ) -> Result<Inventory, EngineError> {
        let mut inventory = self.observe(space, session, subject).await?;
        let names = self.observe_names(session, file, &mut inventory).await?;
        let networks = self.observe_public_networks(session, file, &mut inventory).await?;
        if names || networks {
            self.facts_once_more(session, &mut inventory).await?;
        }
        if policy.to_release.is_none() {
            return Ok(inventory);
        }
        let mut wanted = Vec::new();
        for entry in &file.deploy {
            let DeployEntry::Code(entry) = entry else { continue };
            for server in file.matching(&entry.hosts) {
                let mut records = inventory.records(ObjectKind::Server, &file.name);
                let Some(record) = records.find(|record| record.name == server.name) else { continue };
                let seen = inventory.world.servers.iter().find(|seen| seen.id == record.id).cloned();
                if seen.is_some() {
                    wanted.push(Wanted { record: record.clone(), seen, to: entry.to.clone() });
                }
            }
        }
        inventory.releases = self.look_at_releases(session, wanted).await;
        Ok(inventory)
    }

    async fn look_at_releases(&self, session: &Session, wanted: Vec<Wanted>) -> Vec<SeenReleases> {
        let mut looks = Vec::new();
        for place in wanted {
            looks.push(
                async move {
                    let mut seen = SeenReleases {
                        server: place.record.name.clone(),
                        account: None,
                        to: place.to.clone(),
                        current: None,
                        unfinished: None,
                        releases: Vec::new(),
                        error: None,
                    };
                    match self.look_at(session, &place).await {
                        Ok(standing) => {
                            seen.current = standing.current;
                            seen.unfinished = standing.unfinished;
                            seen.releases = standing.releases;
                        }
                        Err(error) => seen.error = Some(error),
                    }
                    seen
                }
                .boxed(),
            );
        }
        futures::stream::iter(looks).buffered(LOOKS_AT_ONCE).collect().await
    }

    async fn look_at(
        &self,
        session: &Session,
        wanted: &Wanted,
    ) -> Result<muster_outside::host::ssh::deliver::Standing, String> {
        let Some(seen) = &wanted.seen else { return Err("it is gone at the provider".into()) };
        if seen.state != ServerState::Active || !seen.power_on {
            let power = if seen.power_on { "on" } else { "off" };
            return Err(format!("it is {} and {power}", seen.state));
        }
        let record = &wanted.record;
        let host = self.host_of(session, &record.name, seen, Some(record)).await;
        let host = host.map_err(|error| error.to_string())?;
        let place = Place::new(&wanted.to)?;
        place.look(self.outside.hosts.as_ref(), &host).await.map_err(|error| chain(&error))
    }
}
