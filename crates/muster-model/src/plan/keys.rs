//! What is remembered of further login keys.

/// The key under which the further login keys that reached a server are recorded in its ownership record.
/// Written after a [`HostAction::Reach`](super::HostAction::Reach) with the digest of [`keys_digest`].
pub const KEYS_RECORD: &str = "builtin:keys";

/// Digest of a set of public keys (SHA-256, hex), whatever their order.
pub fn keys_digest(keys: &[String]) -> String {
    let mut lines: Vec<&str> = keys.iter().map(|key| key.trim()).collect();
    lines.sort_unstable();
    lines.dedup();
    let digest = ring::digest::digest(&ring::digest::SHA256, lines.join("\n").as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write;
        let _ = write!(text, "{byte:02x}");
        text
    })
}
