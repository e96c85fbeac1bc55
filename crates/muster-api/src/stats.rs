//! Statistics as said: one scrape of one server.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Said;

/// One server's load at a glance, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatsAttributes {
    /// The server's name in the file.
    pub server: String,
    /// Why there are no numbers.
    pub error: Option<String>,
    /// Busy share of all processors, 0 to 100.
    pub cpu_busy_percent: Option<f64>,
    /// Number of processors.
    pub cpu_count: Option<u64>,
    /// Load average over one minute.
    pub load_1m: Option<f64>,
    /// Load average over five minutes.
    pub load_5m: Option<f64>,
    /// Load average over fifteen minutes.
    pub load_15m: Option<f64>,
    /// Memory, in bytes.
    pub memory_total_bytes: Option<u64>,
    /// Memory that could be given to programs, in bytes.
    pub memory_available_bytes: Option<u64>,
    /// Size of the root file system, in bytes.
    pub disk_total_bytes: Option<u64>,
    /// Free for ordinary users on the root file system, in bytes.
    pub disk_available_bytes: Option<u64>,
    /// Received on all interfaces but the loopback, in bytes a second.
    pub receive_bytes_per_second: Option<f64>,
    /// Sent on all interfaces but the loopback, in bytes a second.
    pub transmit_bytes_per_second: Option<f64>,
    /// Time since boot, in seconds.
    pub uptime_seconds: Option<f64>,
}

impl Said for StatsAttributes {
    const TYPE: &'static str = "stats";
}
