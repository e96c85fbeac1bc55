//! Comparing public keys as providers give them back.

/// Whether two public keys are the same key.
///
/// A provider may give a key back without its algorithm word, without its comment, or wrapped
/// (`spec/onecloud-api.md` §1.4): only the base64 part tells keys apart, and it repeats the algorithm inside.
/// Text without such a part is equal only to itself.
pub fn same_key(a: &str, b: &str) -> bool {
    match (material(a), material(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a.trim() == b.trim(),
    }
}

/// The base64 part: every key's begins with the length of an algorithm's name, three zero bytes, so `AAAA`.
fn material(line: &str) -> Option<String> {
    let start = line
        .match_indices("AAAA")
        .map(|(at, _)| at)
        .find(|at| *at == 0 || line[..*at].ends_with(char::is_whitespace))?;
    let rest = &line[start..];
    // A wrapped key goes on after a line's end; a comment comes after a space.
    let text: String = rest
        .chars()
        .filter(|c| *c != '\n' && *c != '\r')
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))
        .collect();
    let text = text.trim_end_matches('=');
    (text.len() > 8).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIGtleWtleWtleWtleWtleWtleWtleWtleWtleWtleWtleWs";

    #[test]
    fn the_algorithm_word_and_the_comment_do_not_matter() {
        assert!(same_key(&format!("ssh-ed25519 {KEY} anna@desk"), KEY));
        assert!(same_key(&format!("  ssh-ed25519\t{KEY}\n"), &format!("{KEY} other comment")));
        assert!(same_key(&format!("{}\n{}", &KEY[..20], &KEY[20..]), KEY));
    }

    #[test]
    fn another_key_is_another_key() {
        let other = KEY.replace("a2V5", "b2V5");
        let other = if other == KEY { KEY.replace("Gtl", "Htl") } else { other };
        assert!(!same_key(KEY, &other));
        assert!(!same_key(KEY, ""));
        assert!(!same_key(KEY, "AAAA"));
        assert!(same_key("not a key", " not a key "));
        assert!(!same_key("comment AAAA", KEY));
    }
}
