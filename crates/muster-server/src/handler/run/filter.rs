//! Which events or lines of a run are asked for.

use muster_api::event::Event;
use muster_api::problem::{Problem, ProblemKind};
use muster_runs::reads::Pattern;

use crate::refusal::Refusal;

/// Which events; by default all.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// With this in their words.
    pub pattern: Option<Pattern>,
    /// About one of these hosts or targets; empty means any.
    pub targets: Vec<String>,
    /// About this step.
    pub step: Option<u32>,
    /// Not older.
    pub since: Option<jiff::Timestamp>,
}

impl EventFilter {
    /// Whether an event is wanted.
    pub fn takes(&self, event: &Event) -> bool {
        self.since.is_none_or(|since| event.at >= since)
            && self.step.is_none_or(|step| event.what.step() == Some(step))
            && (self.targets.is_empty() || self.targets.iter().any(|name| event.is_about(name)))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_in(event.text().as_bytes()))
    }
}

/// The pattern of a question.
pub fn pattern(grep: Option<&str>, fixed: bool) -> Result<Option<Pattern>, Refusal> {
    let Some(text) = grep else { return Ok(None) };
    let pattern = if fixed { Pattern::fixed(text) } else { Pattern::regular(text) };
    let wrong = |error: muster_runs::reads::PatternError| {
        Problem::new(ProblemKind::Invalid, error.to_string()).parameter("grep")
    };
    Ok(Some(pattern.map_err(wrong)?))
}

/// Names separated by commas.
pub fn targets(names: Option<&str>) -> Vec<String> {
    names.unwrap_or_default().split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
