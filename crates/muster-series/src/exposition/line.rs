//! One line at a time: names, labels with escapes, values, timestamps, comments.
//!
//! Each line is looked at once, from left to right; nothing is copied but what a sample keeps. What a line means
//! for its family is decided in the parent module.

use super::{Kind, Limits, ParseError, Sample};

/// What one line says.
#[derive(Debug, Clone, PartialEq)]
pub enum Line<'t> {
    /// `# HELP name text`, unescaped.
    Help {
        /// The family.
        name: &'t str,
        /// What it means.
        text: String,
    },
    /// `# TYPE name kind`.
    Type {
        /// The family.
        name: &'t str,
        /// Its kind.
        kind: Kind,
    },
    /// OpenMetrics: `# UNIT name unit`.
    Unit {
        /// The family.
        name: &'t str,
        /// For example `seconds`.
        unit: &'t str,
    },
    /// A measured value.
    Sample(Sample),
    /// OpenMetrics: `# EOF`.
    End,
    /// An empty line or any other comment.
    Comment,
}

/// The lines of a text with their numbers; the streaming form of the parser.
#[derive(Debug)]
pub struct Lines<'t> {
    rest: &'t [u8],
    text: &'t str,
    number: usize,
    limits: Limits,
    open_metrics: bool,
}

impl<'t> Lines<'t> {
    /// Looks at the size only; lines are read as they are asked for.
    ///
    /// # Errors
    /// A text longer than the limit.
    pub fn new(text: &'t str, limits: Limits) -> Result<Lines<'t>, ParseError> {
        if text.len() > limits.text_bytes_max {
            let message = format!("{} bytes of text, at most {} are read", text.len(), limits.text_bytes_max);
            return Err(ParseError { line: 1, message });
        }
        let open_metrics = text.trim_end().ends_with("# EOF");
        Ok(Lines { rest: text.as_bytes(), text, number: 0, limits, open_metrics })
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = Result<(usize, Line<'t>), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let start = self.text.len() - self.rest.len();
        let length = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        self.rest = &self.rest[(length + 1).min(self.rest.len())..];
        self.number += 1;
        let number = self.number;
        // A newline is one byte in UTF-8, so both ends are character borders.
        let line = self.text[start..start + length].trim_end_matches('\r');
        if line.len() > self.limits.line_bytes_max {
            let message =
                format!("a line of {} bytes, at most {} are read", line.len(), self.limits.line_bytes_max);
            self.rest = &[];
            return Some(Err(ParseError { line: number, message }));
        }
        let read = read_line(line, &self.limits, self.open_metrics);
        Some(read.map(|line| (number, line)).map_err(|message| ParseError { line: number, message }))
    }
}

fn read_line<'t>(line: &'t str, limits: &Limits, open_metrics: bool) -> Result<Line<'t>, String> {
    let line = line.trim_matches([' ', '\t']);
    if line.is_empty() {
        return Ok(Line::Comment);
    }
    match line.strip_prefix('#') {
        Some(comment) => read_comment(comment, open_metrics),
        None => read_sample(line, limits, open_metrics).map(Line::Sample),
    }
}

fn read_comment(comment: &str, open_metrics: bool) -> Result<Line<'_>, String> {
    let comment = comment.trim_start_matches([' ', '\t']);
    if open_metrics && comment == "EOF" {
        return Ok(Line::End);
    }
    let (word, rest) = split_word(comment);
    if !matches!(word, "HELP" | "TYPE" | "UNIT") || (word == "UNIT" && !open_metrics) {
        return Ok(Line::Comment);
    }
    let (name, rest) = split_word(rest);
    if !is_metric_name(name) {
        return Err(format!("`{}` after `# {word}` is not a metric name", shown(name)));
    }
    Ok(match word {
        "HELP" => Line::Help { name, text: unescape(rest, false)? },
        "UNIT" => Line::Unit { name, unit: rest },
        _ => {
            let kind = Kind::read(rest.trim_end());
            Line::Type { name, kind: kind.ok_or_else(|| format!("`{}` is not a metric type", shown(rest)))? }
        }
    })
}

fn read_sample(line: &str, limits: &Limits, open_metrics: bool) -> Result<Sample, String> {
    let end = line.find(['{', ' ', '\t']).unwrap_or(line.len());
    let name = &line[..end];
    if !is_metric_name(name) {
        return Err(format!("`{}` is not a metric name", shown(name)));
    }
    let mut rest = line[end..].trim_start_matches([' ', '\t']);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = read_labels(inside, limits, &mut labels)?;
    }
    let rest = match rest.split_once(" # ") {
        // An exemplar: an example trace for this value, which Muster has no use for.
        Some((before, _)) if open_metrics => before,
        Some(_) | None => rest,
    };
    let mut words = rest.split_ascii_whitespace();
    let word = words.next().ok_or_else(|| format!("{name} has no value"))?;
    let value = read_value(word).ok_or_else(|| format!("`{}` is not a number", shown(word)))?;
    let timestamp_ms = match words.next() {
        None => None,
        Some(word) if open_metrics => {
            let seconds = read_value(word).filter(|seconds| seconds.is_finite());
            let seconds = seconds.ok_or_else(|| format!("`{}` is not a timestamp", shown(word)))?;
            Some((seconds * 1000.0) as i64)
        }
        Some(word) => {
            Some(word.parse().map_err(|_| format!("`{}` is not a timestamp in milliseconds", shown(word)))?)
        }
    };
    if let Some(more) = words.next() {
        return Err(format!("`{}` after the timestamp", shown(more)));
    }
    Ok(Sample { name: name.to_owned(), labels, value, timestamp_ms })
}

/// Reads `name="value",…}` and returns what follows the brace.
fn read_labels<'t>(
    mut rest: &'t str,
    limits: &Limits,
    labels: &mut Vec<(String, String)>,
) -> Result<&'t str, String> {
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let equals = rest.find('=').ok_or("a label without `=`, or no closing `}`")?;
        let name = rest[..equals].trim_end_matches([' ', '\t']);
        if !is_label_name(name) {
            return Err(format!("`{}` is not a label name", shown(name)));
        }
        rest = rest[equals + 1..].trim_start_matches([' ', '\t']);
        rest = rest.strip_prefix('"').ok_or_else(|| format!("the value of label {name} is not quoted"))?;
        let end =
            closing_quote(rest).ok_or_else(|| format!("the value of label {name} has no closing quote"))?;
        if labels.len() == limits.labels_max {
            return Err(format!("more than {} labels", limits.labels_max));
        }
        if labels.iter().any(|(earlier, _)| earlier == name) {
            return Err(format!("label {name} stands twice"));
        }
        labels.push((name.to_owned(), unescape(&rest[..end], true)?));
        rest = rest[end + 1..].trim_start_matches([' ', '\t']);
        if let Some(after) = rest.strip_prefix(',') {
            rest = after;
        } else if !rest.starts_with('}') {
            return Err(format!("after label {name}: neither `,` nor `}}`"));
        }
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', bytes.get(from..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
}

/// `\\`, `\n`, and in label values `\"`. Other escapes are errors in label values and kept as written in help.
fn unescape(text: &str, label: bool) -> Result<String, String> {
    let Some(mut at) = memchr::memchr(b'\\', text.as_bytes()) else { return Ok(text.to_owned()) };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        out.push_str(&rest[..at]);
        let escaped = rest[at + 1..].chars().next();
        match escaped {
            Some('\\') => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('"') => out.push('"'),
            Some(other) if label => return Err(format!("unknown escape `\\{other}` in a label value")),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
        rest = &rest[at + 1 + escaped.map_or(0, char::len_utf8)..];
        match memchr::memchr(b'\\', rest.as_bytes()) {
            Some(next) => at = next,
            None => {
                out.push_str(rest);
                return Ok(out);
            }
        }
    }
}

fn read_value(word: &str) -> Option<f64> {
    // Rust reads `NaN`, `+Inf`, `-Inf` and exponents in any case, as Go does.
    word.parse().ok()
}

fn split_word(text: &str) -> (&str, &str) {
    match text.find([' ', '\t']) {
        Some(at) => (&text[..at], text[at..].trim_start_matches([' ', '\t'])),
        None => (text, ""),
    }
}

fn is_metric_name(name: &str) -> bool {
    !name.is_empty()
        && !name.as_bytes()[0].is_ascii_digit()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

fn is_label_name(name: &str) -> bool {
    is_metric_name(name) && !name.contains(':')
}

/// At most 40 characters of a bad word, so that an error stays readable.
fn shown(word: &str) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 40;
    let cut: String = word.chars().take(SHOWN_CHARACTERS_MAX).collect();
    if cut.len() < word.len() { format!("{cut}…") } else { cut }
}
