//! About the server itself: health and version.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Said;

/// Whether the server can answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthAttributes {
    /// `ok`.
    pub status: String,
}

impl Said for HealthAttributes {
    const TYPE: &'static str = "health";
}

/// Which Muster this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionAttributes {
    /// The program's version.
    pub version: String,
    /// The version of the native API.
    pub api: String,
}

impl Said for VersionAttributes {
    const TYPE: &'static str = "versions";
}
