//! What a caller asks for and gets: names, specifications, machines.

use std::fmt;
use std::net::Ipv4Addr;

use muster_model::Secret;
use serde::{Deserialize, Serialize};

use super::error::LocalError;
use super::record::Interface;
use super::subnet::Subnet;

/// The longest name of a machine: it becomes part of a namespace's and a service's name.
const NAME_LENGTH_MAX: usize = 40;
/// Linux' limit for a host name.
const HOSTNAME_LENGTH_MAX: usize = 64;
/// More keys than this are a mistake.
const KEYS_MAX: usize = 100;

/// The name of a local machine, unique in its Muster home: lower-case letters, digits and `-`, at most 40.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineName(String);

impl MachineName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`LocalError::Invalid`] with the rule that it breaks.
    pub fn parse(name: &str) -> Result<MachineName, LocalError> {
        match label_problem(name, NAME_LENGTH_MAX) {
            None => Ok(MachineName(name.to_owned())),
            Some(reason) => Err(LocalError::Invalid { what: "machine name", value: name.to_owned(), reason }),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for MachineName {
    type Error = LocalError;

    fn try_from(name: String) -> Result<MachineName, LocalError> {
        MachineName::parse(&name)
    }
}

impl From<MachineName> for String {
    fn from(name: MachineName) -> String {
        name.0
    }
}

fn label_problem(label: &str, length_max: usize) -> Option<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if label.is_empty() || label.len() > length_max {
        return Some(format!("must have 1 to {length_max} characters"));
    }
    if !label.chars().all(allowed) || label.starts_with('-') || label.ends_with('-') {
        return Some("may hold lower-case letters, digits and, inside, '-'".to_owned());
    }
    None
}

/// A private network between machines, besides the one that every machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec {
    /// Its name, unique in the Muster home; any text up to 200 characters.
    pub name: String,
    /// Its addresses; `None` takes a free part of 10.211.0.0/16. Only the first to use a network decides.
    pub subnet: Option<Subnet>,
    /// The address that the machine gets there; `None` takes the next free one.
    pub address: Option<Ipv4Addr>,
}

impl NetworkSpec {
    /// A network with addresses of our choice.
    pub fn named(name: impl Into<String>) -> NetworkSpec {
        NetworkSpec { name: name.into(), subnet: None, address: None }
    }
}

/// What a new machine should be.
#[derive(Debug, Clone)]
pub struct MachineSpec {
    /// Its name on this computer.
    pub name: MachineName,
    /// The name it has of itself.
    pub hostname: String,
    /// Lines of root's `authorized_keys`.
    pub authorized_keys: Vec<String>,
    /// A password for root; with one, `sshd` lets root in by password too.
    pub root_password: Option<Secret>,
    /// Further networks, each an interface `eth1`, `eth2`, … from the first boot on.
    pub networks: Vec<NetworkSpec>,
    /// The most memory it may use, in bytes; `None` is no limit.
    pub memory_bytes_max: Option<u64>,
}

impl MachineSpec {
    /// A machine that is called the same on both sides and lets nobody in yet.
    pub fn new(name: MachineName) -> MachineSpec {
        MachineSpec {
            hostname: name.as_str().to_owned(),
            name,
            authorized_keys: Vec::new(),
            root_password: None,
            networks: Vec::new(),
            memory_bytes_max: None,
        }
    }

    /// Checks everything that can be known before anything is made.
    pub(super) fn check(&self) -> Result<(), LocalError> {
        let invalid = |what, value: &str, reason: String| {
            Err(LocalError::Invalid { what, value: value.to_owned(), reason })
        };
        if self.hostname.len() > HOSTNAME_LENGTH_MAX {
            return invalid(
                "host name",
                &self.hostname,
                format!("must have at most {HOSTNAME_LENGTH_MAX} characters"),
            );
        }
        for label in self.hostname.split('.') {
            if let Some(reason) = label_problem(&label.to_ascii_lowercase(), 63) {
                return invalid("host name", &self.hostname, reason);
            }
        }
        if self.authorized_keys.len() > KEYS_MAX {
            return invalid(
                "authorized keys",
                &self.authorized_keys.len().to_string(),
                format!("at most {KEYS_MAX}"),
            );
        }
        for key in &self.authorized_keys {
            if key.contains(['\n', '\r', '\0']) {
                return invalid("authorized key", key, "must be one line".to_owned());
            }
        }
        if let Some(password) = &self.root_password {
            let text = password.expose();
            if text.is_empty() || text.contains(['\n', '\r', '\0']) {
                return invalid("root password", "…", "must be one line and not empty".to_owned());
            }
        }
        for network in &self.networks {
            network.check()?;
        }
        Ok(())
    }
}

impl NetworkSpec {
    pub(super) fn check(&self) -> Result<(), LocalError> {
        if self.name.is_empty() || self.name.len() > 200 {
            let reason = "must have 1 to 200 characters".to_owned();
            return Err(LocalError::Invalid { what: "network name", value: self.name.clone(), reason });
        }
        Ok(())
    }
}

/// Whether a machine is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineState {
    /// On, or on its way up, down or through a reboot.
    Running,
    /// Off; its disk is kept.
    Stopped,
    /// Its creation was interrupted; it can only be deleted.
    Incomplete,
}

/// A machine as it was when one looked.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its name on this computer.
    pub name: MachineName,
    /// The name it has of itself.
    pub hostname: String,
    /// Whether it is on.
    pub state: MachineState,
    /// The address at which this computer reaches it.
    pub address: Ipv4Addr,
    /// All its interfaces, `eth0` (which has `address`) first.
    pub interfaces: Vec<Interface>,
    /// The public host key of its `sshd`, one line, once it booted for the first time.
    pub host_key: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "web-1", "0"] {
            assert_eq!(MachineName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "-a", "a-", "A", "a.b", "a/b", "..", "ä", &"x".repeat(41)] {
            assert!(MachineName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn specifications_are_checked_first() {
        let good = MachineSpec {
            hostname: "Web.Example".into(),
            ..MachineSpec::new(MachineName::parse("web").unwrap())
        };
        good.check().unwrap();
        let host = MachineSpec { hostname: "a..b".into(), ..good.clone() };
        assert!(host.check().unwrap_err().to_string().starts_with("host name \"a..b\""));
        let key = MachineSpec { authorized_keys: vec!["a\nb".into()], ..good.clone() };
        assert!(key.check().unwrap_err().to_string().contains("must be one line"));
        let password = MachineSpec { root_password: Some(Secret::new("geheim\n")), ..good };
        assert!(!password.check().unwrap_err().to_string().contains("geheim"));
    }
}
