//! The account `local`: sandboxes on this computer, spoken to like any cloud.
//!
//! Servers are machines of `host/local` (systemd-nspawn or Docker). What was asked for is written down below
//! `MUSTER_HOME/local` (`record`, `registry`) before anything is done, and done in the background (`work`) by
//! whichever process asked or looks next, so that a command, an engine in the background and the next command see
//! the same servers, and nothing that a killed process began is lost. The machines have a home of their own there,
//! apart from those of a simulator.
//!
//! Its image is the system of this computer. Memory is a limit; cores, disk and pool are only written down. Private
//! networks are bridges, on which each machine has an address of its own, whether `dhcp` is wanted or not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muster_model::World;
use muster_model::infrastructure::LOCATION_LOCAL as LOCATION;

use self::look::refused;
use self::registry::Registry;
use self::work::{Shared, told};
use super::CloudError;
use crate::host::local::{Launcher, LocalError, LocalMachines, Wish};
use crate::secret::Sealer;

mod look;
mod offer;
mod provider;
mod record;
mod registry;
mod task;
mod work;

/// The folder of the account below `MUSTER_HOME`.
pub const FOLDER: &str = "local";
/// Time between two reads of the one list: cheap for nspawn, and one process for Docker.
pub const POLL: Duration = Duration::from_millis(200);

/// Where the account's things are, and how its machines are started.
#[derive(Debug, Clone)]
pub struct LocalPlace {
    /// `MUSTER_HOME`.
    pub home: PathBuf,
    /// How to start a machine's keeper.
    pub launcher: Launcher,
    /// How machines shall be made.
    pub wish: Wish,
}

impl LocalPlace {
    /// The usual place: keepers are this executable, and the environment says how machines shall be made.
    ///
    /// # Errors
    /// A variable of the environment that means nothing, in words.
    pub fn usual(home: &Path) -> Result<LocalPlace, String> {
        let launcher = Launcher::muster().map_err(|error| format!("cannot find this program: {error}"))?;
        let wish = Wish::from_environment().map_err(|error| error.to_string())?;
        Ok(LocalPlace { home: home.to_owned(), launcher, wish })
    }

    /// Whether this home has ever held something of the account.
    pub fn is_used(home: &Path) -> bool {
        home.join(FOLDER).exists()
    }
}

/// The machines of this computer as a provider. Several values over one home, also in several processes, are one
/// account.
#[derive(Clone)]
pub struct LocalCloud {
    shared: Arc<Shared>,
}

impl LocalCloud {
    /// Opens the account. Makes no machine; needs a tokio runtime whenever it is asked something.
    ///
    /// # Errors
    /// Why this computer cannot hold machines, and what to do about it.
    pub async fn open(place: &LocalPlace, sealer: Sealer, world: World) -> Result<LocalCloud, CloudError> {
        let failed = |error: LocalError| refused("use this computer's own machines", told(&error));
        let folder = place.home.join(FOLDER);
        let machines =
            LocalMachines::open_as(&folder, place.launcher.clone(), &place.wish).await.map_err(failed)?;
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let image = offer::image(&release).ok_or_else(|| {
            refused(
                "use this computer's own machines",
                "its system is neither Debian nor one of its kin; run Muster on Debian or Ubuntu, or in a virtual \
                 machine with one of them",
            )
        })?;
        let home = std::fs::canonicalize(&place.home).unwrap_or_else(|_| place.home.clone());
        let machine_id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let shared = Shared {
            registry: Registry::new(folder),
            machines,
            sealer,
            world,
            identity: offer::identity(&machine_id, &home),
            image,
            working: Default::default(),
        };
        Ok(LocalCloud { shared: Arc::new(shared) })
    }

    /// The machines behind the servers.
    pub fn machines(&self) -> &LocalMachines {
        &self.shared.machines
    }

    fn registry(&self) -> &Registry {
        &self.shared.registry
    }
}
