//! A text with its secret values hidden, line by line.
//!
//! No parser of YAML stands behind it: what is compared may be broken, commented out, or a script inside a document.
//! So in doubt there are dots. Behind a secret name nothing is shown to the end of the line, except what is certainly
//! another field of the same map; below it nothing that is deeper, no `- ` at the same indent, and nothing up to the end
//! of quotes, of brackets, or of lines that are neither key nor item.

use super::cut::{
    Brackets, flow_start, is_block_header, is_item, is_structure, is_template, items_length,
    placeholder_length, plain_length, properties_length, quote_end,
};
use super::secret::{
    credentials, ends_secretly, is_placeholder, is_secret_name, name_before, names_secret, phrase_before,
};

/// Written in the place of a value that nobody should see.
const DOTS: &str = "••••••";
/// Longer lines are hidden whole, in bytes: no person reads them, and each name in them costs a look at the rest.
const LINE_BYTES_MAX: usize = 4096;

/// A text with every value hidden whose name says that it is secret. It keeps its lines.
pub fn hidden(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut lines, mut comments) = (Lines::default(), Lines::default());
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let indent = body.len() - body.trim_start().len();
        let marks = body[indent..].len() - body[indent..].trim_start_matches('#').len();
        // What was taken out of use has names and values too, of its own.
        match marks > 0 && !lines.covers(indent) {
            true => comments.line(body, indent + marks, &mut out),
            false => {
                if indent < body.len() {
                    comments = Lines::default();
                }
                lines.line(body, 0, &mut out);
            }
        }
        out.push_str(&line[body.len()..]);
    }
    out
}

/// What is hidden below a line.
struct Below {
    /// Where the line's first key stands: what is deeper is part of it.
    column: usize,
    open: Open,
}

/// How the value that was begun last goes on.
#[derive(Clone, Copy)]
enum Open {
    /// Only by what is deeper.
    No,
    /// It has not begun yet.
    Value,
    /// Perhaps by lines that are neither key nor item.
    Plain,
    /// To the end of its quotes.
    Quote(char),
    /// To the end of its brackets.
    Brackets(Brackets),
}

/// Lines of one kind, in their order.
#[derive(Default)]
struct Lines {
    below: Option<Below>,
    in_private_key: bool,
    /// The line before ended with a secret name, and no value: `? password`.
    after_name: bool,
    /// The line before was a secret option of a command: `- --password`.
    after_option: bool,
}

impl Lines {
    /// Whether a line is certainly part of a hidden value, whatever it begins with.
    fn covers(&self, indent: usize) -> bool {
        self.in_private_key
            || self.below.as_ref().is_some_and(|below| {
                indent > below.column || matches!(below.open, Open::Quote(_) | Open::Brackets(_))
            })
    }

    /// Writes one line, whose text begins behind `start`.
    fn line(&mut self, body: &str, start: usize, out: &mut String) {
        let indent = body.len() - body[start..].trim_start().len();
        let text = &body[indent..];
        if text.is_empty() {
            return out.push_str(body);
        }
        let goes_on = self.goes_on(indent, text);
        let is_key = text.contains("-----BEGIN") && text.contains("PRIVATE KEY");
        let is_of_key = self.in_private_key || is_key;
        if is_of_key {
            self.in_private_key = !text.contains("-----END");
        }
        let is_of_option = self.after_option && (is_item(text) || text.starts_with(['"', '\'']));
        let after_name = self.after_name;
        let end = text.trim_end().trim_end_matches(',');
        self.after_name = ends_secretly(end) || text.starts_with("? ") && is_secret_name(phrase_before(end));
        self.after_option = self.after_name && name_before(end).starts_with('-');
        let is_long = text.len() > LINE_BYTES_MAX;
        let mut unseen = String::new();
        let is_hidden = goes_on || is_of_key || is_of_option || is_long;
        if is_hidden {
            out.push_str(&body[..indent]);
            out.push_str(DOTS);
        }
        // In a hidden line more may begin.
        let found = match is_long {
            true => Some(Below { column: indent, open: Open::Plain }),
            false => hide_line(body, indent, after_name, if is_hidden { &mut unseen } else { out }),
        };
        self.below = match (self.below.take().filter(|_| goes_on), found) {
            (Some(old), Some(_)) if matches!(old.open, Open::Quote(_) | Open::Brackets(_)) => Some(old),
            (Some(old), Some(new)) => Some(Below { column: old.column.min(new.column), open: new.open }),
            (old, new) => old.or(new),
        };
    }

    /// Whether a line is part of what is hidden.
    fn goes_on(&mut self, indent: usize, text: &str) -> bool {
        let Some(below) = &mut self.below else { return false };
        match &mut below.open {
            Open::Quote(quote) => {
                if let Some(end) = quote_end(text, *quote) {
                    below.open = open_after(&text[end..]);
                }
                return true;
            }
            Open::Brackets(brackets) => {
                if let Some(end) = brackets.read(text) {
                    below.open = open_after(&text[end..]);
                }
                return true;
            }
            Open::No | Open::Value | Open::Plain => {}
        }
        let is_part = indent > below.column || indent == below.column && is_item(text);
        match below.open {
            Open::Value if is_part && is_structure(text) => {
                below.open = Open::No;
                true
            }
            Open::Value if is_part || !is_structure(text) => {
                below.open = match value(text, false) {
                    Value::Below(open) | Value::Rest(open) => open,
                    Value::Kept(..) | Value::Hidden(..) => Open::Plain,
                };
                true
            }
            Open::Plain => is_part || !is_structure(text),
            Open::No | Open::Value | Open::Quote(_) | Open::Brackets(_) => is_part,
        }
    }
}

/// How it goes on behind the end of quotes or brackets.
fn open_after(rest: &str) -> Open {
    match rest.trim_start() {
        rest if rest.is_empty() || rest.starts_with([',', '}', ']', '#']) => Open::No,
        _ => Open::Plain,
    }
}

/// Writes one line with its secret values hidden; what of them goes on below.
fn hide_line(line: &str, start: usize, after_name: bool, out: &mut String) -> Option<Below> {
    let column = start + items_length(&line[start..]);
    let mut flow = flow_start(line, column).map(|at| (at, Brackets::default()));
    let (mut written, mut skip) = (0, start);
    let mut has_hidden = false;
    // Once all that is left of the line is hidden: only what goes on below is still looked for.
    let mut is_silent = false;
    let mut below: Option<Below> = None;
    for (at, mark) in line.char_indices() {
        if at < skip {
            continue;
        }
        let here = &line[at..];
        if let Some(length) = placeholder_length(here).filter(|length| is_placeholder(&here[..*length])) {
            skip = at + length;
            continue;
        }
        if let Some((from, to)) = credentials(&line[start..at], here) {
            if !is_silent {
                out.push_str(&line[written..at + from]);
                out.push_str(DOTS);
                (written, has_hidden) = (at + to, true);
            }
            skip = at + to;
            continue;
        }
        if !(names_secret(&line[start..at], mark, here) || mark == ':' && after_name && at == start) {
            continue;
        }
        let is_in_flow = flow.as_mut().filter(|(read, _)| *read < at).is_some_and(|(read, brackets)| {
            brackets.read_on(&line[*read..at]);
            *read = at;
            brackets.is_open()
        });
        has_hidden = true;
        let from = line.len() - line[at + mark.len_utf8()..].trim_start().len();
        let found = value(&line[from..], is_in_flow);
        let (hides, length, mut open) = match found {
            Value::Below(open) => (false, 0, Some(open)),
            Value::Kept(length, open) => (false, length, open),
            Value::Hidden(length, open) => (true, length, open),
            Value::Rest(open) => (true, 0, Some(open)),
        };
        let is_begun = matches!(open, Some(Open::Quote(_) | Open::Brackets(_)));
        // A script goes on by its own rules.
        if mark != ':' && !is_begun && !line.ends_with('\\') {
            open = open.map(|_| Open::No);
        }
        if hides && !is_silent {
            out.push_str(&line[written..from]);
            out.push_str(DOTS);
            written = from + length;
        }
        skip = from + length;
        if let Value::Rest(_) = found {
            (written, is_silent) = (line.len(), true);
        }
        match open {
            // What was begun before is not over by that.
            Some(Open::No | Open::Plain) if is_silent && below.is_some() => {}
            Some(open) => below = Some(Below { column, open }),
            None => {}
        }
        if is_begun {
            break;
        }
    }
    let rest = &line[written..];
    // A comment beside a secret may tell the one before.
    match rest.find(" #").filter(|_| has_hidden) {
        None => out.push_str(rest),
        Some(0) => {}
        Some(at) => {
            out.push_str(&rest[..=at]);
            out.push_str(DOTS);
        }
    }
    below
}

/// A value behind a secret name.
enum Value {
    /// It stands below.
    Below(Open),
    /// So many bytes that may be shown, and what goes on below.
    Kept(usize, Option<Open>),
    /// So many bytes that may not.
    Hidden(usize, Option<Open>),
    /// All that is left of the line, and this below.
    Rest(Open),
}

fn value(text: &str, is_in_flow: bool) -> Value {
    let properties = properties_length(text);
    let text = &text[properties..];
    if text.is_empty() || text.starts_with('#') {
        return Value::Below(Open::Value);
    }
    if is_block_header(text) {
        return Value::Below(Open::No);
    }
    let first = text.chars().next().unwrap_or_default();
    let length = match first {
        '"' | '\'' => match quote_end(&text[1..], first) {
            Some(end) => 1 + end,
            None => return Value::Rest(Open::Quote(first)),
        },
        '{' | '[' if !is_template(text) => {
            let mut brackets = Brackets::default();
            match brackets.read(text) {
                Some(end) => end,
                None => return Value::Rest(Open::Brackets(brackets)),
            }
        }
        _ => plain_length(text, is_in_flow),
    };
    let value = text[..length].trim_end();
    let rest = text[length..].trim_start();
    let ends = |rest: &str| rest.is_empty() || rest.starts_with('#');
    let is_whole = ends(rest)
        || is_in_flow && rest.starts_with([',', '}', ']'])
        || rest.strip_prefix(',').is_some_and(|rest| ends(rest.trim_start()));
    let is_kept = matches!(value, "true" | "false" | "null" | "~") || is_placeholder(value);
    let is_quoted = matches!(first, '"' | '\'');
    let length = properties + value.len();
    let below = match (is_quoted, ends(rest)) {
        // Another field, or the end of the map, follows.
        (_, false) if is_in_flow => None,
        (true, _) => Some(Open::No),
        // Without quotes it may go on in the next line.
        (false, _) => Some(Open::Plain),
    };
    match is_whole {
        true if is_kept => Value::Kept(length, below),
        true if is_quoted || below.is_none() => Value::Hidden(length, below),
        true | false => Value::Rest(Open::Plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_behind_telling_names_are_hidden() {
        for (line, kept) in [
            ("db_password: hunter2", "db_password: ••••••"),
            ("  - apiToken: 'hunter2' # old", "  - apiToken: ••••••"),
            ("vars: { password: hunter2, workers: 4 }", "vars: { password: ••••••, workers: 4 }"),
            ("\"secret\": \"hunter2\",", "\"secret\": ••••••,"),
            ("api_key = hunter2", "api_key = ••••••"),
            ("no_log: true # the password: hunter2", "no_log: true # the password: ••••••"),
            ("# db_password: hunter2", "# db_password: ••••••"),
            ("url: https://ann:hunter2@host/path", "url: https://ann:••••••@host/path"),
            ("pass: hunter2 # hunter2's dog", "pass: ••••••"),
        ] {
            assert_eq!(hidden(line), kept);
        }
        for plain in [
            "password: ${secret:db}",
            "password: \"{{ vault_password }}\"",
            "vars: { password: '${env:PW}', x: 1 }",
            "public_key: ssh-ed25519 AAAA",
            "keys: [ssh-ed25519 AAAA]",
            "no_log: true",
            "url: https://ann:${secret:db}@host:80/a@b",
            "time: 10:30, at: http://host:80/",
            "become_pass: true",
            "compass: north",
        ] {
            assert_eq!(hidden(plain), plain);
        }
    }

    #[test]
    fn what_stands_below_a_telling_name_is_hidden_too() {
        let text =
            "a: 1\nprivate_key: |\n  line one\n\n  line two\nsecrets:\n  db: hunter2\n  more: [x]\nb: 2\n";
        let kept = "a: 1\nprivate_key: |\n  ••••••\n\n  ••••••\nsecrets:\n  ••••••\n  ••••••\nb: 2\n";
        assert_eq!(hidden(text), kept);
        let pem =
            "x: |\n  -----BEGIN OPENSSH PRIVATE KEY-----\n  abc\n  -----END OPENSSH PRIVATE KEY-----\ny: 1\n";
        assert_eq!(hidden(pem), "x: |\n  ••••••\n  ••••••\n  ••••••\ny: 1\n");
    }
}
