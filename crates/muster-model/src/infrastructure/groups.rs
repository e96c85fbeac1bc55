//! Every group of a file: keys and `groups:` words, held against Ansible's own words and rules.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::diagnostic::{Diagnostic, shown};
use crate::document::{Span, walk::Walk};

use super::names::{ansible_group, is_reserved, name_problem};
use super::syntax::{SERVERS_MAX, ServerEntry};

/// Every group of the file, and where it is first written.
pub(crate) struct Groups {
    /// Each group, and where it is first written.
    pub known: BTreeMap<String, Span>,
    /// The names of all servers, bounded by the most servers of a file.
    pub names: BTreeSet<String>,
}

impl Groups {
    /// Collects and checks them.
    pub fn of(walk: &mut Walk<'_>, servers: &[ServerEntry]) -> Groups {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Source;

    #[test]
    fn collisions_and_reserved_words() {
        let source = Source::new("shop.yaml", "");
        let mut walk = Walk::new(&source);
        let entry = |key: &str, groups: &[&str]| {
            let mut entry = ServerEntry::new((key.to_owned(), Span::default()), "", "SdnSpb");
            entry.groups = groups.iter().map(|group| ((*group).to_owned(), Span::default())).collect();
            entry
        };
        let servers = [entry("web", &["front-end", "web"]), entry("db", &["front_end", "all", "a b"])];
        let groups = Groups::of(&mut walk, &servers);
        let codes: Vec<&str> = walk.problems.items.iter().map(|item| item.code.as_ref()).collect();
        assert_eq!(codes, ["group-collision", "reserved-group", "bad-name"]);
        assert!(groups.known.contains_key("front-end") && !groups.known.contains_key("all"));
        assert_eq!(groups.names, BTreeSet::from(["db-1".to_owned(), "web-1".to_owned()]));
    }
}
