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
            let mut line = |name: &str, value: &serde_json::Value| {
                // JSON is YAML, and quoted text stays text.
                let _ = writeln!(out, "      {}: {value}", serde_json::Value::from(name));
            };
            let mut vars: BTreeMap<&str, serde_json::Value> = BTreeMap::new();
            vars.insert("ansible_host", host.address.as_str().into());
            vars.insert("ansible_port", host.port.into());
            vars.insert("ansible_user", host.user.as_str().into());
            if let Some(playbook) = &host.playbook {
                vars.insert("muster_playbook", playbook.as_str().into());
            }
            line_for_host(&mut line, &host.name, &vars, &host.vars);
        }
        if !self.groups.is_empty() {
            out.push_str("  children:\n");
        }
        for (group, members) in &self.groups {
            let _ = writeln!(out, "    {group}:\n      hosts:");
            for member in members {
                let _ = writeln!(out, "        {}: {{}}", serde_json::Value::from(member.as_str()));
            }
        }
        out
    }
}

fn line_for_host(
    line: &mut impl FnMut(&str, &serde_json::Value),
    name: &str,
    vars: &BTreeMap<&str, serde_json::Value>,
    more: &BTreeMap<String, serde_json::Value>,
) {
    let mut all: serde_json::Map<String, serde_json::Value> =
        vars.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    all.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
    line(name, &serde_json::Value::Object(all));
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
