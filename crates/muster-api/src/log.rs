//! Questions about the log of a run: its events, or the lines of its output.

use jiff::Timestamp;

use crate::client::encoded;
use crate::cursor::Cursor;

/// Which events or lines are asked for; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// With this in their words: a regular expression.
    pub grep: Option<String>,
    /// `grep` is no expression but a text as it stands.
    pub fixed: bool,
    /// Of one of these hosts or targets; empty means any.
    pub targets: Vec<String>,
    /// Of this step.
    pub step: Option<u32>,
    /// Not older.
    pub since: Option<Timestamp>,
}

impl LogFilter {
    /// Whether everything is asked for.
    pub fn is_all(&self) -> bool {
        *self == LogFilter { fixed: self.fixed, ..LogFilter::default() }
    }

    /// As further parameters of a query, each begun with `&`.
    pub fn query(&self) -> String {
        let mut query = String::new();
        let mut add = |name: &str, value: &str| query.push_str(&format!("&{name}={}", encoded(value)));
        if let Some(grep) = &self.grep {
            add("grep", grep);
            add("fixed", if self.fixed { "true" } else { "false" });
        }
        if !self.targets.is_empty() {
            add("target", &self.targets.join(","));
        }
        if let Some(step) = self.step {
            add("step", &step.to_string());
        }
        if let Some(since) = self.since {
            add("since", &since.to_string());
        }
        query
    }
}

/// Where a page of output begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputFrom {
    /// At a cursor.
    Cursor(Cursor),
    /// So many lines before the end of each lane.
    Tail(u64),
}

impl OutputFrom {
    /// As the first parameter of a query.
    pub fn query(&self) -> String {
        match self {
            OutputFrom::Cursor(cursor) => format!("after={}", encoded(&cursor.to_string())),
            OutputFrom::Tail(lines) => format!("tail={lines}"),
        }
    }
}

/// A question about the events of all runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSearch {
    /// Words that all occur.
    pub words: Vec<String>,
    /// The Space.
    pub space: String,
    /// Not older.
    pub since: Option<Timestamp>,
    /// About this host or target.
    pub target: Option<String>,
    /// At most so many.
    pub limit: u32,
}

impl EventSearch {
    /// As a query.
    pub fn query(&self) -> String {
        let mut query = format!(
            "words={}&space={}&limit={}",
            encoded(&self.words.join(" ")),
            encoded(&self.space),
            self.limit
        );
        if let Some(since) = self.since {
            query.push_str(&format!("&since={}", encoded(&since.to_string())));
        }
        if let Some(target) = &self.target {
            query.push_str(&format!("&target={}", encoded(target)));
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_survives_its_way_through_an_address() {
        let filter = LogFilter {
            grep: Some("a&b=c d".into()),
            targets: vec!["web-1".into(), "web-2".into()],
            step: Some(3),
            ..LogFilter::default()
        };
        assert_eq!(filter.query(), "&grep=a%26b%3Dc%20d&fixed=false&target=web-1%2Cweb-2&step=3");
        assert!(!filter.is_all());
        assert!(LogFilter { fixed: true, ..LogFilter::default() }.is_all());
        assert_eq!(OutputFrom::Tail(5).query(), "tail=5");
    }
}
