//! Actions: one kind of operation each, as data in a plan. A closed enum in two levels; the outer `match`
//! stands in `muster-runs/src/step/mod.rs` and in the view, nowhere else.

use serde::{Deserialize, Serialize};

use crate::cloud::{NetworkSpec, ServerSpec};
use crate::dns::ServerRecord;
use crate::id::{NetworkName, ProviderId, ServerName, StepNumber};
use crate::intent::CreationIntent;
use crate::ownership::{Claim, ObjectKind};
use crate::server::{Power, Size};

use super::dns::{DnsAction, PointName};
use super::network::{ConfigureInterface, PublicNetworkAction, ReleaseInterface, SetBandwidth, WhichLink};
use super::object::ObjectAction;
use super::provision::ProvisionAction;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// On a server at the provider.
    Server(ServerAction),
    /// On a private network at the provider.
    Network(NetworkAction),
    /// On the account's public keys at the provider.
    Key(KeyAction),
    /// On another object of the account at the provider.
    Object(ObjectAction),
    /// On records in DNS that lead to servers of the file.
    Dns(DnsAction),
    /// On our own records; nothing outside changes.
    Record(RecordAction),
    /// On the inside of one server, over SSH.
    Host(HostAction),
    /// On the inside of several servers, through Ansible or code delivery.
    Provision(ProvisionAction),
}

/// An object at the provider: seen already, or made by an earlier step of the same plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectRef {
    /// Seen, with its id.
    Seen(ProviderId),
    /// Made by this step; resolved by the runner from the journal only.
    Made(StepNumber),
}

/// An operation on a server at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerAction {
    /// Make it.
    Create(CreateServer),
    /// Set its size.
    Resize(ResizeServer),
    /// Switch it on or off.
    Power(SetPower),
    /// Link it to a private network.
    Link(LinkNetwork),
    /// Unlink it from a private network.
    Unlink(UnlinkNetwork),
    /// Set the speed of one of its links.
    Bandwidth(SetBandwidth),
    /// Delete it.
    Delete(DeleteServer),
}

/// Make a server (class *create*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateServer {
    /// Its name in the file.
    pub name: ServerName,
    /// What to ask for.
    pub spec: ServerSpec,
    /// The image in the file's words, for the ownership record.
    pub image_words: String,
    /// Keys at the provider to install for root.
    pub keys: Vec<ObjectRef>,
    /// Whether the file protects it.
    pub protect: bool,
    /// Ids that bear this name already (strangers, or the one being replaced); a new id is none of these.
    pub known_ids: Vec<ProviderId>,
}

/// Set a server's size (class *ensure*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResizeServer {
    /// Its name in the file.
    pub name: ServerName,
    /// Which server.
    pub server: ObjectRef,
    /// What it was when planned; another value at that moment stops the step.
    pub expected: Size,
    /// What it becomes.
    pub to: Size,
}

/// Switch a server on or off (class *ensure*). One that is still being made (state *New*, as after a crash right
/// behind its create) is waited for first: the planner puts this step before the server's other steps then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPower {
    /// Its name in the file.
    pub name: ServerName,
    /// Which server.
    pub server: ObjectRef,
    /// What it becomes.
    pub to: Power,
}

/// Link a server to a private network (class *ensure*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkNetwork {
    /// Its name in the file.
    pub name: ServerName,
    /// Which server.
    pub server: ObjectRef,
    /// The network's name in the file.
    pub network_name: NetworkName,
    /// Which network.
    pub network: ObjectRef,
}

/// Unlink a server from a private network (class *ensure*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnlinkNetwork {
    /// Its name in the file.
    pub name: ServerName,
    /// Which server.
    pub server: ObjectRef,
    /// The network's name, for people.
    pub network_name: NetworkName,
    /// Which network.
    pub network: ProviderId,
}

/// Delete a server (class *ensure*: gone is gone).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteServer {
    /// Its name in the file.
    pub name: ServerName,
    /// Its id.
    pub server: ProviderId,
    /// The name it must still bear at the provider.
    pub expected_name: String,
    /// Whether it is deleted in order to be made anew.
    pub replaced: bool,
}

/// An operation on a network at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkAction {
    /// Make it (class *create*).
    Create {
        /// Its name in the file.
        name: NetworkName,
        /// What to ask for.
        spec: NetworkSpec,
        /// Ids that bear this name already.
        known_ids: Vec<ProviderId>,
        /// Whether the file protects it.
        protect: bool,
    },
    /// Delete it (class *ensure*).
    Delete {
        /// Its name in the file.
        name: NetworkName,
        /// Its id.
        network: ProviderId,
    },
    /// On a public network.
    Public(PublicNetworkAction),
}

/// An operation on the account's public keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAction {
    /// The account keeps this public key (class *ensure*: looked for by its key material).
    Ensure {
        /// Its title at the provider.
        title: String,
        /// The OpenSSH line.
        public_key: String,
    },
}

/// An operation on our own records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordAction {
    /// This object is ours from now on. Where a record of the object exists already, its claim, image words and
    /// protection become these; its host key and what provisioning reached stay.
    Own {
        /// Server or network.
        kind: ObjectKind,
        /// Its name in the file.
        name: ServerName,
        /// Its id.
        id: ProviderId,
        /// Its name at the provider.
        provider_name: String,
        /// How it becomes ours.
        claim: Claim,
        /// The image in the file's words.
        image_words: String,
        /// The image's technical name as seen.
        image: String,
        /// Whether the file protects it.
        protect: bool,
        /// The intent that this settles, where one led here.
        settles: Option<Box<CreationIntent>>,
        /// Of a record in DNS: which one it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dns: Option<Box<ServerRecord>>,
    },
    /// The record changes its name in the file (`was:`), or its protection.
    Amend {
        /// Server or network.
        kind: ObjectKind,
        /// Its id.
        id: ProviderId,
        /// The name it has from now on.
        name: ServerName,
        /// Its protection from now on.
        protect: bool,
    },
    /// The object is not ours any more: given up, or gone at the provider.
    ///
    /// With the reason *vanished*, `look` asks the provider for this one id first: a list that lags must not
    /// make us forget a server and make it twice.
    Forget {
        /// Server or network.
        kind: ObjectKind,
        /// Its name in the file.
        name: ServerName,
        /// Its id.
        id: ProviderId,
    },
}

/// An operation inside one server, over SSH.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostAction {
    /// Wait until SSH answers and the login key works; record the host key at first contact (class *ensure*).
    Reach {
        /// Its name in the file.
        name: ServerName,
        /// Which server.
        server: ObjectRef,
        /// Further public keys that the file wants for root.
        keys: Vec<String>,
    },
    /// Run one command (class *opaque*).
    Exec {
        /// Its name in the file.
        name: ServerName,
        /// Which server.
        server: ObjectRef,
        /// The command as an argument list.
        argv: Vec<String>,
    },
    /// Configure the interface of a link to a private network.
    Configure(ConfigureInterface),
    /// Take that configuration away again.
    Release(ReleaseInterface),
    /// Give the login user another password, which only we know (class *ensure*: asked again, it is another one).
    Password {
        /// Its name in the file.
        name: ServerName,
        /// Which server.
        server: ObjectRef,
    },
}

/// What may be promised about repeating an action (`SEMANTICS.md` §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectClass {
    /// May be repeated; converges.
    Ensure,
    /// Guarded by a creation intent.
    Create,
    /// Started at most once per attempt; afterwards the truth or *unknown*.
    Opaque,
}

impl Action {
    /// The class that the action's type carries.
    pub fn effect(&self) -> EffectClass {
        match self {
            Action::Server(ServerAction::Create(_))
            | Action::Network(
                NetworkAction::Create { .. } | NetworkAction::Public(PublicNetworkAction::Create { .. }),
            )
            | Action::Object(ObjectAction::Create { .. } | ObjectAction::Copy { .. })
            | Action::Dns(DnsAction::Point(_)) => EffectClass::Create,
            Action::Provision(ProvisionAction::Playbook { repeatable, .. }) if !repeatable => {
                EffectClass::Opaque
            }
            Action::Host(HostAction::Exec { .. }) | Action::Object(ObjectAction::Rebuild { .. }) => {
                EffectClass::Opaque
            }
            Action::Server(_)
            | Action::Network(_)
            | Action::Key(_)
            | Action::Object(_)
            | Action::Dns(DnsAction::Delete(_))
            | Action::Record(_)
            | Action::Host(
                HostAction::Reach { .. }
                | HostAction::Configure(_)
                | HostAction::Release(_)
                | HostAction::Password { .. },
            )
            | Action::Provision(_) => EffectClass::Ensure,
        }
    }

    /// The steps whose outputs it refers to; every one of them comes before it, not always directly.
    pub fn references(&self) -> Vec<StepNumber> {
        let refs: Vec<&ObjectRef> = match self {
            Action::Server(ServerAction::Create(create)) => create.keys.iter().collect(),
            Action::Server(ServerAction::Resize(resize)) => vec![&resize.server],
            Action::Server(ServerAction::Power(power)) => vec![&power.server],
            Action::Server(ServerAction::Link(link)) => vec![&link.server, &link.network],
            Action::Server(ServerAction::Unlink(unlink)) => vec![&unlink.server],
            Action::Server(ServerAction::Bandwidth(speed)) => match &speed.link {
                WhichLink::Public => vec![&speed.server],
                WhichLink::Network { network, .. } => vec![&speed.server, network],
            },
            Action::Host(
                HostAction::Reach { server, .. }
                | HostAction::Exec { server, .. }
                | HostAction::Password { server, .. },
            ) => vec![server],
            Action::Host(HostAction::Configure(configure)) => vec![&configure.server, &configure.network],
            Action::Host(HostAction::Release(release)) => vec![&release.server],
            Action::Provision(ProvisionAction::CheckNetwork { network, pairs, .. }) => {
                let hosts = pairs.iter().flat_map(|pair| [&pair.from.server, &pair.to.server]);
                std::iter::once(network).chain(hosts).collect()
            }
            Action::Dns(DnsAction::Point(PointName { server, .. })) => vec![server],
            Action::Provision(action) => action.hosts().iter().map(|host| &host.server).collect(),
            Action::Server(ServerAction::Delete(_))
            | Action::Network(_)
            | Action::Key(_)
            | Action::Object(_)
            | Action::Dns(DnsAction::Delete(_))
            | Action::Record(_) => Vec::new(),
        };
        let built = match self {
            Action::Provision(ProvisionAction::Code(code)) => code.built_by,
            _ => None,
        };
        let made = refs.into_iter().filter_map(|reference| match reference {
            ObjectRef::Made(step) => Some(*step),
            ObjectRef::Seen(_) => None,
        });
        made.chain(built).collect()
    }

    /// Whether carrying it out deletes something at the provider.
    pub fn deletes(&self) -> bool {
        matches!(
            self,
            Action::Server(ServerAction::Delete(_))
                | Action::Network(
                    NetworkAction::Delete { .. } | NetworkAction::Public(PublicNetworkAction::Delete { .. })
                )
                | Action::Object(ObjectAction::Delete { .. })
                | Action::Dns(DnsAction::Delete(_))
        )
    }

    /// Whether it writes to the provider (as opposed to our records and the inside of servers).
    pub fn writes_to_provider(&self) -> bool {
        match self {
            Action::Server(_) | Action::Network(_) | Action::Key(_) | Action::Object(_) | Action::Dns(_) => {
                true
            }
            Action::Record(_) | Action::Host(_) | Action::Provision(_) => false,
        }
    }
}
