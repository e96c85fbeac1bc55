//! Machines of this computer behind simulated servers: [`Machines`] over `muster_outside::host::local`.
//!
//! Server 500123 is the machine `sim-500123`, network 30001 the network `sim-30001`. A simulator numbers from the
//! same start each time, so two of them must not share one home.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use muster_outside::host::local::{self, Launcher, LocalError, LocalMachines, MachineName, NetworkSpec};

use super::{Interface, MachineError, MachineSpec, Machines, Started};

/// The local machines of one home, as a simulated cloud's.
#[derive(Debug, Clone)]
pub struct Local {
    machines: LocalMachines,
}

/// Linux' bound for one label of a host name.
const HOST_NAME_LENGTH_MAX: usize = 63;

impl Local {
    /// Machines below the home that `machines` was opened with.
    pub fn new(machines: LocalMachines) -> Local {
        Local { machines }
    }

    /// Opens the machines below a home that belongs to this simulator alone: makes their common root and their
    /// offline packages where they are missing, and removes what an earlier simulator of this home left behind,
    /// because a new world begins without servers.
    ///
    /// # Errors
    /// What is missing here, in one sentence, or what could not be made.
    pub async fn open(
        home: &Path,
        packages: &[&str],
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Local, LocalError> {
        let launcher = Launcher::muster().map_err(|source| LocalError::File {
            what: "find",
            path: PathBuf::from("the running program"),
            source,
        })?;
        let machines = LocalMachines::open(home, launcher).await?;
        machines.ensure_repository(packages, progress).await?;
        let local = Local { machines };
        local.clear().await?;
        Ok(local)
    }

    /// Removes every machine of this home.
    ///
    /// # Errors
    /// A machine that could not be removed.
    pub async fn clear(&self) -> Result<(), LocalError> {
        for machine in self.machines.list().await? {
            self.machines.delete(&machine.name).await?;
        }
        Ok(())
    }
}

/// Turns an error of the host into one of a server's machine.
fn failed(server: u64, attempted: &'static str) -> impl Fn(LocalError) -> MachineError {
    move |error| {
        // The whole chain in one line: a simulated server has no other place to tell it.
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        MachineError { server, attempted, reason }
    }
}

fn name_of(server: u64) -> Result<MachineName, MachineError> {
    MachineName::parse(&format!("sim-{server}")).map_err(failed(server, "name the machine"))
}

fn network_name(network: u64) -> String {
    format!("sim-{network}")
}

/// The machine's host name: what the server is called, as far as a host name can say it.
fn host_name(name: &str, otherwise: &MachineName) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = name.chars().map(plain).take(HOST_NAME_LENGTH_MAX).collect();
    let text = text.trim_matches('-');
    if text.is_empty() { otherwise.to_string() } else { text.to_owned() }
}

fn network_spec(server: u64, wanted: &Interface) -> Result<NetworkSpec, MachineError> {
    let refused = |reason: String| MachineError { server, attempted: "read the network's addresses", reason };
    let IpAddr::V4(address) = wanted.address else {
        return Err(refused(format!("{} is not an IPv4 address", wanted.address)));
    };
    let mask = u32::MAX.checked_shl(32 - u32::from(wanted.prefix)).unwrap_or(0);
    let base = std::net::Ipv4Addr::from(u32::from(address) & mask);
    let subnet = format!("{base}/{}", wanted.prefix).parse().map_err(refused)?;
    Ok(NetworkSpec { name: network_name(wanted.network), subnet: Some(subnet), address: Some(address) })
}

/// The interfaces that were wished for, as they became.
fn became(wanted: &[Interface], real: &[local::Interface]) -> Vec<Interface> {
    let of = |network: u64| real.iter().find(|one| one.network == Some(network_name(network)));
    wanted
        .iter()
        .filter_map(|wish| {
            let one = of(wish.network)?;
            Some(Interface { mac: one.mac.clone(), address: one.address.into(), ..wish.clone() })
        })
        .collect()
}

#[async_trait]
impl Machines for Local {
    async fn start(&self, spec: &MachineSpec) -> Result<Started, MachineError> {
        let name = name_of(spec.server)?;
        let networks: Result<Vec<_>, _> =
            spec.interfaces.iter().map(|wish| network_spec(spec.server, wish)).collect();
        let wanted = local::MachineSpec {
            hostname: host_name(&spec.name, &name),
            authorized_keys: spec.authorized_keys.clone(),
            root_password: Some(spec.root_password.clone()),
            networks: networks?,
            ..local::MachineSpec::new(name)
        };
        let machine = self.machines.create(&wanted).await.map_err(failed(spec.server, "start"))?;
        let interfaces = became(&spec.interfaces, &machine.interfaces);
        Ok(Started { address: machine.address.into(), interfaces })
    }

    async fn rebuild(&self, spec: &MachineSpec) -> Result<Started, MachineError> {
        self.delete(spec.server).await?;
        self.start(spec).await
    }

    async fn power_on(&self, server: u64) -> Result<(), MachineError> {
        let name = name_of(server)?;
        self.machines.start(&name).await.map(|_| ()).map_err(failed(server, "switch on"))
    }

    async fn power_off(&self, server: u64, graceful: bool) -> Result<(), MachineError> {
        let name = name_of(server)?;
        let done = if graceful { self.machines.stop(&name).await } else { self.machines.kill(&name).await };
        done.map_err(failed(server, "switch off"))
    }

    async fn reboot(&self, server: u64, graceful: bool) -> Result<(), MachineError> {
        if graceful {
            let name = name_of(server)?;
            return self.machines.reboot(&name).await.map(|_| ()).map_err(failed(server, "reboot"));
        }
        self.power_off(server, false).await?;
        self.power_on(server).await
    }

    async fn delete(&self, server: u64) -> Result<(), MachineError> {
        self.machines.delete(&name_of(server)?).await.map_err(failed(server, "delete"))
    }

    async fn add_interface(&self, server: u64, wanted: &Interface) -> Result<Interface, MachineError> {
        let network = network_spec(server, wanted)?;
        let name = name_of(server)?;
        let real = self.machines.add_interface(&name, &network).await.map_err(failed(server, "plug in"))?;
        Ok(Interface { mac: real.mac, address: real.address.into(), ..wanted.clone() })
    }

    async fn remove_interface(&self, server: u64, network: u64) -> Result<(), MachineError> {
        let name = name_of(server)?;
        let done = self.machines.remove_interface(&name, &network_name(network)).await;
        done.map_err(failed(server, "pull out"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_host_names() {
        let machine = MachineName::parse("sim-1").unwrap();
        for (name, host) in [("web_1", "web-1"), ("Сервер", "sim-1"), ("-A b-", "a-b"), ("", "sim-1")] {
            assert_eq!(host_name(name, &machine), host, "{name}");
        }
        assert_eq!(host_name(&"x".repeat(200), &machine).len(), 63);
    }

    #[test]
    fn a_wished_interface_names_its_network_and_address() {
        let wish = Interface {
            network: 30_001,
            mac: "00:50:56:00:00:01".to_owned(),
            address: "10.20.0.11".parse().unwrap(),
            prefix: 16,
        };
        let spec = network_spec(1, &wish).unwrap();
        assert_eq!((spec.name.as_str(), spec.subnet), ("sim-30001", Some("10.20.0.0/16".parse().unwrap())));
        assert_eq!(spec.address, Some("10.20.0.11".parse().unwrap()));
        assert!(network_spec(1, &Interface { address: "::1".parse().unwrap(), ..wish }).is_err());
    }
}
