//! Which files belong to a document.
//!
//! Two steps, because a document must be read before it can say what it needs: first the documents that
//! reading needs, then everything that the checked document names.

use std::collections::BTreeSet;

use super::ignore::Ignore;
use crate::document::Files;
use crate::document::path::{is_document, join, parent};
use crate::infrastructure::find::ROOT_MARKER;
use crate::infrastructure::{Checked, ict_bases};

/// Directories beside a playbook (and at the root) that Ansible reads by itself.
const ANSIBLE_DIRECTORIES: &[&str] = &[
    "roles",
    "group_vars",
    "host_vars",
    "library",
    "module_utils",
    "filter_plugins",
    "collections",
    "files",
    "templates",
    "vars",
    "tasks",
    "handlers",
];
/// Files beside a playbook (and at the root) that Ansible reads by itself.
const ANSIBLE_FILES: &[&str] = &["ansible.cfg", "requirements.yml", "requirements.yaml"];

/// The documents whose contents [`crate::infrastructure::load`] may need: the entry, the settings of the
/// root, the var files, and every old server template. `listing` has every file below the root.
pub fn documents_to_read(entry: &str, var_files: &[String], listing: &Files) -> BTreeSet<String> {
    let folders: Vec<String> = ict_bases(entry).iter().map(|base| join(base, "servers")).collect();
    let templates = folders.iter().flat_map(|folder| listing.below(folder)).filter(|path| is_document(path));
    let mut found: BTreeSet<String> = templates.map(str::to_owned).collect();
    let named = [entry, ROOT_MARKER].into_iter().chain(var_files.iter().map(String::as_str));
    found.extend(named.filter(|path| listing.contains(path)).map(str::to_owned));
    found
}

/// Everything a checked document needs, sorted: itself and the documents it was made from, its playbooks
/// with everything beside them that Ansible reads, its code directories. What `ignore` names stays out,
/// except what the document names itself.
pub fn files_to_gather(checked: &Checked, listing: &Files, ignore: &Ignore) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let named = checked.files_used.iter().chain(checked.playbooks.iter());
    found.extend(named.filter(|path| listing.contains(path)).cloned());
    if listing.contains(ROOT_MARKER) {
        found.insert(ROOT_MARKER.to_owned());
    }
    let mut take = |paths: &mut dyn Iterator<Item = &str>| {
        found.extend(paths.filter(|path| !ignore.ignores(path)).map(str::to_owned));
    };
    let playbooks: BTreeSet<&String> =
        checked.playbooks.iter().filter(|path| listing.contains(path)).collect();
    let mut directories: BTreeSet<&str> = playbooks.iter().map(|path| parent(path)).collect();
    if !playbooks.is_empty() {
        directories.insert("");
    }
    for directory in directories {
        for name in ANSIBLE_DIRECTORIES {
            // The root's own `templates/` and the like hold documents of Muster, too; Ansible reads there only roles and variables.
            if directory.is_empty()
                && !playbooks.iter().any(|path| parent(path).is_empty())
                && !["roles", "group_vars", "host_vars", "collections", "library"].contains(name)
            {
                continue;
            }
            take(&mut listing.below(&join(directory, name)));
        }
        take(
            &mut ANSIBLE_FILES
                .iter()
                .map(|name| join(directory, name))
                .filter(|path| listing.contains(path))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str),
        );
    }
    // Files right beside a playbook: what it imports, its templates and scripts.
    for directory in playbooks
        .iter()
        .map(|path| parent(path))
        .filter(|directory| !directory.is_empty())
        .collect::<BTreeSet<_>>()
    {
        take(&mut listing.below(directory).filter(|path| parent(path) == directory));
    }
    for directory in &checked.code {
        take(&mut listing.below(directory));
    }
    found
}
