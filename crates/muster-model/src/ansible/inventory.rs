//! The inventory that Ansible is given: hosts, groups, variables; no password ever.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// One machine.
#[derive(Debug, Clone, PartialEq)]
pub struct InventoryHost {
    /// Its name in the file.
    pub name: String,
    /// Address or host name.
    pub address: String,
    /// Usually 22.
    pub port: u16,
    /// As whom to log in.
    pub user: String,
    /// Its groups as written in the file (`-` allowed).
    pub groups: BTreeSet<String>,
    /// The playbook bound to it, kept as the host variable `muster_playbook` (ICT-52).
    pub playbook: Option<String>,
    /// Further variables.
    pub vars: BTreeMap<String, serde_json::Value>,
}

/// Hosts and groups that fit together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    hosts: BTreeMap<String, InventoryHost>,
    /// Ansible's name → hosts.
    groups: BTreeMap<String, Vec<String>>,
}

/// Why hosts do not make an inventory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// Two groups become one in Ansible.
    #[error("the groups `{one}` and `{other}` are both called `{ansible}` in Ansible; rename one of them")]
    GroupsCollide {
        /// As written.
        one: String,
        /// As written.
        other: String,
        /// As Ansible names both.
        ansible: String,
    },
    /// A group bears a name that Ansible keeps for itself or cannot read.
    #[error("the group `{group}` cannot be used in Ansible: {why}")]
    GroupName {
        /// As written.
        group: String,
        /// Why.
        why: &'static str,
    },
    /// Two hosts of one name, or a host named like a group.
    #[error("the name `{name}` stands for two things in the inventory")]
    NameTwice {
        /// Which.
        name: String,
    },
    /// A name that Ansible reads as a pattern.
    #[error("the host name `{name}` holds `{character}`, which means something else to Ansible")]
    HostName {
        /// Which.
        name: String,
        /// What.
        character: char,
    },
}

/// A group's name as Ansible knows it: `-` becomes `_` (`SEMANTICS.md` §1).
pub fn group_name(written: &str) -> String {
    written.replace('-', "_")
}

impl Inventory {
    /// Puts hosts and groups together.
    ///
    /// # Errors
    /// Every name that collides or that Ansible would read differently.
    pub fn build(hosts: impl IntoIterator<Item = InventoryHost>) -> Result<Inventory, Vec<InventoryError>> {
        let mut inventory = Inventory::default();
        let mut written_as: BTreeMap<String, String> = BTreeMap::new();
        let mut errors = Vec::new();
        for host in hosts {
            if let Some(character) = host.name.chars().find(|&c| !is_name_character(c)) {
                errors.push(InventoryError::HostName { name: host.name.clone(), character });
                continue;
            }
            for group in &host.groups {
                let ansible = group_name(group);
                match written_as.get(&ansible) {
                    Some(other) if other == group => {}
                    Some(other) => {
                        let (one, other) = (other.clone(), group.clone());
                        let error = InventoryError::GroupsCollide { one, other, ansible: ansible.clone() };
                        if !errors.contains(&error) {
                            errors.push(error);
                        }
                    }
                    None => {
                        if let Some(why) = bad_group(&ansible) {
                            errors.push(InventoryError::GroupName { group: group.clone(), why });
                        }
                        written_as.insert(ansible.clone(), group.clone());
                    }
                }
                inventory.groups.entry(ansible).or_default().push(host.name.clone());
            }
            let name = host.name.clone();
            if inventory.hosts.insert(name.clone(), host).is_some() {
                errors.push(InventoryError::NameTwice { name });
            }
        }
        // A server without a count is also a group of its own name (`db-1` in `db` is the usual case, `db` in
        // `db` would confuse Ansible).
        let twice = inventory.groups.keys().filter(|group| inventory.hosts.contains_key(*group));
        errors.extend(twice.map(|name| InventoryError::NameTwice { name: name.clone() }));
        for members in inventory.groups.values_mut() {
            members.sort_unstable();
            members.dedup();
        }
        if errors.is_empty() { Ok(inventory) } else { Err(errors) }
    }

    /// The hosts by name.
    pub fn hosts(&self) -> impl Iterator<Item = &InventoryHost> {
        self.hosts.values()
    }

    /// Ansible's group names.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// Whether a plain word of a `hosts:` pattern names something here.
    pub fn knows(&self, name: &str) -> bool {
        self.hosts.contains_key(name) || self.groups.contains_key(name)
    }

    /// Every variable that some host has.
    pub fn variables(&self) -> BTreeSet<&str> {
        let own = self.hosts.values().flat_map(|host| host.vars.keys().map(String::as_str));
        own.chain(["muster_playbook"]).collect()
    }

    /// The file that stock Ansible reads. Each host stands once with its variables, below `all`; groups name it.
    pub fn to_yaml(&self) -> String {
        let mut out = String::with_capacity(64 + self.hosts.len() * 160);
        out.push_str("# Written by Muster; changes are overwritten.\nall:\n");
        if !self.hosts.is_empty() {
            out.push_str("  hosts:\n");
        }
        for host in self.hosts.values() {
            out.push_str("      ");
            quote_into(&host.name, &mut out);
            // JSON is YAML, and quoted text stays text. Ours come first, so that a variable of the file's may replace
            // them: of two equal keys Ansible takes the last, but warns; so they are left out here.
            let mut fields = Fields { out: &mut out, first: true };
            let is_free = |name: &str| !host.vars.contains_key(name);
            if is_free("ansible_host") {
                quote_into(&host.address, fields.name("ansible_host"));
            }
            if is_free("ansible_port") {
                let _ = write!(fields.name("ansible_port"), "{}", host.port);
            }
            if is_free("ansible_user") {
                quote_into(&host.user, fields.name("ansible_user"));
            }
            for (name, value) in &host.vars {
                let _ = write!(fields.name(name), "{value}");
            }
            if let Some(playbook) = host.playbook.as_ref().filter(|_| is_free("muster_playbook")) {
                quote_into(playbook, fields.name("muster_playbook"));
            }
            fields.end();
        }
        if !self.groups.is_empty() {
            out.push_str("  children:\n");
        }
        for (group, members) in &self.groups {
            let _ = writeln!(out, "    {group}:\n      hosts:");
            for member in members {
                out.push_str("        ");
                quote_into(member, &mut out);
                out.push_str(": {}\n");
            }
        }
        out
    }
}

/// Writes `: {"a":…,"b":…}` piece by piece: ten thousand hosts as values of a tree took ten times as long.
struct Fields<'o> {
    out: &'o mut String,
    first: bool,
}

impl Fields<'_> {
    /// Writes a name; the caller writes its value.
    fn name(&mut self, name: &str) -> &mut String {
        self.out.push_str(if self.first { ": {" } else { "," });
        self.first = false;
        quote_into(name, self.out);
        self.out.push(':');
        self.out
    }

    fn end(self) {
        self.out.push_str(if self.first { ": {}\n" } else { "}\n" });
    }
}

/// A JSON string.
fn quote_into(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\' || byte == b' ') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        let _ = write!(out, "{}", serde_json::Value::from(text));
    }
}

fn is_name_character(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '.')
}

fn bad_group(name: &str) -> Option<&'static str> {
    if matches!(name, "all" | "ungrouped") {
        return Some("Ansible keeps this name for itself");
    }
    let first = name.chars().next()?;
    if first.is_ascii_digit() {
        return Some("a group does not begin with a digit");
    }
    let fine = |c: char| c.is_alphanumeric() || c == '_';
    (!name.chars().all(fine)).then_some("a group is letters, digits, `-` and `_`")
}
