//! Blobs: files by content, sent before the plan that names them.

use std::collections::BTreeMap;

use muster_model::bundle::{Manifest, ManifestFile};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Said;

/// Which of these are missing?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BlobCheck {
    /// Digests (SHA-256, hex).
    pub digests: Vec<String>,
}

impl Said for BlobCheck {
    const TYPE: &'static str = "blob-checks";
}

/// A blob that the server does not have, or was just given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlobAttributes {
    /// Whether the server has it now.
    pub stored: bool,
}

impl Said for BlobAttributes {
    const TYPE: &'static str = "blobs";
}

/// One file of a bundle, as said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSaid {
    /// SHA-256 of its content, hex.
    pub sha256: String,
    /// Permission bits.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
}

/// A bundle's manifest, as said: path below the root → content.
pub type ManifestSaid = BTreeMap<String, FileSaid>;

/// The manifest in the words of the API.
pub fn manifest_said(manifest: &Manifest) -> ManifestSaid {
    let said =
        |file: &ManifestFile| FileSaid { sha256: file.sha256.clone(), mode: file.mode, size: file.size };
    manifest.files.iter().map(|(path, file)| (path.clone(), said(file))).collect()
}

/// The manifest in the words of the model.
pub fn manifest_meant(said: ManifestSaid) -> Manifest {
    let meant = |file: FileSaid| ManifestFile { sha256: file.sha256, mode: file.mode, size: file.size };
    Manifest { files: said.into_iter().map(|(path, file)| (path, meant(file))).collect() }
}
