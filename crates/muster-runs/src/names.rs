//! Looking at what only some files have: names in DNS (domains, and the records of those that a file or our records
//! for it name) and public networks.

use std::collections::BTreeSet;
use std::sync::Arc;

use muster_model::account::Provider;
use muster_model::dns::{SeenRecord, SeenZone, ServerRecord, zone_of};
use muster_model::id::ProviderId;
use muster_model::infrastructure::Infrastructure;
use muster_model::intent::Created;
use muster_model::inventory::Inventory;
use muster_model::object::{ObjectClass, record::plain};
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::public_network::SeenPublicNetwork;
use muster_outside::cloud::CloudError;

use crate::account::Session;
use crate::engine::Inner;
use crate::error::EngineError;

impl Inner {
    /// Adds the account's domains to an observation, where the file needs any: one list of domains, and one of records
    /// for each domain that a name lies in. A file without names costs no request. Tells whether it looked.
    pub(crate) async fn observe_names(
        &self,
        session: &Arc<Session>,
        file: &Infrastructure,
        inventory: &mut Inventory,
    ) -> Result<bool, EngineError> {
        let names: BTreeSet<&str> =
            file.servers.iter().flat_map(|server| &server.dns).map(|name| name.name.as_str()).collect();
        let ours: Vec<ServerRecord> = remembered(inventory, file).cloned().collect();
        if names.is_empty() && ours.is_empty() || session.account.identity.provider == Provider::Local {
            return Ok(false);
        }
        let failed = |error: CloudError| EngineError::Outside(error.to_string());
        let cloud = &session.cloud;
        let zones = cloud.objects(ObjectClass::Zone, None).await.map_err(failed)?;
        let mut zones: Vec<SeenZone> = zones
            .into_iter()
            .map(|zone| SeenZone { id: zone.id, name: plain(&zone.name), records: Vec::new() })
            .collect();
        let needed: BTreeSet<&ProviderId> = names
            .iter()
            .filter_map(|name| zone_of(name, &zones))
            .map(|zone| &zone.id)
            .chain(ours.iter().map(|record| &record.zone))
            .collect();
        let mut read = Vec::with_capacity(zones.len());
        for zone in &zones {
            read.push(match needed.contains(&zone.id) {
                true => records(session, &zone.id, &zone.name).await.map_err(failed)?,
                false => Vec::new(),
            });
        }
        for (zone, mut records) in zones.iter_mut().zip(read) {
            // What other names say is nobody's business here.
            records.retain(|seen| {
                names.contains(seen.name.as_str())
                    || ours.iter().any(|record| record.name == seen.name)
                    || inventory
                        .owned
                        .iter()
                        .any(|record| record.kind == ObjectKind::Record && record.id == seen.id)
            });
            zone.records = records;
        }
        inventory.zones = zones;
        Ok(true)
    }

    /// Adds the account's public networks, where the file or our records for it name any: one list. Tells whether it
    /// looked.
    pub(crate) async fn observe_public_networks(
        &self,
        session: &Arc<Session>,
        file: &Infrastructure,
        inventory: &mut Inventory,
    ) -> Result<bool, EngineError> {
        let ours = inventory.records(ObjectKind::PublicNetwork, &file.name).next().is_some();
        let lost = inventory.intents.iter().any(|intent| {
            intent.infrastructure == file.name && matches!(intent.wanted, Created::PublicNetwork(_))
        });
        let wants = ours || lost || !file.public_networks.is_empty();
        if !wants || session.account.identity.provider == Provider::Local {
            return Ok(false);
        }
        let seen = session.cloud.objects(ObjectClass::PublicNetwork, None).await;
        let seen = seen.map_err(|error| EngineError::Outside(error.to_string()))?;
        inventory.public_networks = seen.iter().map(SeenPublicNetwork::of).collect();
        Ok(true)
    }

    /// Our records once more: what was written meanwhile stands for an object that would look like a stranger's.
    pub(crate) async fn facts_once_more(
        &self,
        session: &Arc<Session>,
        inventory: &mut Inventory,
    ) -> Result<(), EngineError> {
        let facts = self.store.facts(&session.account.identity).await?;
        let is_further =
            |record: &Ownership| matches!(record.kind, ObjectKind::Record | ObjectKind::PublicNetwork);
        inventory.owned.retain(|record| !is_further(record));
        inventory.owned.extend(facts.owned.into_iter().filter(is_further));
        Ok(())
    }
}

/// Which records in DNS we remember for a file: those that are ours, and those whose create had no answer.
fn remembered<'a>(
    inventory: &'a Inventory,
    file: &'a Infrastructure,
) -> impl Iterator<Item = &'a ServerRecord> {
    let owned = inventory.records(ObjectKind::Record, &file.name).filter_map(|record| record.dns.as_deref());
    let lost = inventory.intents.iter().filter(|intent| intent.infrastructure == file.name);
    owned.chain(lost.filter_map(|intent| match &intent.wanted {
        Created::Record { record, .. } => Some(record.as_ref()),
        Created::Server(_)
        | Created::Network(_)
        | Created::PublicNetwork(_)
        | Created::Object(_)
        | Created::Copy(_) => None,
    }))
}

/// The records of a domain, read now. Those who ask together share one reading.
pub(crate) async fn records(
    session: &Session,
    zone: &ProviderId,
    zone_name: &str,
) -> Result<Vec<SeenRecord>, CloudError> {
    let found = session.watch.fresh_objects(ObjectClass::Record, Some(zone)).await?;
    Ok(found.iter().filter_map(|seen| SeenRecord::of(zone_name, seen)).collect())
}

/// The same from a list that was begun after the mark and is at most one interval old.
pub(crate) async fn recent_records(
    session: &Session,
    mark: u64,
    zone: &ProviderId,
    zone_name: &str,
) -> Result<Vec<SeenRecord>, CloudError> {
    let found = session.watch.recent_objects(mark, ObjectClass::Record, Some(zone)).await?;
    Ok(found.iter().filter_map(|seen| SeenRecord::of(zone_name, seen)).collect())
}
