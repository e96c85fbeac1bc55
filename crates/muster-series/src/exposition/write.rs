//! The other direction: families of our own numbers as text that any Prometheus reads.

use std::fmt::Write;

/// A text under construction.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

impl Page {
    /// An empty one.
    pub fn new() -> Page {
        Page::default()
    }

    /// Begins a family; its samples follow.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing into a String cannot fail, here and below.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        for (number, (label, word)) in labels.iter().enumerate() {
            let word = word.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{}{label}=\"{word}\"", if number == 0 { '{' } else { ',' });
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = match value {
            f64::INFINITY => writeln!(self.text, " +Inf"),
            f64::NEG_INFINITY => writeln!(self.text, " -Inf"),
            value => writeln!(self.text, " {value}"),
        };
    }

    /// A family with one sample.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A family with one label: its words and their values.
    pub fn by<'w>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'w str, u64)>,
    ) {
        self.family(name, kind, help);
        for (word, value) in values {
            self.sample(name, &[(label, word)], value as f64);
        }
    }

    /// A histogram: how many measurements lie in each bucket (not cumulated), the last one without an upper bound.
    pub fn histogram(&mut self, name: &str, help: &str, bounds: &[f64], counts: &[u64], sum: f64) {
        self.family(name, "histogram", help);
        let mut total = 0;
        let bucket = format!("{name}_bucket");
        let bounds = bounds.iter().map(f64::to_string).chain(std::iter::once("+Inf".to_owned()));
        for (bound, count) in bounds.zip(counts) {
            total += count;
            self.sample(&bucket, &[("le", &bound)], total as f64);
        }
        self.sample(&format!("{name}_sum"), &[], sum);
        self.sample(&format!("{name}_count"), &[], total as f64);
    }

    /// The text.
    pub fn text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Exposition, Kind, Limits};
    use super::*;

    /// What is written is what the parser reads: they were written apart.
    #[test]
    fn the_parser_reads_what_is_written() {
        let mut page = Page::new();
        page.single("up_seconds", "gauge", "Since\nwhen \\ then.", 1.5);
        page.by("runs_total", "counter", "Runs.", "state", [("ready", 1), ("we\"ird\\\n", 2)]);
        page.histogram("wait_seconds", "Waits.", &[0.1, 1.0], &[3, 2, 1], 7.25);
        let read = Exposition::parse(&page.text(), &Limits::default()).unwrap();
        assert_eq!(read.value("up_seconds"), Some(1.5));
        assert_eq!(read.get("up_seconds").unwrap().help.as_deref(), Some("Since\nwhen \\ then."));
        let runs = read.samples("runs_total");
        assert_eq!(runs[1].label("state"), Some("we\"ird\\\n"));
        let waits = read.get("wait_seconds").unwrap();
        assert_eq!(waits.kind, Kind::Histogram);
        let values: Vec<f64> = waits.samples.iter().map(|sample| sample.value).collect();
        assert_eq!(values, [3.0, 5.0, 6.0, 7.25, 6.0]);
        assert_eq!(waits.samples[2].label("le"), Some("+Inf"));
    }
}
