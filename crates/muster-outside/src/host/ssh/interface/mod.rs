//! The guest's interface of a private link: the provider plugs it in and leaves it unconfigured
//! (`spec/onecloud-api.md` §1.5).
//!
//! Lives here: looking at a guest, choosing by what it has, configuring so that it lasts, taking that away again, and
//! trying to reach another server. The choice and every file's text are pure (`choice.rs`), what runs there is
//! constant (`scripts.rs`). All of it may be repeated; where the address is there already, nothing is changed.

use std::time::Duration;

use bytes::Bytes;

use super::quote::script;
use super::{Collected, End, Exec, Finished, Host, Hosts, SshError};

mod choice;
#[cfg(test)]
mod script_tests;
mod scripts;
#[cfg(test)]
mod tests;

pub use choice::Wanted;
use choice::{Configurer, Found, Root};

/// One look may take this long.
const LOOK_LIMIT: Duration = Duration::from_secs(60);
/// A manager may take this long.
const APPLY_LIMIT: Duration = Duration::from_secs(120);
/// Looks for the address after a configuration.
const ADDRESS_LOOKS: u32 = 30;
/// Between two of them.
const ADDRESS_PAUSE: Duration = Duration::from_secs(1);
/// Times that a server is tried before it counts as out of reach.
const REACH_TRIES: u32 = 5;
/// Below what a guest's files are; tests have them elsewhere.
const ROOT: &str = "";
/// What is said where ifupdown's DHCP client had to be asked.
const DHCP_TAKES_MORE: &str = "the provider does not tell the address, so ifupdown asks by DHCP, and its client may take \
                               name servers from there too; look at /etc/resolv.conf";

/// Why an interface was not configured.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// The machine, or the way to it.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The guest is not one that can be configured; in words, with what to do.
    #[error("{host}: {message}")]
    Refused {
        /// The machine.
        host: String,
        /// Why.
        message: String,
    },
}

/// What became of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Configured {
    /// The address was there.
    Already,
    /// It is there now.
    Now {
        /// What configures it.
        manager: &'static str,
        /// The device.
        device: String,
        /// The addresses it has.
        addresses: Vec<String>,
        /// What a person should know about it.
        remark: Option<&'static str>,
    },
}

/// Whether a server was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It answered, to `ping` or `tcp`.
    Answered(String),
    /// It did not answer to `ping`, `tcp`, or `ping or tcp`.
    Silent(String),
    /// Nothing could be sent over the link; why, in words about the machine that tried.
    Astray(String),
    /// The guest has nothing to try with.
    Untried,
}

/// Whether a guest has the address already. Nothing is changed.
///
/// # Errors
/// Those of the machine.
pub async fn is_configured(hosts: &dyn Hosts, host: &Host, wanted: &Wanted) -> Result<bool, SshError> {
    Ok(look(hosts, host, wanted).await?.configured)
}

/// Configures an interface, so that it lasts, and waits for its address.
///
/// # Errors
/// Those of the machine; a guest that has nothing to configure with; an address that does not come.
pub async fn configure(
    hosts: &dyn Hosts,
    host: &Host,
    wanted: &Wanted,
) -> Result<Configured, InterfaceError> {
    let refused = |message: String| InterfaceError::Refused { host: host.shown(), message };
    let found = look(hosts, host, wanted).await?;
    if found.configured {
        return Ok(Configured::Already);
    }
    let (device, manager) = found.choose(wanted).map_err(refused)?;
    let command = apply(&found, manager, wanted, device);
    let doing = "configuring an interface";
    let finished = run(hosts, host, as_root(found.root, command).limit(APPLY_LIMIT)).await?;
    succeeded(host, doing, finished)?;
    let mut after = look(hosts, host, wanted).await?;
    for _ in 1..ADDRESS_LOOKS {
        if after.configured {
            break;
        }
        tokio::time::sleep(ADDRESS_PAUSE).await;
        after = look(hosts, host, wanted).await?;
    }
    // What DHCP hands out is for the network to know; a fixed address is either there or not.
    if after.configured || (wanted.dhcp() && !after.addresses.is_empty()) {
        let remark = (manager == Configurer::Ifupdown && wanted.dhcp() && !wanted.is_known())
            .then_some(DHCP_TAKES_MORE);
        let (manager, device) = (manager.word(), device.to_owned());
        return Ok(Configured::Now { manager, device, addresses: after.addresses, remark });
    }
    let (manager, secs) = (manager.word(), ADDRESS_LOOKS * ADDRESS_PAUSE.as_secs() as u32);
    let wants =
        if wanted.dhcp() { "no address by DHCP".to_owned() } else { format!("not {}", wanted.fixed()) };
    let has = if after.addresses.is_empty() { "none".to_owned() } else { after.addresses.join(", ") };
    Err(refused(format!(
        "{device} was configured through {manager} and after {secs} s it has {wants} (addresses: {has}); look there \
         at `ip address show {device}` and at the messages of {manager}"
    )))
}

/// Takes away what [`configure`] left in a guest for an interface; tells whether there was any.
///
/// # Errors
/// Those of the machine, and a manager that fails.
pub async fn release(hosts: &dyn Hosts, host: &Host, wanted: &Wanted) -> Result<bool, SshError> {
    let found = look(hosts, host, wanted).await?;
    let arguments = [ROOT.to_owned(), wanted.name(), found.device.unwrap_or_default()];
    let command = Exec::new(script(scripts::RELEASE, "muster-interface-release", &arguments));
    let finished = run(hosts, host, as_root(found.root, command).limit(APPLY_LIMIT)).await?;
    let said = succeeded(host, "removing the configuration of an interface", finished)?;
    Ok(said.lines().any(|line| line == "removed"))
}

/// Tries to reach an address from inside a machine, over the interface with a hardware address and no other: a few
/// times, one packet each.
///
/// # Errors
/// Those of the machine.
pub async fn reach(
    hosts: &dyn Hosts,
    host: &Host,
    mac: &str,
    address: std::net::Ipv4Addr,
) -> Result<Reach, SshError> {
    let arguments = [address.to_string(), REACH_TRIES.to_string(), mac.trim().to_ascii_lowercase()];
    let command = Exec::new(script(scripts::REACH, "muster-network-reach", &arguments)).limit(LOOK_LIMIT);
    let (finished, said) = run(hosts, host, command).await?;
    let how = said.text().lines().last().unwrap_or_default().to_owned();
    match finished.end {
        End::Exit(0) if how == "none" => Ok(Reach::Untried),
        End::Exit(0) => Ok(Reach::Answered(how)),
        End::Exit(1) => Ok(astray(&how).map_or(Reach::Silent(how), Reach::Astray)),
        End::Exit(_) | End::Signal(_) => Err(SshError::Command {
            host: host.shown(),
            doing: "reaching another server",
            end: finished.end.to_string(),
            stderr: said.complaint(),
        }),
    }
}

/// Why nothing was sent over the link, from what the script said; none where something was.
fn astray(said: &str) -> Option<String> {
    match said.split_once(' ').unwrap_or((said, "")) {
        ("elsewhere", device) => Some(format!("its way there leads over {device}, which is not that link")),
        ("nowhere", _) => Some("it has no way there".to_owned()),
        ("absent", _) => Some("it has no interface with the link's hardware address".to_owned()),
        _ => None,
    }
}

async fn look(hosts: &dyn Hosts, host: &Host, wanted: &Wanted) -> Result<Found, SshError> {
    let arguments = [ROOT.to_owned(), wanted.mac().to_owned(), wanted.compared()];
    let command = Exec::new(script(scripts::LOOK, "muster-interface-look", &arguments)).limit(LOOK_LIMIT);
    let finished = run(hosts, host, command).await?;
    Ok(Found::read(&succeeded(host, "looking at interfaces", finished)?))
}

/// The command that lets a manager configure an interface. Pure.
fn apply(found: &Found, manager: Configurer, wanted: &Wanted, device: &str) -> Exec {
    match manager.file(wanted, device, found.matches_mac()) {
        Some((path, mode, content)) => {
            let arguments = [ROOT, manager.word(), &path, device, mode];
            Exec::new(script(scripts::APPLY, "muster-interface-apply", &arguments))
                .stdin(Bytes::from(content))
        }
        None => {
            let method = if wanted.dhcp() { "auto" } else { "manual" };
            let (name, address) = (wanted.name(), wanted.fixed());
            let arguments = [name.as_str(), wanted.mac(), method, &address];
            Exec::new(script(scripts::APPLY_NETWORK_MANAGER, "muster-interface-apply", &arguments))
        }
    }
}

fn as_root(root: Root, command: Exec) -> Exec {
    match root {
        Root::Yes | Root::No => command,
        Root::Sudo => {
            let sudo = ["sudo", "-n", "--"].map(str::to_owned);
            Exec { arguments: sudo.into_iter().chain(command.arguments).collect(), ..command }
        }
    }
}

async fn run(hosts: &dyn Hosts, host: &Host, command: Exec) -> Result<(Finished, Collected), SshError> {
    let mut said = Collected::default();
    let finished = hosts.exec(host, &command, &mut said).await?;
    Ok((finished, said))
}

fn succeeded(
    host: &Host,
    doing: &'static str,
    (finished, said): (Finished, Collected),
) -> Result<String, SshError> {
    if finished.success() {
        return Ok(said.text());
    }
    let end = finished.end.to_string();
    Err(SshError::Command { host: host.shown(), doing, end, stderr: said.complaint() })
}
