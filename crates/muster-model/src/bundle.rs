//! Bundles: a document with the files it refers to, by content.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a bundle holds: relative path → content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Files by path below the root, `/` between parts.
    pub files: BTreeMap<String, ManifestFile>,
}

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// SHA-256 of its content, hex.
    pub sha256: String,
    /// Permission bits (`0o755` or `0o644` matter).
    pub mode: u32,
    /// Bytes.
    pub size: u64,
}

impl Manifest {
    /// SHA-256 over the manifest, hex.
    pub fn digest(&self) -> String {
        let text: String = self
            .files
            .iter()
            .map(|(path, file)| format!("{path}\n{}\n{:o}\n", file.sha256, file.mode))
            .collect();
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
