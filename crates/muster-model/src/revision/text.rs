//! What differs between two texts, as a unified diff, with values hidden whose names say that they are secret.
//!
//! A secret should not stand in a file. Where one does all the same, a history must not spread it: values behind
//! names such as `db_password` are dots, private keys too, and an encrypted file is not drawn at all.

use similar::TextDiff;

/// Texts of more lines are not compared line by line.
pub const LINES_MAX: usize = 5_000;
/// Lines drawn around each difference.
const CONTEXT_LINES: usize = 3;
/// Written in the place of a value that nobody should see.
const DOTS: &str = "••••••";
/// The first words of a file that Ansible encrypted.
const VAULT: &str = "$ANSIBLE_VAULT";

/// How two texts differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextDifference {
    /// They are equal.
    None,
    /// A unified diff of them, secrets hidden.
    Unified(String),
    /// Only hidden values differ.
    Hidden,
    /// They differ, and are not drawn: encrypted, too long, or no text.
    NotShown(&'static str),
}

/// The difference between two versions of a file; none = it is not there in this version.
pub fn text_difference(path: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> TextDifference {
    if old == new {
        return TextDifference::None;
    }
    let text = |bytes: Option<&[u8]>| std::str::from_utf8(bytes.unwrap_or_default()).map(str::to_owned);
    let (Ok(before), Ok(after)) = (text(old), text(new)) else {
        return TextDifference::NotShown("it is no text");
    };
    if before.starts_with(VAULT) || after.starts_with(VAULT) {
        return TextDifference::NotShown("it is encrypted");
    }
    if before.lines().count() > LINES_MAX || after.lines().count() > LINES_MAX {
        return TextDifference::NotShown("it is too long to be compared line by line");
    }
    let (before, after) = (hidden(&before), hidden(&after));
    if before == after && old.is_some() == new.is_some() {
        return TextDifference::Hidden;
    }
    let name = |there: bool, side: &str| if there { format!("{side}/{path}") } else { "/dev/null".into() };
    let diff = TextDiff::from_lines(before.as_str(), after.as_str());
    let (old, new) = (name(old.is_some(), "a"), name(new.is_some(), "b"));
    let unified = diff.unified_diff().context_radius(CONTEXT_LINES).header(&old, &new).to_string();
    TextDifference::Unified(unified)
}

/// A text with every value hidden whose name says that it is secret. It keeps its lines.
pub fn hidden(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut below: Option<usize> = None;
    let mut in_key = false;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let indent = body.len() - body.trim_start().len();
        if in_key || body.contains("-----BEGIN") && body.contains("PRIVATE KEY") {
            in_key = !body.contains("-----END");
            out.push_str(&body[..indent]);
            out.push_str(DOTS);
        } else if below.is_some_and(|at| indent > at || body.trim().is_empty()) {
            if !body.trim().is_empty() {
                out.push_str(&body[..indent]);
                out.push_str(DOTS);
            }
        } else {
            let goes_on = hide_line(body, &mut out);
            below = goes_on.then_some(indent + leading_dashes(&body[indent..]));
        }
        out.push_str(&line[body.len()..]);
    }
    out
}

/// How far the key of a list's item stands to the right of its first dash.
fn leading_dashes(text: &str) -> usize {
    let rest = text.trim_start_matches(['-', ' ']);
    text.len() - rest.len()
}

/// Writes one line with its secret values hidden; true if a secret value goes on in the lines below. Comments are
/// lines like others: what was taken out of use stands there.
fn hide_line(line: &str, out: &mut String) -> bool {
    let (mut written, mut skip) = (0, 0);
    let mut flow = false;
    let mut goes_on = false;
    for (at, mark) in line.char_indices() {
        if at < skip {
            continue;
        }
        let here = &line[at..];
        if let Some(length) = placeholder_length(here) {
            skip = at + length;
            continue;
        }
        if let Some((from, to)) = credentials(here) {
            out.push_str(&line[written..at + from]);
            out.push_str(DOTS);
            (written, skip) = (at + to, at + to);
            continue;
        }
        flow |= matches!(mark, '{' | '[');
        if !matches!(mark, ':' | '=') || !is_secret_name(name_before(&line[..at])) {
            continue;
        }
        let from = at + 1;
        let start = from + (line[from..].len() - line[from..].trim_start().len());
        let value = line[start..start + value_length(&line[start..], flow)].trim_end();
        skip = start + value.len();
        match value {
            // A map, a list or a block of lines that stands below.
            "" | "|" | ">" | "|-" | ">-" | "|+" | ">+" => goes_on = true,
            "true" | "false" | "null" | "~" => {}
            value if is_placeholder(value) => {}
            _ => {
                out.push_str(&line[written..start]);
                out.push_str(DOTS);
                written = skip;
            }
        }
    }
    out.push_str(&line[written..]);
    goes_on
}

/// How long the placeholder is that begins here.
fn placeholder_length(text: &str) -> Option<usize> {
    let closes = |mark: &str| text.find(mark).map(|end| end + mark.len());
    match (text.starts_with("${"), text.starts_with("{{")) {
        (true, _) => closes("}"),
        (_, true) => closes("}}"),
        (false, false) => None,
    }
}

/// Where the password stands in an address that begins its authority here (`://user:password@host`).
fn credentials(text: &str) -> Option<(usize, usize)> {
    const MARK: &str = "://";
    let rest = text.strip_prefix(MARK)?;
    let end = rest.find(|letter: char| letter.is_whitespace() || matches!(letter, '/' | '"' | '\''));
    let (user, _) = rest[..end.unwrap_or(rest.len())].rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    let from = MARK.len() + name.len() + 1;
    (!password.is_empty() && !is_placeholder(password)).then_some((from, from + password.len()))
}

/// The name that ends here, with or without quotes.
fn name_before(text: &str) -> &str {
    let text = text.trim_end().trim_end_matches(['"', '\'']);
    let start = text
        .rfind(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.')))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[start..]
}

/// How long the value is that begins here: to its closing quote, to the end of its place in a map, or of the line.
fn value_length(text: &str, flow: bool) -> usize {
    if let Some(quote) = text.chars().next().filter(|letter| matches!(letter, '"' | '\'')) {
        return text[1..].find(quote).map_or(text.len(), |end| end + 2);
    }
    if let Some(length) = placeholder_length(text) {
        return length;
    }
    let end = |mark: &str| text.find(mark).unwrap_or(text.len());
    let line = end(" #");
    if flow { line.min(end(",")).min(end("}")).min(end("]")) } else { line }
}

/// Whether a value only says where the real one comes from.
pub(super) fn is_placeholder(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']).trim();
    let one = |open: &str, close: &str| {
        value
            .strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .is_some_and(|inner| !inner.contains(close))
    };
    one("${", "}") || one("{{", "}}")
}

/// Whether a name says that its value is secret: `db_password`, `apiToken`, `secret-key`.
pub fn is_secret_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    if ["password", "passwd", "passphrase", "secret", "token", "credential", "apikey"]
        .iter()
        .any(|word| lower.contains(word))
    {
        return true;
    }
    let mut parts = lower.split(|letter: char| !letter.is_alphanumeric());
    let is_key = lower.ends_with("key");
    parts.any(|part| {
        matches!(part, "pass" | "pwd" | "pw")
            || is_key && matches!(part, "private" | "api" | "access" | "privatekey")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_behind_telling_names_are_hidden() {
        for (line, kept) in [
            ("db_password: hunter2", "db_password: ••••••"),
            ("  - apiToken: 'hunter2' # old", "  - apiToken: •••••• # old"),
            ("vars: { password: hunter2, workers: 4 }", "vars: { password: ••••••, workers: 4 }"),
            ("\"secret\": \"hunter2\",", "\"secret\": ••••••,"),
            ("api_key = hunter2", "api_key = ••••••"),
            ("no_log: true # the password: hunter2", "no_log: true # the password: ••••••"),
            ("# db_password: hunter2", "# db_password: ••••••"),
            ("url: https://ann:hunter2@host/path", "url: https://ann:••••••@host/path"),
            ("pass: hunter2 # hunter2's dog", "pass: •••••• # hunter2's dog"),
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

    #[test]
    fn texts_are_compared_line_by_line_without_their_secrets() {
        let old = b"version: 1\npassword: one\ncount: 3\n";
        let new = b"version: 1\npassword: two\ncount: 2\n";
        let TextDifference::Unified(text) = text_difference("shop.yaml", Some(old), Some(new)) else {
            panic!("they differ")
        };
        assert_eq!(
            text,
            "--- a/shop.yaml\n+++ b/shop.yaml\n@@ -1,3 +1,3 @@\n version: 1\n password: ••••••\n-count: 3\n+count: 2\n"
        );
        assert_eq!(text_difference("x", Some(old), Some(old)), TextDifference::None);
        assert_eq!(
            text_difference("x", Some(b"token: a"), Some(b"token: b")),
            TextDifference::Hidden,
            "equal but for what is hidden"
        );
        assert_eq!(
            text_difference("x", Some(b"$ANSIBLE_VAULT;1.1;AES256\n6638"), Some(b"a")),
            TextDifference::NotShown("it is encrypted")
        );
        assert_eq!(text_difference("x", Some(&[0xff]), None), TextDifference::NotShown("it is no text"));
        let TextDifference::Unified(gone) = text_difference("x", Some(b"a\n"), None) else { panic!() };
        assert!(gone.starts_with("--- a/x\n+++ /dev/null\n"), "{gone}");
        let long = "x\n".repeat(LINES_MAX + 1);
        assert!(matches!(text_difference("x", Some(long.as_bytes()), None), TextDifference::NotShown(_)));
    }
}
