//! One folder a thing, one file a verb. A handler extracts, asks the engine, and says the answer.

pub mod about;
pub mod account;
pub mod blob;
pub mod checkup;
pub mod event;
pub mod exec;
pub mod infrastructure;
pub mod limit;
pub mod metrics;
pub mod plan;
pub mod queue;
pub mod revision;
pub mod run;
pub mod secret;
pub mod server;

use muster_model::id::SpaceName;
use serde::Deserialize;

/// The Space that a request is about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InSpace {
    /// Its name; `default` when left out.
    #[serde(default = "muster_api::plan::default_space")]
    pub space: String,
}

impl InSpace {
    /// The Space's name.
    pub fn name(&self) -> SpaceName {
        SpaceName::from(self.space.as_str())
    }
}
