//! A small account and a small file, built up by tests.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use muster_model::account::{AccountIdentity, Provider};
use muster_model::bundle::{Manifest, ManifestFile};
use muster_model::cloud::{SeenImage, SeenKey, SeenLocation, SeenNetwork, ServerSpec};
use muster_model::id::{Generation, NetworkName, ProviderId, RunId, ServerName};
use muster_model::infrastructure::{Infrastructure, WantedNetwork};
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::inventory::{Inventory, SeenWorld};
use muster_model::ownership::{Claim, ObjectKind, Ownership, Provisioned};
use muster_model::plan::{PlanDraft, interface_digest, interface_record, reached_record, text};
use muster_model::policy::Policy;
use muster_model::server::{Performance, Power, SeenLink, SeenServer, ServerState, Size, WantedServer};
use muster_planner::{BundleFacts, plan_infrastructure};

pub const LOGIN_KEY: &str = "ssh-ed25519 AAAAC3login muster";

/// A bundle of files, each holding its own path.
pub fn manifest(paths: &[&str]) -> Manifest {
    let entries = paths.iter().map(|path| (path.to_string(), ManifestFile::of(path.as_bytes(), false)));
    Manifest { files: entries.collect() }
}

pub fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a date")
}

pub fn account() -> AccountIdentity {
    AccountIdentity { provider: Provider::Onecloud, customer: "7".into(), project: "1".into() }
}

pub fn size() -> Size {
    Size { cpu: 2, ram_mb: 4096, disk_gb: 40, disk_type: "SSD".into(), performance: Performance::Base }
}

pub fn wanted(name: &str) -> WantedServer {
    let key = name.rsplit_once('-').map_or(name, |(key, _)| key);
    WantedServer {
        name: name.into(),
        key: key.into(),
        size: size(),
        location: "SdnSpb".into(),
        image: "Ubuntu 22.04".into(),
        networks: BTreeSet::new(),
        keys: Vec::new(),
        groups: BTreeSet::from([key.into()]),
        power: Power::Running,
        protect: false,
        was: Vec::new(),
        backup_days: 0,
        playbooks: Vec::new(),
        bandwidth_mbit: None,
        dns: Vec::new(),
    }
}

pub fn server(id: &str, name: &str) -> SeenServer {
    SeenServer {
        id: id.into(),
        name: name.into(),
        state: ServerState::Active,
        power_on: true,
        size: size(),
        location: "SdnSpb".into(),
        image: "Ubuntu22.04x64".into(),
        family: "Linux".into(),
        address: Some("198.18.0.1".into()),
        admin_user: Some("root".into()),
        links: vec![SeenLink {
            id: Some("public-link".into()),
            network: "public".into(),
            ready: true,
            public: true,
            address: "198.18.0.1".into(),
            mac: String::new(),
            mask: String::new(),
            bandwidth_mbit: Some(10),
        }],
        keys: Vec::new(),
        created_at: Some(now()),
    }
}

pub fn link(network: &str) -> SeenLink {
    SeenLink {
        id: Some(format!("link-{network}").as_str().into()),
        network: network.into(),
        ready: true,
        public: false,
        address: "10.20.0.10".into(),
        mac: "00:50:56:00:00:0a".into(),
        mask: "255.255.0.0".into(),
        bandwidth_mbit: Some(10),
    }
}

pub fn network(id: &str, name: &str) -> SeenNetwork {
    SeenNetwork {
        id: id.into(),
        name: name.into(),
        ready: true,
        state: "Active".into(),
        dhcp: true,
        location: "SdnSpb".into(),
        servers: Vec::new(),
        mask: "255.255.0.0".into(),
    }
}

pub fn record(kind: ObjectKind, id: &str, name: &str, claim: Claim) -> Ownership {
    let server = kind == ObjectKind::Server;
    Ownership {
        account: account(),
        kind,
        id: id.into(),
        infrastructure: "shop".into(),
        name: name.into(),
        provider_name: name.into(),
        claim,
        image_words: if server { "Ubuntu 22.04".into() } else { String::new() },
        image: if server { "Ubuntu22.04x64".into() } else { String::new() },
        protect: false,
        since: now(),
        host_key: None,
        provisioned: if server {
            BTreeMap::from([("builtin:node_exporter".into(), provisioned("exporter-1", true))])
        } else {
            BTreeMap::new()
        },
        dns: None,
    }
}

pub fn provisioned(digest: &str, succeeded: bool) -> Provisioned {
    Provisioned { digest: digest.into(), succeeded, at: now() }
}

pub fn intent(name: &str, known: &[&str], state: IntentState) -> CreationIntent {
    CreationIntent {
        account: account(),
        infrastructure: "shop".into(),
        name: name.into(),
        wanted: Created::Server(Box::new(ServerSpec {
            name: name.into(),
            size: size(),
            location: "SdnSpb".into(),
            image_id: "10".into(),
            image: "Ubuntu22.04x64".into(),
            backup_days: 0,
        })),
        known_ids: known.iter().map(|id| ProviderId::from(*id)).collect(),
        sent_at: now(),
        run: RunId(uuid::Uuid::nil()),
        state,
    }
}

fn image(
    id: &str,
    technical: &str,
    display: &str,
    location: &str,
    disk_min_gb: u32,
    family: &str,
) -> SeenImage {
    SeenImage {
        id: id.into(),
        technical: technical.into(),
        display: display.into(),
        location: location.into(),
        disk_min_gb,
        family: family.into(),
    }
}

fn location(technical: &str, title: &str, base_pool: bool, high_pool: bool) -> SeenLocation {
    SeenLocation {
        technical: technical.into(),
        title: title.into(),
        short: technical.chars().take(3).collect(),
        base_pool,
        high_pool,
        backup: technical == "SdnSpb",
    }
}

/// A file, an account, what was allowed, and what the bundle holds.
#[derive(Clone)]
pub struct Setting {
    pub file: Infrastructure,
    pub seen: Inventory,
    pub policy: Policy,
    pub bundle: BundleFacts,
}

/// A failing case is best read as its plan.
impl std::fmt::Debug for Setting {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let records: Vec<_> =
            self.seen.owned.iter().map(|own| (&own.name, &own.id, own.claim, own.protect)).collect();
        write!(out, "{:?}\n{:?}\n{:?}\n{}", self.policy, records, self.seen.intents, self.text())
    }
}

impl Setting {
    /// The file `shop` with these servers, and an account that holds nothing.
    pub fn new(names: &[&str]) -> Setting {
        Setting {
            file: Infrastructure {
                name: "shop".into(),
                account: "onecloud".into(),
                networks: BTreeMap::new(),
                public_networks: BTreeMap::new(),
                servers: names.iter().map(|name| wanted(name)).collect(),
                deploy: Vec::new(),
                stats: true,
            },
            seen: Inventory {
                generation: Generation(5),
                seen_at: now(),
                world: SeenWorld {
                    account: account(),
                    servers: Vec::new(),
                    networks: Vec::new(),
                    images: vec![
                        image("10", "Ubuntu22.04x64", "Ubuntu 22.04", "", 10, "Linux"),
                        image("11", "Debian12x64", "Debian 12", "", 10, "Linux"),
                        image("12", "RockyLinux_v1", "Rocky Linux", "", 10, "Linux"),
                        image("13", "RockyLinux_v2", "Rocky Linux", "", 10, "Linux"),
                        image("14", "WinServer2022", "Windows Server 2022", "", 60, "Windows"),
                        image("15", "Alma9", "AlmaLinux 9", "DsMsk", 10, "Linux"),
                    ],
                    locations: vec![
                        location("SdnSpb", "Xelent", true, true),
                        location("DsMsk", "DataSpace", true, true),
                        location("DsMsk2", "DataSpace-2", false, true),
                        location("Vld01", "МТС", true, false),
                        location("Nsk01", "МТС", true, false),
                    ],
                    keys: vec![SeenKey {
                        id: "900".into(),
                        title: "muster".into(),
                        public_key: "AAAAC3login".into(),
                    }],
                },
                owned: Vec::new(),
                intents: Vec::new(),
                login_key: Some(LOGIN_KEY.into()),
                releases: Vec::new(),
                zones: Vec::new(),
                public_networks: Vec::new(),
            },
            policy: Policy::default(),
            bundle: BundleFacts::of(&manifest(&["app/index.html", "playbooks/site.yml"]), "exporter-1"),
        }
    }

    /// Every server of the file stands as wanted, made by us and measured.
    pub fn standing(names: &[&str]) -> Setting {
        let mut setting = Setting::new(names);
        for (at, name) in names.iter().enumerate() {
            setting.ours(&format!("{}", 100 + at), name);
        }
        setting
    }

    /// A server of ours that stands as wanted.
    pub fn ours(&mut self, id: &str, name: &str) {
        self.seen.world.servers.push(server(id, name));
        self.seen.owned.push(record(ObjectKind::Server, id, name, Claim::Created));
    }

    /// The file wants a network, and servers linked to it.
    pub fn want_network(&mut self, name: &str, servers: &[&str]) {
        let wanted =
            WantedNetwork { dhcp: true, location: "SdnSpb".into(), protect: false, bandwidth_mbit: None };
        self.file.networks.insert(NetworkName::from(name), wanted);
        for server in servers {
            self.want(server).networks.insert(NetworkName::from(name));
        }
    }

    /// A network of ours that stands as wanted, with these servers in it.
    pub fn our_network(&mut self, id: &str, name: &str, servers: &[&str]) {
        let mut seen = network(id, name);
        for server in servers {
            seen.servers.push(self.at(server).id.clone());
            self.at(server).links.push(link(id));
        }
        self.seen.world.networks.push(seen);
        servers.iter().for_each(|server| self.inside(server, id));
        self.seen.owned.push(record(ObjectKind::Network, id, name, Claim::Created));
    }

    /// The server's interface in a network is configured, and it has reached another one.
    pub fn inside(&mut self, server: &str, network: &str) {
        let link = self.at(server).links.iter().find(|link| link.network == network.into()).cloned();
        let link = link.expect("a link to the network");
        let seen = self.seen.world.networks.iter().find(|seen| seen.id == network.into());
        let dhcp = seen.expect("the network").dhcp;
        let reached = provisioned(&interface_digest(dhcp, &link.mac, &link.address), true);
        let keys = [interface_record(&network.into()), reached_record(&network.into())];
        let record = self.recorded(server);
        keys.into_iter().for_each(|key| drop(record.provisioned.insert(key, reached.clone())));
    }

    /// The file's server of this name.
    pub fn want(&mut self, name: &str) -> &mut WantedServer {
        let name = ServerName::from(name);
        self.file.servers.iter_mut().find(|server| server.name == name).expect("a server of the file")
    }

    /// The first server of this name at the provider.
    pub fn at(&mut self, name: &str) -> &mut SeenServer {
        self.seen
            .world
            .servers
            .iter_mut()
            .find(|server| server.name == name)
            .expect("a server at the provider")
    }

    /// Our record of this name.
    pub fn recorded(&mut self, name: &str) -> &mut Ownership {
        let name = ServerName::from(name);
        self.seen.owned.iter_mut().find(|record| record.name == name).expect("a record")
    }

    /// Takes a server out of the file.
    pub fn unwant(&mut self, name: &str) {
        self.file.servers.retain(|server| server.name.as_str() != name);
    }

    /// Plans.
    pub fn plan(&self) -> PlanDraft {
        plan_infrastructure(&self.file, &self.seen, &self.policy, &self.bundle, now())
    }

    /// Plans and renders.
    pub fn text(&self) -> String {
        text::render(&self.plan())
    }
}
