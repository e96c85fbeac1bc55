//! `deploy:` of an infrastructure file, and the playbooks that servers name themselves.

use std::collections::BTreeMap;

use crate::diagnostic::shown;
use crate::document::walk::{Walk, blame, field};
use crate::document::{Entry, Node, Span, Value, path};
use crate::infrastructure::check::Surroundings;
use crate::infrastructure::{DeployEntry, Hosts, PlaybookEntry};

use super::syntax::*;

/// A playbook that a server names runs in `deploy` before the entries of `deploy:`, once for all its servers.
pub(crate) fn bind_playbook(deploy: &mut Vec<WrittenDeploy>, playbook: &str, key: &(String, Span)) {
    for one in deploy.iter_mut() {
        if let DeployEntry::Playbook(entry) = &one.entry
            && entry.playbook == playbook
        {
            one.hosts.push(key.clone());
            return;
        }
    }
    deploy.push(WrittenDeploy {
        entry: DeployEntry::Playbook(PlaybookEntry {
            playbook: playbook.to_owned(),
            hosts: Hosts::All,
            repeatable: false,
            vars: BTreeMap::new(),
        }),
        hosts: vec![key.clone()],
        at: key.1,
    });
}

/// A path below the root, in its one spelling.
pub(crate) fn file_path(walk: &mut Walk<'_>, written: &str, at: Span) -> Option<String> {
    match path::normal(written) {
        Ok(path) if path.is_empty() => {
            walk.error(at, "bad-path", format!("`{}` is the root itself", shown(written)));
            None
        }
        Ok(path) => Some(path),
        Err(problem) => {
            walk.error(at, "bad-path", format!("`{}`: {problem}", shown(written)));
            None
        }
    }
}

/// Reads one entry of `deploy:`.
pub(crate) fn deploy(
    walk: &mut Walk<'_>,
    item: &Node,
    at: Span,
    around: &mut Surroundings<'_>,
) -> Option<WrittenDeploy> {
    let entries = walk.map(item, at, "an entry of `deploy`")?;
    let (playbook, code) = (field(entries, "playbook"), field(entries, "code"));
    let entry = match (playbook, code) {
        (Some(playbook), None) => {
            walk.only(entries, "a playbook entry", PLAYBOOK, DEPLOY_LATER);
            playbook_entry(walk, entries, playbook, around)
        }
        (None, Some(code)) => {
            walk.only(entries, "a code entry", CODE, DEPLOY_LATER);
            super::code::code_entry(walk, code, around)
        }
        (Some(_), Some(code)) => {
            let message = "an entry of `deploy` has either `playbook` or `code`, not both";
            walk.error_help(code.key.at, "two-kinds", message, "make two entries; they run in their order");
            None
        }
        (None, None) => {
            let words: Vec<&'static str> = [PLAYBOOK, CODE].concat();
            walk.only(entries, "an entry of `deploy`", &words, DEPLOY_LATER);
            let message = "an entry of `deploy` has `playbook` or `code`; this one has neither";
            walk.error(at, "missing-field", message);
            None
        }
    };
    let hosts = match field(entries, "hosts") {
        Some(hosts) => {
            let found = walk.texts(hosts, "`hosts`");
            if found.is_empty() && matches!(&hosts.node.value, Value::List(items) if items.is_empty()) {
                walk.error_help(
                    hosts.key.at,
                    "empty",
                    "`hosts` is empty",
                    "name groups or servers, or write `hosts: all`",
                );
            }
            found
        }
        None => {
            let message = "this entry does not say its `hosts`";
            walk.error_help(at, "missing-field", message, "name a group, a server, or write `hosts: all`");
            Vec::new()
        }
    };
    let to = match code.map(|code| &code.node.value) {
        Some(Value::Map(entries)) => field(entries, "to").map(blame),
        _ => None,
    };
    Some(WrittenDeploy { entry: entry?, hosts, at: to.unwrap_or(at) })
}

fn playbook_entry(
    walk: &mut Walk<'_>,
    entries: &[Entry],
    playbook: &Entry,
    around: &mut Surroundings<'_>,
) -> Option<DeployEntry> {
    let repeatable =
        field(entries, "repeatable").and_then(|entry| walk.boolean(entry, "`repeatable`")).unwrap_or(false);
    let mut vars = BTreeMap::new();
    if let Some(entry) = field(entries, "vars")
        && let Some(entries) = walk.map(&entry.node, blame(entry), "`vars`")
    {
        for Entry { key, node } in entries {
            let good = key.text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
                && key.text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
            if good {
                vars.insert(key.text.clone(), node.to_json());
            } else {
                let message = format!("`{}` cannot be the name of a playbook's variable", shown(&key.text));
                walk.error_help(
                    key.at,
                    "bad-name",
                    message,
                    "Ansible takes letters, digits and `_`, not starting with a digit",
                );
            }
        }
    }
    let at = blame(playbook);
    let written = walk.text(&playbook.node, at, "`playbook`")?;
    let path = file_path(walk, &written, at)?;
    around.want_file(walk, &path, at, "playbook");
    Some(DeployEntry::Playbook(PlaybookEntry { playbook: path, hosts: Hosts::All, repeatable, vars }))
}
