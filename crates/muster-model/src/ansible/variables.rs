//! Which names have values: what Ansible itself provides, and what a playbook run gathers.

use std::collections::BTreeSet;

/// Names that Ansible sets, besides everything that begins with `ansible_`.
/// Source: "Special variables" of the Ansible documentation, and the template module's own.
const MAGIC: [&str; 25] = [
    "group_names",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "omit",
    "play_hosts",
    "playbook_dir",
    "role_name",
    "role_names",
    "role_path",
    "environment",
    "discovered_interpreter_python",
    "template_host",
    "template_uid",
    "template_path",
    "template_fullpath",
    "template_destpath",
    "template_run_date",
    "muster_playbook",
    "packages",
    "services",
    "vars",
];

/// Names with values, and whether there may be others that we cannot see.
#[derive(Debug, Default)]
pub(crate) struct Known {
    names: BTreeSet<String>,
    /// Something brings variables that cannot be told before the run.
    pub unclear: bool,
}

impl Known {
    pub(crate) fn add(&mut self, names: impl IntoIterator<Item = impl Into<String>>) {
        self.names.extend(names.into_iter().map(Into::into));
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        name.starts_with("ansible_")
            || name.starts_with('_')
            || MAGIC.contains(&name)
            || self.names.contains(name)
    }

    /// All names of ours, for "did you mean".
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// The names in `a=1 b="x y"`, as some modules take them.
pub(crate) fn names_of_free_form(text: &str) -> impl Iterator<Item = &str> {
    text.split_ascii_whitespace().filter_map(|word| {
        let (name, _) = word.split_once('=')?;
        let fine = |character: char| character.is_ascii_alphanumeric() || character == '_';
        (!name.is_empty() && name.chars().all(fine)).then_some(name)
    })
}
