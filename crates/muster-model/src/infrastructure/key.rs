//! Public SSH keys as they stand in a file: one OpenSSH line each.

use base64::Engine;

/// What is wrong with a public key line; nothing if it is good. The key itself is never repeated.
pub fn key_problem(line: &str) -> Option<(&'static str, &'static str)> {
    const HELP: &str = "it is one line like `ssh-ed25519 AAAA… name`, the content of a `.pub` file";
    if line.contains("PRIVATE KEY") {
        return Some((
            "this is a private key; it must not stand in a file",
            "write the public key, the content of the `.pub` file, and make a new pair: this one has been shown",
        ));
    }
    let mut words = line.split_whitespace();
    let (Some(algorithm), Some(body)) = (words.next(), words.next()) else {
        return Some(("this is no public key", HELP));
    };
    let known = ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519@", "sk-ecdsa-sha2-"];
    if !known.iter().any(|start| algorithm.starts_with(start)) {
        return Some(("this is no public key", HELP));
    }
    let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(body) else {
        return Some(("this public key is damaged or cut short", HELP));
    };
    // The body repeats the algorithm as its first field: 4 bytes of length, then the word.
    let length = bytes.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize);
    match length.and_then(|length| bytes.get(4..4usize.checked_add(length)?)) {
        Some(inner) if inner == algorithm.as_bytes() && bytes.len() > 8 + inner.len() => None,
        _ => Some(("this public key is damaged or cut short", HELP)),
    }
}

#[cfg(test)]
mod tests {
    use super::key_problem;

    #[test]
    fn good_and_bad_keys() {
        let good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@home";
        assert_eq!(key_problem(good), None);
        for bad in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
            "hello world",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
        ] {
            assert!(key_problem(bad).is_some(), "{bad}");
        }
    }
}
