//! `infra adopt` and `infra disown` of records in DNS: by the server that they lead to, or by their name.

use muster_model::dns::{ADDRESS_TYPES, PublicAddresses, SeenRecord, ServerRecord, WantedName, zone_of};
use muster_model::infrastructure::Infrastructure;
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::plan::{Reason, RecordAction};
use muster_model::server::{SeenServer, WantedServer};

use super::index::Index;
use super::own;
use crate::scene::Scene;
use crate::selector::{Selector, glob};
use crate::why::Says;

/// Whether a pattern means a name in DNS that the file has.
pub(crate) fn is_known(wanted: &Infrastructure, pattern: &str) -> bool {
    wanted.servers.iter().flat_map(|server| &server.dns).any(|name| glob(pattern, &name.name))
}

/// Our records that a pattern gives up: those of a server, or those of a name.
pub(crate) fn disownable<'a>(scene: &Scene<'a>, pattern: &str) -> Vec<&'a Ownership> {
    let records = scene.seen.records(ObjectKind::Record, &scene.wanted.name);
    let meant = |record: &&Ownership| {
        let dns = record.dns.as_deref();
        glob(pattern, record.name.as_str())
            || dns.is_some_and(|dns| glob(pattern, dns.server.as_str()) || glob(pattern, &dns.name))
    };
    records.filter(meant).collect()
}

/// The records that an adoption makes: what was only claimed, what says exactly what is wanted, and, of a name that was
/// named, the one record that stands in the place of the wanted one.
pub(crate) fn adopt(scene: &Scene<'_>, says: &mut Says, asked: &Selector<'_>) -> Vec<(RecordAction, Reason)> {
    let index = Index::new(scene.seen, scene.file());
    let mut records = Vec::new();
    for wanted in &scene.wanted.servers {
        let named = |name: &WantedName| asked.patterns().any(|pattern| glob(pattern, &name.name));
        let whole = asked.server(wanted);
        let Some(seen) = seen(scene, wanted) else { continue };
        let addresses = PublicAddresses::of(seen);
        for name in wanted.dns.iter().filter(|name| whole || named(name)) {
            let Some(zone) = zone_of(&name.name, index.zones) else { continue };
            for kind in ADDRESS_TYPES {
                let dns = ServerRecord {
                    server: wanted.name.clone(),
                    zone: zone.id.clone(),
                    zone_name: zone.name.clone(),
                    name: name.name.clone(),
                    kind,
                };
                let Some(value) = addresses.value(kind) else { continue };
                let found = adoptable(scene, &index, &dns, &value, named(name));
                records.extend(found.map(|seen| (own(&dns, &seen.id, Claim::Adopted, None), Reason::Asked)));
            }
        }
    }
    for pattern in asked.patterns().filter(|pattern| is_known(scene.wanted, pattern)) {
        let taken = records.iter().any(|(record, _)| match record {
            RecordAction::Own { provider_name, .. } => glob(pattern, provider_name),
            RecordAction::Amend { .. } | RecordAction::Forget { .. } => false,
        });
        let is_ours = index.ours.iter().any(|ours| glob(pattern, &ours.dns.name));
        if !taken && !is_ours {
            says.refuse(
                "nothing-to-adopt",
                pattern,
                format!(
                    "No record of this name can be told to be the one that the file means. `muster infra update {}` makes one beside those that are there.",
                    scene.file()
                ),
            );
        }
    }
    records
}

fn adoptable<'a>(
    scene: &Scene<'_>,
    index: &Index<'a>,
    dns: &ServerRecord,
    value: &str,
    named: bool,
) -> Option<&'a SeenRecord> {
    let ours = index.ours.iter().find(|ours| *ours.dns == *dns && index.get(&ours.record.id).is_some());
    if let Some(ours) = ours {
        return index.get(&ours.record.id).filter(|_| ours.record.claim == Claim::Claimed);
    }
    let is_free = |seen: &&SeenRecord| index.owner(&seen.id).is_none();
    if let Some(same) = index.saying(&dns.name, dns.kind, value) {
        return Some(same).filter(is_free);
    }
    let mut strangers = index.named(&dns.name).iter().copied().filter(|seen| seen.kind == dns.kind);
    match (strangers.next(), strangers.next()) {
        (Some(only), None) if named && is_free(&only) && is_only_of(scene, &dns.name) => Some(only),
        _ => None,
    }
}

/// Whether one server of the file alone has this name, so that a record of it can only be meant for that one.
fn is_only_of(scene: &Scene<'_>, name: &str) -> bool {
    scene.wanted.servers.iter().filter(|server| server.dns.iter().any(|dns| dns.name == name)).count() == 1
}

/// The server at the provider: ours by a record, else the one of its name.
fn seen<'a>(scene: &Scene<'a>, wanted: &WantedServer) -> Option<&'a SeenServer> {
    let name = wanted.name.as_str();
    let ours = scene.servers.ours_named(name).iter().find_map(|record| scene.servers.get(&record.id));
    ours.or_else(|| match scene.servers.named(name) {
        [one] => Some(*one),
        _ => None,
    })
}
