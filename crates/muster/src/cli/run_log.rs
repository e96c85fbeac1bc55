//! The words of `muster run log`.

use clap::{Args, ValueEnum};

/// Most lines that `--tail` gives.
pub const TAIL_MAX: u32 = 100_000;

/// Which part of a run's log.
#[derive(Debug, Args)]
pub struct RunLog {
    /// Its id
    pub id: String,
    /// How much: what happened to each target, or every line of output
    #[arg(long, value_enum, default_value_t = Level::Basic)]
    pub level: Level,
    /// The same as `--level detail`
    #[arg(long, hide = true, conflicts_with = "level")]
    pub output: bool,
    /// Only with this in it: a regular expression, (?i) before it ignores case
    #[arg(long, value_name = "PATTERN")]
    pub grep: Option<String>,
    /// The pattern is a text as it stands
    #[arg(long, requires = "grep")]
    pub fixed: bool,
    /// Only of this host or target; may be repeated
    #[arg(long, value_name = "NAME")]
    pub target: Vec<String>,
    /// Only of this step
    #[arg(long, value_name = "NUMBER")]
    pub step: Option<u32>,
    /// Not older than a time (2026-11-21T05:00:00Z) or an age (15m, 2h, 3d)
    #[arg(long, value_name = "TIME|AGE")]
    pub since: Option<String>,
    /// Only the last so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(TAIL_MAX)))]
    pub tail: Option<u32>,
}

/// How much of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// What happened to each target: the journal
    Basic,
    /// Every task and line of output
    Detail,
}
