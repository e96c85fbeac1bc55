//! `--only`, and the names of an adopt or a disown: names, groups, and globs with `*` and `?`.

use std::collections::BTreeSet;

use muster_model::server::WantedServer;

/// A set of patterns; empty means everything.
pub(crate) struct Selector<'a> {
    patterns: &'a BTreeSet<String>,
}

impl<'a> Selector<'a> {
    /// A selector of these patterns.
    pub(crate) fn new(patterns: &'a BTreeSet<String>) -> Selector<'a> {
        Selector { patterns }
    }

    /// Whether everything is meant.
    pub(crate) fn is_all(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a server of the file is meant: by its name, its key, or a group.
    pub(crate) fn server(&self, server: &WantedServer) -> bool {
        self.is_all() || self.patterns.iter().any(|pattern| matches_server(pattern, server))
    }

    /// Whether something known by name only is meant; `web` also means `web-3`, which has left the file.
    pub(crate) fn name(&self, name: &str) -> bool {
        self.is_all() || self.patterns.iter().any(|pattern| matches_name(pattern, name))
    }

    /// The patterns.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.patterns.iter().map(String::as_str)
    }
}

/// Whether one pattern means a server of the file.
pub(crate) fn matches_server(pattern: &str, server: &WantedServer) -> bool {
    glob(pattern, server.name.as_str())
        || glob(pattern, &server.key)
        || server.groups.iter().any(|group| glob(pattern, group.as_str()))
}

/// Whether one pattern means a name, or the name without its number.
pub(crate) fn matches_name(pattern: &str, name: &str) -> bool {
    let bare = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let key = if bare.len() < name.len() { bare.strip_suffix(['-', '_']) } else { None };
    glob(pattern, name) || key.is_some_and(|key| glob(pattern, key))
}

/// `*` is any text, `?` one character; everything else is itself. Linear in the text per star.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&letter) if letter == '?' || letter == text[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                // The last star takes one character more, and the rest is tried again.
                Some((star_at, star_from)) => {
                    star = Some((star_at, star_from + 1));
                    at = star_at + 1;
                    from = star_from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&letter| letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("web-1", "web-1", true),
            ("web-1", "web-11", false),
            ("web-*", "web-11", true),
            ("*", "", true),
            ("*-1", "web-1-1", true),
            ("w?b*1", "web-11", true),
            ("w?b*1", "web-12", false),
            ("a*b*c", "axxbxxbc", true),
            ("a*b*c", "axxcxxb", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_key_means_its_numbered_servers() {
        assert!(matches_name("web", "web-3"));
        assert!(matches_name("web", "web_3"));
        assert!(matches_name("web", "web"));
        assert!(!matches_name("web", "web3"));
        assert!(!matches_name("we", "web-3"));
    }
}
