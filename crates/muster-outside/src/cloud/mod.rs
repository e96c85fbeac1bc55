//! Clouds: what we can ask of a provider, in our own words.
//!
//! One trait, [`Cloud`]; each provider is a folder beside this file. The real clients speak HTTP through a
//! [`crate::transport::Transport`], so that a simulation puts the simulator's router behind the very same code.

use std::time::Duration;

use async_trait::async_trait;
use muster_model::Secret;
use muster_model::account::AccountIdentity;
use muster_model::cloud::{Balance, NetworkSpec, SeenImage, SeenKey, SeenLocation, SeenNetwork, ServerSpec};
use muster_model::id::ProviderId;
use muster_model::inventory::SeenWorld;
use muster_model::server::{Power, SeenServer, Size};

mod error;
mod keys;
pub mod local;
pub mod memory;
pub mod objects;
pub mod onecloud;
mod open;
pub mod watch;

pub use error::{CloudError, CloudErrorKind};
pub use keys::same_key;
pub use objects::{Objects, Told};
pub use open::{on_loopback, open, poll_interval};
pub use watch::Watch;

/// How long a graceful stop may take before a step cuts the power.
pub const GRACEFUL_STOP_WAIT: Duration = Duration::from_secs(120);

/// What one account at one provider can do. Every call is bounded in time by the account's settings.
///
/// Writes (`create_*`, `resize_server`, …) send **one** request and never repeat it by themselves after it may
/// have taken effect: a create whose answer is lost is [`CloudErrorKind::UnknownOutcome`]. Reads repeat within bounds.
#[async_trait]
pub trait Cloud: Objects {
    /// Who this account is, as the provider tells it.
    async fn identify(&self) -> Result<AccountIdentity, CloudError>;

    /// Everything a plan needs: one list of servers and at most five further lists, none per server.
    async fn observe(&self) -> Result<SeenWorld, CloudError>;

    /// The one list of servers.
    async fn servers(&self) -> Result<Vec<SeenServer>, CloudError>;

    /// One server, or none if the provider says it does not exist.
    async fn server(&self, id: &ProviderId) -> Result<Option<SeenServer>, CloudError>;

    /// Asks for a server; answers at once with the object being made.
    async fn create_server(&self, spec: &ServerSpec, keys: &[ProviderId]) -> Result<SeenServer, CloudError>;

    /// Asks for another size; the change is under way when this returns.
    async fn resize_server(&self, id: &ProviderId, to: &Size) -> Result<(), CloudError>;

    /// Asks for power on, or for a stop. `graceful` asks the guest system to stop itself, which may not help: the
    /// step waits [`GRACEFUL_STOP_WAIT`] and then asks again without it, which cuts the power. One request each.
    async fn set_power(&self, id: &ProviderId, to: Power, graceful: bool) -> Result<(), CloudError>;

    /// Asks for a link to a private network.
    async fn link_network(&self, id: &ProviderId, network: &ProviderId) -> Result<(), CloudError>;

    /// Asks for a link to be removed.
    async fn unlink_network(&self, id: &ProviderId, network: &ProviderId) -> Result<(), CloudError>;

    /// Asks for deletion; the object may stay readable for a while. Deleting what is gone succeeds.
    async fn delete_server(&self, id: &ProviderId) -> Result<(), CloudError>;

    /// Whether an action is still under way on a server (its newest ones), for waits that the list cannot end.
    async fn action_in_progress(&self, id: &ProviderId) -> Result<bool, CloudError>;

    /// The first login's user and clear-text password, where the provider hands one out. Read only when needed.
    async fn first_login(&self, id: &ProviderId) -> Result<Option<(String, Secret)>, CloudError>;

    /// Private networks.
    async fn networks(&self) -> Result<Vec<SeenNetwork>, CloudError>;

    /// Asks for a private network.
    async fn create_network(&self, spec: &NetworkSpec) -> Result<SeenNetwork, CloudError>;

    /// Asks for deletion of a private network. Deleting what is gone succeeds.
    async fn delete_network(&self, id: &ProviderId) -> Result<(), CloudError>;

    /// Images on offer.
    async fn images(&self) -> Result<Vec<SeenImage>, CloudError>;

    /// Locations on offer.
    async fn locations(&self) -> Result<Vec<SeenLocation>, CloudError>;

    /// Public keys that the account keeps.
    async fn keys(&self) -> Result<Vec<SeenKey>, CloudError>;

    /// Adds a public key.
    async fn create_key(&self, title: &str, public_key: &str) -> Result<SeenKey, CloudError>;

    /// The account's money.
    async fn balance(&self) -> Result<Balance, CloudError>;
}
