//! What differs between two texts, as a unified diff, with values hidden whose names say that they are secret.
//!
//! A secret should not stand in a file. Where one does all the same, a history must not spread it: values behind
//! names such as `db_password` are dots (`hide.rs`), private keys too, and an encrypted file is not drawn at all.

use similar::TextDiff;

use super::hide::hidden;

/// Texts of more lines are not compared line by line.
pub const LINES_MAX: usize = 5_000;
/// Lines drawn around each difference.
const CONTEXT_LINES: usize = 3;
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

#[cfg(test)]
mod tests {
    use super::*;

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
