//! What is going on: propose, approve, run, remember, follow.
//!
//! [`Engine::open`] is the composition root: it is handed its configuration, the sources of time and chance
//! ([`muster_model::World`]) and the hands ([`muster_outside::Outside`]). The HTTP words live in `muster-server`.

pub mod access;
pub mod account;
pub mod approve;
#[cfg(feature = "crash-points")]
pub mod crash;
mod duty;
pub mod engine;
pub mod error;
mod home;
mod journal;
mod lease;
mod limits;
mod metrics;
mod names;
pub mod objects;
mod observe;
pub mod offers;
pub mod price;
pub mod queue;
mod reach;
pub mod reads;
mod releases;
pub mod revision;
mod rollback;
mod runner;
pub mod search;
mod secret;
pub mod sink;
pub mod standing;
mod step;
pub mod submit;
pub mod world;

pub use access::{HostStats, SshAccess};
pub use approve::{COUNTDOWN_MAX, Priority, Start};
pub use muster_outside::Outside;
pub use muster_outside::host::local::machine_supervisor_main;
pub use muster_outside::secret::Sealer;
pub use muster_outside::supervise::supervisor_main;

pub use engine::{Engine, EngineConfig, EnvironmentAccount, Role};
pub use error::EngineError;
pub use lease::LeaseTimes;
pub use limits::Limit;
pub use reads::Reads;
pub use rollback::RollBack;
pub use submit::Proposal;

/// The real sink, as the executable sets it up.
pub use muster_outside::sink::{ElasticSettings, ElasticSink, Login as ElasticLogin};
pub use muster_outside::transport::{HttpTransport, Transport};
