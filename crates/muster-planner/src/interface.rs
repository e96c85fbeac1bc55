//! Links inside the guest: whose interface is to be configured, which configuration goes with its link, and who then
//! tries to reach whom. The provider plugs the interface in; setting it up is ours (`spec/onecloud-api.md` §1.5).

use std::collections::BTreeMap;

use muster_model::id::{NetworkName, ProviderId, StepNumber};
use muster_model::ownership::Provisioned;
use muster_model::plan::{
    Action, ConfigureInterface, HostAction, NetworkHost, NetworkPair, ObjectRef, ProvisionAction,
    ProvisionHost, Reason, ReleaseInterface, Risk, interface_digest, interface_record, reached_record,
};

use crate::scene::{NetworkPlace, NetworkPlaces, Scene};
use crate::server::{Inside, ServerDecision, interrupts};
use crate::steps::{Steps, Track, Why};

/// One link of a server that Muster goes inside of.
pub(crate) struct GuestLink {
    name: NetworkName,
    network: ObjectRef,
    dhcp: bool,
    /// Why its interface is configured by this plan.
    pub(crate) configure: Option<Reason>,
    /// Why it should be tried whether it reaches another.
    check: Option<Reason>,
}

/// The links that a server has after this plan, by the file's networks; none where its inside is left alone.
pub(crate) fn links(
    scene: &Scene<'_>,
    places: &NetworkPlaces<'_>,
    decision: &ServerDecision<'_>,
    track: &Track,
    inside: &Inside<'_>,
) -> Vec<GuestLink> {
    if !inside.automatic {
        return Vec::new();
    }
    let networks = decision.wanted.networks.iter();
    networks.filter_map(|name| link(scene, places, decision, track, inside, name)).collect()
}

fn link(
    scene: &Scene<'_>,
    places: &NetworkPlaces<'_>,
    decision: &ServerDecision<'_>,
    track: &Track,
    inside: &Inside<'_>,
    name: &NetworkName,
) -> Option<GuestLink> {
    let seen = match places.get(name.as_str())? {
        NetworkPlace::Seen(id) => scene.networks.get(id),
        NetworkPlace::Made => None,
        // Not to be linked now; a link that is there stays as it is, inside too.
        NetworkPlace::Closed(_) => return None,
    };
    // Where the network waits for being made anew, what it is now decides, not what it should be.
    let dhcp =
        seen.map_or_else(|| scene.wanted.networks.get(name).is_some_and(|new| new.dhcp), |seen| seen.dhcp);
    if let Some((_, network)) = track.linked.iter().find(|(linked, _)| linked == name) {
        let why = Some(Reason::NotProvisioned);
        let network = network.clone();
        return Some(GuestLink { name: name.clone(), network, dhcp, configure: why.clone(), check: why });
    }
    let id = &seen?.id;
    let link = decision.seen?.links.iter().find(|link| !link.public && link.network == *id)?;
    let digest = interface_digest(dhcp, &link.mac, &link.address);
    let recorded = |key: &str| inside.record.and_then(|record| record.provisioned.get(key));
    let configure = missing(recorded(&interface_record(id)), &digest);
    let check = configure.clone().or_else(|| missing(recorded(&reached_record(id)), &digest));
    Some(GuestLink { name: name.clone(), network: ObjectRef::Seen(id.clone()), dhcp, configure, check })
}

/// Why something is to be done that a record should tell of.
fn missing(recorded: Option<&Provisioned>, digest: &str) -> Option<Reason> {
    match recorded {
        None => Some(Reason::NotProvisioned),
        Some(reached) if reached.digest.is_empty() => Some(Reason::NotProvisioned),
        Some(reached) if !reached.succeeded => Some(Reason::FailedBefore),
        Some(reached) if reached.digest != digest => Some(Reason::Differs),
        Some(_) => None,
    }
}

/// Appends the configuration of a server's links, one after the other, and tells the last step. What runs on a server
/// that is there already may be interrupted: `netplan apply` and its like touch every interface.
pub(crate) fn configure(
    steps: &mut Steps,
    decision: &ServerDecision<'_>,
    host: &ProvisionHost,
    links: &[GuestLink],
    mut after: StepNumber,
) -> StepNumber {
    for link in links {
        let Some(reason) = &link.configure else { continue };
        let action = HostAction::Configure(ConfigureInterface {
            name: host.name.clone(),
            server: host.server.clone(),
            network_name: link.name.clone(),
            network: link.network.clone(),
            dhcp: link.dhcp,
        });
        let why = Why { reason: reason.clone(), changes: Vec::new(), risk: interrupts(decision.seen) };
        after = steps.push(vec![after], host.name.as_str(), Action::Host(action), why);
    }
    after
}

/// What takes a configuration away before its link goes, where Muster made one and can reach the server.
pub(crate) fn release(
    decision: &ServerDecision<'_>,
    server: &ObjectRef,
    network: &ProviderId,
    network_name: &str,
) -> Option<(HostAction, Why)> {
    let inside = decision.inside.as_ref().filter(|inside| inside.automatic)?;
    let configured = inside.record?.provisioned.get(&interface_record(network))?;
    if configured.digest.is_empty() || !decision.seen.is_some_and(|seen| seen.power_on) {
        return None;
    }
    let release = ReleaseInterface {
        name: decision.wanted.name.clone(),
        server: server.clone(),
        network_name: NetworkName::from(network_name),
        network: network.clone(),
    };
    let why = Why { reason: Reason::NeededBy, changes: Vec::new(), risk: interrupts(decision.seen) };
    Some((HostAction::Release(release), why))
}

/// The servers of each network, as they are gathered server by server.
#[derive(Default)]
pub(crate) struct Members {
    networks: BTreeMap<NetworkName, Vec<Member>>,
}

struct Member {
    host: NetworkHost,
    network: ObjectRef,
    dhcp: bool,
    check: Option<Reason>,
}

impl Members {
    /// Notes a server's links.
    pub(crate) fn add(&mut self, host: &ProvisionHost, links: Vec<GuestLink>) {
        for link in links {
            let host = NetworkHost { name: host.name.clone(), server: host.server.clone() };
            let member = Member { host, network: link.network, dhcp: link.dhcp, check: link.check };
            self.networks.entry(link.name).or_default().push(member);
        }
    }

    /// Appends one check per network in which somebody has not yet reached another. Each tries its successor in the
    /// file's order, so that no server is everybody's target. A server that is alone has nobody to reach.
    ///
    /// Checks come last. A run begins nothing after a failure, and a firewall between two servers must not keep
    /// everything else, a deployment above all, from being done in this and every later run.
    pub(crate) fn check(self, steps: &mut Steps) {
        let everything = steps.ends();
        for (network_name, members) in self.networks {
            let [first, _, ..] = members.as_slice() else { continue };
            let (network, dhcp) = (first.network.clone(), first.dhcp);
            let (mut pairs, mut reason) = (Vec::new(), None);
            for (at, member) in members.iter().enumerate() {
                let Some(why) = &member.check else { continue };
                let peer = &members[(at + 1) % members.len()];
                pairs.push(NetworkPair { from: member.host.clone(), to: peer.host.clone() });
                reason.get_or_insert_with(|| why.clone());
            }
            let Some(reason) = reason else { continue };
            let target = network_name.to_string();
            let check = ProvisionAction::CheckNetwork { network_name, network, dhcp, pairs };
            let why = Why { reason, changes: Vec::new(), risk: Risk::None };
            steps.push(everything.clone(), &target, Action::Provision(check), why);
        }
    }
}
