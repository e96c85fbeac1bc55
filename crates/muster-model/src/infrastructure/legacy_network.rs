//! `priv_net` of old ict files: private networks of a task, and the roles linked to them.

use crate::diagnostic::{nearest, shown};
use crate::document::walk::{Walk, blame, field};
use crate::document::{Entry, Span, Value};

use super::legacy_habit as habit;
use super::syntax::{NetworkEntry, Written};

const NET: &[&str] = &["IsDHCP", "servers"];

/// Reads `priv_net` of one task, whose roles begin at `first_role`.
pub(crate) fn private_networks(
    walk: &mut Walk<'_>,
    entry: &Entry,
    location: &str,
    first_role: usize,
    written: &mut Written,
) {
    let Some(networks) = walk.map(&entry.node, blame(entry), "`priv_net`") else { return };
    habit::networks(walk, entry.key.at);
    for network in networks {
        let name = network.key.text.clone();
        let mut found = NetworkEntry {
            key: (name.clone(), network.key.at),
            prefix: String::new(),
            dhcp: true,
            location: location.to_owned(),
            protect: false,
            bandwidth_mbit: None,
            public: None,
        };
        let body = match &network.node.value {
            Value::Null => &[],
            _ => walk
                .map(&network.node, blame(network), &format!("the network `{}`", shown(&name)))
                .unwrap_or_default(),
        };
        walk.only(body, "a network", NET, &[]);
        if let Some(entry) = field(body, "IsDHCP")
            && let Some(dhcp) = old_boolean(walk, entry)
        {
            habit::dhcp(walk, entry.key.at, dhcp);
            found.dhcp = dhcp;
        }
        if let Some(servers) = field(body, "servers") {
            habit::links(walk, servers.key.at, &name);
            for (word, at) in walk.texts(servers, "`servers`") {
                link(walk, &word, at, &found.key, first_role, written);
            }
        }
        written.networks.push(found);
    }
}

/// Links a role to a network. The old form also named single servers; a network is linked by role today.
fn link(
    walk: &mut Walk<'_>,
    word: &str,
    at: Span,
    network: &(String, Span),
    first_role: usize,
    written: &mut Written,
) {
    let numbered =
        word.rsplit_once('_').filter(|(_, digits)| digits.parse::<u32>().is_ok()).map(|(role, _)| role);
    let roles = &mut written.servers[first_role..];
    let index = roles.iter().position(|server| server.key.0 == word);
    let by_number = index
        .is_none()
        .then(|| roles.iter().position(|server| Some(server.key.0.as_str()) == numbered))
        .flatten();
    if let Some(role) = index.or(by_number).map(|index| &mut roles[index]) {
        if !role.networks.iter().any(|(known, _)| *known == network.0) {
            role.networks.push((network.0.clone(), at));
        }
        if by_number.is_some() && role.count > 1 {
            let message = format!(
                "`{}` is one of {} servers of its role; all of them are linked",
                shown(word),
                role.count
            );
            walk.warn(at, "old-link", message, "give that server a role of its own to link it alone");
        }
        return;
    }
    let near = nearest(word, roles.iter().map(|server| server.key.0.as_str()));
    let help = near
        .map_or_else(|| "name a role of the same task".to_owned(), |near| format!("did you mean `{near}`?"));
    walk.error_help(at, "unknown-hosts", format!("this task has no role `{}`", shown(word)), help);
}

/// Old files wrote booleans as words, too.
fn old_boolean(walk: &mut Walk<'_>, entry: &Entry) -> Option<bool> {
    match entry.node.spelling().map(str::to_lowercase).as_deref() {
        Some("true" | "yes" | "on") => Some(true),
        Some("false" | "no" | "off") => Some(false),
        _ => walk.boolean(entry, &format!("`{}`", entry.key.text)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::ServerEntry;
    use super::*;
    use crate::document::Source;

    /// Links words to the roles `Web` (three servers) and `Db` (one); gives what is linked and what is said.
    fn linked(words: &[&str]) -> (Vec<Vec<String>>, Vec<String>) {
        let source = Source::new("old.yml", "");
        let mut walk = Walk::new(&source);
        let role = |name: &str, count: u32| {
            let mut entry = ServerEntry::new((name.to_owned(), Span::default()), "", "Xelent");
            entry.count = count;
            entry
        };
        let mut written = Written {
            account: String::new(),
            networks: Vec::new(),
            servers: vec![role("Other", 1), role("Web", 3), role("Db", 1)],
            deploy: Vec::new(),
            stats: true,
        };
        for word in words {
            link(&mut walk, word, Span::default(), &("back".to_owned(), Span::default()), 1, &mut written);
        }
        let networks =
            written.servers.iter().map(|role| role.networks.iter().map(|(name, _)| name.clone()).collect());
        (networks.collect(), walk.problems.items.into_iter().map(|item| item.message).collect())
    }

    #[test]
    fn roles_and_single_servers_are_linked_within_their_task() {
        let none: Vec<String> = Vec::new();
        let back = vec!["back".to_owned()];
        assert_eq!(
            linked(&["Web", "Web", "Db_1"]),
            (vec![none.clone(), back.clone(), back.clone()], none.clone())
        );
        let (networks, said) = linked(&["Web_2"]);
        assert_eq!(networks, [none.clone(), back, none.clone()]);
        assert_eq!(said, ["`Web_2` is one of 3 servers of its role; all of them are linked"]);
        let (networks, said) = linked(&["Other"]);
        assert_eq!(networks, [none.clone(), none.clone(), none]);
        assert_eq!(said, ["this task has no role `Other`"], "a role of another task is not meant");
    }
}
