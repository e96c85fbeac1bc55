//! From entries to servers: every name expanded, and every rule that several entries decide together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::diagnostic::{Diagnostic, nearest, shown};
use crate::document::{Span, walk::Walk};
use crate::id::{AccountName, GroupName, InfrastructureName, NetworkName, ServerName};
use crate::infrastructure::{DeployEntry, Hosts, Infrastructure, WantedNetwork};
use crate::public_network::WantedPublicNetwork;
use crate::server::WantedServer;

use super::dns;
use super::groups::Groups;
use super::names::{NAME_CHARS_MAX, name_problem};
use super::syntax::{SERVERS_MAX, ServerEntry, Written};
use super::was::Earlier;

/// Expands a file as written. Problems go into `walk`; what comes back is only good if there are none.
pub(crate) fn expand(walk: &mut Walk<'_>, name: &InfrastructureName, written: Written) -> Infrastructure {
    let (networks, public_networks) = networks(walk, &written);
    let by_key: HashMap<&str, NetworkName> = written
        .networks
        .iter()
        .filter(|network| network.public.is_none())
        .map(|network| (network.key.0.as_str(), NetworkName(format!("{}{}", network.prefix, network.key.0))))
        .collect();
    let groups = Groups::of(walk, &written.servers);
    let total: u64 = written.servers.iter().map(|entry| u64::from(entry.count)).sum();
    let mut servers = Vec::new();
    if total > SERVERS_MAX as u64 {
        let at = written
            .servers
            .iter()
            .max_by_key(|entry| entry.count)
            .map(|entry| entry.key.1)
            .unwrap_or_default();
        walk.error(
            at,
            "too-many-servers",
            format!("the file asks for {total} servers; it may ask for {SERVERS_MAX}"),
        );
    } else {
        let public = written.networks.iter().filter(|network| network.public.is_some());
        let public: BTreeSet<&str> = public.map(|network| network.key.0.as_str()).collect();
        servers = expand_servers(walk, &written.servers, &by_key, &public, &groups);
    }
    let deploy = deploy(walk, &written, &groups);
    let places: Vec<Span> = written.deploy.iter().map(|deploy| deploy.at).collect();
    let infrastructure = Infrastructure {
        name: name.clone(),
        account: AccountName(written.account),
        networks,
        public_networks,
        servers,
        deploy,
        stats: written.stats,
    };
    super::meeting::code(walk, &infrastructure, &places);
    infrastructure
}

type Networks = (BTreeMap<NetworkName, WantedNetwork>, BTreeMap<NetworkName, WantedPublicNetwork>);

fn networks(walk: &mut Walk<'_>, written: &Written) -> Networks {
    let (mut all, mut public) = (BTreeMap::new(), BTreeMap::new());
    let mut seen: HashMap<String, Span> = HashMap::new();
    for entry in &written.networks {
        let (key, at) = (&entry.key.0, entry.key.1);
        let name = format!("{}{key}", entry.prefix);
        check_name(walk, key, &name, at, "network");
        if let Some(first) = seen.insert(name.clone(), at) {
            let diagnostic =
                Diagnostic::error("duplicate-name", format!("two networks are called `{}`", shown(&name)))
                    .at(walk.place(at))
                    .related(walk.place(first), "the first one");
            walk.problems.push(diagnostic);
        }
        if let Some(part) = &entry.public {
            let wanted = WantedPublicNetwork {
                location: entry.location.clone(),
                addresses: part.addresses,
                bandwidth_mbit: part.bandwidth_mbit,
                protect: entry.protect,
                firewall: part.firewall.clone(),
            };
            public.insert(NetworkName(name), wanted);
            continue;
        }
        let wanted = WantedNetwork {
            dhcp: entry.dhcp,
            location: entry.location.clone(),
            protect: entry.protect,
            bandwidth_mbit: entry.bandwidth_mbit,
        };
        all.insert(NetworkName(name), wanted);
    }
    (all, public)
}

fn check_name(walk: &mut Walk<'_>, key: &str, longest: &str, at: Span, what: &str) {
    if let Some(problem) = name_problem(key) {
        walk.error(at, "bad-name", format!("`{}` cannot be the name of a {what}: {problem}", shown(key)));
    } else if longest.chars().count() > NAME_CHARS_MAX {
        let message =
            format!("the {what}'s full name `{}` is longer than {NAME_CHARS_MAX} characters", shown(longest));
        walk.error(at, "bad-name", message);
    }
}

fn expand_servers(
    walk: &mut Walk<'_>,
    entries: &[ServerEntry],
    networks: &HashMap<&str, NetworkName>,
    public: &BTreeSet<&str>,
    groups: &Groups,
) -> Vec<WantedServer> {
    let mut servers = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut earlier = Earlier::default();
    let mut times = dns::Times::default();
    let mut collided: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let (key, at) = (&entry.key.0, entry.key.1);
        check_name(walk, key, &entry.name(entry.count.max(1)), at, "server");
        dns::check(walk, entry);
        let linked: BTreeSet<NetworkName> = entry
            .networks
            .iter()
            .filter_map(|(word, at)| {
                let found = networks.get(word.as_str()).cloned();
                if public.contains(word.as_str()) {
                    let message = format!(
                        "`{}` is a public network, and servers are linked to private ones only",
                        shown(word)
                    );
                    let help = "link servers to a public network in the provider's panel";
                    walk.error_help(*at, "public-network", message, help);
                } else if found.is_none() {
                    unknown(walk, *at, "unknown-network", "network", word, networks.keys().copied());
                }
                found
            })
            .collect();
        let in_groups: BTreeSet<GroupName> = std::iter::once(key)
            .chain(entry.groups.iter().map(|(group, _)| group))
            .map(|group| GroupName(group.clone()))
            .collect();
        for number in 1..=entry.count {
            let name = entry.name(number);
            if let Some(first) = seen.insert(name.clone(), index)
                && collided.insert((first, index))
            {
                let diagnostic =
                    Diagnostic::error("duplicate-name", format!("two servers are called `{}`", shown(&name)))
                        .at(walk.place(at))
                        .related(walk.place(entries[first].key.1), "the first one");
                walk.problems.push(diagnostic);
            }
            if let Some(group_at) = groups.known.get(&name) {
                let message = format!("`{}` is both a server and a group", shown(&name));
                let diagnostic = Diagnostic::error("name-is-group", message)
                    .at(walk.place(*group_at))
                    .related(walk.place(at), "the entry that makes this server")
                    .help("`hosts:` could mean either; rename one of them");
                walk.problems.push(diagnostic);
            }
            let names = dns::names(entry, number, &name);
            times.note(walk, entry, &names);
            let was = earlier.names(walk, entry, index, number, &groups.names);
            servers.push(WantedServer {
                name: ServerName(name),
                key: key.clone(),
                size: entry.size.clone(),
                location: entry.location.clone(),
                image: entry.image.clone(),
                networks: linked.clone(),
                keys: entry.keys.clone(),
                groups: in_groups.clone(),
                power: entry.power,
                protect: entry.protect,
                was,
                backup_days: entry.backup_days,
                playbooks: entry.playbooks.clone(),
                bandwidth_mbit: entry.bandwidth_mbit,
                dns: names,
            });
        }
    }
    servers
}

fn deploy(walk: &mut Walk<'_>, written: &Written, groups: &Groups) -> Vec<DeployEntry> {
    written
        .deploy
        .iter()
        .map(|deploy| {
            let mut entry = deploy.entry.clone();
            let hosts = hosts(walk, &deploy.hosts, groups);
            match &mut entry {
                DeployEntry::Playbook(playbook) => playbook.hosts = hosts,
                DeployEntry::Code(code) => code.hosts = hosts,
            }
            entry
        })
        .collect()
}

fn hosts(walk: &mut Walk<'_>, words: &[(String, Span)], groups: &Groups) -> Hosts {
    if words.iter().any(|(word, _)| word == "all") {
        return Hosts::All;
    }
    let mut found = Vec::new();
    for (word, at) in words {
        let group = GroupName(word.clone());
        if groups.known.contains_key(word) || groups.names.contains(word) {
            if !found.contains(&group) {
                found.push(group);
            }
        } else {
            let words = groups.known.keys().map(String::as_str).chain(std::iter::once("all"));
            unknown(walk, *at, "unknown-hosts", "group or server", word, words);
        }
    }
    Hosts::Groups(found)
}

fn unknown<'w>(
    walk: &mut Walk<'_>,
    at: Span,
    code: &'static str,
    what: &str,
    word: &str,
    words: impl Iterator<Item = &'w str>,
) {
    let mut words: Vec<&str> = words.collect();
    words.sort_unstable();
    let help = match nearest(word, words.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if words.is_empty() => format!("the file has no {what} at all"),
        None => {
            const LISTED: usize = 10;
            let more = words.len().saturating_sub(LISTED);
            let list = words.iter().take(LISTED).map(|word| shown(word)).collect::<Vec<_>>().join(", ");
            if more == 0 { format!("there is: {list}") } else { format!("there is: {list} and {more} more") }
        }
    };
    walk.error_help(at, code, format!("the file has no {what} `{}`", shown(word)), help);
}

#[cfg(test)]
mod tests {
    use super::super::syntax::NetworkEntry;
    use super::*;
    use crate::document::Source;

    fn entry(key: &str, count: u32) -> ServerEntry {
        let mut entry = ServerEntry::new((key.to_owned(), Span::default()), "", "SdnSpb");
        entry.count = count;
        entry
    }

    fn expanded(servers: Vec<ServerEntry>) -> (Infrastructure, Vec<String>) {
        let source = Source::new("shop.yaml", "");
        let mut walk = Walk::new(&source);
        let network = NetworkEntry {
            key: ("back".to_owned(), Span::default()),
            prefix: "p-".to_owned(),
            dhcp: true,
            location: "SdnSpb".to_owned(),
            protect: false,
            bandwidth_mbit: None,
            public: None,
        };
        let written = Written {
            account: "a".to_owned(),
            networks: vec![network],
            servers,
            deploy: Vec::new(),
            stats: false,
        };
        let found = expand(&mut walk, &InfrastructureName::from("shop"), written);
        (found, walk.problems.items.into_iter().map(|item| item.code.into_owned()).collect())
    }

    #[test]
    fn names_links_and_groups() {
        let mut web = entry("web", 2);
        web.networks = vec![("back".to_owned(), Span::default())];
        web.groups = vec![("front".to_owned(), Span::default())];
        let (found, problems) = expanded(vec![web, entry("db", 1), entry("none", 0)]);
        assert!(problems.is_empty(), "{problems:?}");
        let names: Vec<&str> = found.servers.iter().map(|server| server.name.as_str()).collect();
        assert_eq!(names, ["web-1", "web-2", "db-1"]);
        assert_eq!(found.servers[1].networks, BTreeSet::from([NetworkName::from("p-back")]));
        assert_eq!(
            found.servers[1].groups,
            BTreeSet::from([GroupName::from("front"), GroupName::from("web")])
        );
    }

    #[test]
    fn an_entry_of_many_that_collides_is_told_once() {
        let mut other = entry("b", 50);
        other.prefix = "a-".to_owned();
        let (_, problems) = expanded(vec![entry("a-b", 50), other]);
        assert_eq!(problems, ["duplicate-name"]);
    }

    #[test]
    fn nothing_is_expanded_beyond_the_bound() {
        let (found, problems) =
            expanded((0..4).map(|number| entry(&format!("s{number}x"), 10_000)).collect());
        assert!(found.servers.is_empty());
        assert_eq!(problems, ["too-many-servers"]);
    }
}
