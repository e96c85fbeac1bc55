//! All playbooks of an infrastructure file, checked before anything is planned.
//!
//! The plan's inventory is not known then, but its names are: they stand in the file.

use std::collections::BTreeSet;

use super::check::{Question, check};
use super::inventory::{Inventory, InventoryHost};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::Files;
use crate::infrastructure::{Checked, DeployEntry, Infrastructure};

/// Whether the check looks into a file of the bundle. Delivered code is large, and Ansible reads none of it, unless
/// a playbook lies among it.
pub fn reads(checked: &Checked, path: &str) -> bool {
    let below = |path: &str, directory: &str| {
        directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
    };
    let has_playbook = |directory: &str| checked.playbooks.iter().any(|playbook| below(playbook, directory));
    !checked.code.iter().any(|directory| below(path, directory) && !has_playbook(directory))
}

/// What is wrong with the playbooks of `deploy:`, all of it. A playbook that is not there is a problem of the
/// infrastructure file, and told with it.
pub fn check_deploy(
    infrastructure: &Infrastructure,
    bundle: &Files,
    extra_vars: &BTreeSet<String>,
    tags: bool,
) -> Diagnostics {
    let mut problems = Diagnostics::new();
    let inventory = match Inventory::build(infrastructure.servers.iter().map(|server| {
        InventoryHost {
            name: server.name.to_string(),
            // Nobody has it before the servers are seen, and no problem depends on it.
            address: String::new(),
            port: 22,
            user: String::new(),
            groups: server
                .groups
                .iter()
                .filter(|group| group.as_str() != server.name.as_str())
                .map(ToString::to_string)
                .collect(),
            playbook: server.playbooks.first().cloned(),
            vars: Default::default(),
        }
    })) {
        Ok(inventory) => Some(inventory),
        Err(errors) => {
            for error in errors {
                problems.push(Diagnostic::error("ansible-inventory", error.to_string()));
            }
            None
        }
    };
    let none = Default::default();
    let named = infrastructure.deploy.iter().filter_map(|entry| match entry {
        DeployEntry::Playbook(entry) => Some((&entry.playbook, &entry.vars)),
        DeployEntry::Code(_) => None,
    });
    let bound = infrastructure.servers.iter().flat_map(|server| &server.playbooks);
    let mut asked = BTreeSet::new();
    for (playbook, vars) in named.chain(bound.map(|playbook| (playbook, &none))) {
        let names: BTreeSet<String> = vars.keys().chain(extra_vars).cloned().collect();
        if bundle.contains(playbook) && asked.insert((playbook, names.clone())) {
            let question = Question { playbook, inventory: inventory.as_ref(), extra_vars: names, tags };
            problems.append(check(bundle.contents(), &question));
        }
    }
    problems.sorted()
}
