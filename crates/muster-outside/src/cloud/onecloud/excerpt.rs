//! A short piece of an answer for an error text, without secrets.
//!
//! An answer that cannot be read may hold a root password in any place (`AdminPassword` stands in every list),
//! broken off anywhere. So text values under names that speak of secrets are masked over the whole text
//! *before* a piece is cut out of it, an unfinished string counts as a string, and in text that is not JSON
//! everything after such a word is left out.

use std::ops::Range;

/// Longest excerpt, in characters.
pub const EXCERPT_MAX: usize = 160;

/// What stands for a masked value.
const DOTS: &str = "••••••";

/// Parts of names whose values are never shown.
const SECRET_WORDS: [&str; 6] = ["password", "passwd", "secret", "token", "sharedkey", "authorization"];

fn speaks_of_secrets(text: &str) -> bool {
    let text = text.to_lowercase();
    SECRET_WORDS.iter().any(|word| text.contains(word))
}

/// What kind of text an answer is, by its look.
pub fn looks_like_html(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    start.first() == Some(&b'<')
}

/// A piece of `body` around a byte (or its beginning), masked, on one line, with `hidden` (the key) never in it.
pub fn excerpt(body: &[u8], around: Option<usize>, hidden: &[&str]) -> String {
    let text = String::from_utf8_lossy(body);
    // Lossy text keeps the places of valid text; of broken text the beginning is shown.
    let around = around.filter(|_| text.len() == body.len());
    let (masked, place) = if looks_like_html(body) {
        (plain(&text), 0)
    } else if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[' | b'"')) {
        let whole = sound(&text);
        mask_json(whole, around.unwrap_or(0).min(whole.len()))
    } else {
        (cut_at_secret(&text), 0)
    };
    let masked = hide(masked, hidden);
    cut(&masked, place)
}

/// The part of something like JSON in which names can be told from values: all of it, or what stands before the
/// damage. Behind it a lost or doubled quote would turn every value into a name.
fn sound(text: &str) -> &str {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => text,
        Err(damage) if damage.is_eof() => text,
        Err(damage) => {
            let mut end = byte_at(text.as_bytes(), damage.line(), damage.column());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            &text[..end]
        }
    }
}

/// Removes given texts (the account's key, should a provider repeat it).
pub fn hide(mut text: String, hidden: &[&str]) -> String {
    for secret in hidden.iter().filter(|secret| !secret.is_empty()) {
        if text.contains(secret) {
            text = text.replace(secret, DOTS);
        }
    }
    text
}

/// The byte at a line and column, as serde_json counts them (from 1, columns in bytes).
pub fn byte_at(body: &[u8], line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match body[start..].iter().position(|byte| *byte == b'\n') {
            Some(end) => start += end + 1,
            None => break,
        }
    }
    (start + column.saturating_sub(1)).min(body.len())
}

/// A provider's sentence, cut where it speaks of a secret's value (`password: …`, `token=…`); a sentence that
/// only mentions one ("the password is too short") stays whole.
pub fn mask_words(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let cut = SECRET_WORDS
        .iter()
        .filter_map(|word| lower.find(word).map(|at| at + word.len()))
        .filter(|end| text[*end..].contains([':', '=', '"', '\'']))
        .min();
    match cut {
        Some(end) => format!("{} {DOTS}", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text without its tags, for a page meant for people; cut where it speaks of secrets.
fn plain(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            other if !inside => out.push(other),
            _ => {}
        }
    }
    cut_at_secret(&out)
}

fn cut_at_secret(text: &str) -> String {
    // Compared in ASCII lower case, which keeps the places of bytes.
    let lower = text.to_ascii_lowercase();
    match SECRET_WORDS.iter().filter_map(|word| lower.find(word).map(|at| at + word.len())).min() {
        Some(end) => format!("{} {DOTS}", &text[..end]),
        None => text.to_owned(),
    }
}

/// Where a string literal ends (behind its closing quote, or the end of the text), and its content.
fn string_end(text: &str, open: usize) -> (usize, Range<usize>) {
    let bytes = text.as_bytes();
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return (at + 1, open + 1..at),
            _ => at += 1,
        }
    }
    (text.len(), open + 1..text.len())
}

/// Masks text values in something that looks like JSON, whole or broken. Returns the masked text and where the
/// byte `around` came to stand in it.
///
/// A string that names a secret (a key, or a value that speaks of one) masks itself if it is a value, and
/// everything that follows it up to the next key at the same or a lower depth if it is a key.
fn mask_json(text: &str, around: usize) -> (String, usize) {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut place = None;
    let mut masking: Option<usize> = None;
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        if place.is_none() && at >= around {
            place = Some(out.len());
        }
        match bytes[at] {
            b'"' => {
                let (end, content) = string_end(text, at);
                // A key is a finished string with a colon behind it; an unfinished one counts as a value.
                let is_key = text[end..].trim_start().starts_with(':') && end > content.end;
                let names_secret = speaks_of_secrets(&text[content.clone()]);
                if is_key && masking.is_some_and(|from| depth <= from) {
                    masking = None;
                }
                if masking.is_some() || (names_secret && !is_key) {
                    out.push_str("\"••••••\"");
                } else {
                    out.push_str(&text[at..end]);
                }
                if is_key && names_secret && masking.is_none() {
                    masking = Some(depth);
                }
                at = end;
            }
            byte => {
                match byte {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth = depth.saturating_sub(1);
                        if masking.is_some_and(|from| depth < from) {
                            masking = None;
                        }
                    }
                    _ => {}
                }
                let end = at + text[at..].chars().next().map_or(1, char::len_utf8);
                // Bare words and numbers under a secret name are secrets too.
                let keep = masking.is_none() || !(byte.is_ascii_alphanumeric() || byte >= 0x80);
                if keep {
                    out.push_str(&text[at..end]);
                } else if !out.ends_with(DOTS) {
                    out.push_str(DOTS);
                }
                at = end;
            }
        }
    }
    let place = place.unwrap_or(out.len());
    (out, place)
}

/// At most [`EXCERPT_MAX`] characters with `place` inside, runs of white space as one space.
fn cut(text: &str, place: usize) -> String {
    let mut start = place.saturating_sub(EXCERPT_MAX / 2).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut out = String::new();
    let mut count = 0;
    let mut rest = text[start..].split_whitespace();
    'words: for word in rest.by_ref() {
        for c in word.chars().chain([' ']) {
            if count == EXCERPT_MAX {
                break 'words;
            }
            out.push(c);
            count += 1;
        }
    }
    let more = count == EXCERPT_MAX;
    let out = out.trim_end();
    format!("{}{out}{}", if start > 0 { "…" } else { "" }, if more { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_wherever_they_are_cut() {
        let whole = r#"[{"ID": 1, "AdminPassword" : "p\"w,}x", "Name": "web-1", "CPU": 2}]"#;
        let seen = excerpt(whole.as_bytes(), None, &[]);
        assert_eq!(seen, r#"[{"ID": 1, "AdminPassword" : "••••••", "Name": "web-1", "CPU": 2}]"#);
        for end in 0..=whole.len() {
            let seen = excerpt(&whole.as_bytes()[..end], None, &[]);
            assert!(!seen.contains("p\\") && !seen.contains("w,}"), "{seen}");
        }
    }

    #[test]
    fn secrets_of_other_shapes_are_masked() {
        for body in [
            r#"{"AdminPassword": {"Value": "hunter2", "x": ["hunter2"]}, "ID": 1}"#,
            r#"{"adminpassword": hunter2, "ID": 1}"#,
            r#"{"Message": "{\"AdminPassword\":\"hunter2\"}"}"#,
            r#"{"Note": "the password is hunter2"}"#,
            "<html><b>Password:</b> hunter2</html>",
            "password=hunter2&x=1",
            "Your Password hunter2",
        ] {
            let seen = excerpt(body.as_bytes(), None, &[]);
            assert!(!seen.contains("hunter2"), "{seen}");
        }
        assert!(!excerpt(b"Bearer abcdef failed", None, &["abcdef"]).contains("abcdef"));
    }

    #[test]
    fn an_excerpt_is_short_and_around_its_place() {
        let body = format!("[{}{{\"ID\": \"here\"}}]", "{\"ID\": 1}, ".repeat(1000));
        let place = body.find("here").unwrap();
        let seen = excerpt(body.as_bytes(), Some(place), &[]);
        assert!(seen.contains("here"), "{seen}");
        assert!(seen.chars().count() <= EXCERPT_MAX + 2);
        assert!(seen.starts_with('…'));
        assert_eq!(byte_at(b"ab\ncd", 2, 2), 4);
        assert_eq!(excerpt(b"<html><h1>502 Bad\n  Gateway</h1></html>", None, &[]), "502 Bad Gateway");
        assert_eq!(excerpt(b"", None, &[]), "");
        assert_eq!(excerpt(&[0xff, 0xfe, b'{'], Some(1), &[]), "��{");
    }
}
