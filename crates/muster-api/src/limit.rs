//! Limits of concurrency as said, and the request to set one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Said;

/// What is said about a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitAttributes {
    /// What is limited: `provider:NAME`, `account:NAME`, `space:NAME`, `host:NAME` or `host:*`.
    pub key: String,
    /// How many steps may be under way at once, on all nodes.
    pub cap: u32,
    /// How many of these are taken now.
    pub taken: u32,
}

impl Said for LimitAttributes {
    const TYPE: &'static str = "limits";
}

/// A limit's new number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitNumber {
    /// How many steps may be under way at once: 1 to 100000.
    #[schema(minimum = 1, maximum = 100_000)]
    pub cap: u32,
}

impl Said for LimitNumber {
    const TYPE: &'static str = "limits";
}
