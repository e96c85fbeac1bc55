//! When and how a run begins: the same options wherever a command starts one.

use std::time::Duration;

use clap::{Args, ValueEnum};
use muster_api::run::PrioritySaid;

/// How a run begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Begin {
    /// Do not wait for the end; the run goes on in the background
    #[arg(long)]
    pub detach: bool,
    /// Begin only after this time, e.g. 90s or 10m; until then `run cancel` revokes it with nothing done
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub countdown: Option<Duration>,
    /// If it is busy, wait for its turn, at most so long (1h when left out); it is then planned anew. Needs --yes
    #[arg(long, value_name = "LIMIT", num_args = 0..=1, default_missing_value = "1h", value_parser = duration)]
    pub queue: Option<Duration>,
    /// Which of several runs that wait for a worker begins first
    #[arg(long, value_enum, value_name = "PRIORITY", default_value_t = Priority::Normal)]
    pub priority: Priority,
}

/// Which of several runs that wait for a worker begins first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Priority {
    /// After the others
    Low,
    /// As usual: the older one first
    #[default]
    Normal,
    /// Before the others
    High,
}

impl From<Priority> for PrioritySaid {
    fn from(priority: Priority) -> PrioritySaid {
        match priority {
            Priority::Low => PrioritySaid::Low,
            Priority::Normal => PrioritySaid::Normal,
            Priority::High => PrioritySaid::High,
        }
    }
}

/// A duration as people write it, in whole seconds: `90s`, `10m`, `1h 30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let told = || format!("`{text}` is no duration; write it like 90s, 10m or 1h30m");
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| told())?;
    let seconds = u64::try_from(parsed.as_secs()).ok().filter(|seconds| *seconds > 0).ok_or_else(told)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h 30m", 5_400), ("1h30m", 5_400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "-5m", "0s", "soon", "1.5"] {
            assert!(duration(text).unwrap_err().contains("90s, 10m"), "{text}");
        }
    }
}
