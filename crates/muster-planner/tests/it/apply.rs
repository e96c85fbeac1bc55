//! The smallest world in which a plan can be carried out: every action does at once what it says, and refuses
//! what a provider or our own rules would refuse.

use std::collections::HashMap;

use muster_model::cloud::{SeenKey, SeenNetwork};
use muster_model::id::{ProviderId, ServerName, StepNumber};
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::plan::{
    Action, HostAction, KEYS_RECORD, KeyAction, NetworkAction, ObjectRef, PlanDraft, ProvisionAction,
    RecordAction, ServerAction, WhichLink, interface_digest, interface_record, keys_digest, reached_record,
};
use muster_model::server::{Power, SeenLink, SeenServer, ServerState};

use crate::world::{Setting, account, link, now, provisioned, record, server};

/// Carries a plan out in the setting's own account.
pub fn apply(setting: &mut Setting, draft: &PlanDraft) {
    assert!(draft.refusals.is_empty(), "a refused plan is not carried out: {:?}", draft.refusals);
    let mut made: HashMap<StepNumber, ProviderId> = HashMap::new();
    let highest = setting.seen.world.servers.iter().filter_map(|server| server.id.as_str().parse().ok());
    let networks = setting.seen.world.networks.iter().filter_map(|network| network.id.as_str().parse().ok());
    let mut next: u64 = highest.chain(networks).max().unwrap_or(0) + 1000;
    for step in &draft.steps {
        let mut id = || {
            next += 1;
            ProviderId(next.to_string())
        };
        let resolve = |reference: &ObjectRef| match reference {
            ObjectRef::Seen(id) => id.clone(),
            ObjectRef::Made(step) => made[step].clone(),
        };
        match &step.action {
            Action::Server(action) => {
                if let Some(id) = on_server(setting, action, resolve, &mut id) {
                    made.insert(step.number, id);
                }
            }
            Action::Network(NetworkAction::Create { name, spec, protect, .. }) => {
                let id = id();
                setting.seen.world.networks.push(SeenNetwork {
                    id: id.clone(),
                    name: spec.name.clone(),
                    ready: true,
                    state: "Active".into(),
                    dhcp: spec.dhcp,
                    location: spec.location.clone(),
                    servers: Vec::new(),
                    mask: "255.255.0.0".into(),
                });
                let mut own = record(ObjectKind::Network, id.as_str(), name.as_str(), Claim::Created);
                own.protect = *protect;
                setting.seen.owned.push(own);
                made.insert(step.number, id);
            }
            Action::Network(NetworkAction::Public(action)) => {
                crate::public_network::apply(setting, action, &mut id);
            }
            Action::Network(NetworkAction::Delete { network, .. }) => {
                let user = setting
                    .seen
                    .world
                    .servers
                    .iter()
                    .find(|server| server.links.iter().any(|link| link.network == *network));
                assert!(user.is_none(), "the network {network} is still used by {user:?}");
                may_delete(setting, ObjectKind::Network, network);
                setting.seen.world.networks.retain(|seen| seen.id != *network);
                setting
                    .seen
                    .owned
                    .retain(|record| record.kind != ObjectKind::Network || record.id != *network);
            }
            Action::Dns(action) => crate::dns::apply(setting, action, resolve, &mut id),
            Action::Key(KeyAction::Ensure { title, public_key }) => {
                let id = id();
                let key = SeenKey { id: id.clone(), title: title.clone(), public_key: public_key.clone() };
                setting.seen.world.keys.push(key);
                made.insert(step.number, id);
            }
            Action::Object(_) => panic!("a file's plan holds none of these"),
            Action::Record(action) => on_record(setting, action),
            Action::Host(HostAction::Reach { server, keys, .. }) => {
                let id = resolve(server);
                assert!(at(setting, &id).power_on, "{id} is reached and does not run");
                let record = own(setting, &id);
                if !keys.is_empty() {
                    record.provisioned.insert(KEYS_RECORD.into(), provisioned(&keys_digest(keys), true));
                }
            }
            Action::Host(HostAction::Configure(configure)) => {
                let (id, network) = (resolve(&configure.server), resolve(&configure.network));
                let digest = digest_of(setting, &id, &network, configure.dhcp);
                assert!(at(setting, &id).power_on, "{id} is configured and does not run");
                let record = own(setting, &id);
                assert!(record.claim.may_delete(), "the inside of a claimed server is left alone");
                record.provisioned.insert(interface_record(&network), provisioned(&digest, true));
            }
            Action::Host(HostAction::Release(release)) => {
                let id = resolve(&release.server);
                let seen = at(setting, &id);
                let linked = seen.links.iter().any(|link| link.network == release.network);
                assert!(linked && seen.power_on, "before the link goes");
                let record = own(setting, &id);
                record.provisioned.insert(interface_record(&release.network), provisioned("", true));
            }
            Action::Provision(ProvisionAction::CheckNetwork { network, dhcp, pairs, .. }) => {
                let network = resolve(network);
                for pair in pairs {
                    let (from, to) = (resolve(&pair.from.server), resolve(&pair.to.server));
                    assert_ne!(from, to, "nobody proves anything by reaching itself");
                    for id in [&from, &to] {
                        let digest = digest_of(setting, id, &network, *dhcp);
                        let configured =
                            own(setting, id).provisioned.get(&interface_record(&network)).cloned();
                        assert_eq!(
                            configured.map(|reached| reached.digest),
                            Some(digest),
                            "{id} is configured first"
                        );
                    }
                    let digest = digest_of(setting, &from, &network, *dhcp);
                    own(setting, &from)
                        .provisioned
                        .insert(reached_record(&network), provisioned(&digest, true));
                }
            }
            Action::Host(HostAction::Exec { .. } | HostAction::Password { .. }) => {
                panic!("an infrastructure plan runs no command")
            }
            Action::Provision(ProvisionAction::Playbook { playbook, digest, hosts, .. }) => {
                for host in hosts {
                    let id = resolve(&host.server);
                    let reached = provisioned(digest, true);
                    own(setting, &id).provisioned.insert(playbook.key().into(), reached);
                }
            }
            Action::Provision(_) => {}
        }
    }
}

fn digest_of(setting: &mut Setting, id: &ProviderId, network: &ProviderId, dhcp: bool) -> String {
    let known =
        setting.seen.world.networks.iter().find(|seen| seen.id == *network).expect("the network exists");
    assert_eq!(known.dhcp, dhcp, "the guest is told what the network is");
    let link = at(setting, id).links.iter().find(|link| link.network == *network).expect("it is linked");
    interface_digest(dhcp, &link.mac, &link.address)
}

fn at<'s>(setting: &'s mut Setting, id: &ProviderId) -> &'s mut SeenServer {
    setting.seen.world.servers.iter_mut().find(|server| server.id == *id).expect("the server exists")
}

fn own<'s>(setting: &'s mut Setting, id: &ProviderId) -> &'s mut Ownership {
    let mine = |record: &&mut Ownership| record.kind == ObjectKind::Server && record.id == *id;
    setting.seen.owned.iter_mut().find(mine).expect("it is ours before it is touched")
}

fn may_delete(setting: &Setting, kind: ObjectKind, id: &ProviderId) {
    let record = setting.seen.record_of(kind, id).expect("only what is ours is deleted");
    assert!(record.claim.may_delete(), "{id} was only claimed");
    assert_eq!(record.infrastructure.as_str(), "shop");
}

fn on_server(
    setting: &mut Setting,
    action: &ServerAction,
    resolve: impl Fn(&ObjectRef) -> ProviderId,
    id: &mut impl FnMut() -> ProviderId,
) -> Option<ProviderId> {
    match action {
        ServerAction::Create(create) => {
            let id = id();
            let mut seen = server(id.as_str(), &create.spec.name);
            // No two servers have one address.
            let number: u64 = id.as_str().parse().expect("a number");
            seen.address = Some(format!("198.19.{}.{}", number / 250 % 250, number % 250));
            seen.links[0].address = seen.address.clone().unwrap_or_default();
            seen.size = create.spec.size.clone();
            seen.location = create.spec.location.clone();
            seen.image = create.spec.image.clone();
            seen.keys = create.keys.iter().map(resolve).collect();
            let images = &setting.seen.world.images;
            let image =
                images.iter().find(|image| image.id == create.spec.image_id).expect("the image exists");
            seen.family = image.family.clone();
            setting.seen.world.servers.push(seen);
            let mut own = record(ObjectKind::Server, id.as_str(), create.name.as_str(), Claim::Created);
            own.provisioned.clear();
            own.protect = create.protect;
            own.image_words = create.image_words.clone();
            own.image = create.spec.image.clone();
            setting.seen.owned.push(own);
            setting.seen.intents.retain(|intent| intent.name != create.name);
            return Some(id);
        }
        ServerAction::Resize(resize) => {
            let server = at(setting, &resolve(&resize.server));
            assert_eq!(server.size, resize.expected);
            assert!(resize.to.disk_gb >= server.size.disk_gb);
            server.size = resize.to.clone();
        }
        ServerAction::Power(power) => {
            let server = at(setting, &resolve(&power.server));
            // One that is being made comes up while the step waits.
            server.state = ServerState::Active;
            server.power_on = power.to == Power::Running;
        }
        ServerAction::Link(to) => {
            let network = resolve(&to.network);
            let id = resolve(&to.server);
            let networks = &mut setting.seen.world.networks;
            let seen = networks.iter_mut().find(|seen| seen.id == network).expect("the network exists");
            seen.servers.push(id.clone());
            at(setting, &id).links.push(link(network.as_str()));
        }
        ServerAction::Unlink(from) => {
            let id = resolve(&from.server);
            let server = at(setting, &id);
            let before = server.links.len();
            server.links.retain(|link| link.network != from.network);
            assert_eq!(server.links.len() + 1, before, "it was linked");
            for seen in &mut setting.seen.world.networks {
                if seen.id == from.network {
                    seen.servers.retain(|server| *server != id);
                }
            }
        }
        ServerAction::Bandwidth(speed) => {
            let network = match &speed.link {
                WhichLink::Public => None,
                WhichLink::Network { network, .. } => Some(resolve(network)),
            };
            let id = resolve(&speed.server);
            let wanted = |link: &&mut SeenLink| match &network {
                None => link.public,
                Some(network) => !link.public && link.network == *network,
            };
            let link = at(setting, &id).links.iter_mut().find(wanted).expect("the link exists");
            link.bandwidth_mbit = Some(speed.to_mbit);
        }
        ServerAction::Delete(delete) => {
            assert_eq!(at(setting, &delete.server).name, delete.expected_name);
            may_delete(setting, ObjectKind::Server, &delete.server);
            setting.seen.world.servers.retain(|server| server.id != delete.server);
            for seen in &mut setting.seen.world.networks {
                seen.servers.retain(|server| *server != delete.server);
            }
            setting
                .seen
                .owned
                .retain(|record| record.kind != ObjectKind::Server || record.id != delete.server);
        }
    }
    None
}

fn on_record(setting: &mut Setting, action: &RecordAction) {
    let owned = &mut setting.seen.owned;
    match action {
        RecordAction::Own {
            kind,
            name,
            id,
            provider_name,
            claim,
            image_words,
            image,
            protect,
            settles,
            dns,
        } => {
            let old = owned.iter().position(|record| record.kind == *kind && record.id == *id);
            let old = old.map(|at| owned.remove(at));
            owned.push(Ownership {
                account: account(),
                kind: *kind,
                id: id.clone(),
                infrastructure: "shop".into(),
                name: name.clone(),
                provider_name: provider_name.clone(),
                claim: *claim,
                image_words: image_words.clone(),
                image: image.clone(),
                protect: *protect,
                since: now(),
                host_key: old.as_ref().and_then(|old| old.host_key.clone()),
                provisioned: old.map(|old| old.provisioned).unwrap_or_default(),
                dns: dns.clone(),
            });
            if let Some(settled) = settles {
                setting.seen.intents.retain(|intent| intent != &**settled);
            }
        }
        RecordAction::Amend { kind, id, name, protect } => {
            let found = owned.iter_mut().find(|record| record.kind == *kind && record.id == *id);
            let record = found.expect("the record exists");
            record.name = ServerName::from(name.as_str());
            record.protect = *protect;
        }
        RecordAction::Forget { kind, id, .. } => {
            let before = owned.len();
            owned.retain(|record| record.kind != *kind || record.id != *id);
            assert_eq!(owned.len() + 1, before, "the record existed");
        }
    }
}
