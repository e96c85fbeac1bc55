//! The words of `muster limit`.

use clap::Subcommand;
use muster_model::limit::LIMIT_MAX;

/// Limits of concurrency.
#[derive(Debug, Subcommand)]
pub enum Limit {
    /// Limits, and how much of each is taken now
    List,
    /// Let only so many steps be under way at once, on all nodes; heeded within seconds
    Set {
        /// provider:NAME, account:NAME, space:NAME, host:NAME, or host:* for each other host
        key: String,
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX)))]
        number: u32,
    },
    /// Remove a limit
    Remove {
        /// The limit, as `list` shows it
        key: String,
    },
}
