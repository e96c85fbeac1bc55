//! The words of `muster run log` and `muster run search`.

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

/// Which events of all runs.
#[derive(Debug, Args)]
pub struct RunSearch {
    /// Words that all occur; `web-1` stands for words next to each other, `connect*` for the beginning of one
    #[arg(required = true)]
    pub words: Vec<String>,
    /// In runs of this Space
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub space: String,
    /// Not older than a time (2026-11-21T05:00:00Z) or an age (15m, 2h, 3d)
    #[arg(long, value_name = "TIME|AGE")]
    pub since: Option<String>,
    /// Only about this host or target
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub limit: u32,
}

/// How much of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// What happened to each target: the journal
    Basic,
    /// Every task and line of output
    Detail,
}
