//! Which names servers, networks and groups may have.
//!
//! A server's key becomes its group, its host name and Ansible's word for it, so all three rules meet here.

use crate::diagnostic::shown;

/// The longest name of a server or network, prefix and number included: what a host name may have.
pub const NAME_CHARS_MAX: usize = 63;

/// Words that Ansible or Muster mean something by.
pub const RESERVED_GROUPS: &[&str] = &["all", "ungrouped", "localhost", "_meta", "hostvars"];

/// What is wrong with the name of an entry, network or group; nothing if it is good.
pub fn name_problem(name: &str) -> Option<String> {
    let good = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
    if name.is_empty() {
        Some("a name is empty".to_owned())
    } else if name.len() > NAME_CHARS_MAX {
        Some(format!("a name has at most {NAME_CHARS_MAX} characters; this one has {}", name.chars().count()))
    } else if let Some(char) = name.chars().find(|char| !good(*char)) {
        Some(format!("a name has letters, digits, `-` and `_`, not `{}`", shown(&char.to_string())))
    } else if !name.starts_with(|char: char| char.is_ascii_alphabetic()) {
        Some("a name starts with a letter".to_owned())
    } else if !name.ends_with(|char: char| char.is_ascii_alphanumeric()) {
        Some("a name ends with a letter or a digit".to_owned())
    } else {
        None
    }
}

/// The longest name of an infrastructure, in characters.
pub const INFRASTRUCTURE_NAME_CHARS_MAX: usize = 100;

/// What is wrong with the name of an infrastructure (its file's name); nothing if it is good. It may be
/// freer than a server's, but stands in addresses and file names, so it has no `/` and no `..`.
pub fn infrastructure_name_problem(name: &str) -> Option<String> {
    let length = name.chars().count();
    let good = |char: char| char.is_alphanumeric() || "._- ".contains(char);
    if name.trim().is_empty() {
        Some("it is empty".to_owned())
    } else if length > INFRASTRUCTURE_NAME_CHARS_MAX {
        Some(format!("it has at most {INFRASTRUCTURE_NAME_CHARS_MAX} characters; this one has {length}"))
    } else if name.starts_with(['.', ' ', '-']) || name.ends_with(['.', ' ']) || name.contains("..") {
        Some("it starts with a letter, a digit or `_`, and has no `..`".to_owned())
    } else {
        let char = name.chars().find(|char| !good(*char))?;
        Some(format!("it has letters, digits, `.`, `_`, `-` and spaces, not `{}`", shown(&char.to_string())))
    }
}

/// What is wrong with a prefix; nothing if it is good. Empty is good: no prefix.
pub fn prefix_problem(prefix: &str) -> Option<String> {
    if prefix.is_empty() {
        return None;
    }
    name_problem(&format!("{prefix}x"))
}

/// Whether Ansible or Muster mean something else by this word.
pub fn is_reserved(group: &str) -> bool {
    RESERVED_GROUPS.contains(&ansible_group(group).as_str()) || RESERVED_GROUPS.contains(&group)
}

/// A group's name as Ansible takes it: `-` becomes `_`.
pub fn ansible_group(group: &str) -> String {
    group.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_and_bad_names() {
        for good in ["web", "Web_1", "a", "db-main"] {
            assert_eq!(name_problem(good), None, "{good}");
        }
        for bad in [
            "",
            "..",
            "a/b",
            "1web",
            "-web",
            "web-",
            "wéb",
            "a b",
            "a\u{7}",
            "web.example.org",
            &"x".repeat(64),
        ] {
            assert!(name_problem(bad).is_some(), "{bad:?}");
        }
        assert!(is_reserved("all") && is_reserved("ungrouped") && !is_reserved("web"));
        for good in ["shop", "shop.prod", "2024 магазин", "_x"] {
            assert_eq!(infrastructure_name_problem(good), None, "{good}");
        }
        for bad in ["", " ", "..", "a..b", ".hidden", "a/b", "-x", "a\u{1b}", &"x".repeat(101)] {
            assert!(infrastructure_name_problem(bad).is_some(), "{bad:?}");
        }
        assert_eq!(prefix_problem("acme-"), None);
        assert!(prefix_problem("../").is_some());
    }
}
