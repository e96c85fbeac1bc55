//! Where records of runs are sent, as a person's settings say it (`elastic:` in `config.yaml`). Credentials never
//! stand here: they come from the environment.

use crate::diagnostic::shown;
use crate::document::Entry;
use crate::document::walk::{Walk, blame, field};

/// The longest beginning of an index's name, in characters; the name itself may have 255 bytes.
pub const PREFIX_CHARS_MAX: usize = 100;
/// The beginning of the indices' names where nothing is said.
pub const PREFIX_DEFAULT: &str = "muster";
/// Disk space for what cannot be sent, in MiB, where nothing is said.
pub const SPILL_MIB_DEFAULT: u32 = 256;
/// The most that can be asked for, in MiB.
pub const SPILL_MIB_MAX: u32 = 1024 * 1024;

/// Where records of runs are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elastic {
    /// The base address.
    pub url: String,
    /// The beginning of the indices' names.
    pub prefix: String,
    /// Disk space for what cannot be sent, in MiB.
    pub spill_mib: u32,
}

impl Elastic {
    /// The usual settings for an address.
    pub fn new(url: String) -> Elastic {
        Elastic { url, prefix: PREFIX_DEFAULT.to_owned(), spill_mib: SPILL_MIB_DEFAULT }
    }
}

/// What is wrong with an address, if anything. An address that bears credentials is not repeated.
///
/// # Errors
/// Why it cannot be used.
pub fn check_url(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err(format!("`{}` does not begin with https:// or http://", shown(text)));
    };
    if rest.contains('@') {
        return Err("the address has credentials in it; give them apart (MUSTER_ELASTIC_API_KEY)".to_owned());
    }
    let plain = |letter: char| letter.is_ascii_graphic() && !"?#<>\"\\^`{|}".contains(letter);
    if rest.is_empty() || rest.starts_with('/') || !rest.chars().all(plain) {
        return Err(format!("`{}` is no address of a server", shown(text)));
    }
    Ok(())
}

/// What is wrong with the beginning of an index's name, if anything.
///
/// # Errors
/// Why it cannot be used.
pub fn check_prefix(text: &str) -> Result<(), String> {
    let plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_.".contains(letter);
    let good = text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && text.len() <= PREFIX_CHARS_MAX
        && text.chars().all(plain);
    if good {
        return Ok(());
    }
    Err(format!(
        "`{}` cannot begin an index's name: lower-case letters, digits, `-`, `_` and `.`, a letter or digit first, at \
         most {PREFIX_CHARS_MAX}",
        shown(text)
    ))
}

/// Reads the entry; every problem goes to the walk.
pub(super) fn read(walk: &mut Walk<'_>, entry: &Entry) -> Option<Elastic> {
    let entries = walk.map(&entry.node, entry.key.at, "`elastic`")?;
    walk.only(entries, "`elastic`", &["url", "prefix", "spill_mib"], &[]);
    let Some(url) = field(entries, "url") else {
        walk.error(entry.key.at, "missing-field", "`elastic` needs a `url`");
        return None;
    };
    let at = blame(url);
    let mut elastic = Elastic::new(walk.text(&url.node, at, "`url`")?);
    if let Err(problem) = check_url(&elastic.url) {
        walk.error(at, "bad-address", problem);
    }
    if let Some(entry) = field(entries, "prefix")
        && let Some(prefix) = walk.text(&entry.node, blame(entry), "`prefix`")
    {
        match check_prefix(&prefix) {
            Ok(()) => elastic.prefix = prefix,
            Err(problem) => walk.error(blame(entry), "bad-name", problem),
        }
    }
    if let Some(entry) = field(entries, "spill_mib")
        && let Some(mib) = walk.whole(entry, "`spill_mib`", 1..=SPILL_MIB_MAX)
    {
        elastic.spill_mib = mib;
    }
    Some(elastic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_bears_no_credentials() {
        for good in ["http://127.0.0.1:9200", "https://search.example.org/es", "http://[::1]:9200/"] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in ["127.0.0.1:9200", "ftp://x", "http://", "http:///x", "http://a b", "https://a?x=1"] {
            assert!(check_url(bad).unwrap_err().contains(bad), "{bad}");
        }
        let said = check_url("https://elastic:hunter2@search.example.org").unwrap_err();
        assert!(!said.contains("hunter2") && said.contains("MUSTER_ELASTIC_API_KEY"), "{said}");
    }

    #[test]
    fn a_prefix_can_begin_an_index() {
        for good in ["muster", "edge", "a-b_c.1"] {
            assert_eq!(check_prefix(good), Ok(()), "{good}");
        }
        for bad in ["", "Muster", "-a", "_a", ".a", "a b", "a,b", "a*", &"a".repeat(101)] {
            assert!(check_prefix(bad).is_err(), "{bad}");
        }
    }
}
