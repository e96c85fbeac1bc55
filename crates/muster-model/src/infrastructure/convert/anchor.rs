//! Which part of an old file became which line of the new one: what comments go along with.

use std::collections::{BTreeSet, HashMap};

use crate::document::walk::field;
use crate::document::{Entry, Node, Value, parse_bytes};
use crate::infrastructure::DeployEntry;
use crate::infrastructure::check::Surroundings;
use crate::infrastructure::legacy::{TEMPLATE_DEFAULT, find_template};
use crate::infrastructure::syntax::Written;

use super::comment::{Note, notes};

/// A line of the new file by what it says; numbers count networks, servers and entries of `deploy:` from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    Head,
    Location,
    Networks,
    Network(usize),
    Dhcp(usize),
    Servers,
    Server(usize),
    Count(usize),
    Image(usize),
    Cpu(usize),
    Ram(usize),
    Disk(usize),
    Pool(usize),
    LocationOf(usize),
    Links(usize),
    Deploy,
    Playbook(usize),
    /// Above a network or server: what is about a whole task, whose first one it is.
    AboveNetwork(usize),
    AboveServer(usize),
    /// Behind everything.
    Foot,
}

impl Slot {
    /// Where a comment goes if this line is not in the new file.
    pub(super) fn or_else(self) -> Slot {
        match self {
            Slot::Dhcp(number) => Slot::Network(number),
            Slot::AboveNetwork(number) => Slot::Network(number),
            Slot::AboveServer(number) => Slot::Server(number),
            Slot::Network(_) => Slot::Networks,
            Slot::LocationOf(_) => Slot::Location,
            Slot::Count(number)
            | Slot::Image(number)
            | Slot::Cpu(number)
            | Slot::Ram(number)
            | Slot::Disk(number)
            | Slot::Pool(number)
            | Slot::Links(number) => Slot::Server(number),
            Slot::Server(_) => Slot::Servers,
            Slot::Playbook(_) => Slot::Deploy,
            Slot::Head | Slot::Location | Slot::Networks | Slot::Servers | Slot::Deploy | Slot::Foot => {
                Slot::Foot
            }
        }
    }
}

/// Where something of the old file begins, and the line that it became. Sorted by place.
pub(super) type Anchors = Vec<(usize, Slot)>;

/// Everything in an old file that comments can stand at.
pub(super) fn anchors(root: &Node, written: &Written) -> Anchors {
    let parts = Parts::of(written);
    let mut anchors = Anchors::new();
    for task in root.entries().unwrap_or_default() {
        let from = anchors.len();
        let own = roles(task, &parts);
        for (body, server) in &own {
            parts.role(body, *server, &mut anchors);
        }
        if let Some(networks) = task.node.get("priv_net") {
            anchors.push((networks.key.at.start, Slot::Networks));
            for network in networks.node.entries().unwrap_or_default() {
                let Some(number) = parts.networks.get(&network.key.at.start) else { continue };
                anchors.push((network.key.at.start, Slot::Network(*number)));
                for part in network.node.entries().unwrap_or_default() {
                    let slot =
                        if part.key.text == "IsDHCP" { Slot::Dhcp(*number) } else { Slot::Network(*number) };
                    anchors.push((part.key.at.start, slot));
                }
            }
        }
        let first = match anchors[from..].iter().min_by_key(|(at, _)| *at) {
            Some((_, Slot::Server(number))) => Slot::AboveServer(*number),
            Some((_, Slot::Network(number))) => Slot::AboveNetwork(*number),
            Some((_, slot)) => *slot,
            None => Slot::Foot,
        };
        let server = own.first().map(|(_, server)| *server);
        for part in task.node.entries().unwrap_or_default() {
            // What is anchored already (a role that is the task itself) stays so: the sort is stable.
            anchors.push((part.key.at.start, first));
            if part.key.text == "VDC_options" {
                for option in part.node.entries().unwrap_or_default() {
                    let slot = match (option.key.text.as_str(), server) {
                        ("DC", Some(server)) => Slot::LocationOf(server),
                        ("DC", None) => Slot::Location,
                        ("pull", Some(server)) => Slot::Pool(server),
                        _ => first,
                    };
                    anchors.push((option.key.at.start, slot));
                }
            }
        }
        anchors.push((task.key.at.start, first));
    }
    anchors.sort_by_key(|(at, _)| *at);
    anchors
}

/// Comments of the server templates, each template's at the first server that is made from it.
pub(super) fn of_templates(root: &Node, written: &Written, around: &Surroundings<'_>) -> Vec<Note> {
    let parts = Parts::of(written);
    let mut done = BTreeSet::new();
    let mut found = Vec::new();
    for task in root.entries().unwrap_or_default() {
        for (body, server) in roles(task, &parts) {
            let word = field(body, "template").and_then(|entry| entry.node.spelling());
            let Some(path) = find_template(around, "servers", word.unwrap_or(TEMPLATE_DEFAULT).trim()) else {
                continue;
            };
            if !done.insert(path.clone()) {
                continue;
            }
            let Some(Ok((source, template))) = around.files.get(&path).map(|bytes| parse_bytes(&path, bytes))
            else {
                continue;
            };
            let mut anchors = Anchors::new();
            for part in template.entries().unwrap_or_default() {
                let slot = match part.key.text.as_str() {
                    "CPU" => Slot::Cpu(server),
                    "RAM" => Slot::Ram(server),
                    "HDD" | "HDDType" => Slot::Disk(server),
                    "ImageID" => Slot::Image(server),
                    _ => Slot::Server(server),
                };
                anchors.push((part.key.at.start, slot));
            }
            anchors.sort_by_key(|(at, _)| *at);
            let notes = notes(&source, &template, &anchors);
            found.extend(notes.into_iter().map(|note| match note.slot {
                Slot::Head | Slot::Foot => Note { slot: Slot::Server(server), trailing: false, ..note },
                _ => note,
            }));
        }
    }
    found
}

/// The roles of a task with their settings, and which servers they became.
fn roles<'n>(task: &'n Entry, parts: &Parts) -> Vec<(&'n [Entry], usize)> {
    let mut roles = Vec::new();
    let body = task.node.entries().unwrap_or_default();
    let named = field(body, "name").map(|name| name.node.at.start);
    for at in named.into_iter().chain([task.key.at.start]) {
        if let Some(server) = parts.servers.get(&at) {
            roles.push((body, *server));
        }
    }
    for list in ["Servers", "servers"].into_iter().filter_map(|word| field(body, word)) {
        let entries: Vec<&Entry> = match &list.node.value {
            Value::Map(entries) => entries.iter().collect(),
            Value::List(items) => items.iter().flat_map(|item| item.entries().unwrap_or_default()).collect(),
            _ => Vec::new(),
        };
        for role in entries {
            if let Some(server) = parts.servers.get(&role.key.at.start) {
                roles.push((role.node.entries().unwrap_or_default(), *server));
            }
        }
    }
    roles
}

/// Numbers of networks and servers by where they are written, and of the playbook of each server.
struct Parts {
    networks: HashMap<usize, usize>,
    servers: HashMap<usize, usize>,
    starts: Vec<usize>,
    playbooks: HashMap<usize, usize>,
}

impl Parts {
    fn of(written: &Written) -> Parts {
        let starts: Vec<usize> = written.servers.iter().map(|server| server.key.1.start).collect();
        let mut playbooks = HashMap::new();
        for (number, deploy) in written.deploy.iter().enumerate() {
            if let DeployEntry::Playbook(_) = deploy.entry {
                playbooks.extend(deploy.hosts.iter().map(|(_, at)| (at.start, number)));
            }
        }
        Parts {
            networks: written
                .networks
                .iter()
                .enumerate()
                .map(|(at, network)| (network.key.1.start, at))
                .collect(),
            servers: starts.iter().enumerate().map(|(number, at)| (*at, number)).collect(),
            starts,
            playbooks,
        }
    }

    /// A role: its name, and its settings.
    fn role(&self, body: &[Entry], server: usize, anchors: &mut Anchors) {
        let at = self.starts[server];
        anchors.push((at, Slot::Server(server)));
        for part in body {
            let slot = match part.key.text.as_str() {
                "template" => Slot::Image(server),
                "value" => Slot::Count(server),
                "playbook" => self.playbooks.get(&at).map_or(Slot::Deploy, |number| Slot::Playbook(*number)),
                "name" => Slot::Server(server),
                _ => continue,
            };
            anchors.push((part.key.at.start, slot));
        }
    }
}
