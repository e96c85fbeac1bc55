//! How many of what a plan has: the one line at its end.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Action, DnsAction, NetworkAction, ObjectAction, PlanDraft, PublicNetworkAction, Reason, ServerAction,
};

/// How many of what: the one summary line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Servers and networks made.
    pub create: u32,
    /// Servers changed in place (each once, however many steps).
    pub change: u32,
    /// Servers replaced.
    pub replace: u32,
    /// Servers and networks deleted (replacements apart).
    pub delete: u32,
    /// Records made or changed.
    pub record: u32,
    /// Provisioning steps.
    pub provision: u32,
    /// Wanted and not possible now.
    pub waiting: u32,
}

impl PlanDraft {
    /// The counts for the summary line.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { waiting: self.waiting.len() as u32, ..Summary::default() };
        let mut changed = std::collections::BTreeSet::new();
        let mut touched = std::collections::BTreeSet::new();
        for step in &self.steps {
            match &step.action {
                Action::Server(ServerAction::Create(_)) => {
                    touched.insert(step.target.as_str());
                    match step.reason {
                        Reason::MustReplace { .. } => summary.replace += 1,
                        _ => summary.create += 1,
                    }
                }
                Action::Network(
                    NetworkAction::Create { .. } | NetworkAction::Public(PublicNetworkAction::Create { .. }),
                ) => summary.create += 1,
                Action::Network(NetworkAction::Public(PublicNetworkAction::Change { .. })) => {
                    changed.insert(step.target.as_str());
                }
                Action::Server(ServerAction::Delete(delete)) => {
                    touched.insert(step.target.as_str());
                    if !delete.replaced {
                        summary.delete += 1;
                    }
                }
                Action::Network(
                    NetworkAction::Delete { .. } | NetworkAction::Public(PublicNetworkAction::Delete { .. }),
                ) => summary.delete += 1,
                Action::Server(
                    ServerAction::Resize(_)
                    | ServerAction::Power(_)
                    | ServerAction::Link(_)
                    | ServerAction::Unlink(_)
                    | ServerAction::Bandwidth(_),
                ) => {
                    changed.insert(step.target.as_str());
                }
                Action::Object(ObjectAction::Create { .. } | ObjectAction::Copy { .. }) => {
                    summary.create += 1
                }
                Action::Object(ObjectAction::Delete { .. }) => summary.delete += 1,
                Action::Object(ObjectAction::Rebuild { .. }) => summary.replace += 1,
                Action::Object(ObjectAction::Change { .. } | ObjectAction::Do { .. }) => {
                    changed.insert(step.target.as_str());
                }
                Action::Dns(DnsAction::Point(point)) if point.ours.is_empty() => summary.create += 1,
                Action::Dns(DnsAction::Point(_)) => {
                    changed.insert(step.target.as_str());
                }
                Action::Dns(DnsAction::Delete(_)) => summary.delete += 1,
                Action::Record(_) => summary.record += 1,
                Action::Provision(_) => summary.provision += 1,
                Action::Key(_) | Action::Host(_) => {}
            }
        }
        summary.change = changed.difference(&touched).count() as u32;
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} to create, {} to change, {} to replace, {} to delete",
            self.create, self.change, self.replace, self.delete
        )?;
        if self.record > 0 {
            write!(out, ", {} to record", self.record)?;
        }
        if self.provision > 0 {
            write!(out, ", {} to provision", self.provision)?;
        }
        if self.waiting > 0 {
            write!(out, ", {} waiting", self.waiting)?;
        }
        Ok(())
    }
}
