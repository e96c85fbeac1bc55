//! What an action refers to, told once more, so that a law can judge what the product says of it.

use muster_model::plan::{
    Action, DnsAction, HostAction, ObjectRef, ProvisionAction, ServerAction, WhichLink,
};

/// References to steps that an action makes.
pub fn references(action: &Action) -> Vec<&ObjectRef> {
    match action {
        Action::Server(ServerAction::Create(create)) => create.keys.iter().collect(),
        Action::Server(ServerAction::Resize(resize)) => vec![&resize.server],
        Action::Server(ServerAction::Power(power)) => vec![&power.server],
        Action::Server(ServerAction::Link(link)) => vec![&link.server, &link.network],
        Action::Server(ServerAction::Unlink(unlink)) => vec![&unlink.server],
        Action::Server(ServerAction::Bandwidth(_)) | Action::Host(_) | Action::Provision(_) => inside(action),
        Action::Dns(DnsAction::Point(point)) => vec![&point.server],
        Action::Server(ServerAction::Delete(_))
        | Action::Dns(DnsAction::Delete(_))
        | Action::Network(_)
        | Action::Key(_)
        | Action::Object(_)
        | Action::Record(_) => Vec::new(),
    }
}

fn inside(action: &Action) -> Vec<&ObjectRef> {
    match action {
        Action::Server(ServerAction::Bandwidth(speed)) => match &speed.link {
            WhichLink::Public => vec![&speed.server],
            WhichLink::Network { network, .. } => vec![&speed.server, network],
        },
        Action::Host(HostAction::Configure(configure)) => vec![&configure.server, &configure.network],
        Action::Host(HostAction::Release(release)) => vec![&release.server],
        Action::Host(
            HostAction::Reach { server, .. }
            | HostAction::Exec { server, .. }
            | HostAction::Password { server, .. },
        ) => vec![server],
        Action::Provision(ProvisionAction::CheckNetwork { network, pairs, .. }) => {
            let hosts = pairs.iter().flat_map(|pair| [&pair.from.server, &pair.to.server]);
            std::iter::once(network).chain(hosts).collect()
        }
        Action::Provision(action) => action.hosts().iter().map(|host| &host.server).collect(),
        _ => panic!("nothing else works inside"),
    }
}
