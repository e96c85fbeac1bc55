//! Limits of concurrency.

use muster_api::document::Resource;
use muster_api::limit::LimitAttributes;
use muster_model::id::SpaceName;
use muster_model::limit::LimitKey;
use muster_runs::{EngineError, Limit};

pub mod list;
pub mod remove;
pub mod set;

/// A limit in the words of the API.
pub fn said(limit: &Limit) -> LimitAttributes {
    LimitAttributes { key: limit.key.to_string(), cap: limit.cap, taken: limit.taken }
}

fn resource(limit: &Limit) -> Resource<LimitAttributes> {
    Resource::new(limit.key.to_string(), said(limit))
}

fn key_of(text: &str, space: &SpaceName) -> Result<LimitKey, EngineError> {
    LimitKey::read(text, space).map_err(EngineError::Invalid)
}
