//! Looking at names in DNS: domains, and the records of those that a file or our records for it name.

use std::collections::BTreeSet;
use std::sync::Arc;

use muster_model::account::Provider;
use muster_model::dns::{SeenRecord, SeenZone, ServerRecord, zone_of};
use muster_model::id::ProviderId;
use muster_model::infrastructure::Infrastructure;
use muster_model::intent::Created;
use muster_model::inventory::Inventory;
use muster_model::object::{ObjectClass, record::plain};
use muster_model::ownership::ObjectKind;
use muster_outside::cloud::CloudError;

use crate::account::Session;
use crate::engine::Inner;
use crate::error::EngineError;

impl Inner {
    /// Adds the account's domains to an observation, where the file needs any: one list of domains, and one of records
    /// for each domain that a name lies in. A file without names costs no request.
    pub(crate) async fn observe_names(
        &self,
        session: &Arc<Session>,
        file: &Infrastructure,
        inventory: &mut Inventory,
    ) -> Result<(), EngineError> {
        let names: BTreeSet<&str> =
            file.servers.iter().flat_map(|server| &server.dns).map(|name| name.name.as_str()).collect();
        let ours: Vec<ServerRecord> = remembered(inventory, file).cloned().collect();
        if names.is_empty() && ours.is_empty() || session.account.identity.provider == Provider::Local {
            return Ok(());
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
        // Our records once more: what was written meanwhile stands for a record that would look like a stranger's.
        let facts = self.store.facts(&session.account.identity).await?;
        inventory.owned.retain(|record| record.kind != ObjectKind::Record);
        inventory.owned.extend(facts.owned.into_iter().filter(|record| record.kind == ObjectKind::Record));
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
        Created::Server(_) | Created::Network(_) | Created::Object(_) | Created::Copy(_) => None,
    }))
}

/// The records of one domain that hold an address or another name.
pub(crate) async fn records(
    session: &Session,
    zone: &ProviderId,
    zone_name: &str,
) -> Result<Vec<SeenRecord>, CloudError> {
    let seen = session.cloud.objects(ObjectClass::Record, Some(zone)).await?;
    Ok(seen.iter().filter_map(|seen| SeenRecord::of(zone_name, seen)).collect())
}
