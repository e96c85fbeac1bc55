//! known_hosts files: who is known by which key.
//!
//! Format: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": markers, hashed names, patterns with `*`, `?`, `!`, and
//! `[name]:port`. Parsed with `ssh-key`'s entry parser, a line at a time so that one bad line hides no other; the
//! matching is ours. Certificate authorities are not used: a key that only an authority vouches for is unknown.

use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};

use super::HostKey;

/// What the files say about a machine and the key it showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is known by this key.
    Known,
    /// Nobody knows it.
    Unknown,
    /// It is known by other keys of the same kind.
    Changed {
        /// Where, from 1.
        line: usize,
        /// The fingerprint on record.
        expected: String,
    },
    /// This key is marked as stolen.
    Revoked {
        /// Where, from 1.
        line: usize,
    },
}

/// Judges a key against the text of one known_hosts file.
///
/// A key of a kind (ed25519, RSA, …) that the file does not hold for this machine counts as changed too, if the
/// file holds any: otherwise a stranger would only have to show another kind.
pub fn judge(text: &str, address: &str, port: u16, shown: &HostKey) -> Verdict {
    let name = lookup_name(address, port);
    let mut other: Option<Verdict> = None;
    let mut known = false;
    for (index, line) in text.lines().enumerate() {
        let Some(entry) = read_line(line) else { continue };
        if !matches(entry.host_patterns(), &name, address, port) {
            continue;
        }
        let same = entry.public_key().key_data() == shown.public().key_data();
        match entry.marker() {
            Some(Marker::Revoked) if same => return Verdict::Revoked { line: index + 1 },
            Some(Marker::Revoked | Marker::CertAuthority) => {}
            None if same => known = true,
            None => {
                let expected = HostKey::new(entry.public_key().clone()).fingerprint();
                other.get_or_insert(Verdict::Changed { line: index + 1, expected });
            }
        }
    }
    if known { Verdict::Known } else { other.unwrap_or(Verdict::Unknown) }
}

/// `name`, or `[name]:port` for another port than 22.
pub fn lookup_name(address: &str, port: u16) -> String {
    let address = address.to_ascii_lowercase();
    if port == 22 { address } else { format!("[{address}]:{port}") }
}

fn read_line(line: &str) -> Option<Entry> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    // The entry parser knows single spaces only; the format allows any blanks.
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    words.join(" ").parse().ok()
}

fn matches(patterns: &HostPatterns, name: &str, address: &str, port: u16) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            ring::hmac::sign(&key, name.as_bytes()).as_ref() == hash.as_slice()
        }
        HostPatterns::Patterns(patterns) => {
            let mut matched = false;
            for pattern in patterns {
                let pattern = pattern.to_ascii_lowercase();
                let (negated, pattern) = match pattern.strip_prefix('!') {
                    Some(rest) => (true, rest),
                    None => (false, pattern.as_str()),
                };
                // `*` without a port speaks of port 22 only, as in OpenSSH.
                let hit = glob(pattern.as_bytes(), name.as_bytes())
                    || (port == 22 && glob(pattern.as_bytes(), format!("[{address}]:22").as_bytes()));
                if hit && negated {
                    return false;
                }
                matched |= hit;
            }
            matched
        }
    }
}

/// `*` and `?` only; linear in both lengths together for one star, and never exponential.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[from] => {
                at += 1;
                from += 1;
            }
            Some(_) | None => match star {
                Some((star_at, star_from)) => {
                    star = Some((star_at, star_from + 1));
                    at = star_at + 1;
                    from = star_from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJHXzOEFuxRVUJqBiEbYZzGs4h3wUkZFLbEwZNRrqN8L";
    const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPVWfbQ1rHIhvPHXQr3PmHI1uJNlqXqBNg1pQbPFNHm2";

    fn key(line: &str) -> HostKey {
        line.parse().unwrap()
    }

    #[test]
    fn reads_patterns_ports_negations_and_markers() {
        let judge_a = |text: &str, address: &str, port: u16| judge(text, address, port, &key(A));
        assert_eq!(judge_a(&format!("web-1 {A}"), "web-1", 22), Verdict::Known);
        assert_eq!(judge_a(&format!("web-1 {A}"), "WEB-1", 22), Verdict::Known);
        assert_eq!(judge_a(&format!("web-1 {A}"), "web-1", 2222), Verdict::Unknown);
        assert_eq!(judge_a(&format!("[web-1]:2222 {A} comment"), "web-1", 2222), Verdict::Known);
        assert_eq!(
            judge_a(&format!("*.example.org,!bad.example.org\t{A}"), "a.example.org", 22),
            Verdict::Known
        );
        assert_eq!(
            judge_a(&format!("*.example.org,!bad.example.org {A}"), "bad.example.org", 22),
            Verdict::Unknown
        );
        assert_eq!(judge_a(&format!("web-? {A}"), "web-7", 22), Verdict::Known);
        assert_eq!(judge_a(&format!("@cert-authority * {A}"), "web-1", 22), Verdict::Unknown);
        assert_eq!(judge_a(&format!("web-1 {A}\n@revoked * {A}"), "web-1", 22), Verdict::Revoked { line: 2 });
        assert_eq!(judge_a("rubbish\n# web-1 comment\n\n", "web-1", 22), Verdict::Unknown);
    }

    #[test]
    fn a_changed_key_names_the_line_and_the_old_fingerprint() {
        let expected = key(B).fingerprint();
        assert_eq!(
            judge(&format!("\nweb-1 {B}"), "web-1", 22, &key(A)),
            Verdict::Changed { line: 2, expected }
        );
        assert_eq!(judge(&format!("web-1 {B}\nweb-1 {A}"), "web-1", 22, &key(A)), Verdict::Known);
    }
}
