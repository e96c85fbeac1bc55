//! The text exposition format, from text to families of samples.
//!
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/> (version 0.0.4) and OpenMetrics 1.0.
//! The idea: one pass over the lines ([`mod@line`]), each line looked at once and borrowed from the text, and a
//! collector here that sorts samples into families. Errors carry the line number; limits are named and checked
//! before memory is spent.

pub mod line;
pub mod write;

use std::collections::HashMap;

use line::{Line, Lines};

/// How much text and how many samples are accepted from one exporter.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Whole text, in bytes.
    pub text_bytes_max: usize,
    /// One line, in bytes.
    pub line_bytes_max: usize,
    /// Samples in the whole text.
    pub samples_max: usize,
    /// Labels of one sample.
    pub labels_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { text_bytes_max: 64 << 20, line_bytes_max: 64 << 10, samples_max: 1_000_000, labels_max: 128 }
    }
}

/// What kind of measurement a family holds (the word after `# TYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, or starts again at 0.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, `_sum` and `_count`.
    Histogram,
    /// Quantiles, `_sum` and `_count`.
    Summary,
    /// OpenMetrics: a histogram that may shrink.
    GaugeHistogram,
    /// OpenMetrics: facts as labels, value 1.
    Info,
    /// OpenMetrics: a set of booleans.
    StateSet,
    /// Nothing was said (`untyped`, `unknown`, or no `# TYPE` line).
    Unknown,
}

impl Kind {
    fn read(word: &str) -> Option<Kind> {
        Some(match word {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            "summary" => Kind::Summary,
            "gaugehistogram" => Kind::GaugeHistogram,
            "info" => Kind::Info,
            "stateset" => Kind::StateSet,
            "untyped" | "unknown" => Kind::Unknown,
            _ => return None,
        })
    }

    /// The endings that samples of this family carry besides the bare name.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Kind::Counter => &["_total", "_created"],
            Kind::Histogram => &["_bucket", "_sum", "_count", "_created"],
            Kind::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
            Kind::Summary => &["_sum", "_count", "_created"],
            Kind::Info => &["_info"],
            Kind::Gauge | Kind::StateSet | Kind::Unknown => &[],
        }
    }
}

/// One measured value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name as written, with its ending (`http_seconds_bucket`).
    pub name: String,
    /// Labels in the order written, unescaped.
    pub labels: Vec<(String, String)>,
    /// The value; may be NaN or infinite.
    pub value: f64,
    /// When it was measured, milliseconds since 1970, if the exporter said so.
    pub timestamp_ms: Option<i64>,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// All samples of one name, with what the exporter says about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The family's name, without the endings of histograms and summaries.
    pub name: String,
    /// The text after `# HELP`, unescaped.
    pub help: Option<String>,
    /// OpenMetrics: the text after `# UNIT`.
    pub unit: Option<String>,
    /// The word after `# TYPE`.
    pub kind: Kind,
    /// In the order written.
    pub samples: Vec<Sample>,
}

/// Everything one exporter said at one time.
#[derive(Debug, Clone, Default)]
pub struct Exposition {
    families: Vec<Family>,
    by_name: HashMap<String, usize>,
    /// Whether the text ended with OpenMetrics' `# EOF`.
    pub complete: bool,
}

/// What is wrong with a text, and in which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("metrics, line {line}: {message}")]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    /// What is wrong, as a sentence.
    pub message: String,
}

impl Exposition {
    /// Reads a whole text.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line: bad names, bad escapes, bad numbers, two `# TYPE` lines for
    /// one family, text after `# EOF`, or more than the limits allow.
    pub fn parse(text: &str, limits: &Limits) -> Result<Exposition, ParseError> {
        let mut all = Exposition::default();
        let mut samples = 0_usize;
        let mut last: Option<usize> = None;
        for item in Lines::new(text, *limits)? {
            let (number, line) = item?;
            if all.complete {
                return Err(ParseError { line: number, message: "text after `# EOF`".into() });
            }
            match line {
                Line::Help { name, text } => {
                    let index = all.family(name);
                    all.families[index].help = Some(text);
                    last = Some(index);
                }
                Line::Unit { name, unit } => {
                    let index = all.family(name);
                    all.families[index].unit = Some(unit.to_owned());
                    last = Some(index);
                }
                Line::Type { name, kind } => {
                    let index = all.family(name);
                    let family = &mut all.families[index];
                    if !family.samples.is_empty() {
                        let message = format!("`# TYPE {name}` stands after samples of that name");
                        return Err(ParseError { line: number, message });
                    }
                    if family.kind != Kind::Unknown && family.kind != kind {
                        let message = format!("a second, different `# TYPE` for {name}");
                        return Err(ParseError { line: number, message });
                    }
                    family.kind = kind;
                    last = Some(index);
                }
                Line::Sample(sample) => {
                    samples += 1;
                    if samples > limits.samples_max {
                        let message = format!("more than {} samples", limits.samples_max);
                        return Err(ParseError { line: number, message });
                    }
                    let index = all.family_of(&sample.name, last);
                    all.families[index].samples.push(sample);
                    last = Some(index);
                }
                Line::End => all.complete = true,
                Line::Comment => {}
            }
        }
        Ok(all)
    }

    /// The families in the order of the text.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The family of a name (without endings).
    pub fn get(&self, name: &str) -> Option<&Family> {
        self.by_name.get(name).map(|index| &self.families[*index])
    }

    /// All samples that bear exactly this name; node_exporter's families have no endings, so this is one lookup.
    pub fn samples(&self, name: &str) -> &[Sample] {
        self.get(name).map_or(&[], |family| family.samples.as_slice())
    }

    /// The first sample of a name: for gauges that have no labels.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.samples(name).first().map(|sample| sample.value)
    }

    fn family(&mut self, name: &str) -> usize {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        self.families.push(Family {
            name: name.to_owned(),
            help: None,
            unit: None,
            kind: Kind::Unknown,
            samples: Vec::new(),
        });
        self.by_name.insert(name.to_owned(), self.families.len() - 1);
        self.families.len() - 1
    }

    /// The family a sample belongs to. The one before is tried first: families stand together.
    fn family_of(&mut self, name: &str, last: Option<usize>) -> usize {
        if let Some(index) = last {
            let family = &self.families[index];
            if belongs(name, family) {
                return index;
            }
        }
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        for (at, _) in name.rmatch_indices('_').take(1) {
            if let Some(index) = self.by_name.get(&name[..at])
                && belongs(name, &self.families[*index])
            {
                return *index;
            }
        }
        self.family(name)
    }
}

fn belongs(name: &str, family: &Family) -> bool {
    name.strip_prefix(family.name.as_str())
        .is_some_and(|ending| ending.is_empty() || family.kind.endings().contains(&ending))
}
