//! Which names say that their value is secret, which values only say where the real one comes from, and where the
//! secret stands in an address.

use crate::document::{Part, parts};

/// Words that make a name secret wherever they stand in it.
const SECRET_WORDS: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "authorization",
    "bearer",
];
/// Parts of a name that make it secret.
const SECRET_PARTS: [&str; 7] = ["pass", "pwd", "pw", "psk", "dsn", "jwt", "hmac"];
/// Parts that make a key one that everybody may have, or no key of a lock at all.
const OPEN_KEYS: [&str; 10] =
    ["public", "pub", "authorized", "known", "apt", "rpm", "gpg", "primary", "foreign", "partition"];
/// Last parts of names that are about a key, and do not hold it.
const ABOUT_KEYS: [&str; 14] = [
    "id",
    "ids",
    "file",
    "files",
    "path",
    "name",
    "names",
    "type",
    "url",
    "size",
    "length",
    "title",
    "checking",
    "fingerprint",
];

/// How much before a colon is read as its name, in characters.
const NAME_CHARS_MAX: usize = 80;

/// Whether a name says that its value is secret: `db_password`, `apiToken`, `encryption_key`.
pub fn is_secret_name(name: &str) -> bool {
    let parts = parts_of(name);
    let joined = parts.concat();
    if SECRET_WORDS.iter().any(|word| joined.contains(word))
        || parts.iter().any(|part| SECRET_PARTS.contains(&part.as_str()))
    {
        return true;
    }
    let is_key = |part: &String| part.ends_with("key") || part.ends_with("keys");
    let Some(at) = parts.iter().rposition(is_key) else { return false };
    // `key` alone may be anything; `encryption_key` and `encryptionkey` say what they are.
    let is_qualified = at > 0 || !matches!(parts[at].as_str(), "key" | "keys");
    let is_open = OPEN_KEYS.iter().any(|open| parts.iter().any(|part| part.starts_with(open)));
    let is_about = parts.last().is_some_and(|last| ABOUT_KEYS.contains(&last.as_str()));
    is_qualified && !is_open && !is_about
}

/// The parts of a name in lower case: `apiToken` and `api-token` are `api` and `token`.
fn parts_of(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut after_small = false;
    for letter in name.chars() {
        let begins = letter.is_uppercase() && after_small;
        after_small = letter.is_lowercase();
        if begins || !letter.is_alphanumeric() {
            parts.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.extend(letter.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether what ends here is a secret name, and this its mark.
pub(super) fn names_secret(before: &str, mark: char, here: &str) -> bool {
    let is_mark = matches!(mark, ':' | '=');
    if !is_mark && !matches!(mark, ' ' | ',') {
        return false;
    }
    let before = before.trim_end();
    let name = name_before(before);
    if !is_mark {
        // An option of a command, and its value as the next word or item.
        return name.starts_with('-') && is_secret_name(name);
    }
    let is_key = mark == ':' && here[1..].chars().next().is_none_or(char::is_whitespace);
    ends_secretly(before) || is_key && is_secret_name(phrase_before(before))
}

/// Whether a secret name ends here.
pub(super) fn ends_secretly(text: &str) -> bool {
    let name = name_before(text);
    let unquoted = text.trim_end_matches(['"', '\'']);
    // A letter may be written by its number.
    let is_escaped = unquoted.len() < text.len() && unquoted[..unquoted.len() - name.len()].ends_with('\\');
    is_secret_name(name) || is_escaped
}

/// The name that ends here, with or without quotes.
pub(super) fn name_before(text: &str) -> &str {
    let text = text.trim_end_matches(['"', '\'']);
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let length: usize = text
        .chars()
        .rev()
        .take_while(|letter| is_part(*letter))
        .take(NAME_CHARS_MAX)
        .map(char::len_utf8)
        .sum();
    &text[text.len() - length..]
}

/// The words that end here: a name may have blanks in it.
pub(super) fn phrase_before(text: &str) -> &str {
    let text = text.trim_end_matches(['"', '\'']);
    let is_part = |letter: char| !matches!(letter, '{' | '[' | ',' | '"' | '\'');
    let length: usize = text
        .chars()
        .rev()
        .take_while(|letter| is_part(*letter))
        .take(NAME_CHARS_MAX)
        .map(char::len_utf8)
        .sum();
    &text[text.len() - length..]
}

/// Whether a value, quotes or not, only says where the real one comes from: it is wholly one placeholder, and a
/// template holds names only.
pub(super) fn is_placeholder(value: &str) -> bool {
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let value = quoted('"').or(quoted('\'')).unwrap_or(value).trim();
    if let Ok([Part::Placeholder(_)]) = parts(value).as_deref() {
        return true;
    }
    let inner = value.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    inner.is_some_and(|inner| {
        let inner = inner.trim();
        let good = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '|' | ' ');
        // A number, or a name in quotes, would be the value itself.
        inner.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && inner.chars().all(good)
    })
}

/// Where the secret stands in an address that begins its authority here (`://user:password@host`).
///
/// `before` is the text up to here. A user without a password in an address of the web is a token.
pub(super) fn credentials(before: &str, text: &str) -> Option<(usize, usize)> {
    const MARK: &str = "://";
    let rest = text.strip_prefix(MARK)?;
    let end = rest.find(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\''));
    let run = &rest[..end.unwrap_or(rest.len())];
    let authority = run.split(['/', '?', '#']).next().unwrap_or_default();
    let user = match authority.rsplit_once('@') {
        Some((user, _)) => user,
        // A password with a slash in it; a port would be a number.
        None => {
            let (_, port) = authority.split_once(':')?;
            let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
            run.rsplit_once('@').filter(|_| !is_port)?.0
        }
    };
    let (from, secret) = match user.split_once(':') {
        Some((name, password)) => (name.len() + 1, password),
        None if before.ends_with("http") || before.ends_with("https") => (0, user),
        None => return None,
    };
    let from = MARK.len() + from;
    (!secret.is_empty() && !is_placeholder(secret)).then_some((from, from + secret.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_so_are_secret() {
        for name in [
            "db_password",
            "apiToken",
            "secret-key",
            "encryption_key",
            "encryptionKey",
            "signing.key",
            "master_keys",
            "SSL_KEY",
            "tls_key_pem",
            "encryption_key_base64",
            "privatekey",
            "PSK",
            "ftp_pw",
            "jwt",
            "pass_word",
            "host_key",
            "app_key",
            "Authorization",
            "clientSecret",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "key",
            "keys",
            "public_key",
            "publicKey",
            "ssh_authorized_keys",
            "apt_key",
            "gpgkey",
            "primary_key",
            "private_key_file",
            "access_key_id",
            "host_key_checking",
            "keyboard",
            "compass",
            "bypass",
            "workers",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn only_what_is_wholly_one_placeholder_is_one() {
        for value in
            ["${env:A}", "'${secret:db}'", "\"{{ vault.password }}\"", "{{ pw | b64encode }}", " ${var:x} "]
        {
            assert!(is_placeholder(value), "{value}");
        }
        for value in [
            "${env:A}x${env:B}",
            "${env:A}${env:B}",
            "$${env:A}",
            "${hunter2}",
            "{{ 'hunter2' }}",
            "{{ 4711 }}",
            "{{ a }}x{{ b }}",
            "{{ x | default('hunter2') }}",
            "",
            "'",
            "hunter2",
        ] {
            assert!(!is_placeholder(value), "{value}");
        }
    }

    #[test]
    fn the_secret_of_an_address_is_found() {
        let found = |text: &str| {
            let at = text.find("://").unwrap();
            credentials(&text[..at], &text[at..]).map(|(from, to)| text[at + from..at + to].to_owned())
        };
        for (text, secret) in [
            ("https://ann:hunter2@host/path", "hunter2"),
            ("redis://:hunter2@host", "hunter2"),
            ("https://hunter2@host/ann", "hunter2"),
            ("amqp://ann:hun@ter2@host", "hun@ter2"),
            ("amqp://ann:hun/ter2@host/x", "hun/ter2"),
            ("http://ann:${env:A}x@host", "${env:A}x"),
        ] {
            assert_eq!(found(text).as_deref(), Some(secret), "{text}");
        }
        for text in [
            "http://host:80/",
            "https://ann:${secret:db}@host:80/a@b",
            "ssh://git@host/x",
            "https://host:80/a@b",
            "http://host/?q=a@b:c",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
