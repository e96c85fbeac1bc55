//! The steps of names in DNS: what leads to a server comes after it is there, what leads to it no more before it goes.

use std::collections::HashMap;

use muster_model::id::StepNumber;
use muster_model::plan::{Action, DnsAction, PointName, RecordAction, Risk};

use super::Names;
use crate::server::ServerDecision;
use crate::steps::{Steps, Track, Why};

/// Appends them, and tells which ones the deletion of each server waits for, by the server's name.
pub(crate) fn order(
    names: &Names<'_>,
    servers: &[ServerDecision<'_>],
    tracks: &[Track],
    steps: &mut Steps,
) -> HashMap<String, Vec<StepNumber>> {
    for naming in &names.namings {
        for (record, reason) in &naming.records {
            if let RecordAction::Own { name, .. } = record {
                let action = Action::Record(record.clone());
                steps.push(Vec::new(), name.as_str(), action, Why::plain(reason.clone()));
            }
        }
    }
    for naming in &names.namings {
        let decision = &servers[naming.at];
        let Some((reason, changes)) = &naming.point else { continue };
        let Some(server) = tracks[naming.at].refer(decision) else { continue };
        let point = PointName {
            name: decision.wanted.name.clone(),
            server,
            record: naming.name.name.clone(),
            zone: naming.zone.id.clone(),
            zone_name: naming.zone.name.clone(),
            ttl: naming.name.ttl,
            ours: naming.ours.clone(),
        };
        let why = Why { reason: reason.clone(), changes: changes.clone(), risk: Risk::None };
        // Nothing inside the server waits for its name.
        let after = tracks[naming.at].last.into_iter().collect();
        steps.push(after, decision.wanted.name.as_str(), Action::Dns(DnsAction::Point(point)), why);
    }
    let mut before: HashMap<String, Vec<StepNumber>> = HashMap::new();
    for (target, action, reason) in &names.leaving {
        let number = steps.push(Vec::new(), target, action.clone(), Why::plain(reason.clone()));
        if action.deletes() {
            before.entry(target.clone()).or_default().push(number);
        }
    }
    before
}
