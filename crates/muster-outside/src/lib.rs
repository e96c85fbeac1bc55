//! What we can do outside: the only hands of the house. Each outside service stands behind a small trait in
//! our own words, its real version and its in-memory stand-in side by side. No decisions here.

use std::sync::Arc;

pub mod ansible;
pub mod build;
pub mod cloud;
pub mod host;
mod process;
pub mod secret;
pub mod sink;
pub mod supervise;
pub mod transport;

/// The hands, as one value that the engine is given.
#[derive(Clone)]
pub struct Outside {
    /// How requests to providers leave.
    pub transport: Arc<dyn transport::Transport>,
    /// The inside of servers.
    pub hosts: Arc<dyn host::ssh::Hosts>,
    /// Playbooks.
    pub ansible: Arc<dyn ansible::Ansible>,
    /// Builds on this machine.
    pub builder: Arc<dyn build::Builder>,
}

impl Outside {
    /// The real hands; private directories of Ansible's runs are made below `work`.
    ///
    /// # Errors
    /// The HTTP client cannot be made, in words.
    pub fn real(work: &std::path::Path) -> Result<Outside, String> {
        let transport = transport::HttpTransport::new().map_err(|error| error.to_string())?;
        Ok(Outside {
            transport: Arc::new(transport),
            hosts: Arc::new(host::ssh::SshHosts::new(host::ssh::SshSettings::default())),
            ansible: Arc::new(ansible::AnsibleRunner::new(ansible::RunnerSettings::new(work))),
            builder: Arc::new(build::RealBuilder::new(supervise::Launcher::muster())),
        })
    }
}
