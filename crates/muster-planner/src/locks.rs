//! Which locks a plan needs: its file, every server it touches, every name it creates.

use muster_model::id::ProviderId;
use muster_model::ownership::ObjectKind;
use muster_model::plan::{
    Action, DnsAction, HostAction, LockKey, LockMode, NetworkAction, ObjectRef, PublicNetworkAction,
    RecordAction, ServerAction, Step,
};

use crate::scene::Scene;

/// All locks, exclusive, sorted: taken in this order, two plans cannot wait for each other.
pub(crate) fn locks(scene: &Scene<'_>, steps: &[Step]) -> Vec<(LockKey, LockMode)> {
    let account = scene.seen.world.account.to_string();
    let mut keys = vec![LockKey::Infrastructure(scene.wanted.name.clone())];
    let server = |id: &ProviderId| Some(LockKey::Server(account.clone(), id.clone()));
    let seen = |reference: &ObjectRef| match reference {
        ObjectRef::Seen(id) => server(id),
        // Nobody else knows it yet, and its name is locked.
        ObjectRef::Made(_) => None,
    };
    for step in steps {
        keys.extend(match &step.action {
            Action::Server(ServerAction::Create(create)) => {
                Some(LockKey::Name(account.clone(), create.name.to_string()))
            }
            Action::Server(ServerAction::Resize(resize)) => seen(&resize.server),
            Action::Server(ServerAction::Power(power)) => seen(&power.server),
            Action::Server(ServerAction::Link(link)) => seen(&link.server),
            Action::Server(ServerAction::Unlink(unlink)) => seen(&unlink.server),
            Action::Server(ServerAction::Bandwidth(speed)) => seen(&speed.server),
            Action::Server(ServerAction::Delete(delete)) => server(&delete.server),
            Action::Network(NetworkAction::Create { name, .. }) => {
                Some(LockKey::Name(account.clone(), format!("network {name}")))
            }
            Action::Network(NetworkAction::Public(PublicNetworkAction::Create { name, .. })) => {
                Some(LockKey::Name(account.clone(), format!("public network {name}")))
            }
            Action::Record(
                RecordAction::Own { kind, id, .. }
                | RecordAction::Amend { kind, id, .. }
                | RecordAction::Forget { kind, id, .. },
            ) => match kind {
                ObjectKind::Server => server(id),
                ObjectKind::Network | ObjectKind::Object | ObjectKind::PublicNetwork | ObjectKind::Record => {
                    None
                }
            },
            Action::Host(
                HostAction::Reach { server, .. }
                | HostAction::Exec { server, .. }
                | HostAction::Password { server, .. },
            ) => seen(server),
            Action::Host(HostAction::Configure(configure)) => seen(&configure.server),
            Action::Host(HostAction::Release(release)) => seen(&release.server),
            Action::Dns(DnsAction::Point(point)) => seen(&point.server),
            // The file's own lock covers its networks; hosts of a playbook are reached by a step each.
            Action::Network(NetworkAction::Delete { .. } | NetworkAction::Public(_))
            | Action::Key(_)
            | Action::Object(_)
            | Action::Dns(DnsAction::Delete(_))
            | Action::Provision(_) => None,
        });
    }
    keys.sort();
    keys.dedup();
    keys.into_iter().map(|key| (key, LockMode::Exclusive)).collect()
}
