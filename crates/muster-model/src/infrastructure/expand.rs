//! From entries to servers: every name expanded, and every rule that several entries decide together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::diagnostic::{Diagnostic, nearest, shown};
use crate::document::{Span, walk::Walk};
use crate::id::{AccountName, GroupName, InfrastructureName, NetworkName, ServerName};
use crate::infrastructure::{DeployEntry, Hosts, Infrastructure, WantedNetwork};
use crate::server::WantedServer;

use super::names::{NAME_CHARS_MAX, ansible_group, is_reserved, name_problem};
use super::syntax::{SERVERS_MAX, ServerEntry, Written};

/// Expands a file as written. Problems go into `walk`; what comes back is only good if there are none.
pub(crate) fn expand(walk: &mut Walk<'_>, name: &InfrastructureName, written: Written) -> Infrastructure {
    let networks = networks(walk, &written);
    let by_key: HashMap<&str, NetworkName> = written
        .networks
        .iter()
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
        servers = expand_servers(walk, &written.servers, &by_key, &groups);
    }
    let deploy = deploy(walk, &written, &groups);
    Infrastructure {
        name: name.clone(),
        account: AccountName(written.account),
        networks,
        servers,
        deploy,
        stats: written.stats,
    }
}

fn networks(walk: &mut Walk<'_>, written: &Written) -> BTreeMap<NetworkName, WantedNetwork> {
    let mut all = BTreeMap::new();
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
        let wanted =
            WantedNetwork { dhcp: entry.dhcp, location: entry.location.clone(), protect: entry.protect };
        all.insert(NetworkName(name), wanted);
    }
    all
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

/// Every group of the file, and where it is first written.
struct Groups {
    known: BTreeMap<String, Span>,
    names: BTreeSet<String>,
}

impl Groups {
    fn of(walk: &mut Walk<'_>, servers: &[ServerEntry]) -> Groups {
        let mut known: BTreeMap<String, Span> = BTreeMap::new();
        let mut as_ansible: HashMap<String, String> = HashMap::new();
        let written = servers.iter().flat_map(|entry| {
            std::iter::once((&entry.key, true)).chain(entry.groups.iter().map(|group| (group, false)))
        });
        for ((group, at), is_key) in written {
            if !is_key && known.contains_key(group) {
                continue;
            }
            if !is_key && let Some(problem) = name_problem(group) {
                walk.error(
                    *at,
                    "bad-name",
                    format!("`{}` cannot be the name of a group: {problem}", shown(group)),
                );
                continue;
            }
            if is_reserved(group) {
                let message = format!("`{}` is a word of Ansible's own and cannot be a group", shown(group));
                let help = if is_key {
                    "a server's key is also its group; call it something else"
                } else {
                    "every server is in `all` without saying so"
                };
                walk.error_help(*at, "reserved-group", message, help);
                continue;
            }
            match as_ansible.get(&ansible_group(group)) {
                Some(first) if first != group => {
                    let message = format!(
                        "the groups `{}` and `{}` are one group to Ansible, where `-` becomes `_`",
                        shown(first),
                        shown(group)
                    );
                    let mut diagnostic = Diagnostic::error("group-collision", message).at(walk.place(*at));
                    if let Some(first_at) = known.get(first) {
                        diagnostic = diagnostic.related(walk.place(*first_at), "the first one");
                    }
                    walk.problems.push(diagnostic.help("rename one of them"));
                }
                _ => {
                    as_ansible.insert(ansible_group(group), group.clone());
                }
            }
            known.entry(group.clone()).or_insert(*at);
        }
        let names = servers
            .iter()
            .filter(|entry| (entry.count as usize) <= SERVERS_MAX)
            .take(SERVERS_MAX)
            .flat_map(|entry| (1..=entry.count).map(|number| entry.name(number)))
            .take(SERVERS_MAX)
            .collect();
        Groups { known, names }
    }
}

fn expand_servers(
    walk: &mut Walk<'_>,
    entries: &[ServerEntry],
    networks: &HashMap<&str, NetworkName>,
    groups: &Groups,
) -> Vec<WantedServer> {
    let mut servers = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut earlier: HashMap<String, (usize, Span)> = HashMap::new();
    let mut reported: BTreeSet<Span> = BTreeSet::new();
    let mut collided: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let (key, at) = (&entry.key.0, entry.key.1);
        check_name(walk, key, &entry.name(entry.count.max(1)), at, "server");
        let linked: BTreeSet<NetworkName> = entry
            .networks
            .iter()
            .filter_map(|(word, at)| {
                let found = networks.get(word.as_str()).cloned();
                if found.is_none() {
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
            let was = was(walk, entry, index, number, &groups.names, &mut earlier, &mut reported);
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
            });
        }
    }
    servers
}

/// The earlier names of one server.
///
/// A word of `was:` is an earlier key (`www` means `www-2` for number 2, with and without the prefix), or the
/// full name of one server where it ends in a number (`Web_2` is the earlier name of number 2 only, or of
/// the only server). For an entry of one server a word also stands for itself.
fn was(
    walk: &mut Walk<'_>,
    entry: &ServerEntry,
    index: usize,
    number: u32,
    names: &BTreeSet<String>,
    earlier: &mut HashMap<String, (usize, Span)>,
    reported: &mut BTreeSet<Span>,
) -> Vec<ServerName> {
    let mut found: Vec<ServerName> = Vec::new();
    for (word, at) in &entry.was {
        let numbered = word.rsplit_once(['-', '_']).and_then(|(_, digits)| digits.parse::<u32>().ok());
        let candidates: Vec<String> = match numbered {
            Some(own) if own == number || entry.count == 1 => vec![word.clone()],
            Some(_) => Vec::new(),
            None => {
                let mut all = vec![
                    format!("{}{word}{}{number}", entry.prefix, entry.joint),
                    format!("{word}{}{number}", entry.joint),
                ];
                if entry.count == 1 {
                    all.push(word.clone());
                }
                all
            }
        };
        for name in candidates {
            if name == entry.name(number) || found.iter().any(|known| known.as_str() == name) {
                continue;
            }
            if names.contains(&name) {
                if !reported.insert(*at) {
                    continue;
                }
                let message = format!(
                    "`{}` cannot have been `{}`: the file still has a server of that name",
                    shown(&entry.name(number)),
                    shown(&name)
                );
                walk.error_help(
                    *at,
                    "was-still-there",
                    message,
                    "two servers cannot exchange their names; rename one of them in two steps",
                );
                continue;
            }
            match earlier.get(&name) {
                Some((first, first_at)) if *first != index || entry.count > 1 => {
                    if !reported.insert(*at) {
                        continue;
                    }
                    let diagnostic = Diagnostic::error(
                        "was-twice",
                        format!("two servers cannot both have been `{}`", shown(&name)),
                    )
                    .at(walk.place(*at))
                    .related(walk.place(*first_at), "the first one");
                    walk.problems.push(diagnostic);
                }
                _ => {
                    earlier.insert(name.clone(), (index, *at));
                    found.push(ServerName(name));
                }
            }
        }
    }
    found
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
